//! Tables that get only what is new.

mod checks;
mod foreseen;
mod kills;
mod kinds;
mod listed;
mod model;
mod planned;
pub(crate) mod postgres;
mod seeking;
mod seldom;
mod verified;

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::support::body::Body;
use crate::support::site::Site;
use crate::support::source::{Planted, Value};

/// 2026-02-05, as days since 0001-01-01.
const DAY: i32 = 739_651;
/// 100 ns of a second.
const SECOND: u64 = 10_000_000;
/// Noon.
const NOON: u64 = 43_200 * SECOND;

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_brings_only_what_is_new() {
    let site = events(json!({})).await;
    add(&site, 1..=3, NOON);
    let first = incremental(&site, &[]).await;
    assert_eq!(first.counts("events"), [3, 3, 0, 0, 0], "{first}");
    assert_eq!((&first.table("events")["refresh"], &first.table("events")["from"]), (&json!("incremental"), &Json::Null), "{first}");
    site.source.clock().set(DAY, NOON + 3_600 * SECOND);
    add(&site, 4..=5, NOON + 3_500 * SECOND);
    let second = incremental(&site, &[]).await;
    assert_eq!(second.counts("events"), [2, 2, 0, 0, 0], "{second}");
    assert_eq!(second.table("events")["from"], "2026-02-05T12:10:00", "{second}");
    assert_eq!(second.table("events")["to"], "2026-02-05T13:00:00", "{second}");
    let third = incremental(&site, &[]).await;
    assert_eq!(third.counts("events"), [2, 0, 0, 0, 2], "within the lag, rows are read again: {third}");
    let meta = "SELECT concat_ws(' ', table_name, watermark, watermark_kind, key, rows, run_id IS NOT NULL, updated_at > now() - interval '1 min') FROM sync_meta";
    assert_eq!(site.db.value(meta).await, "events 2026-02-05T13:00:00 timestamp {\"by\": [\"Changed\", \"Id\"]} 2 t t");
    assert_eq!(ids(&site).await, "1,2,3,4,5");
    let info = site.json(&["info"]).await;
    let watermark = &info["table_details"][0]["watermark"];
    assert_eq!((&watermark["watermark"], &watermark["broken_off"]), (&json!("2026-02-05T13:00:00"), &json!(false)), "{info}");
    assert!(watermark["lag_seconds"].as_f64().unwrap() < 600.0, "{info}");
    let range =
        "WHERE [Changed] > CAST('2026-02-05T12:55:00' AS datetime2(7)) AND [Changed] <= CAST('2026-02-05T13:00:00' AS datetime2(7))";
    assert!(site.source.has_seen(&format!("FROM [dbo].[Events] {range}")), "one range that can be sought");
}

/// A site with one incremental table, `events (id, changed, note)`; the source's clock stands at ten past noon.
async fn events(sync: Json) -> Site {
    let table = Planted::new("Events", &[("Id", "int"), ("Changed", "datetime2(7)"), ("Note", "nvarchar(50)")], 1);
    let mut options = json!({"sync": {"mode": "incremental", "column": "Changed"}});
    options["sync"].as_object_mut().unwrap().extend(sync.as_object().unwrap().clone());
    let site = Site::planted(vec![table], options).await;
    site.source.clock().set(DAY, NOON + 600 * SECOND);
    site
}

/// Adds rows, each a tick after the one before.
fn add(site: &Site, ids: std::ops::RangeInclusive<i64>, from: u64) {
    for (at, id) in ids.enumerate() {
        site.source.table("Events").insert(event(id, from + at as u64, "new")).unwrap();
    }
}

fn event(id: i64, ticks: u64, note: &str) -> Vec<Value> {
    vec![Value::Int(id), Value::DateTime2(DAY, ticks), Value::text(note)]
}

/// `incremental_sync`, which must succeed.
async fn incremental(site: &Site, more: &[&str]) -> Body {
    let body = site.json(&[&["incremental_sync"], more].concat()).await;
    assert_eq!((body.code, body["success"].as_bool()), (Some(0), Some(true)), "{body}");
    body
}

async fn ids(site: &Site) -> String {
    site.db.value("SELECT coalesce(string_agg(id::text, ',' ORDER BY id), '') FROM events").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_there_is_left_alone_or_written_where_it_differs() {
    for (on_conflict, expected, counts) in [("nothing", "new", [1, 0, 0, 0, 1]), ("update", "changed", [1, 0, 1, 0, 0])] {
        let site = events(json!({"on_conflict": on_conflict})).await;
        add(&site, 1..=3, NOON);
        incremental(&site, &[]).await;
        site.source.clock().set(DAY, NOON + 3_600 * SECOND);
        let untouched = "SELECT xmin, ctid FROM events WHERE id <> 2 ORDER BY id";
        let before = site.db.rows(untouched).await;
        change(&site, 2, NOON + 3_000 * SECOND, "changed");
        assert_eq!(incremental(&site, &[]).await.counts("events"), counts, "{on_conflict}");
        assert_eq!(site.db.value("SELECT note FROM events WHERE id = 2").await, expected);
        assert_eq!(site.db.rows(untouched).await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_commits_late_is_caught_within_the_lag_and_not_behind_it() {
    let site = events(json!({"lag": "5m"})).await;
    add(&site, 1..=1, NOON);
    let table = site.source.table("Events");
    let (mut within, mut behind) = (table.begin().unwrap(), table.begin().unwrap());
    within.insert(&table, event(2, NOON + 301 * SECOND, "late")).unwrap();
    behind.insert(&table, event(3, NOON + 299 * SECOND, "too late")).unwrap();
    incremental(&site, &[]).await;
    assert_eq!(ids(&site).await, "1");
    within.commit().unwrap();
    behind.commit().unwrap();
    site.source.clock().set(DAY, NOON + 3_600 * SECOND);
    incremental(&site, &[]).await;
    assert_eq!(ids(&site).await, "1,2", "the one behind the lag is the declared blind spot");
    incremental(&site, &["--reset", "events"]).await;
    assert_eq!(ids(&site).await, "1,2,3");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_the_future_wait_until_the_sources_clock_has_come_to_them() {
    let site = events(json!({"lag": "0"})).await;
    add(&site, 1..=1, NOON + 601 * SECOND);
    assert_eq!(incremental(&site, &[]).await.counts("events"), [0; 5]);
    add(&site, 2..=2, NOON + 500 * SECOND);
    site.source.clock().set(DAY, NOON + 700 * SECOND);
    incremental(&site, &[]).await;
    assert_eq!(ids(&site).await, "1", "with no lag, what was written behind the watermark is not seen");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_gone_are_found_by_comparing_keys_every_so_many_runs() {
    let site = events(json!({"deletes": "keys", "deletes_every": 2})).await;
    add(&site, 1..=4, NOON);
    incremental(&site, &[]).await;
    site.source.table("Events").delete(|row| matches!(row[0], Value::Int(2 | 3))).unwrap();
    let second = incremental(&site, &[]).await;
    assert_eq!((second.counts("events")[3], &second.table("events")["refresh"]), (2, &json!("incremental_keys")), "{second}");
    assert_eq!(ids(&site).await, "1,4");
    site.source.table("Events").delete(|row| matches!(row[0], Value::Int(4))).unwrap();
    assert_eq!(incremental(&site, &[]).await.counts("events")[3], 0);
    assert_eq!(incremental(&site, &[]).await.counts("events")[3], 1);
    assert_eq!(ids(&site).await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn incremental_tables_take_part_among_full_ones() {
    let mut site = events(json!({})).await;
    site.configure("all_events", "dbo.Events", &json!({}));
    add(&site, 1..=3, NOON);
    site.sync().await;
    site.source.clock().set(DAY, NOON + 3_600 * SECOND);
    add(&site, 4..=4, NOON + 3_000 * SECOND);
    let body = site.sync().await;
    assert_eq!((body.counts("events"), body.counts("all_events")), ([1, 1, 0, 0, 0], [4, 1, 0, 0, 3]), "{body}");
    let only = incremental(&site, &[]).await;
    assert_eq!(only["table_results"].as_object().unwrap().len(), 1, "incremental_sync runs those alone: {only}");
    let mut function = site.deploy().await;
    let invoked = Body::in_envelope(&function.invoke(r#"{"mode": "incremental_sync", "reset": "events"}"#, Duration::from_secs(60)).await);
    assert_eq!((invoked.status, invoked.counts("events")), (Some(200), [4, 0, 0, 0, 4]), "{invoked}");
    function.shut_down().await;
    let refused = site.json(&["incremental_sync", "--tables", "all_events"]).await;
    assert_eq!((refused.code, &refused["available_tables"]), (Some(2), &json!(["events"])), "{refused}");
}

/// Changes a row, with another moment.
fn change(site: &Site, id: i64, ticks: u64, note: &str) {
    let table = site.source.table("Events");
    let mut transaction = table.begin().unwrap();
    let set = [("Changed", Value::DateTime2(DAY, ticks)), ("Note", Value::text(note))];
    transaction.update(&table, &set, |row| matches!(row[0], Value::Int(of) if of == id)).unwrap();
    transaction.commit().unwrap();
}
