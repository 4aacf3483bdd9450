//! Tables that get only what is new.

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
    assert_eq!(site.db.value(meta).await, "events 2026-02-05T13:00:00 timestamp 2 t t");
    assert_eq!(ids(&site).await, "1,2,3,4,5");
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
