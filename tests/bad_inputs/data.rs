//! Values that the target cannot hold: the error names table, column and row key.

use serde_json::{Value as Json, json};
use tds_stand_in::{
    Spatial, TableDef,
    Value::{self, Binary, Bit, Date, DateTime, DateTime2, DateTimeOffset, Decimal, Guid, Int, Money, Narrow, Null, Time},
};

use super::{Findings, error_of, installed};

pub(super) const COUNT: fn() -> usize =
    || values().len() + checked_values().len() + broken_texts().len() + keys().len() + constraints().len();

/// The source's type, the target column's, a value that fits, one that does not, and what the error says beside column and key.
struct Bad {
    sql_type: &'static str,
    pg_type: &'static str,
    good: Value,
    bad: Value,
    says: &'static str,
    options: Json,
    collation: &'static str,
}

fn bad(sql_type: &'static str, pg_type: &'static str, good: Value, bad: Value, says: &'static str) -> Bad {
    Bad { sql_type, pg_type, good, bad, says, options: json!({}), collation: "Latin1_General_CI_AS" }
}

impl Bad {
    fn with(mut self, options: Json) -> Self {
        self.options = options;
        self
    }

    fn collated(mut self, collation: &'static str) -> Self {
        self.collation = collation;
        self
    }
}

fn values() -> Vec<Bad> {
    let (nul, text) = ("U+0000", Value::text("ab"));
    let noon = 432_000_000_000;
    let narrow = |text: &str| Narrow(text.as_bytes().to_vec());
    let offset = |ticks| DateTimeOffset(730_119, ticks, 540);
    let fail = || json!({"on_submicrosecond": "fail"});
    let version = |number: u64| Binary(number.to_be_bytes().to_vec());
    vec![
        bad("nvarchar(10)", "text", text.clone(), Value::text("\0abc"), nul),
        bad("nvarchar(10)", "varchar(10)", text.clone(), Value::text("a\0b"), nul),
        bad("nvarchar(max)", "text", text.clone(), Value::text("日本\0"), nul),
        bad("nchar(4)", "varchar(4)", text.clone(), Value::text("\0"), nul),
        bad("nchar(4)", "char(4)", text.clone(), Value::text("a\0"), nul),
        bad("ntext", "text", text.clone(), Value::text("\0"), nul),
        bad("sysname", "varchar(128)", text.clone(), Value::text("a\0"), nul),
        bad("varchar(10)", "text", narrow("ab"), narrow("a\0"), nul),
        bad("varchar(max)", "text", narrow("ab"), narrow("\0"), nul),
        bad("char(4)", "text", narrow("ab"), narrow("\0b"), nul),
        bad("text", "text", narrow("ab"), narrow("a\0b"), nul),
        bad("nvarchar(50)", "varchar(5)", Value::text("日本語😀é"), Value::text("日本語😀é!"), "6 characters"),
        bad("nvarchar(max)", "varchar(5)", Value::text(""), Value::text(&"x".repeat(100_000)), "100000 characters"),
        bad("varchar(50)", "varchar(5)", narrow("abcde"), narrow("abcdef"), "takes 5"),
        bad("varchar(50)", "varchar(5)", narrow(""), narrow("abcd  "), "6 characters"),
        bad("varchar(max)", "varchar(1)", narrow("a"), narrow("ab"), "takes 1"),
        bad("char(8)", "char(5)", narrow("abc"), narrow("abcdef"), "takes 5"),
        bad("nchar(8)", "varchar(7)", Value::text("😀😀😀😀"), Value::text("a"), "8 characters"),
        bad("sysname", "varchar(5)", Value::text("abcde"), Value::text("abcdef"), "takes 5"),
        bad("decimal(9,3)", "numeric(5,2)", Decimal(999_990, 3), Decimal(1_000_000, 3), "too large for numeric(5,2)"),
        bad("decimal(9,3)", "numeric(5,2)", Decimal(-10, 3), Decimal(-1, 3), "2 digits after the point"),
        bad("decimal(38,0)", "numeric(37,0)", Decimal(10_i128.pow(37) - 1, 0), Decimal(10_i128.pow(37), 0), "numeric(37,0)"),
        bad("decimal(38,38)", "numeric(38,37)", Decimal(10, 38), Decimal(1, 38), "37 digits"),
        bad("numeric(18,0)", "numeric(10,2)", Decimal(99_999_999, 0), Decimal(100_000_000, 0), "numeric(10,2)"),
        bad("int", "numeric(5,2)", Int(999), Int(-1_000), "numeric(5,2)"),
        bad("bigint", "numeric(18,0)", Int(10_i64.pow(18) - 1), Int(i64::MIN), "numeric(18,0)"),
        bad("tinyint", "numeric(2,0)", Int(99), Int(100), "numeric(2,0)"),
        bad("bit", "numeric(1,1)", Bit(false), Bit(true), "numeric(1,1)"),
        bad("money", "numeric(19,2)", Money(12_300), Money(12_345), "2 digits"),
        bad("money", "numeric(5,4)", Money(99_999), Money(i64::MAX), "numeric(5,4)"),
        bad("smallmoney", "numeric(10,3)", Money(10), Money(1), "3 digits"),
        bad("datetime2(7)", "timestamp(0)", DateTime2(0, noon), DateTime2(0, noon + 10), "0 fractional digits"),
        bad("datetime2(7)", "timestamp(3)", DateTime2(0, noon + 10_000), DateTime2(0, noon + 1_000), "3 fractional digits"),
        bad("datetime", "timestamp(0)", DateTime(0, 300), DateTime(0, 1), "0 fractional digits"),
        bad("datetime", "timestamp(2)", DateTime(0, 3), DateTime(0, 2), "2 fractional digits"),
        bad("time(7)", "time(3)", Time(noon + 10_000), Time(noon + 10), "3 fractional digits"),
        bad("datetimeoffset(7)", "timestamptz(0)", offset(noon), offset(noon + 100_000), "0 fractional digits"),
        bad("datetime2(7)", "timestamp", DateTime2(0, 10), DateTime2(3_652_058, 863_999_999_999), "seventh").with(fail()),
        bad("time(7)", "time", Time(10), Time(1), "seventh").with(fail()),
        bad("datetimeoffset(7)", "timestamptz", offset(10), offset(19), "seventh").with(fail()),
        bad("rowversion", "bigint", version((1 << 63) - 1), version(1 << 63), "2^63").with(json!({"as_bigint": true})),
        bad("int", "integer NOT NULL", Int(1), Null, "NULL"),
        bad("nvarchar(5)", "varchar(5) NOT NULL", text, Null, "NULL"),
        bad("varchar(max)", "text NOT NULL", narrow(""), Null, "NULL"),
        bad("decimal(9,3)", "numeric(9,3) NOT NULL", Decimal(0, 3), Null, "NULL"),
        bad("date", "date NOT NULL", Date(0), Null, "NULL"),
        bad("bit", "boolean NOT NULL", Bit(true), Null, "NULL"),
        bad("uniqueidentifier", "uuid NOT NULL", Guid([0; 16]), Null, "NULL"),
        bad("varbinary(5)", "bytea NOT NULL", Binary(vec![]), Null, "NULL"),
        bad("xml", "xml NOT NULL", Value::text("<a/>"), Null, "NULL"),
    ]
}

/// Texts and server-made values that are checked on their way into narrower types.
fn checked_values() -> Vec<Bad> {
    let wide = Value::text;
    let uuid = "00112233-4455-6677-8899-aabbccddeeff";
    let last_tick = 863_999_999_999;
    let round = || json!({"on_submicrosecond": "round"});
    // 2026-03-08 02:30: clocks in New York went from 02:00 to 03:00.
    let (march_8, half_past_two) = (739_682, 90_000_000_000);
    let globe = |srid| Value::from(Spatial::full_globe(srid));
    let point = || Value::from(Spatial::geography_point(4326, (1.0, 2.0), None, None));
    vec![
        bad("nvarchar(50)", "uuid", wide(uuid), wide("not a uuid"), "not a uuid"),
        bad("varchar(50)", "uuid", Narrow(uuid.into()), Narrow(uuid[1..].into()), "not a uuid"),
        bad("nvarchar(50)", "uuid", wide(uuid), wide(""), "not a uuid"),
        bad("nvarchar(50)", "date", wide("2024-02-29"), wide("2026-02-29"), "not a date"),
        bad("nvarchar(50)", "date", wide("0001-01-01"), wide("01/02/2026"), "not a date"),
        bad("varchar(50)", "date", Narrow(b"9999-12-31".into()), Narrow(b"".into()), "not a date"),
        bad("nvarchar(max)", "jsonb", wide("{}"), wide("{\"a\":}"), "not JSON"),
        bad("nvarchar(max)", "jsonb", wide("null"), wide(""), "not JSON"),
        bad("nvarchar(max)", "jsonb", wide("[1]"), wide("[1] 2"), "not JSON"),
        bad("nvarchar(max)", "jsonb", wide("\"\""), wide("\"\\u0000\""), "JSON"),
        bad("nvarchar(max)", "jsonb", wide("\"\""), wide("\"\\ud800\""), "JSON"),
        bad("nvarchar(max)", "jsonb", wide("1e10"), wide("1e200000"), "JSON"),
        bad("nvarchar(max)", "jsonb", wide("[]"), wide(&[["["; 20_000].concat(), ["]"; 20_000].concat()].concat()), "deep"),
        bad("varchar(max)", "json", Narrow(b"[]".into()), Narrow(b"[".into()), "not JSON"),
        bad("json", "jsonb", wide("{}"), wide("[\"\\u0000\"]"), "JSON"),
        bad("json", "varchar(5)", wide("[]"), wide("[1234]"), "takes 5"),
        bad("vector(1)", "varchar(5)", Null, wide("[1.0000000e+000]"), "takes 5"),
        bad("xml", "varchar(5)", wide("<a/>"), wide("<abc/>"), "takes 5"),
        bad("hierarchyid", "varchar(3)", Binary(vec![0x58]), Binary(vec![0x5A, 0xC0]), "takes 3"),
        bad("sql_variant", "varchar(5)", Value::variant("int", Int(7)), Value::variant("int", Int(123_456)), "takes 5"),
        bad("sql_variant", "text", Value::variant("int", Int(7)), Value::variant("nvarchar(9)", wide("a\0")), "U+0000"),
        bad("geography", "bytea, v_srid integer", point(), globe(4326), "FullGlobe"),
        bad("time(7)", "time", Time(last_tick - 9), Time(last_tick), "on_submicrosecond").with(round()),
        bad("datetime2(7)", "timestamp", DateTime2(0, 19), DateTime2(3_652_058, last_tick), "on_submicrosecond").with(round()),
        bad("datetimeoffset(7)", "timestamptz", Null, DateTimeOffset(3_652_058, last_tick, 0), "on_submicrosecond").with(round()),
        bad("datetime2(3)", "timestamptz", DateTime2(march_8, 0), DateTime2(march_8, half_past_two), "never was")
            .with(json!({"source_time_zone": "America/New_York"})),
    ]
}

/// Text that is none: halves of surrogate pairs, bytes that a code page does not know.
fn broken_texts() -> Vec<Bad> {
    let wide = |units: &[u16]| Value::Wide(units.to_vec());
    let half = "lone surrogate";
    let (text, narrow) = (|| Value::text("ab"), |bytes: &[u8]| Narrow(bytes.to_vec()));
    vec![
        bad("nvarchar(10)", "text", text(), wide(&[0x41, 0xD800]), half),
        bad("nvarchar(10)", "varchar(10)", Value::text("\u{FFFD}"), wide(&[0xDC00, 0xD800]), half),
        bad("nvarchar(max)", "text", text(), wide(&[0xDBFF, 0x41]), half),
        bad("nchar(3)", "char(3)", text(), wide(&[0xDFFF]), half),
        bad("ntext", "text", text(), wide(&[0xD800]), half),
        bad("sysname", "text", text(), wide(&[0x41, 0xDC00]), half),
        bad("nvarchar(max)", "jsonb", Value::text("\"a\""), wide(&[0x22, 0xD800, 0x22]), half),
        bad("varchar(10)", "text", narrow(b"\x93\xfa"), narrow(b"\x81\x20"), "Shift_JIS").collated("Japanese_CI_AS"),
        bad("char(4)", "varchar(4)", narrow(b"\x93\xfa"), narrow(b"a\xfd"), "Shift_JIS").collated("Japanese_CI_AS"),
        bad("varchar(max)", "text", narrow(b"ab"), narrow(b"ab\xff"), "gb18030").collated("Chinese_PRC_CI_AS"),
        bad("varchar(10)", "text", narrow(b"ab"), narrow(b"\xaa"), "windows-1253").collated("Greek_CI_AS"),
        bad("varchar(10)", "text", narrow(b"ab"), narrow(b"\xdb"), "windows-874").collated("Thai_CI_AS"),
        bad("varchar(10)", "text", narrow("é".as_bytes()), narrow(b"\xc3"), "UTF-8").collated("Latin1_General_100_CI_AS_SC_UTF8"),
    ]
}

/// Key columns by their types, the key's values, and the row as the error names it: a NUL stands in a column beside them.
struct Keyed {
    columns: &'static [(&'static str, &'static str)],
    key: Vec<Value>,
    named: String,
}

fn keys() -> Vec<Keyed> {
    let keyed = |columns, key, named: &str| Keyed { columns, key, named: named.to_owned() };
    let long = "k".repeat(400);
    vec![
        keyed(&[("Code", "varchar(20)")], vec![Narrow(b"C-007".to_vec())], "row Code=C-007"),
        keyed(&[("Code", "nvarchar(20)")], vec![Value::text("顧客😀")], "row Code=顧客😀"),
        keyed(&[("Id", "bigint"), ("Line", "smallint")], vec![Int(i64::MIN), Int(-7)], "row Id=-9223372036854775808, Line=-7"),
        keyed(&[("Id", "decimal(38,0)")], vec![Decimal(10_i128.pow(37), 0)], "row Id=10000000000000000000000000000000000000"),
        keyed(&[("Id", "uniqueidentifier")], vec![Guid([0xAB; 16])], "row Id=abababab-abab-abab-abab-abababababab"),
        keyed(&[("Hash", "binary(4)")], vec![Binary(vec![0, 1, 0xFE, 0xFF])], "row Hash=0x0001FEFF"),
        keyed(&[("Code", "nvarchar(400)")], vec![Value::text(&long)], &format!("row Code={}:", "k".repeat(195))),
        keyed(
            &[("Day", "date"), ("At", "datetime2(3)")],
            vec![Date(730_119), DateTime2(730_119, 10_000)],
            "row Day=2000-01-01, At=2000-01-01",
        ),
        keyed(&[("Code", "nvarchar(20)")], vec![Value::text("two\nlines")], "row Code=two\\nlines"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_values_are_named_with_table_column_and_row() {
    let cases: Vec<_> = values().into_iter().chain(checked_values()).chain(broken_texts()).collect();
    let tables = cases.iter().enumerate().map(|(at, case)| {
        let name = format!("D{at}");
        let table = TableDef::new("McTM", "dbo", &name).required("Id", "int").collation(case.collation).column("V", case.sql_type);
        (table.key(&["Id"]).row([Int(1), case.good.clone()]), name, case.options.clone())
    });
    let (site, server) = installed(tables.collect()).await;
    for (at, case) in cases.iter().enumerate() {
        let table = format!("CREATE TABLE d{at} (id integer PRIMARY KEY, v {}); ALTER TABLE d{at} OWNER TO sync", case.pg_type);
        site.db.execute(&table).await;
    }
    site.sync().await;
    let mut findings = Findings::default();
    let mut before = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        let table = server.table("McTM", "dbo", &format!("D{at}")).unwrap();
        // The server's own counter goes on from the good value to the bad one.
        let given = |value: &Value| if case.sql_type == "rowversion" { Null } else { value.clone() };
        table.insert(vec![Int(4_711), given(&case.bad)]).unwrap();
        table.insert(vec![Int(5_000), given(&case.good)]).unwrap();
        before.push(site.db.checksum(&format!("d{at}")).await);
    }
    let body = site.json(&["multi_sync"]).await;
    findings.ended_well("bad values", &body, 1);
    for (at, case) in cases.iter().enumerate() {
        let input = format!("d{at}, {} into {}", case.sql_type, case.pg_type);
        let error = error_of(&body, &format!("d{at}"), &mut findings);
        findings.says(&input, &error, &["column V, row Id=4711: ", case.says]);
        if site.db.checksum(&format!("d{at}")).await != before[at] {
            findings.add(&input, "the target has changed");
        }
    }
    findings.none();
}

/// Options that show less of a row, or put it aside: what the error says then.
#[tokio::test(flavor = "multi_thread")]
async fn rows_beyond_the_quarantine_are_named_and_hidden_keys_stay_hidden() {
    let table = || TableDef::new("McTM", "dbo", "T").required("Code", "varchar(20)").column("V", "nvarchar(10)").key(&["Code"]);
    let row = |code: &str| [Narrow(code.into()), Value::text("a\0")];
    let mut findings = Findings::default();
    for (options, named, hidden) in [
        (json!({"on_bad_row": "quarantine", "quarantine_limit": 1}), &["quarantine_limit", "Code=C-1", "column V"][..], "\u{1}"),
        (json!({"on_bad_row": "quarantine", "quarantine_limit": 0}), &["quarantine_limit", "Code=C-1", "column V"], "\u{1}"),
        (json!({"log_keys": false}), &["column V", "U+0000"], "C-1"),
        (json!({"on_bad_row": "quarantine", "quarantine_limit": 1, "log_keys": false}), &["quarantine_limit", "column V"], "C-1"),
    ] {
        let planted = table().row(row("C-1")).row(row("C-2"));
        let (site, _server) = installed(vec![(planted, "T".to_owned(), options.clone())]).await;
        let body = site.json(&["multi_sync"]).await;
        let input = options.to_string();
        findings.ended_well(&input, &body, 1);
        let error = error_of(&body, "t", &mut findings);
        findings.says(&input, &error, named);
        if body.to_string().contains(hidden) || site.db.value("SELECT to_regclass('t') IS NULL").await != "t" {
            findings.add(&input, format!("{hidden} is shown, or a table was left behind: {body}"));
        }
    }
    findings.none();
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_named_by_keys_of_every_kind() {
    let cases = keys();
    let tables = cases.iter().enumerate().map(|(at, case)| {
        let name = format!("K{at}");
        let table = TableDef::new("McTM", "dbo", &name).column("V", "nvarchar(10)");
        let table = case.columns.iter().fold(table, |table, (name, sql_type)| table.required(name, sql_type));
        let names: Vec<_> = case.columns.iter().map(|(name, _)| *name).collect();
        let row = [vec![Value::text("a\0")], case.key.clone()].concat();
        (table.key(&names).row(row), name, json!({}))
    });
    let (site, _server) = installed(tables.collect()).await;
    let body = site.json(&["multi_sync"]).await;
    let mut findings = Findings::default();
    findings.ended_well("keys", &body, 1);
    for (at, case) in cases.iter().enumerate() {
        let table = format!("k{at}");
        let error = error_of(&body, &table, &mut findings);
        findings.says(&table, &error, &["column V, ", &case.named]);
        if site.db.value(&format!("SELECT to_regclass('{table}') IS NULL")).await != "t" {
            findings.add(&table, "a table was left behind");
        }
    }
    findings.none();
}

/// A table whose rows break what the target holds: keys that are not, constraints of the target's own.
struct Broken {
    is_keyed: bool,
    rows: Vec<(Value, &'static str)>,
    target: &'static str,
    says: &'static [&'static str],
}

fn constraints() -> Vec<Broken> {
    let rows = || vec![(Int(7), "a"), (Int(8), "b")];
    let keyed = |target, says| Broken { is_keyed: true, rows: rows(), target, says };
    let keyless = |rows: Vec<_>, target, says| Broken { is_keyed: false, rows, target, says };
    let standing = "CREATE TABLE t (id integer PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'old')";
    vec![
        keyless(vec![(Int(7), "a"), (Int(7), "b"), (Int(8), "c")], "", &["not unique", "id", "7 (2 rows)"]),
        keyless(vec![(Int(7), "a"), (Int(7), "b"), (Int(8), "c")], standing, &["not unique", "id", "7 (2 rows)"]),
        keyless(vec![(Null, "a"), (Int(8), "c")], "", &["NULL (1 row)", "id"]),
        keyless(vec![(Null, "a"), (Int(8), "c")], standing, &["id"]),
        keyed(
            "CREATE TABLE t (id integer PRIMARY KEY, v text CONSTRAINT short CHECK (v <> 'b')); INSERT INTO t VALUES (1)",
            &["short", "column v", "by id: 8"],
        ),
        keyed("CREATE TABLE t (id integer PRIMARY KEY, v text CONSTRAINT short CHECK (v <> 'b'))", &["short", "column v", "by id: 8"]),
        keyed(
            "CREATE TABLE other (v text PRIMARY KEY); INSERT INTO other VALUES ('a'); \
             CREATE TABLE t (id integer PRIMARY KEY, v text CONSTRAINT known REFERENCES other (v))",
            &["known", "column v", "by id: 8"],
        ),
        Broken {
            is_keyed: true,
            rows: vec![(Int(7), "a"), (Int(8), "b"), (Int(9), "b")],
            target: "CREATE TABLE t (id integer PRIMARY KEY, v text CONSTRAINT alone UNIQUE); INSERT INTO t VALUES (1)",
            says: &["alone", "column v", "by id: 8; 9"],
        },
        keyed(
            "CREATE TABLE other (v text PRIMARY KEY); INSERT INTO other VALUES ('a'); \
             CREATE TABLE t (id integer PRIMARY KEY, v text CONSTRAINT known REFERENCES other (v)); INSERT INTO t VALUES (1)",
            &["known", "column v", "by id: 8"],
        ),
        keyed(
            "CREATE TABLE t (id integer PRIMARY KEY, v text, one integer DEFAULT 1 CONSTRAINT single UNIQUE); INSERT INTO t VALUES (1)",
            &["single"],
        ),
        keyed(
            "CREATE DOMAIN letter AS text CONSTRAINT early CHECK (VALUE < 'b'); \
             CREATE TABLE t (id integer PRIMARY KEY, v letter); INSERT INTO t VALUES (1)",
            &["early"],
        ),
        keyed(
            "CREATE TABLE t (id integer PRIMARY KEY, v text); INSERT INTO t VALUES (1); CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql \
             AS 'BEGIN RAISE EXCEPTION ''not today''; END'; CREATE TRIGGER refuse BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION refuse()",
            &["not today"],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_break_a_key_or_a_constraint_are_named() {
    let mut findings = Findings::default();
    for (at, case) in constraints().into_iter().enumerate() {
        let table = TableDef::new("McTM", "dbo", "T").column("Id", "int").column("V", "nvarchar(50)");
        let table = if case.is_keyed { table.key(&["Id"]) } else { table };
        let table = case.rows.iter().fold(table, |table, (id, text)| table.row([id.clone(), Value::text(text)]));
        let (site, _server) = installed(vec![(table, "T".to_owned(), json!({"primary_key": "Id"}))]).await;
        site.db.execute(&format!("SET ROLE sync; {}; RESET ROLE", if case.target.is_empty() { "SELECT 1" } else { case.target })).await;
        let contents = async || if case.target.is_empty() { "none".to_owned() } else { site.db.checksum("t").await };
        let before = contents().await;
        let body = site.json(&["multi_sync"]).await;
        let input = format!("constraint {at}");
        findings.ended_well(&input, &body, 1);
        let error = error_of(&body, "t", &mut findings);
        findings.says(&input, &error, case.says);
        if contents().await != before || case.target.is_empty() && site.db.value("SELECT to_regclass('t') IS NULL").await != "t" {
            findings.add(&input, "the target has changed");
        }
    }
    findings.none();
}
