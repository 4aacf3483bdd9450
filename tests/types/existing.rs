//! Target tables that stand already: wider columns take every value, narrower ones are asked value by value.

use serde_json::json;
use tds_stand_in::Value::{self, Bit, Date, DateTime, DateTime2, Decimal, Float, Guid, Int, Money, Narrow, Real, SmallDateTime, Time};

use super::{Planted, Type};

/// The SQL Server type, a value, the target column's type, and PostgreSQL's text.
type Widening = (&'static str, Value, &'static str, &'static str);

#[tokio::test(flavor = "multi_thread")]
async fn numbers_widen_without_loss() {
    widen(vec![
        ("bit", Bit(true), "smallint", "1"),
        ("bit", Bit(false), "integer", "0"),
        ("tinyint", Int(255), "integer", "255"),
        ("smallint", Int(-32_768), "integer", "-32768"),
        ("int", Int(-2_147_483_648), "bigint", "-2147483648"),
        ("int", Int(2_147_483_647), "numeric", "2147483647"),
        ("bigint", Int(i64::MIN), "numeric", "-9223372036854775808"),
        ("bigint", Int(i64::MAX), "numeric(19,0)", "9223372036854775807"),
        ("int", Int(-7), "numeric(12,2)", "-7.00"),
        ("decimal(9,3)", Decimal(-999_999_999, 3), "numeric", "-999999.999"),
        ("decimal(9,3)", Decimal(1, 3), "numeric(20,10)", "0.0010000000"),
        ("money", Money(i64::MAX), "numeric", "922337203685477.5807"),
        ("bit", Bit(true), "numeric", "1"),
        ("smallint", Int(-32_768), "real", "-32768"),
        ("int", Int(2_147_483_647), "double precision", "2147483647"),
        ("decimal(4,0)", Decimal(-9_999, 0), "smallint", "-9999"),
        ("decimal(9,0)", Decimal(999_999_999, 0), "integer", "999999999"),
        ("decimal(18,0)", Decimal(-999_999_999_999_999_999, 0), "bigint", "-999999999999999999"),
        ("real", Real(0.1), "double precision", "0.10000000149011612"),
        ("real", Real(f32::MAX), "double precision", "3.4028234663852886e+38"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_and_identifiers_widen_without_loss() {
    let guid = Guid([0xAB, 0xCD, 0xEF, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
    widen(vec![
        ("varchar(10)", Narrow(b"Z\xfcrich".to_vec()), "text", "Zürich"),
        ("varchar(10)", Narrow(b"ab".to_vec()), "varchar(20)", "ab"),
        ("varchar(10)", Narrow(b"ab  ".to_vec()), "varchar", "ab  "),
        ("nvarchar(10)", Value::text("日本"), "text", "日本"),
        ("nchar(4)", Value::text("日本"), "character(4)", "日本  "),
        ("uniqueidentifier", guid.clone(), "text", "abcdef01-0203-0405-0607-08090a0b0c0d"),
        ("uniqueidentifier", guid.clone(), "varchar(36)", "abcdef01-0203-0405-0607-08090a0b0c0d"),
        ("uniqueidentifier", guid.clone(), "char(36)", "abcdef01-0203-0405-0607-08090a0b0c0d"),
        ("uniqueidentifier", guid, "char(38)", "abcdef01-0203-0405-0607-08090a0b0c0d  "),
        ("xml", Value::text("<a/>"), "text", "<a/>"),
        ("xml", Value::text("<a/>"), "varchar", "<a/>"),
        ("json", Value::text("{}"), "text", "{}"),
        ("json", Value::text("[1]"), "json", "[1]"),
        ("vector(1)", Value::text("[1.0000000e+000]"), "varchar", "[1.0000000e+000]"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moments_widen_without_loss() {
    widen(vec![
        ("date", Date(3_652_058), "timestamp", "9999-12-31 00:00:00"),
        ("date", Date(0), "timestamp(3)", "0001-01-01 00:00:00"),
        ("datetime", DateTime(36_524, 1), "timestamp", "2000-01-01 00:00:00.003"),
        ("smalldatetime", SmallDateTime(65_535, 1_439), "timestamp", "2079-06-06 23:59:00"),
        ("datetime2(3)", DateTime2(0, 10_000), "timestamp(6)", "0001-01-01 00:00:00.001"),
        ("time(3)", Time(10_000), "time", "00:00:00.001"),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shorter_text_takes_what_fits() {
    narrow("nvarchar(50)", "varchar(5)", (Value::text("日本語😀é"), "日本語😀é"), Value::text("abcdef")).await;
    narrow("varchar(max)", "varchar(5)", (Narrow(b"".to_vec()), ""), Narrow(b"abcdef".to_vec())).await;
    narrow("nvarchar(50)", "character(5)", (Value::text("日本  "), "日本   "), Value::text("abcdef ")).await;
    narrow("xml", "varchar(5)", (Value::text("<a/>"), "<a/>"), Value::text("<abc/>")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_reads_as_another_type_takes_what_fits() {
    let guid = "ABCDEF01-0203-0405-0607-08090A0B0C0D";
    narrow("nvarchar(50)", "uuid", (Value::text(guid), "abcdef01-0203-0405-0607-08090a0b0c0d"), Value::text("")).await;
    narrow("char(40)", "uuid", (Narrow(guid.into()), "abcdef01-0203-0405-0607-08090a0b0c0d"), Narrow(guid[1..].into())).await;
    narrow("varchar(20)", "date", (Narrow(b"0001-01-01".to_vec()), "0001-01-01"), Narrow(b"2001-02-29".to_vec())).await;
    narrow("nchar(12)", "date", (Value::text("9999-12-31"), "9999-12-31"), Value::text("31.12.9999")).await;
    narrow("nvarchar(max)", "jsonb", (Value::text(r#"{"b": 1.50, "a": "日😀"}"#), r#"{"a": "日😀", "b": 1.50}"#), Value::text("{'a': 1}"))
        .await;
    narrow("nvarchar(max)", "jsonb", (Value::text(" null "), "null"), Value::text(r#"["\u0000"]"#)).await;
    narrow("nvarchar(max)", "jsonb", (Value::text("1e131071"), &format!("1{}", "0".repeat(131_071))), Value::text("1e131072")).await;
    narrow("varchar(max)", "json", (Narrow(br#"[ 1,"\u0000" ]"#.to_vec()), r#"[ 1,"\u0000" ]"#), Narrow(b"".to_vec())).await;
}

/// The same local times, planted as `datetime`, `smalldatetime` and `datetime2`.
#[tokio::test(flavor = "multi_thread")]
async fn local_times_become_instants_where_their_zone_is_known() {
    let tokyo = |sql_type, value, text| (sql_type, value, "timestamptz", text);
    widen_with(
        json!({"source_time_zone": "Asia/Tokyo"}),
        vec![
            tokyo("datetime", DateTime(36_524, 1), "1999-12-31 15:00:00.003+00"),
            tokyo("datetime", DateTime(2_958_463, 25_919_999), "9999-12-31 14:59:59.997+00"),
            tokyo("smalldatetime", SmallDateTime(0, 0), "1899-12-31 15:00:00+00"),
            tokyo("datetime2(7)", DateTime2(3_652_058, 863_999_999_999), "9999-12-31 14:59:59.999999+00"),
            ("datetime", DateTime(36_524, 3), "timestamptz(2)", "1999-12-31 15:00:00.01+00"),
        ],
    )
    .await;
    widen_with(
        json!({"source_time_zone": "America/New_York"}),
        // 2024-11-03 01:30 came twice, and the later one was in winter time; PostgreSQL's AT TIME ZONE says so too.
        vec![("datetime2(0)", DateTime2(739_192, 5_400 * 10_000_000), "timestamptz", "2024-11-03 06:30:00+00")],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_time_that_never_was_is_a_bad_value() {
    // 2024-03-10 02:30 in New York.
    let mut planted = Planted::of("T", "datetime2(0)", vec![DateTime2(738_954, 9_000 * 10_000_000)]).await;
    planted.target("t", "timestamptz").await;
    let body = planted.site.json(&["multi_sync"]).await;
    assert!(body.error_of("t").contains("source_time_zone"), "without a zone it is refused, and told why: {body}");
    planted.site.default("source_time_zone", json!("America/New_York"));
    let body = planted.site.json(&["multi_sync"]).await;
    for named in ["column V", "Id=1", "America/New_York"] {
        assert!(body.error_of("t").contains(named), "{named}: {body}");
    }
    assert_eq!(planted.values("t").await, [] as [Option<String>; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_narrower_numeric_takes_what_fits() {
    narrow("decimal(9,3)", "numeric(5,2)", (Decimal(-999_990, 3), "-999.99"), Decimal(1_000_000, 3)).await;
    narrow("decimal(9,3)", "numeric(5,2)", (Decimal(10, 3), "0.01"), Decimal(1, 3)).await;
    narrow("int", "numeric(5,2)", (Int(999), "999.00"), Int(1_000)).await;
    narrow("money", "numeric(5,2)", (Money(12_300), "1.23"), Money(12_345)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fewer_fractional_digits_take_what_fits() {
    let noon = 43_200 * 10_000_000;
    narrow("datetime2(7)", "timestamp(0)", (DateTime2(0, noon), "0001-01-01 12:00:00"), DateTime2(0, noon + 10)).await;
    narrow("datetime", "timestamp(0)", (DateTime(0, 300), "1900-01-01 00:00:01"), DateTime(0, 1)).await;
    narrow("time(7)", "time(3)", (Time(noon + 10_000), "12:00:00.001"), Time(noon + 1_000)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_that_loses_is_refused_before_a_row_moves() {
    let pairs = [
        ("bigint", Int(1), "integer"),
        ("float", Float(0.5), "real"),
        ("float", Float(0.5), "numeric"),
        ("decimal(9,3)", Decimal(0, 3), "double precision"),
        ("nvarchar(5)", Value::text("1"), "integer"),
        ("datetime2(3)", DateTime2(0, 0), "date"),
        ("datetime", DateTime(0, 0), "timestamptz"),
        ("date", Date(0), "timestamptz"),
        ("int", Int(1), "smallint"),
        ("nvarchar(5)", Value::text("1"), "numeric"),
        ("nvarchar(5)", Value::text("t"), "boolean"),
        ("nvarchar(5)", Value::text("<a/>"), "xml"),
        ("nvarchar(50)", Value::text("2000-01-01"), "timestamp"),
        ("uniqueidentifier", Guid([0; 16]), "varchar(35)"),
    ];
    for (sql_type, value, pg_type) in pairs {
        let planted = Planted::of("T", sql_type, vec![value]).await;
        planted.target("t", pg_type).await;
        let body = planted.site.json(&["multi_sync"]).await;
        for named in ["V", sql_type, pg_type] {
            assert!(body.error_of("t").contains(named), "{sql_type} into {pg_type} should name {named}: {body}");
        }
        assert!(!planted.was_read("T"), "no row moves");
    }
}

async fn widen(cases: Vec<Widening>) {
    widen_with(json!({}), cases).await;
}

async fn widen_with(options: serde_json::Value, cases: Vec<Widening>) {
    let name = |at: usize| format!("T{at}");
    let tables = cases.iter().enumerate().map(|(at, (sql_type, value, ..))| {
        let planted = Type::new(sql_type, "", [(value.clone(), "")]).collated("Latin1_General_CI_AS");
        (name(at), planted.table(&name(at)))
    });
    let mut planted = Planted::over(tables.collect()).await;
    for (option, value) in options.as_object().unwrap() {
        planted.site.default(option, value.clone());
    }
    for (at, (_, _, pg_type, _)) in cases.iter().enumerate() {
        planted.target(&name(at), pg_type).await;
    }
    planted.site.sync().await;
    let mut wrong = Vec::new();
    for (at, (sql_type, _, pg_type, text)) in cases.iter().enumerate() {
        let arrived = planted.values(&name(at)).await;
        if arrived != [Some((*text).to_owned()), None] {
            wrong.push(format!("{sql_type} into {pg_type}: {arrived:?}, not {text:?} and NULL"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let before = planted.written().await;
    planted.site.sync().await;
    assert_eq!(planted.written().await, before, "the second run writes no row");
}

/// The fitting value arrives; beside it, the other one is an error with column and row, and the target stays.
async fn narrow(sql_type: &'static str, pg_type: &str, (fitting, text): (Value, &str), other: Value) {
    let planted = Planted::of("T", sql_type, vec![fitting]).await;
    planted.target("t", pg_type).await;
    let body = planted.site.sync().await;
    assert_eq!(planted.values("t").await, [Some(text.to_owned()), None], "{sql_type} into {pg_type}");
    let warned = format!("column V ({sql_type}) is wider than the target's v ({pg_type}): every value is checked");
    assert!(body["warnings"].to_string().contains(&warned.replace("character(", "char(")), "{warned}: {body}");
    let before = planted.written().await;
    planted.insert("T", 3, other);
    let body = planted.site.json(&["multi_sync"]).await;
    assert_eq!((body.code, &body["success"]), (Some(1), &json!(false)), "{sql_type} into {pg_type}: {body}");
    for named in ["column V", "Id=3"] {
        assert!(body.error_of("t").contains(named), "{sql_type} into {pg_type} should name {named}: {body}");
    }
    assert_eq!(planted.written().await, before, "the target is unchanged");
}
