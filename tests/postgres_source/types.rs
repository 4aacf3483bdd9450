//! Values: every type arrives as it was sent, byte for byte.

use serde_json::json;

use super::site::PgSite;

/// A type, and values of it.
const TYPES: [(&str, &[&str]); 44] = [
    ("boolean", &["true", "false"]),
    ("smallint", &["-32768", "32767"]),
    ("integer", &["-2147483648", "0"]),
    ("bigint", &["-9223372036854775808", "9223372036854775807"]),
    ("real", &["'NaN'", "'-Infinity'", "1.1754944e-38", "'-0'"]),
    ("double precision", &["'NaN'", "'Infinity'", "5e-324", "0.1"]),
    ("numeric", &["'NaN'", "'Infinity'", "1e-200", "12345678901234567890.000100"]),
    ("numeric(38,10)", &["-9999999999999999999999999999.9999999999", "0"]),
    ("numeric(4,-2)", &["123400"]),
    ("money", &["'-92233720368547758.08'", "'0.01'"]),
    ("text", &["''", "E'a\\tb\\n\\\\.'", "'\u{1F600}e\u{301}'", "repeat('x', 300000)"]),
    ("varchar(5)", &["'abc'", "'ab   '"]),
    ("char(5)", &["'abc'", "''"]),
    ("\"char\"", &["'x'"]),
    ("name", &["'a name'"]),
    ("bytea", &["'\\x00ff'", "''"]),
    ("date", &["'infinity'", "'-infinity'", "'4713-01-01 BC'", "'5874897-12-31'"]),
    ("time", &["'00:00'", "'24:00'", "'23:59:59.999999'"]),
    ("time(3)", &["'12:34:56.789'"]),
    ("timetz", &["'12:00:00.000001+15:59:59'"]),
    ("timestamp", &["'infinity'", "'4713-01-01 00:00:00 BC'", "'294276-12-31 23:59:59.999999'"]),
    ("timestamptz", &["'-infinity'", "'2026-01-01 00:00:00.000001+14'"]),
    ("timestamptz(0)", &["'2026-01-01 00:00:01+14'"]),
    ("interval", &["'-1 year 2 months -3 days 04:05:06.789'", "'0'"]),
    ("interval day to second(3)", &["'3 04:05:06.789'"]),
    ("uuid", &["'ffffffff-ffff-ffff-ffff-ffffffffffff'"]),
    ("json", &["'{\"b\": 1,  \"a\": [null, 1.10], \"b\": 2}'"]),
    ("jsonb", &["'{\"b\": 1,  \"a\": [null, 1.10]}'", "'null'"]),
    ("xml", &["'<?xml version=\"1.0\" encoding=\"UTF-8\"?><a>é</a>'", "'x<b/>'"]),
    ("inet", &["'10.0.0.1/8'", "'::1'"]),
    ("cidr", &["'10.0.0.0/8'"]),
    ("macaddr8", &["'08:00:2b:01:02:03:04:05'"]),
    ("bit(3)", &["'101'"]),
    ("varbit", &["''", "'1010101010101'"]),
    ("point", &["'(1,-2.5)'"]),
    ("polygon", &["'((0,0),(1,1),(2,0))'"]),
    ("tsvector", &["'''a'':1A fat:2B,4C'"]),
    ("tsquery", &["'fat & (rat | ''c at'':*)'"]),
    ("pg_lsn", &["'16/B374D848'"]),
    ("integer[]", &["'{}'", "'{{1,NULL},{3,4}}'", "'[5:6]={7,8}'"]),
    ("text[]", &["ARRAY['a,b', NULL, '\"', '']"]),
    ("numeric(9,2)[]", &["'{1.10,NULL}'"]),
    ("int4range", &["'empty'", "'[1,)'", "'(,)'"]),
    ("tstzmultirange", &["'{[2026-01-01 00:00+00,2026-01-02 00:00+00),[2026-02-01 00:00+00,)}'"]),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_type_arrives_byte_for_byte_in_a_new_table_and_in_staging() {
    let columns: Vec<_> = TYPES.iter().enumerate().map(|(n, (name, _))| format!("c{n} {name}")).collect();
    let mut sql = format!("CREATE TABLE every (id integer PRIMARY KEY, {})", columns.join(", "));
    sql.push_str("; INSERT INTO every (id) VALUES (0)");
    for row in 0..4 {
        let value =
            |(name, values): &(&str, &[&str])| values.get(row).map_or("NULL".to_owned(), |value| format!("CAST({value} AS {name})"));
        let values: Vec<_> = TYPES.iter().map(value).collect();
        sql.push_str(&format!("; INSERT INTO every VALUES ({}, {})", row + 1, values.join(", ")));
    }
    let mut site = PgSite::new(&sql, &["every"]).await;
    for refresh in ["auto", "merge", "replace", "truncate", "swap"] {
        site.option("every", "refresh", json!(refresh));
        // What the first run has made differs from the source in every column of a row.
        site.to.execute("DO $$ BEGIN IF to_regclass('every') IS NOT NULL THEN DELETE FROM every WHERE id = 1; END IF; END $$").await;
        let body = site.sync().await;
        assert_eq!(body.counts("every")[0], 5, "{refresh}");
        assert_same_bytes(&site, "every").await;
        let declared = "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'every'::regclass AND attnum > 0 ORDER BY attnum";
        assert_eq!(site.from.rows(declared).await, site.to.rows(declared).await);
    }
    let body = site.json(&["verify"]).await;
    assert_eq!((body.code, &body["success"]), (Some(0), &json!(true)), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn types_of_the_databases_own_pass_where_their_values_mean_the_same() {
    let types = "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN code AS varchar(3) CHECK (VALUE <> ''); \
         CREATE TYPE pair AS (a integer, b text)";

    let sql = format!(
        "{types}; CREATE TABLE own (id integer PRIMARY KEY, m mood, c code, p pair, ms mood[], ps pair[]); INSERT INTO own VALUES (1, 'sad', 'abc', (1, 'x'), ARRAY[['sad', 'happy'], [NULL, 'sad']]::mood[], ARRAY[(2, 'y')::pair])"
    );
    let site = PgSite::new(&sql, &["own"]).await;
    // Other numbers than at the source.
    site.to.execute(&format!("SET ROLE sync; CREATE TYPE other AS ENUM ('x'); {types}")).await;
    site.sync().await;
    site.assert_same("own").await;
    let body = site.json(&["verify"]).await;
    assert_eq!((body.code, &body["success"]), (Some(0), &json!(true)), "{body}");
    site.to.execute("UPDATE own SET ms = '{sad}'").await;
    assert_eq!(site.json(&["verify"]).await.code, Some(1));
    assert_eq!(site.sync().await.counts("own"), [1, 0, 1, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_be_read_as_something_else_is_refused_with_column_and_type() {
    let sql = "CREATE TYPE mood AS ENUM ('sad'); CREATE TYPE moods AS (one mood); CREATE TABLE odd (id integer PRIMARY KEY, moods moods, relation regclass, acl aclitem)";
    let site = PgSite::new(sql, &["odd"]).await;
    let body = site.json(&["multi_sync"]).await;
    let error = body.error_of("odd");
    for part in ["moods (moods)", "relation (regclass)", "acl (aclitem)"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn types_that_differ_are_cast_where_nothing_is_lost_and_refused_by_name_where_something_could_be() {
    let sql = "CREATE TABLE wide (id integer PRIMARY KEY, small smallint, n numeric(5,2), at timestamp, u uuid, doc json, words text); \
         INSERT INTO wide VALUES (1, 7, 1.25, '2026-07-01 12:00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{\"a\": 1}', 'abc')";
    let mut site = PgSite::new(sql, &["wide"]).await;
    site.to
        .execute("SET ROLE sync; CREATE TABLE wide (id bigint PRIMARY KEY, small numeric(6,1), n numeric, at timestamptz, u text, doc jsonb, words varchar(3))")
        .await;
    let error = site.json(&["multi_sync"]).await;
    let error = error.error_of("wide");
    let expected =
        "at (timestamp without time zone) does not fit the target's at (timestamptz), unless source_time_zone says where it was written";
    assert!(error.contains(expected), "{error}");
    site.option("wide", "source_time_zone", json!("Asia/Tokyo"));
    let body = site.sync().await;
    let warned = "column words (text) is wider than the target's words (varchar(3)): every value is checked, at most 3 characters";
    assert!(body["warnings"].to_string().contains(warned), "{body}");
    let row = site.to.rows("SELECT id, small, n, at AT TIME ZONE 'UTC', u, doc, words FROM wide").await;
    let expected = ["1", "7.0", "1.25", "2026-07-01 03:00:00", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "{\"a\": 1}", "abc"];
    assert_eq!(row, [expected.map(|value| Some(value.to_owned()))]);
    site.from.execute("UPDATE wide SET words = 'canary-value'").await;
    let body = site.json(&["multi_sync"]).await;
    let error = body.error_of("wide");
    assert!(error.contains("column words, row id=1: the value has 12 characters and the column takes 3"), "{error}");
    assert!(!body.to_string().contains("canary"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_that_the_target_would_round_or_refuse_fails_its_table_by_column_and_key() {
    let sql = "CREATE TABLE wide (id integer PRIMARY KEY, n numeric, at timestamptz, c char(4), need text); \
         INSERT INTO wide SELECT n, 1.50, '2026-01-01 00:00:01', 'ab', '' FROM generate_series(1, 40000) AS n";
    let site = PgSite::new(sql, &["wide"]).await;
    let target = "CREATE TABLE wide (id integer PRIMARY KEY, n numeric(4,1), at timestamptz(0), c char(2), need text NOT NULL)";
    site.to.execute(&format!("SET ROLE sync; {target}")).await;
    site.sync().await;
    assert_eq!(site.to.value("SELECT count(*) FROM wide WHERE n = 1.5 AND c = 'ab'").await, "40000");
    for (change, expected) in [
        ("n = 1.55", "column n, row id=39000: the value has more than the 1 digits after the point"),
        ("n = 1234", "column n, row id=39000: the value is too large for numeric(4,1)"),
        ("at = '2026-01-01 00:00:01.5'", "column at, row id=39000: the value has more than the 0 fractional digits"),
        ("c = 'abc'", "column c, row id=39000: the value has 3 characters and the column takes 2"),
        ("need = NULL", "column need, row id=39000: the value is NULL"),
    ] {
        site.from.execute(&format!("UPDATE wide SET {change} WHERE id = 39000")).await;
        let body = site.json(&["multi_sync"]).await;
        assert!(body.error_of("wide").contains(expected), "{change}: {body}");
        site.from.execute("UPDATE wide SET n = 1.5, at = '2026-01-01 00:00:01', c = 'ab', need = '' WHERE id = 39000").await;
    }
    assert_eq!(site.to.value("SELECT count(*) FROM wide WHERE n = 1.5").await, "40000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_not_what_the_target_takes_fails_and_is_not_shown() {
    let sql = "CREATE TABLE texts (id integer PRIMARY KEY, other text, u text); INSERT INTO texts SELECT n, '{}', gen_random_uuid() FROM generate_series(1, 5000) n; \
        UPDATE texts SET u = 'canary-value' WHERE id = 4321";
    let site = PgSite::new(sql, &["texts"]).await;
    site.to.execute("SET ROLE sync; CREATE TABLE texts (id integer PRIMARY KEY, other jsonb, u uuid)").await;
    let body = site.json(&["multi_sync"]).await;
    let error = body.error_of("texts");
    assert!(error.contains("column u, row id=4321") && error.contains("a value cannot be cast (22P02)"), "{error}");
    assert!(!body.to_string().contains("canary-value") && !body.stderr.contains("canary-value"), "{body}");
    assert_eq!(site.to.value("SELECT count(*) FROM texts").await, "0");
}

/// Both sides' rows of a table, as COPY sends them.
async fn assert_same_bytes(site: &PgSite, table: &str) {
    let copy = format!("COPY (SELECT * FROM {table} ORDER BY id) TO STDOUT (FORMAT binary)");
    let [from, to] = [site.from.copied(&copy).await, site.to.copied(&copy).await];
    assert!(from.len() > 50, "rows are read");
    assert!(from == to, "{table}: {} and {} bytes", from.len(), to.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn money_becomes_a_number_where_the_target_has_one() {
    let site = PgSite::new("CREATE TABLE prices (id integer PRIMARY KEY, price money, net money)", &["prices"]).await;
    site.from.execute("INSERT INTO prices VALUES (1, '-92233720368547758.08', '0.01'), (2, NULL, '1234.50')").await;
    site.to
        .execute("CREATE TABLE prices (id integer PRIMARY KEY, price numeric, net numeric(10,2)); ALTER TABLE prices OWNER TO sync")
        .await;
    let body = site.sync().await;
    assert!(body["warnings"][0].as_str().unwrap().contains("column net (money) is wider than the target's net (numeric(10,2))"), "{body}");
    let rows = "SELECT string_agg(concat_ws(' ', id, price, net), ', ' ORDER BY id) FROM prices";
    assert_eq!(site.to.value(rows).await, "1 -92233720368547758.08 0.01, 2 1234.50");
    let verified = site.json(&["verify"]).await;
    assert_eq!((verified.code, verified.table("prices")["compared_rows"].as_u64()), (Some(0), Some(2)), "{verified}");
    site.to.execute("ALTER TABLE prices ALTER price TYPE text, ALTER net TYPE text; TRUNCATE prices").await;
    site.from.execute("ALTER TABLE prices ALTER price TYPE text").await;
    site.to.execute("ALTER TABLE prices ALTER price TYPE money USING NULL").await;
    let refused = site.json(&["multi_sync", "--accept-drift"]).await;
    assert!(refused.error_of("prices").contains("price (text) does not fit the target's price (money)"), "{refused}");
}
