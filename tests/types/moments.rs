//! Days, times and instants, and the seventh fractional digit that PostgreSQL does not have.

use serde_json::json;
use tds_stand_in::TableDef;
use tds_stand_in::Value::{self, Date, DateTime, DateTime2, DateTimeOffset, SmallDateTime, Time};

use super::{Planted, Type, arrive};
use crate::support::body::Body;

/// 9999-12-31, in days since 0001-01-01.
const LAST_DAY: i32 = 3_652_058;
/// 2000-01-01, likewise.
const Y2K: i32 = 730_119;
const SECOND: u64 = 10_000_000;
/// 23:59:59.9999999 in ticks of 100 ns.
const LAST_TICK: u64 = 863_999_999_999;
/// 23:59:59.
const LAST_SECOND: u64 = 86_399 * SECOND;
/// 12:34:56.
const NOONISH: u64 = 45_296 * SECOND;

const TIMESTAMP: &str = "timestamp without time zone";
const TIMESTAMPTZ: &str = "timestamp with time zone";
const TIME: &str = "time without time zone";

#[tokio::test(flavor = "multi_thread")]
async fn days_and_the_old_types_arrive_exactly() {
    arrive(vec![
        Type::new(
            "date",
            "date",
            [(Date(0), "0001-01-01"), (Date(LAST_DAY), "9999-12-31"), (Date(Y2K), "2000-01-01"), (Date(Y2K + 59), "2000-02-29")],
        ),
        Type::new(
            "datetime",
            "timestamp(3) without time zone",
            [
                (DateTime(-53_690, 0), "1753-01-01 00:00:00"),
                (DateTime(2_958_463, 25_919_999), "9999-12-31 23:59:59.997"),
                (DateTime(0, 0), "1900-01-01 00:00:00"),
                (DateTime(36_524, 1), "2000-01-01 00:00:00.003"),
                (DateTime(36_524, 2), "2000-01-01 00:00:00.007"),
                (DateTime(36_524, 3), "2000-01-01 00:00:00.01"),
            ],
        ),
        Type::new(
            "smalldatetime",
            "timestamp(0) without time zone",
            [
                (SmallDateTime(0, 0), "1900-01-01 00:00:00"),
                (SmallDateTime(65_535, 1_439), "2079-06-06 23:59:00"),
                (SmallDateTime(36_524, 61), "2000-01-01 01:01:00"),
            ],
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn datetime2_arrives_with_its_digits_the_seventh_cut() {
    arrive(vec![
        Type::new(
            "datetime2(0)",
            TIMESTAMP,
            [
                (DateTime2(0, 0), "0001-01-01 00:00:00"),
                (DateTime2(LAST_DAY, LAST_SECOND), "9999-12-31 23:59:59"),
                (DateTime2(Y2K, NOONISH), "2000-01-01 12:34:56"),
            ],
        ),
        Type::new(
            "datetime2(3)",
            TIMESTAMP,
            [
                (DateTime2(0, 10_000), "0001-01-01 00:00:00.001"),
                (DateTime2(LAST_DAY, LAST_SECOND + 9_990_000), "9999-12-31 23:59:59.999"),
                (DateTime2(Y2K, NOONISH + 1_230_000), "2000-01-01 12:34:56.123"),
            ],
        ),
        Type::new(
            "datetime2(7)",
            TIMESTAMP,
            [
                (DateTime2(0, 0), "0001-01-01 00:00:00"),
                (DateTime2(0, 10), "0001-01-01 00:00:00.000001"),
                (DateTime2(LAST_DAY, LAST_TICK), "9999-12-31 23:59:59.999999"),
                (DateTime2(Y2K, NOONISH + 1_234_567), "2000-01-01 12:34:56.123456"),
            ],
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn datetimeoffset_arrives_as_the_instant() {
    arrive(vec![
        Type::new(
            "datetimeoffset(0)",
            TIMESTAMPTZ,
            [(DateTimeOffset(0, 0, 0), "0001-01-01 00:00:00+00"), (DateTimeOffset(LAST_DAY, LAST_SECOND, 0), "9999-12-31 23:59:59+00")],
        ),
        Type::new(
            "datetimeoffset(7)",
            TIMESTAMPTZ,
            [
                (DateTimeOffset(0, 0, 840), "0001-01-01 00:00:00+00"),
                (DateTimeOffset(LAST_DAY, LAST_TICK, -840), "9999-12-31 23:59:59.999999+00"),
                (DateTimeOffset(Y2K, NOONISH + 1_234_567, 540), "2000-01-01 12:34:56.123456+00"),
            ],
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn times_arrive_exactly() {
    arrive(vec![
        Type::new("time(0)", TIME, [(Time(0), "00:00:00"), (Time(LAST_SECOND), "23:59:59"), (Time(NOONISH), "12:34:56")]),
        Type::new(
            "time(3)",
            TIME,
            [(Time(0), "00:00:00"), (Time(LAST_SECOND + 9_990_000), "23:59:59.999"), (Time(10_000), "00:00:00.001")],
        ),
        Type::new(
            "time(7)",
            TIME,
            [(Time(0), "00:00:00"), (Time(LAST_TICK), "23:59:59.999999"), (Time(NOONISH + 1_234_567), "12:34:56.123456")],
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seventh_digit_is_cut_and_counted_by_column() {
    let planted = seventh_digits(None).await;
    let body = planted.site.sync().await;
    assert_eq!(
        planted.values("t").await,
        ["12:34:56.123456", "12:34:56.123456", "12:34:56.1"].map(|text| Some(format!("2000-01-01 {text}")))
    );
    assert_eq!(counted(&body), ["column V: the seventh fractional digit of 2 values was not kept (on_submicrosecond)"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seventh_digit_is_rounded_where_asked_and_counted_too() {
    let planted = seventh_digits(Some("round")).await;
    let body = planted.site.sync().await;
    assert_eq!(
        planted.values("t").await,
        ["12:34:56.123456", "12:34:56.123457", "12:34:56.1"].map(|text| Some(format!("2000-01-01 {text}")))
    );
    assert_eq!(counted(&body).len(), 1, "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seventh_digit_fails_its_table_where_asked() {
    let planted = seventh_digits(Some("fail")).await;
    let body = planted.site.json(&["multi_sync"]).await;
    assert_eq!(body.code, Some(1), "{body}");
    for named in ["column V", "Id=1", "seventh"] {
        assert!(body.error_of("t").contains(named), "{body}");
    }
    assert_eq!(planted.site.db.value("SELECT to_regclass('t')::text").await, "", "nothing was created");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seventh_digit_is_never_rounded_out_of_its_range() {
    let cases = [
        ("datetime2(7)", DateTime2(LAST_DAY, LAST_TICK - 5), "9999-12-31 23:59:59.999999", DateTime2(LAST_DAY, LAST_TICK)),
        (
            "datetimeoffset(7)",
            DateTimeOffset(LAST_DAY, LAST_TICK - 5, 0),
            "9999-12-31 23:59:59.999999+00",
            DateTimeOffset(LAST_DAY, LAST_TICK - 4, 0),
        ),
        ("time(7)", Time(LAST_TICK - 5), "23:59:59.999999", Time(LAST_TICK - 4)),
    ];
    for (sql_type, good, text, bad) in cases {
        let mut planted = Planted::of("T", sql_type, vec![good]).await;
        planted.site.default("on_submicrosecond", json!("round"));
        planted.site.sync().await;
        assert_eq!(planted.values("t").await, [Some(text.to_owned()), None], "{sql_type}");
        let before = planted.written().await;
        planted.insert("T", 3, bad);
        let body = planted.site.json(&["multi_sync"]).await;
        for named in ["column V", "Id=3", "on_submicrosecond"] {
            assert!(body.error_of("t").contains(named), "{sql_type} should name {named}: {body}");
        }
        assert_eq!(planted.written().await, before, "the target is unchanged");
    }
    let mut planted = Planted::of("T", "datetime2(7)", vec![DateTime2(Y2K, LAST_TICK)]).await;
    planted.site.default("on_submicrosecond", json!("round"));
    planted.site.sync().await;
    assert_eq!(planted.values("t").await, [Some("2000-01-02 00:00:00".to_owned()), None], "any other day has a next one");
}

/// Three values, two of which have a seventh digit.
async fn seventh_digits(policy: Option<&str>) -> Planted {
    let values = [NOONISH + 1_234_564, NOONISH + 1_234_565, NOONISH + 1_000_000].map(|ticks| DateTime2(Y2K, ticks));
    // No NULL here: three values, three rows.
    let table = TableDef::new("McTM", "dbo", "T").required("Id", "int").column("V", "datetime2(7)").key(&["Id"]);
    let table = values.into_iter().zip(1..).fold(table, |table, (value, id)| table.row([Value::Int(id), value]));
    let mut planted = Planted::over(vec![("T".to_owned(), table)]).await;
    if let Some(policy) = policy {
        planted.site.default("on_submicrosecond", json!(policy));
    }
    planted
}

/// The warnings about seventh digits, without the table's name before them.
fn counted(body: &Body) -> Vec<&str> {
    let warnings = body["warnings"].as_array().unwrap().iter().filter_map(|warning| warning.as_str());
    warnings.filter_map(|warning| warning.find("column ").map(|at| &warning[at..]).filter(|rest| rest.contains("seventh"))).collect()
}
