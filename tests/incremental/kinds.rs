//! Watermarks that the server gives: row versions and Change Tracking; and timestamps in every precision.

use serde_json::json;

use super::{DAY, NOON, SECOND, incremental};
use crate::support::site::Site;
use crate::support::source::{Fault, Planted, Value};

/// The same day, as days since 1900-01-01.
const SMALL_DAY: u16 = 46_056;

#[tokio::test(flavor = "multi_thread")]
async fn a_row_version_in_an_open_transaction_holds_the_watermark_back() {
    let table = Planted::new("Stock", &[("Id", "int"), ("Pieces", "int"), ("Ver", "rowversion")], 1);
    let site = Site::planted(vec![table], json!({"sync": {"mode": "incremental", "kind": "rowversion"}})).await;
    let stock = site.source.table("Stock");
    stock.insert(row(1, 10)).unwrap();
    let mut late = stock.begin().unwrap();
    late.insert(&stock, row(2, 20)).unwrap();
    stock.insert(row(3, 30)).unwrap();
    incremental(&site, &[]).await;
    assert_eq!(pieces(&site).await, "1:10", "what is behind an open transaction waits with it");
    late.commit().unwrap();
    stock.update("Pieces", Value::Int(11), |row| row[0] == Value::Int(1)).unwrap();
    assert_eq!(incremental(&site, &[]).await.counts("stock"), [3, 2, 1, 0, 0]);
    assert_eq!(pieces(&site).await, "1:11,2:20,3:30");
    assert_eq!(incremental(&site, &[]).await.counts("stock"), [0; 5], "nothing is read twice");
    let meta = site.db.value("SELECT concat_ws(' ', watermark, watermark_kind) FROM sync_meta").await;
    assert!(meta.starts_with("0x0000") && meta.ends_with(" rowversion"), "{meta}");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_another_database_are_not_taken_for_the_tables() {
    let table = Planted::new("Stock", &[("Id", "int"), ("Pieces", "int"), ("Ver", "rowversion")], 1);
    let mut site = Site::planted(vec![table], json!({"sync": {"mode": "incremental", "kind": "rowversion"}})).await;
    site.config["tables"]["stock"]["sql_table"] = json!("McTM.dbo.Stock");
    site.source.table("Stock").insert(row(1, 10)).unwrap();
    site.set("SQL_SERVER_MCTM_DB", "VoipDB");
    let refused = site.json(&["incremental_sync"]).await;
    assert!(refused.error_of("stock").contains("is in database McTM, and the login chose VoipDB"), "{refused}");
    site.set("SQL_SERVER_MCTM_DB", "McTM");
    assert_eq!(incremental(&site, &[]).await.counts("stock"), [1, 1, 0, 0, 0]);
}

/// A value by a number.
type ValueOf = fn(u8) -> Value;

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_last_digit_the_target_cannot_hold_is_refused() {
    let table = Planted::new("Events", &[("At", "datetime2(7)"), ("Changed", "datetime2(7)")], 1);
    let mut site = Site::planted(vec![table], json!({"sync": {"mode": "incremental", "column": "Changed"}})).await;
    let refused = site.json(&["incremental_sync"]).await;
    assert!(refused.error_of("events").contains("the key column At (datetime2(7))"), "{refused}");
    site.default("on_submicrosecond", json!("fail"));
    assert_eq!(incremental(&site, &[]).await.counts("events"), [0; 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_type_with_a_text_tell_where_a_step_ends() {
    let kinds: [(&'static str, ValueOf); 9] = [
        ("int", |n| Value::Int(i64::from(n) - 100)),
        ("bigint", |n| Value::Int((i64::from(n) - 100) << 40)),
        ("decimal(10,2)", |n| Value::Decimal(i128::from(n) - 100, 2)),
        ("nvarchar(20)", |n| Value::text(&format!("O'Neil {n:03} 客"))),
        ("varchar(20)", |n| Value::text(&format!("O'Neil {n:03}"))),
        ("uniqueidentifier", |n| Value::Guid([n; 16])),
        ("date", |n| Value::Date(DAY + i32::from(n))),
        ("datetime2(6)", |n| Value::DateTime2(DAY, u64::from(n) * 10)),
        ("varbinary(8)", |n| Value::Binary(vec![1, n])),
    ];
    let table = |(at, (sql_type, value)): (usize, (&'static str, ValueOf))| {
        let rows = (0..210).map(|n| vec![value(n), Value::DateTime2(DAY, NOON)]).collect();
        Planted::new(&format!("Keyed{at}"), &[("Id", sql_type), ("Changed", "datetime2(7)")], 1).rows(rows).indexed("Changed")
    };
    let tables = kinds.into_iter().enumerate().map(table).collect();
    let site = Site::planted(tables, json!({"batch_size": 1, "sync": {"mode": "incremental", "column": "Changed"}})).await;
    site.source.clock().set(DAY, NOON + 600 * SECOND);
    let body = incremental(&site, &[]).await;
    for (at, (sql_type, _)) in kinds.into_iter().enumerate() {
        let name = format!("keyed{at}");
        assert_eq!(body.counts(&name), [210, 210, 0, 0, 0], "{sql_type}");
        assert_eq!(site.db.value(&format!("SELECT count(*) FROM {name}")).await, "210", "{sql_type}");
        let steps = site.source.times_seen(&format!("FROM [dbo].[Keyed{at}] WHERE [Changed] >= "));
        assert!(steps >= 2, "{sql_type}: it went in steps");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sync_column_may_be_part_of_the_key() {
    let table = Planted::new("Events", &[("Id", "int"), ("Changed", "datetime2(6)")], 2);
    let rows = (0..250).map(|n| vec![Value::Int(n / 2), Value::DateTime2(DAY, NOON + u64::try_from(n).unwrap() * SECOND)]).collect();
    let options = json!({"batch_size": 1, "sync": {"mode": "incremental", "column": "Changed"}});
    let site = Site::planted(vec![table.rows(rows).indexed("Changed")], options).await;
    site.source.clock().set(DAY, NOON + 600 * SECOND);
    assert_eq!(incremental(&site, &[]).await.counts("events"), [250, 250, 0, 0, 0]);
    assert_eq!(site.db.value("SELECT count(DISTINCT changed) FROM events").await, "250");
}

#[tokio::test(flavor = "multi_thread")]
async fn change_tracking_brings_inserts_updates_and_deletes() {
    let site = tracked().await;
    let stock = site.source.table("Stock");
    assert_eq!(incremental(&site, &[]).await.counts("stock"), [3, 3, 0, 0, 0]);
    stock.update("Pieces", Value::Int(11), |row| row[0] == Value::Int(1)).unwrap();
    stock.delete(|row| row[0] == Value::Int(2)).unwrap();
    stock.insert(vec![Value::Int(4), Value::Int(40)]).unwrap();
    stock.insert(vec![Value::Int(5), Value::Int(50)]).unwrap();
    stock.delete(|row| row[0] == Value::Int(5)).unwrap();
    let body = incremental(&site, &[]).await;
    assert_eq!(body.counts("stock"), [2, 1, 1, 1, 0], "{body}");
    assert_eq!(pieces(&site).await, "1:11,3:30,4:40");
    assert_eq!(incremental(&site, &[]).await.counts("stock"), [0; 5]);
    assert_eq!(site.db.value("SELECT watermark_kind FROM sync_meta").await, "change_tracking");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_too_old_is_an_error_that_says_to_refresh() {
    let site = tracked().await;
    let stock = site.source.table("Stock");
    incremental(&site, &[]).await;
    for pieces in 0..5 {
        stock.update("Pieces", Value::Int(pieces), |_| true).unwrap();
    }
    stock.delete(|row| row[0] == Value::Int(2)).unwrap();
    stock.clean_up_changes(4).unwrap();
    let failed = site.json(&["incremental_sync"]).await;
    assert!(failed.error_of("stock").contains("--reset stock"), "{failed}");
    incremental(&site, &["--reset=stock"]).await;
    assert_eq!(pieces(&site).await, "1:4,3:4", "the refresh sees deletes, too");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_are_cleaned_up_while_they_are_read_are_not_taken_for_all() {
    let site = tracked().await;
    let stock = site.source.table("Stock");
    incremental(&site, &[]).await;
    stock.delete(|row| row[0] == Value::Int(2)).unwrap();
    stock.update("Pieces", Value::Int(11), |row| row[0] == Value::Int(1)).unwrap();
    site.source.fault("Stock", Fault::change_after_rows(1, |table| table.clean_up_changes(2).unwrap()));
    let failed = site.json(&["incremental_sync"]).await;
    assert!(failed.error_of("stock").contains("knows the changes since version 2 only"), "{failed}");
    assert_eq!(pieces(&site).await, "1:10,2:20,3:30", "nothing of them is published");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_timestamp_type_has_its_own_precision() {
    // The clock stands between two values of each type: the later one waits.
    let clock = NOON + 600 * SECOND + 1_234_567;
    let at = |ticks: u64| Value::DateTime2(DAY, ticks);
    let cases = [
        ("datetime2(7)", at(clock), at(clock + 1), "2026-02-05T12:10:00.1234567"),
        ("datetime2(3)", at(clock / 10_000 * 10_000), at(clock / 10_000 * 10_000 + 10_000), "2026-02-05T12:10:00.123"),
        ("datetime2(0)", at(NOON + 600 * SECOND), at(NOON + 601 * SECOND), "2026-02-05T12:10:00"),
        (
            "datetime",
            Value::DateTime(DAY - 693_595, 43_800 * 300 + 37),
            Value::DateTime(DAY - 693_595, 43_800 * 300 + 38),
            "2026-02-05T12:10:00.123",
        ),
        ("smalldatetime", Value::SmallDateTime(SMALL_DAY, 730), Value::SmallDateTime(SMALL_DAY, 731), "2026-02-05T12:10:00"),
        (
            "datetimeoffset(7)",
            Value::DateTimeOffset(DAY, clock, 540),
            Value::DateTimeOffset(DAY, clock + 1, 540),
            "2026-02-05T12:10:00.1234567Z",
        ),
    ];
    for (sql_type, now, later, watermark) in cases {
        let table = Planted::new("Events", &[("Id", "int"), ("Changed", sql_type)], 1);
        let table = table.rows(vec![vec![Value::Int(1), now.clone()], vec![Value::Int(2), later]]);
        let site = Site::planted(vec![table], json!({"sync": {"mode": "incremental", "column": "changed", "lag": "0"}})).await;
        site.source.clock().set(DAY, clock);
        incremental(&site, &[]).await;
        assert_eq!(site.db.value("SELECT string_agg(id::text, ',') FROM events").await, "1", "{sql_type}");
        assert_eq!(site.db.value("SELECT watermark FROM sync_meta").await, watermark, "{sql_type}");
        site.source.clock().set(DAY, clock + 60 * SECOND);
        assert_eq!(incremental(&site, &[]).await.counts("events"), [1, 1, 0, 0, 0], "{sql_type}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lag_of_less_than_a_columns_minutes_is_not_rounded_away() {
    let at = |minute: u16| Value::SmallDateTime(SMALL_DAY, 720 + minute);
    let table = Planted::new("Events", &[("Id", "int"), ("Changed", "smalldatetime")], 1).rows(vec![vec![Value::Int(1), at(10)]]);
    let site = Site::planted(vec![table], json!({"sync": {"mode": "incremental", "column": "Changed", "lag": "90"}})).await;
    site.source.clock().set(DAY, NOON + 600 * SECOND);
    incremental(&site, &[]).await;
    // Within the lag: it begins half a minute past 12:08, which is between two values of the column.
    site.source.table("Events").insert(vec![Value::Int(2), at(9)]).unwrap();
    assert_eq!(incremental(&site, &[]).await.counts("events"), [2, 1, 0, 0, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watermark_with_more_digits_than_the_column_is_written_with_those_it_takes() {
    let table = Planted::new("Events", &[("Id", "int"), ("Changed", "datetime")], 1);
    let site = Site::planted(vec![table], json!({"sync": {"mode": "incremental", "column": "Changed"}})).await;
    site.source.clock().set(DAY, NOON + 600 * SECOND);
    incremental(&site, &[]).await;
    site.db.execute("UPDATE sync_meta SET watermark = '2026-02-05T12:09:00.1299999'").await;
    incremental(&site, &[]).await;
    assert!(site.source.has_seen("[Changed] > CAST('2026-02-05T12:04:00.129' AS datetime)"), "more than three digits are an error (241)");
}

pub(super) async fn tracked() -> Site {
    let table = Planted::new("Stock", &[("Id", "int"), ("Pieces", "int")], 1);
    let rows = [(1, 10), (2, 20), (3, 30)].map(|(id, pieces)| vec![Value::Int(id), Value::Int(pieces)]);
    let site = Site::planted(vec![table.rows(rows.to_vec())], json!({"sync": {"mode": "incremental", "kind": "change_tracking"}})).await;
    site.source.track_changes("Stock");
    site
}

pub(super) fn row(id: i64, pieces: i64) -> Vec<Value> {
    vec![Value::Int(id), Value::Int(pieces), Value::Null]
}

async fn pieces(site: &Site) -> String {
    site.db.value("SELECT string_agg(id || ':' || pieces, ',' ORDER BY id) FROM stock").await
}
