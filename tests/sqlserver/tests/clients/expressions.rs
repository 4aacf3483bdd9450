//! What is computed and compared before it is sent, as SQL Server 2016 and later document it.

use tds_stand_in::{Spatial, StandIn, TableDef, TlsMode, Value};
use tiberius::{ColumnData, EncryptionLevel};

use crate::tiberius::{Connection, connect, rows};
use crate::{freetds, pymssql};

async fn serve(table: TableDef) -> (StandIn, Connection) {
    let server = StandIn::builder().tls(TlsMode::Off).login("sync", "secret").database("Types").table(table).start().await.unwrap();
    let client = connect(&server, EncryptionLevel::NotSupported, 4096).await.unwrap();
    (server, client)
}

/// The first column of every row.
async fn column(client: &mut Connection, sql: &str, parameters: &[&dyn tiberius::ToSql]) -> Vec<String> {
    let read = rows(client, sql, parameters).await.map_err(|error| format!("{sql}: {error}")).unwrap();
    read.into_iter().map(|row| row[0].clone().unwrap_or("NULL".into())).collect()
}

/// By base type, each in the style that keeps all of it.
const LOSSLESS: &str = "CASE WHEN CAST(SQL_VARIANT_PROPERTY([v], 'BaseType') AS nvarchar(128)) IN (N'real') THEN CONVERT(nvarchar(max), CAST([v] AS real), 3) \
    WHEN CAST(SQL_VARIANT_PROPERTY([v], 'BaseType') AS nvarchar(128)) IN (N'float') THEN CONVERT(nvarchar(max), CAST([v] AS float), 3) \
    WHEN CAST(SQL_VARIANT_PROPERTY([v], 'BaseType') AS nvarchar(128)) IN (N'money', N'smallmoney') THEN CONVERT(nvarchar(max), CAST([v] AS money), 2) \
    WHEN SQL_VARIANT_PROPERTY([v], 'BaseType') = 'varbinary' THEN CONVERT(nvarchar(max), CAST([v] AS varbinary(8000)), 1) \
    WHEN CAST(SQL_VARIANT_PROPERTY([v], 'BaseType') AS nvarchar(128)) IN (N'datetime') THEN CONVERT(nvarchar(max), CAST([v] AS datetime), 121) \
    WHEN CAST(SQL_VARIANT_PROPERTY([v], 'BaseType') AS nvarchar(128)) IN (N'smalldatetime') THEN CONVERT(nvarchar(max), CAST([v] AS smalldatetime), 121) \
    ELSE CONVERT(nvarchar(max), [v]) END";

#[tokio::test(flavor = "multi_thread")]
async fn a_variant_becomes_text_by_its_base_type() {
    let cases = [
        (Value::Null, "NULL"),
        (Value::Int(-7), "-7"),
        (Value::variant("tinyint", Value::Int(255)), "255"),
        (Value::variant("float", Value::Float(1.0)), "1.0000000000000000e+000"),
        (Value::variant("float", Value::Float(0.1)), "1.0000000000000001e-001"),
        (Value::variant("float", Value::Float(f64::MIN)), "-1.7976931348623157e+308"),
        (Value::variant("real", Value::Real(1.5)), "1.5000000000000000e+000"),
        (Value::variant("money", Value::Money(12_345_678)), "1234.5678"),
        (Value::variant("smallmoney", Value::Money(-1)), "-0.0001"),
        (Value::Binary(vec![0, 0xAB]), "0x00AB"),
        (Value::variant("datetime", Value::DateTime(0, 1)), "1900-01-01 00:00:00.003"),
        (Value::variant("smalldatetime", Value::SmallDateTime(0, 61)), "1900-01-01 01:01:00.000"),
        (Value::variant("date", Value::Date(0)), "0001-01-01"),
        (Value::variant("time(2)", Value::Time(100_000)), "00:00:00.01"),
        (Value::variant("datetime2(7)", Value::DateTime2(0, 1)), "0001-01-01 00:00:00.0000001"),
        (Value::variant("datetimeoffset(3)", Value::DateTimeOffset(730_119, 0, 90)), "2000-01-01 01:30:00.000 +01:30"),
        (Value::variant("decimal(38,0)", Value::Decimal(-1, 0)), "-1"),
        (Value::variant("bit", Value::Bit(true)), "1"),
        (Value::Guid([0xAB; 16]), "ABABABAB-ABAB-ABAB-ABAB-ABABABABABAB"),
        (Value::variant("nvarchar(9)", "日本".into()), "日本"),
        (Value::variant("varchar(9) COLLATE Japanese_CI_AS", Value::Narrow(vec![0x8a, 0xbf])), "漢"),
    ];
    let mut table = TableDef::new("McTM", "dbo", "V").required("id", "int").column("v", "sql_variant").key(&["id"]);
    for (id, (value, _)) in (1..).zip(&cases) {
        table = table.row([Value::Int(id), value.clone()]);
    }
    let (_server, mut client) = serve(table).await;
    let read = column(&mut client, &format!("SELECT {LOSSLESS} AS [v] FROM [McTM].[dbo].[V]"), &[]).await;
    assert_eq!(read, cases.iter().map(|(_, text)| *text).collect::<Vec<_>>());
    // A style given to the variant itself goes by its base type; a float is cut to six digits without one.
    for (id, sql, expected) in [
        (5, "CONVERT(nvarchar(max), [v], 3)", "1.0000000000000001e-001"),
        (5, "CONVERT(nvarchar(max), [v])", "0.1"),
        (8, "CONVERT(nvarchar(max), [v])", "1234.57"),
        (11, "CONVERT(nvarchar(max), [v])", "Jan  1 1900 12:00AM"),
        (21, "SQL_VARIANT_PROPERTY([v], 'Collation')", "Japanese_CI_AS"),
        (17, "CAST(SQL_VARIANT_PROPERTY([v], 'Precision') AS int)", "38"),
        (17, "CASE CAST(SQL_VARIANT_PROPERTY([v], 'BaseType') AS nvarchar(128)) WHEN N'decimal' THEN N'it' ELSE N'other' END", "it"),
    ] {
        assert_eq!(column(&mut client, &format!("SELECT {sql} FROM dbo.V WHERE id = {id}"), &[]).await, [expected], "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clr_values_answer_to_their_methods() {
    let shape = |raw: Spatial| Value::from(raw);
    let table = TableDef::new("McTM", "dbo", "Place")
        .required("id", "int")
        .column("h", "hierarchyid")
        .column("g", "geography")
        .column("p", "geometry");
    let given = Spatial::given(&[1, 2], &[1, 2, 0, 0, 0], 0, "LineString", "LINESTRING EMPTY");
    let table = table
        .key(&["id"])
        .row([Value::Int(1), "/1/-2.18/".into(), shape(Spatial::geography_point(4326, (139.5, 35.25), None, None)), shape(given)])
        .row([
            Value::Int(2),
            Value::Binary(vec![0x58]),
            shape(Spatial::full_globe(4326)),
            shape(Spatial::geometry_point(27700, (1.0, 2.0), Some(3.0), Some(4.0))),
        ])
        .row([Value::Int(3), Value::Null, Value::Null, Value::Null]);
    let (_server, mut client) = serve(table).await;
    for (sql, expected) in [
        ("[h].ToString()", ["/1/-2.18/", "/1/", "NULL"]),
        ("t.[h].ToString()", ["/1/-2.18/", "/1/", "NULL"]),
        ("CAST([h] AS nvarchar(4000))", ["/1/-2.18/", "/1/", "NULL"]),
        ("[g].AsBinaryZM()", ["010100000000000000007061400000000000a04140", "017e000000", "NULL"].map(|text| text)),
        ("[g].STSrid", ["4326", "4326", "NULL"]),
        ("t.[g].STGeometryType()", ["Point", "FullGlobe", "NULL"]),
        (
            "CASE WHEN [g].STGeometryType() = N'FullGlobe' THEN 0x017E000000 ELSE [g].AsBinaryZM() END",
            ["010100000000000000007061400000000000a04140", "017e000000", "NULL"],
        ),
        ("[p].AsBinaryZM()", ["0102000000", "01b90b0000000000000000f03f000000000000004000000000000008400000000000001040", "NULL"]),
        (
            "CAST([p].STSrid AS varbinary(4)) + [p].AsBinaryZM()",
            ["000000000102000000", "00006c3401b90b0000000000000000f03f000000000000004000000000000008400000000000001040", "NULL"],
        ),
        ("[g].ToString()", ["POINT (139.5 35.25)", "FULLGLOBE", "NULL"]),
        ("CAST([h] AS varbinary(892))", ["59fb0540", "58", "NULL"]),
    ] {
        assert_eq!(column(&mut client, &format!("SELECT {sql} AS [x] FROM [McTM].[dbo].[Place] AS t"), &[]).await, expected, "{sql}");
    }
    for (sql, number) in [
        ("[h].STSrid", 6506),
        ("[h].AsBinaryZM()", 6506),
        ("[g].tostring()", 6506),
        ("[g].STSrid()", 6506),
        ("[id].ToString()", 258),
        ("nope.ToString()", 4121),
    ] {
        let error = rows(&mut client, &format!("SELECT {sql} FROM dbo.Place"), &[]).await.err();
        assert_eq!(error.and_then(|error| error.code()), Some(number), "{sql}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_and_units_come_out_as_they_are_stored() {
    let table = TableDef::new("McTM", "dbo", "Raw")
        .collation("Japanese_CI_AS")
        .required("id", "int")
        .column("j", "varchar(20)")
        .column("n", "nvarchar(20)");
    let table = table
        .collation("Latin1_General_100_BIN2_UTF8")
        .column("u", "varchar(20)")
        .column("rv", "rowversion")
        .column("o", "datetimeoffset(7)");
    let table = table.key(&["id"]).row([
        Value::Int(1),
        Value::Narrow(vec![0x41, 0x81]),
        Value::Wide(vec![0x41, 0xD800, 0x42]),
        Value::Narrow(vec![0x41, 0xFF]),
        Value::Binary(vec![0, 0, 0, 0, 0, 0, 7, 0xD1]),
        Value::DateTimeOffset(730_119, 0, -570),
    ]);
    let (_server, mut client) = serve(table).await;
    for (sql, expected) in [
        ("CAST([j] AS varbinary(max))", "4181"),
        ("CAST([j] AS varbinary(8000))", "4181"),
        ("CAST([n] AS varbinary(max))", "410000d84200"),
        ("CAST([n] AS varbinary(3))", "410000"),
        ("CAST([u] AS varbinary(max))", "41ff"),
        ("CAST([u] AS nvarchar(max))", "A\u{FFFD}"),
        ("CAST([rv] AS bigint)", "2001"),
        ("DATEPART(TZOFFSET, [o])", "-570"),
        ("DATEPART(tz, [o])", "-570"),
        ("DATEPART(day, [o])", "31"),
        ("DATEPART(hour, [o])", "14"),
        ("CONVERT(nvarchar(max), [rv], 1)", "0x00000000000007D1"),
    ] {
        assert_eq!(column(&mut client, &format!("SELECT {sql} FROM dbo.Raw"), &[]).await, [expected], "{sql}");
    }
    let error = rows(&mut client, "SELECT DATEPART(tz, CAST(o AS date)) FROM dbo.Raw", &[]).await.err();
    assert_eq!(error.and_then(|error| error.code()), Some(9810));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_computed_reads_the_same_through_freetds() {
    let table = TableDef::new("McTM", "dbo", "Mixed").collation("Japanese_CI_AS").column("j", "varchar(20)").column("n", "nvarchar(20)");
    let table = table.column("v", "sql_variant").column("h", "hierarchyid").column("g", "geography").column("o", "datetimeoffset(3)");
    let table = table.row([
        Value::Narrow(vec![0x8a, 0xbf, 0x81]),
        Value::Wide(vec![0x41, 0xDC00]),
        Value::variant("float", Value::Float(0.1)),
        "/1/2.3/".into(),
        Spatial::geography_point(4326, (1.0, 2.0), Some(3.0), None).into(),
        Value::DateTimeOffset(730_119, 0, 345),
    ]);
    let (server, _client) = serve(table).await;
    let cases = [
        ("CAST([j] AS varbinary(max))", "8abf81", r"b'\x8a\xbf\x81'"),
        ("CAST([j] AS nvarchar(max))", "漢・", "'漢・'"),
        ("CAST([n] AS varbinary(8000))", "410000dc", r"b'A\x00\x00\xdc'"),
        ("CONVERT(nvarchar(max), CAST([v] AS float), 3)", "1.0000000000000001e-001", "'1.0000000000000001e-001'"),
        ("[h].ToString()", "/1/2.3/", "'/1/2.3/'"),
        ("CAST([g].STSrid AS varbinary(4))", "000010e6", r"b'\x00\x00\x10\xe6'"),
        ("[g].STGeometryType()", "Point", "'Point'"),
        (
            "CONVERT(varchar(200), [g].AsBinaryZM(), 2)",
            "01E9030000000000000000F03F00000000000000400000000000000840",
            "'01E9030000000000000000F03F00000000000000400000000000000840'",
        ),
        ("DATEPART(TZOFFSET, [o])", "345", "345"),
        ("CONVERT(varchar(40), [o], 121)", "2000-01-01 05:45:00.000 +05:45", "'2000-01-01 05:45:00.000 +05:45'"),
    ];
    for (sql, text, repr) in cases {
        let said = freetds::tsql(&server, &format!("SELECT {sql} FROM McTM.dbo.Mixed")).await;
        assert_eq!(said.lines().last().map(|line| line.trim_start_matches("0x")), Some(text), "{sql}: {said}");
        let script = format!("cur.execute('SELECT {sql} FROM McTM.dbo.Mixed')\nprint(repr(cur.fetchone()[0]))\n");
        assert_eq!(pymssql::run(server.port(), "off", &script).await, [repr], "{sql}");
    }
}

/// A parameter of exactly this type.
#[derive(Debug)]
pub(crate) struct Typed(pub(crate) ColumnData<'static>);

impl tiberius::ToSql for Typed {
    fn to_sql(&self) -> ColumnData<'_> {
        self.0.clone()
    }
}

/// Keys of two columns, of which the second is text.
fn keyed() -> TableDef {
    let mut table = TableDef::new("McTM", "dbo", "Keyed")
        .collation("Japanese_CI_AS")
        .required("a", "bigint")
        .required("b", "varchar(20)")
        .column("n", "int");
    for (a, b, n) in [(1, "x", 10), (2, "Y", 20), (2, "z", 30), (3, "a", 40)] {
        table = table.row([Value::Int(a), b.into(), Value::Int(n)]);
    }
    table.row([Value::Int(4), "漢字".into(), Value::Null]).key(&["a", "b"])
}

#[tokio::test(flavor = "multi_thread")]
async fn predicates_and_orders_take_typed_parameters() {
    let (_server, mut client) = serve(keyed()).await;
    for (sql, parameters, expected) in [
        ("a = @P1 AND b = CAST(@P2 AS varchar(20))", [&2i64 as &dyn tiberius::ToSql, &"y"], "20"),
        ("a = @P1 AND b = CAST(@P2 AS varchar(20))", [&4i64, &"漢字"], "NULL"),
        ("a = @P1 AND b = CAST(@P2 COLLATE Japanese_CI_AS AS varchar(20))", [&4i64, &"漢字"], "NULL"),
        ("a > @P1 AND b = CAST(@P2 COLLATE Latin1_General_CI_AS AS varchar(20))", [&0i64, &"漢字"], ""),
        ("(([a] > @P1) OR ([a] = @P1 AND [b] > CAST(@P2 AS varchar(20)))) ORDER BY [a], [b]", [&2i64, &"Y"], "30,40,NULL"),
        ("a >= @P1 AND a < 3 AND b <> @P2 ORDER BY b DESC", [&1i64, &"q"], "30,20,10"),
        ("a BETWEEN @P1 AND 3 AND b <= @P2", [&2i64, &"Z"], "20,30,40"),
        ("n IS NULL AND a = @P1 AND b = @P2", [&4i64, &"漢字"], "NULL"),
        ("a % 2 = 1 AND a > @P1 AND b <> @P2", [&1i64, &""], "40"),
        ("ABS(a - 3) = @P1 AND b > @P2", [&1i64, &""], "20,30,NULL"),
    ] {
        let read = column(&mut client, &format!("SELECT n FROM [McTM].[dbo].[Keyed] WHERE {sql}"), &parameters).await;
        assert_eq!(read.join(","), expected, "{sql}");
    }
    for (sql, expected) in [
        ("SELECT TOP (2) n FROM dbo.Keyed ORDER BY a, b", "10,20"),
        ("SELECT n FROM dbo.Keyed WHERE a = 2 ORDER BY b COLLATE Latin1_General_BIN2 DESC", "30,20"),
        ("SELECT n FROM dbo.Keyed WHERE a = 2 AND b = 'y' COLLATE Latin1_General_BIN2", ""),
        ("SELECT COUNT_BIG(*) FROM dbo.Keyed WHERE a > 1", "4"),
        ("SELECT COUNT_BIG(*) FROM dbo.Keyed", "5"),
        ("SELECT COUNT(n) FROM dbo.Keyed", "4"),
        ("SELECT MIN(b) FROM dbo.Keyed", "a"),
    ] {
        assert_eq!(column(&mut client, sql, &[]).await.join(","), expected, "{sql}");
    }
    let ends = rows(&mut client, "SELECT MIN([a]), MAX([a]), MAX(n) FROM dbo.Keyed WHERE a < 4", &[]).await.unwrap();
    assert_eq!(ends, [[Some("1".to_owned()), Some("3".to_owned()), Some("40".to_owned())]]);
    let ends = rows(&mut client, "SELECT MIN([a]), MAX([a]) FROM dbo.Keyed", &[]).await.unwrap();
    assert_eq!(ends, [[Some("1".to_owned()), Some("4".to_owned())]]);
    let ends = rows(&mut client, "SELECT MIN([a]), MAX([a]) FROM dbo.Keyed WHERE a > 9", &[]).await.unwrap();
    assert_eq!(ends, [[None, None]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_other_types_are_found_and_ordered_as_the_server_does() {
    let mut table =
        TableDef::new("McTM", "dbo", "Guids").required("g", "uniqueidentifier").required("d", "datetime2(3)").required("m", "decimal(9,2)");
    for (first, last) in [(1u8, 9u8), (9, 1), (5, 5)] {
        let mut guid = [0; 16];
        (guid[0], guid[15]) = (first, last);
        table = table.row([
            Value::Guid(guid),
            Value::DateTime2(730_119, u64::from(first) * 10_000),
            Value::Decimal(i128::from(last) * 100 + 50, 2),
        ]);
    }
    let (_server, mut client) = serve(table.key(&["g"])).await;
    // The last six bytes weigh most.
    assert_eq!(column(&mut client, "SELECT m FROM dbo.Guids ORDER BY g", &[]).await, ["150/2", "550/2", "950/2"]);
    let second = "SELECT m FROM dbo.Guids ORDER BY g OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY";
    assert_eq!(column(&mut client, second, &[]).await, ["550/2"]);
    assert_eq!(column(&mut client, "SELECT m FROM dbo.Guids ORDER BY g OFFSET 1 ROWS", &[]).await, ["550/2", "950/2"]);
    let five = tiberius::Uuid::from_u128(5 << 120 | 5);
    assert_eq!(column(&mut client, "SELECT m FROM dbo.Guids WHERE g > @P1", &[&five]).await, ["950/2"]);
    let moment = tiberius::time::DateTime2::new(tiberius::time::Date::new(730_119), tiberius::time::Time::new(50_000, 7));
    assert_eq!(
        column(&mut client, "SELECT m FROM dbo.Guids WHERE d <= @P1 ORDER BY d", &[&Typed(ColumnData::DateTime2(Some(moment)))]).await,
        ["950/2", "550/2"]
    );
    let number = tiberius::numeric::Numeric::new_with_scale(550, 2);
    assert_eq!(column(&mut client, "SELECT m FROM dbo.Guids WHERE m >= @P1 ORDER BY m DESC", &[&number]).await, ["950/2", "550/2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn moments_convert_without_losing_more_than_the_server_does() {
    let table = TableDef::new("McTM", "dbo", "Times").required("id", "int").column("d", "datetime").column("d2", "datetime2(7)");
    let table = table
        .column("d3", "datetime2(3)")
        .key(&["id"])
        .row([Value::Int(1), Value::DateTime(45_290, 1), Value::DateTime2(738_885, 30_000), Value::DateTime2(738_885, 30_001)])
        .row([Value::Int(2), Value::DateTime2(738_885, 66_667), Value::DateTime2(738_885, 33_333), Value::DateTime2(738_885, 34_999)])
        .row([Value::Int(3), Value::Null, Value::DateTime2(738_885, 33_334), Value::DateTime2(738_885, 35_000)]);
    let (_server, mut client) = serve(table).await;
    let typed = |ticks: u64| {
        let (date, time) = (tiberius::time::Date::new(738_885), tiberius::time::Time::new(ticks, 7));
        Typed(ColumnData::DateTime2(Some(tiberius::time::DateTime2::new(date, time))))
    };
    for (sql, expected) in [
        // Since SQL Server 2016 the thirds of a datetime count: .003 is .0033333.
        ("CAST([d] AS datetime2(7)) = CAST('2024-01-01T00:00:00.0033333' AS datetime2(7))", "1"),
        ("[d] > CAST('2024-01-01 00:00:00.003' AS datetime2(3))", "1,2"),
        ("[d] > CONVERT(datetime2(7), N'2024-01-01T00:00:00.0033333', 126)", "2"),
        ("[d] = CAST('2024-01-01T00:00:00.003' AS datetime)", "1"),
        ("[d] = CONVERT(datetime, '20240101 00:00:00.007', 121)", "2"),
        ("[d2] = [d]", ""),
        ("[d2] > CAST('2024-01-01 00:00:00.0033333' AS datetime2(7))", "3"),
        ("[d3] = CAST('2024-01-01 00:00:00.003' AS datetime2(3))", "1,2"),
        ("[d3] = '2024-01-01 00:00:00.004'", "3"),
        ("([d2] > '2024-01-01 00:00:00.003' OR ([d2] = '2024-01-01 00:00:00.003' AND [id] > 1))", "2,3"),
        ("[d] IS NULL", "3"),
        ("[d2] > DATEADD(nanosecond, 100, CAST('2024-01-01 00:00:00.0033332' AS datetime2(7)))", "3"),
        ("DATEADD(millisecond, 4, [d]) = CAST('2024-01-01 00:00:00.007' AS datetime)", "1"),
        ("DATEPART(ms, [d]) = 6", "2"),
    ] {
        let read = column(&mut client, &format!("SELECT TOP (10) id FROM dbo.Times WHERE {sql} ORDER BY [d2], [id]"), &[]).await;
        let mut read: Vec<&str> = read.iter().map(String::as_str).collect();
        read.sort_unstable();
        assert_eq!(read.join(","), expected, "{sql}");
    }
    let window = "SELECT id FROM dbo.Times WHERE [d2] > @P1 AND [d2] <= @P2 ORDER BY [d2], [id]";
    assert_eq!(column(&mut client, window, &[&typed(30_000), &typed(33_333)]).await, ["2"]);
    let counts =
        "SELECT COUNT_BIG(*), COUNT_BIG([d]), SUM(CASE WHEN [d] IS NULL THEN 1 ELSE 0 END), COUNT_BIG(*) - COUNT_BIG([d]) FROM dbo.Times";
    assert_eq!(rows(&mut client, counts, &[]).await.unwrap(), [["3", "2", "1", "1"].map(|text| Some(text.to_owned()))]);
    assert_eq!(
        column(&mut client, "SELECT CONVERT(varchar(30), MAX([d2]), 126) FROM dbo.Times", &[]).await,
        ["2024-01-01T00:00:00.0033334"]
    );
    for (number, sql) in [
        (241, "CAST('2024-01-01 00:00:00.0033' AS datetime)"),
        (241, "CAST('2024-01-01 00:00:00+01:00' AS datetime)"),
        (241, "CAST('2024-01-01 00:00:00.12345678' AS datetime2)"),
        (529, "CAST(1 AS datetime2)"),
        (9810, "DATEADD(hour, 1, CAST('2024-01-01' AS date))"),
        (9810, "DATEADD(ns, 1, CAST('2024-01-01' AS datetime))"),
        (8115, "DATEADD(second, 3000000000, SYSUTCDATETIME())"),
        (517, "DATEADD(day, 1, CAST('9999-12-31' AS datetime2))"),
        (535, "DATEDIFF(nanosecond, CAST('2024-01-01' AS date), SYSUTCDATETIME())"),
        (155, "DATEADD(fortnight, 1, SYSUTCDATETIME())"),
        (174, "DATEADD(day, 1)"),
    ] {
        let error = rows(&mut client, &format!("SELECT {sql}"), &[]).await.err();
        assert_eq!(error.and_then(|error| error.code()), Some(number), "{sql}");
    }
    for (sql, expected) in [
        ("DATEADD(second, -300, CAST('2024-01-01 00:00:00.1234567' AS datetime2(7)))", "2023-12-31 23:55:00.1234567"),
        ("DATEADD(month, 1, CAST('2006-08-31' AS datetime2(0)))", "2006-09-30 00:00:00"),
        ("DATEADD(year, -1, CAST('2024-02-29T12:00:00+02:00' AS datetimeoffset(0)))", "2023-02-28 12:00:00 +02:00"),
        ("DATEADD(minute, 1, CAST('23:59:30' AS time(0)))", "00:00:30"),
        ("DATEDIFF(year, '2005-12-31 23:59:59.9999999', '2006-01-01 00:00:00.0000000')", "1"),
        ("DATEDIFF(week, CAST('2023-12-30' AS date), CAST('2023-12-31' AS date))", "1"),
        ("DATEDIFF_BIG(nanosecond, CAST('0001-01-01' AS datetime2), CAST('0001-01-01 00:00:00.0000001' AS datetime2))", "100"),
        ("DATEPART(quarter, CAST('2024-08-01' AS date))", "3"),
    ] {
        assert_eq!(column(&mut client, &format!("SELECT CONVERT(varchar(40), {sql}, 121)"), &[]).await, [expected], "{sql}");
    }
}
