//! Every type at both ends of its range, with what each client must read.

use tds_stand_in::{Spatial, StandIn, TableDef, TlsMode, Value};

/// One column: its type, the two ends, and how the clients show them.
pub(crate) struct Planted {
    pub(crate) ty: &'static str,
    pub(crate) collation: &'static str,
    pub(crate) ends: [Value; 2],
    /// As freebcp writes it in character form: milliseconds at most, times with a day.
    pub(crate) freetds: [&'static str; 2],
    /// Python's repr.
    pub(crate) python: [&'static str; 2],
    /// The driver's raw value, as `tiberius::show` writes it.
    pub(crate) tiberius: [&'static str; 2],
}

type Shown = [&'static str; 2];

fn planted(ty: &'static str, ends: [Value; 2], freetds: Shown, python: Shown, tiberius: Shown) -> Planted {
    Planted { ty, collation: "SQL_Latin1_General_CP1_CI_AS", ends, freetds, python, tiberius }
}

fn collated(ty: &'static str, collation: &'static str, ends: [Value; 2], all: Shown, python: Shown) -> Planted {
    Planted { ty, collation, ends, freetds: all, python, tiberius: all }
}

/// The columns `c0`, `c1` and so on of table `Everything`.
#[expect(clippy::too_many_lines, reason = "one table, best read as one")]
pub(crate) fn all() -> Vec<Planted> {
    let int = |low: i64, high: i64| [Value::Int(low), Value::Int(high)];
    const NINES: i128 = 99_999_999_999_999_999_999_999_999_999_999_999_999;
    const LAST_DAY: i32 = 3_652_058;
    const LAST_TICK: u64 = 863_999_999_999;
    vec![
        planted("bit", [Value::Bit(false), Value::Bit(true)], ["0", "1"], ["False", "True"], ["false", "true"]),
        planted("tinyint", int(0, 255), ["0", "255"], ["0", "255"], ["0", "255"]),
        planted("smallint", int(-32768, 32767), ["-32768", "32767"], ["-32768", "32767"], ["-32768", "32767"]),
        planted(
            "int",
            int(i32::MIN.into(), i32::MAX.into()),
            ["-2147483648", "2147483647"],
            ["-2147483648", "2147483647"],
            ["-2147483648", "2147483647"],
        ),
        planted(
            "bigint",
            int(i64::MIN, i64::MAX),
            ["-9223372036854775808", "9223372036854775807"],
            ["-9223372036854775808", "9223372036854775807"],
            ["-9223372036854775808", "9223372036854775807"],
        ),
        planted(
            "real",
            [Value::Real(-1.5), Value::Real(f32::MAX)],
            ["-1.5", "3.40282347e+38"],
            ["-1.5", "3.4028234663852886e+38"],
            ["-1.5e0", "3.4028235e38"],
        ),
        planted(
            "float",
            [Value::Float(f64::MIN), Value::Float(0.1)],
            ["-1.7976931348623157e+308", "0.10000000000000001"],
            ["-1.7976931348623157e+308", "0.1"],
            ["-1.7976931348623157e308", "1e-1"],
        ),
        planted(
            "decimal(38,10)",
            [Value::Decimal(-NINES, 10), Value::Decimal(NINES, 10)],
            ["-9999999999999999999999999999.9999999999", "9999999999999999999999999999.9999999999"],
            ["Decimal('-9999999999999999999999999999.9999999999')", "Decimal('9999999999999999999999999999.9999999999')"],
            ["-99999999999999999999999999999999999999/10", "99999999999999999999999999999999999999/10"],
        ),
        planted(
            "numeric(9,3)",
            [Value::Decimal(-999_999_999, 3), Value::Decimal(1, 3)],
            ["-999999.999", "0.001"],
            ["Decimal('-999999.999')", "Decimal('0.001')"],
            ["-999999999/3", "1/3"],
        ),
        planted(
            "money",
            [Value::Money(i64::MIN), Value::Money(12_345)],
            ["-922337203685477.5808", "1.2345"],
            ["Decimal('-922337203685477.5808')", "Decimal('1.2345')"],
            ["-9.223372036854776e14", "1.2345e0"],
        ),
        planted(
            "smallmoney",
            [Value::Money(i32::MIN.into()), Value::Money(i32::MAX.into())],
            ["-214748.3648", "214748.3647"],
            ["Decimal('-214748.3648')", "Decimal('214748.3647')"],
            ["-2.147483648e5", "2.147483647e5"],
        ),
        planted(
            "date",
            [Value::Date(0), Value::Date(LAST_DAY)],
            ["1-01-01 00:00:00.000", "9999-12-31 00:00:00.000"],
            ["datetime.date(1, 1, 1)", "datetime.date(9999, 12, 31)"],
            ["day 0", "day 3652058"],
        ),
        planted(
            "time(7)",
            [Value::Time(0), Value::Time(LAST_TICK)],
            ["1900-01-01 00:00:00.000", "1900-01-01 23:59:59.999"],
            ["datetime.time(0, 0)", "datetime.time(23, 59, 59, 999999)"],
            ["0/7", "863999999999/7"],
        ),
        planted(
            "datetime",
            [Value::DateTime(-53_690, 0), Value::DateTime(2_958_463, 25_919_999)],
            ["1753-01-01 00:00:00.000", "9999-12-31 23:59:59.997"],
            ["datetime.datetime(1753, 1, 1, 0, 0)", "datetime.datetime(9999, 12, 31, 23, 59, 59, 997000)"],
            ["day -53690 0", "day 2958463 25919999"],
        ),
        planted(
            "smalldatetime",
            [Value::SmallDateTime(0, 0), Value::SmallDateTime(65_535, 1439)],
            ["1900-01-01 00:00:00.000", "2079-06-06 23:59:00.000"],
            ["datetime.datetime(1900, 1, 1, 0, 0)", "datetime.datetime(2079, 6, 6, 23, 59)"],
            ["day 0 0", "day 65535 1439"],
        ),
        planted(
            "datetime2(7)",
            [Value::DateTime2(0, 0), Value::DateTime2(LAST_DAY, LAST_TICK)],
            ["1-01-01 00:00:00.000", "9999-12-31 23:59:59.999"],
            ["datetime.datetime(1, 1, 1, 0, 0)", "datetime.datetime(9999, 12, 31, 23, 59, 59, 999999)"],
            ["day 0 0/7", "day 3652058 863999999999/7"],
        ),
        planted(
            "datetime2(3)",
            [Value::DateTime2(1, 10_000), Value::DateTime2(730_119, 0)],
            ["1-01-02 00:00:00.001", "2000-01-01 00:00:00.000"],
            ["datetime.datetime(1, 1, 2, 0, 0, 0, 1000)", "datetime.datetime(2000, 1, 1, 0, 0)"],
            ["day 1 1/3", "day 730119 0/3"],
        ),
        planted(
            "datetimeoffset(7)",
            [Value::DateTimeOffset(730_119, 0, 540), Value::DateTimeOffset(LAST_DAY - 1, LAST_TICK, -720)],
            ["2000-01-01 09:00:00.000", "9999-12-30 11:59:59.999"],
            [
                "datetime.datetime(2000, 1, 1, 9, 0, tzinfo=datetime.timezone(datetime.timedelta(seconds=32400)))",
                "datetime.datetime(9999, 12, 30, 11, 59, 59, 999999, tzinfo=datetime.timezone(datetime.timedelta(days=-1, seconds=43200)))",
            ],
            ["day 730119 0/7 540", "day 3652057 863999999999/7 -720"],
        ),
        planted(
            "uniqueidentifier",
            [Value::Guid([0; 16]), Value::Guid([0, 17, 34, 51, 68, 85, 102, 119, 136, 153, 170, 187, 204, 221, 238, 255])],
            ["00000000-0000-0000-0000-000000000000", "00112233-4455-6677-8899-AABBCCDDEEFF"],
            ["UUID('00000000-0000-0000-0000-000000000000')", "UUID('00112233-4455-6677-8899-aabbccddeeff')"],
            ["00000000-0000-0000-0000-000000000000", "00112233-4455-6677-8899-aabbccddeeff"],
        ),
        collated("nvarchar(20)", "Japanese_CI_AS", ["".into(), "日本語 𠮷😀é".into()], ["", "日本語 𠮷😀é"], ["''", "'日本語 𠮷😀é'"]),
        collated("nvarchar(max)", "Japanese_CI_AS", ["".into(), "長い".into()], ["", "長い"], ["''", "'長い'"]),
        collated("nchar(4)", "Japanese_CI_AS", ["".into(), "日本".into()], ["    ", "日本  "], ["'    '", "'日本  '"]),
        collated("varchar(20)", "Japanese_CI_AS", ["".into(), "漢字ｶﾅ".into()], ["", "漢字ｶﾅ"], ["''", "'漢字ｶﾅ'"]),
        collated("varchar(20)", "Latin1_General_CI_AS", ["a".into(), "Zürich €".into()], ["a", "Zürich €"], ["'a'", "'Zürich €'"]),
        collated("varchar(max)", "Japanese_CI_AS", ["".into(), "漢字".into()], ["", "漢字"], ["''", "'漢字'"]),
        collated("char(4)", "SQL_Latin1_General_CP1_CI_AS", ["".into(), "é".into()], ["    ", "é   "], ["'    '", "'é   '"]),
        collated("text", "Japanese_CI_AS", ["".into(), "本文".into()], ["", "本文"], ["''", "'本文'"]),
        collated("ntext", "Japanese_CI_AS", ["".into(), "本文😀".into()], ["", "本文😀"], ["''", "'本文😀'"]),
        planted(
            "varbinary(10)",
            [Value::Binary(vec![]), Value::Binary(vec![0, 255])],
            ["", "00ff"],
            ["b''", "b'\\x00\\xff'"],
            ["", "00ff"],
        ),
        planted(
            "binary(3)",
            [Value::Binary(vec![0; 3]), Value::Binary(vec![1, 2, 3])],
            ["000000", "010203"],
            ["b'\\x00\\x00\\x00'", "b'\\x01\\x02\\x03'"],
            ["000000", "010203"],
        ),
        planted(
            "varbinary(max)",
            [Value::Binary(vec![]), Value::Binary(vec![9; 3])],
            ["", "090909"],
            ["b''", "b'\\t\\t\\t'"],
            ["", "090909"],
        ),
        planted("image", [Value::Binary(vec![]), Value::Binary(vec![7])], ["", "07"], ["b''", "b'\\x07'"], ["", "07"]),
        planted(
            "rowversion",
            [Value::Binary(vec![0; 8]), Value::Binary(vec![0, 0, 0, 0, 0, 0, 7, 209])],
            ["0000000000000000", "00000000000007d1"],
            ["b'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00'", "b'\\x00\\x00\\x00\\x00\\x00\\x00\\x07\\xd1'"],
            ["0000000000000000", "00000000000007d1"],
        ),
        collated("sysname", "SQL_Latin1_General_CP1_CI_AS", ["a".into(), "表".into()], ["a", "表"], ["'a'", "'表'"]),
        planted(
            "xml",
            ["<a/>".into(), "<日>本</日>".into()],
            ["<a/>", "<日>本</日>"],
            ["'<a/>'", "'<日>本</日>'"],
            ["<a/>", "<日>本</日>"],
        ),
        collated("json", "Japanese_CI_AS", ["{}".into(), r#"{"a":[1,2]}"#.into()], ["{}", r#"{"a":[1,2]}"#], ["'{}'", r#"'{"a":[1,2]}'"#]),
        collated(
            "vector(2)",
            "Japanese_CI_AS",
            ["[0.0000000e+000,0.0000000e+000]".into(), "[1.0000000e+000,-2.5000000e+000]".into()],
            ["[0.0000000e+000,0.0000000e+000]", "[1.0000000e+000,-2.5000000e+000]"],
            ["'[0.0000000e+000,0.0000000e+000]'", "'[1.0000000e+000,-2.5000000e+000]'"],
        ),
    ]
}

/// The columns of table `Shapes`: the CLR types, as their bytes. freebcp converts none of them.
pub(crate) fn shapes() -> Vec<Planted> {
    let point = Spatial::geography_point(4326, (139.5, -35.25), None, None);
    vec![
        planted("hierarchyid", ["/".into(), "/1/-2.18/".into()], ["", "59fb0540"], ["b''", "b'Y\\xfb\\x05@'"], ["", "59fb0540"]),
        planted(
            "geography",
            [point.into(), Spatial::full_globe(4326).into()],
            ["e6100000010c0000000000a041c00000000000706140", "e61000000224000000000000000001000000ffffffffffffffff0b"],
            [
                "b'\\xe6\\x10\\x00\\x00\\x01\\x0c\\x00\\x00\\x00\\x00\\x00\\xa0A\\xc0\\x00\\x00\\x00\\x00\\x00pa@'",
                "b'\\xe6\\x10\\x00\\x00\\x02$\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x01\\x00\\x00\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x0b'",
            ],
            ["e6100000010c0000000000a041c00000000000706140", "e61000000224000000000000000001000000ffffffffffffffff0b"],
        ),
    ]
}

/// What table `Variants` holds, in rows: both ends of each base type. Python shows FreeTDS's own structures where it knows no better.
pub(crate) fn variants() -> Vec<Planted> {
    let of = |first: (&str, Value), second: (&str, Value)| [Value::variant(first.0, first.1), Value::variant(second.0, second.1)];
    let variant =
        |ends: [Value; 2], freetds: Shown, python: Shown, tiberius: Shown| planted("sql_variant", ends, freetds, python, tiberius);
    vec![
        variant(
            of(("int", Value::Int(-1)), ("bigint", Value::Int(i64::MAX))),
            ["-1", "9223372036854775807"],
            ["b'\\xff\\xff\\xff\\xff'", "b'\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x7f'"],
            ["-1", "9223372036854775807"],
        ),
        variant(of(("bit", Value::Bit(true)), ("tinyint", Value::Int(255))), ["1", "255"], ["b'\\x01'", "b'\\xff'"], ["true", "255"]),
        variant(
            of(("float", Value::Float(0.1)), ("real", Value::Real(-1.5))),
            ["0.10000000000000001", "-1.5"],
            ["b'\\x9a\\x99\\x99\\x99\\x99\\x99\\xb9?'", "b'\\x00\\x00\\xc0\\xbf'"],
            ["1e-1", "-1.5e0"],
        ),
        variant(
            of(("decimal(38,10)", Value::Decimal(-12_345_678_901, 10)), ("numeric(5,2)", Value::Decimal(100, 2))),
            ["-1.2345678901", "1.00"],
            ["b'&\\n\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\xdf\\xdc'", "b'\\x05\\x02\\x00\\x00\\x00'"],
            ["-12345678901/10", "100/2"],
        ),
        variant(
            of(("nvarchar(20)", "日本😀".into()), ("varchar(20) COLLATE Japanese_CI_AS", Value::Narrow(vec![0x8a, 0xbf, 0x8e, 0x9a]))),
            ["日本😀", "漢字"],
            ["b'\\xe6\\x97\\xa5\\xe6\\x9c\\xac\\xf0\\x9f\\x98\\x80'", "b'\\xe6\\xbc\\xa2\\xe5\\xad\\x97'"],
            ["日本😀", "漢字"],
        ),
        variant(
            of(("varbinary(10)", Value::Binary(vec![0, 255])), ("binary(2)", Value::Binary(vec![1, 2]))),
            ["00ff", "0102"],
            ["b'\\x00\\xff'", "b'\\x01\\x02'"],
            ["00ff", "0102"],
        ),
        variant(
            of(("datetime2(7)", Value::DateTime2(730_119, 1_234_567)), ("datetime", Value::DateTime(0, 300))),
            ["Jan  1 2000 12:00AM", "Jan  1 1900 12:00AM"],
            ["b'\\x87\\xd6\\x12\\x00\\x00\\x00\\x00\\x00\\xac\\x8e\\x00\\x00\\x00\\x00\\x07`'", "b'\\x00\\x00\\x00\\x00,\\x01\\x00\\x00'"],
            ["day 730119 1234567/7", "day 0 300"],
        ),
        variant(
            of(("date", Value::Date(730_119)), ("time(3)", Value::Time(10_000))),
            ["Jan  1 2000 12:00AM", "Jan  1 1900 12:00AM"],
            [
                "b'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\xac\\x8e\\x00\\x00\\x00\\x00\\x00@'",
                "b\"\\x10'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x03 \"",
            ],
            ["day 730119", "1/3"],
        ),
        variant(
            of(("datetimeoffset(0)", Value::DateTimeOffset(730_119, 0, 540)), ("smalldatetime", Value::SmallDateTime(1, 1))),
            ["Jan  1 2000 09:00AM", "Jan  2 1900 12:01AM"],
            ["b'\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\xac\\x8e\\x00\\x00\\x1c\\x02\\x00\\xe0'", "b'\\x01\\x00\\x01\\x00'"],
            ["day 730119 0/0 540", "day 1 1"],
        ),
        variant(
            of(("uniqueidentifier", Value::Guid([17; 16])), ("money", Value::Money(-12_345))),
            ["11111111-1111-1111-1111-111111111111", "-1.2345"],
            [
                "b'\\x11\\x11\\x11\\x11\\x11\\x11\\x11\\x11\\x11\\x11\\x11\\x11\\x11\\x11\\x11\\x11'",
                "b'\\xff\\xff\\xff\\xff\\xc7\\xcf\\xff\\xff'",
            ],
            ["11111111-1111-1111-1111-111111111111", "-1.2345e0"],
        ),
    ]
}

/// Table `Everything`: the low ends, the high ends, and NULL in every column. `Shapes` likewise; `Variants` in rows.
pub(crate) async fn server(tls: TlsMode) -> StandIn {
    let mut table = TableDef::new("Types", "dbo", "Variants").required("id", "int").column("v", "sql_variant").key(&["id"]);
    for (id, end) in (1..).zip(variants().into_iter().flat_map(|column| column.ends)) {
        table = table.row([Value::Int(id), end]);
    }
    let builder = StandIn::builder().tls(tls).login("sync", "secret").sample_data(2500).table(table);
    builder.table(ends("Everything", all())).table(ends("Shapes", shapes())).start().await.unwrap()
}

fn ends(name: &str, columns: Vec<Planted>) -> TableDef {
    let mut def = TableDef::new("Types", "dbo", name).required("id", "int");
    let (mut low, mut high, mut null) = (vec![Value::Int(1)], vec![Value::Int(2)], vec![Value::Int(3)]);
    for (at, column) in columns.into_iter().enumerate() {
        def = def.collation(column.collation).column(&format!("c{at}"), column.ty);
        let [first, last] = column.ends;
        low.push(first);
        high.push(last);
        null.push(Value::Null);
    }
    def.key(&["id"]).row(low).row(high).row(null)
}
