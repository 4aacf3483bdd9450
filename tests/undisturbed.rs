//! Readers of the target never wait and never see a half table, however often it is published.

use std::time::Duration;

use serde_json::json;

use crate::support::readers::{Habit, Readers, generations};
use crate::support::site::Site;

const ROWS: i64 = 2_000;
const PUBLISHES: i64 = 100;
/// The longest that a statement of a reader may take.
const WAIT_MAX: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_merges_disturb_no_reader() {
    publish_under_readers("merge").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_replacements_disturb_no_reader() {
    publish_under_readers("replace").await;
}

/// A hundred generations under readers of all habits, one of them long-running: 0 empty reads, 0 mixed ones, no long wait.
async fn publish_under_readers(refresh: &str) {
    let mut site = Site::planted(vec![generations("Prices", ROWS)], json!({})).await;
    site.default("refresh", json!(refresh));
    site.sync().await;
    site.db.execute("CREATE VIEW offers AS SELECT id, generation, note FROM prices WHERE id >= 0").await;
    let habits = [
        (Habit::Autocommit, "prices"),
        (Habit::ByKey, "prices"),
        (Habit::Repeatable, "prices"),
        (Habit::Autocommit, "offers"),
        (Habit::Repeatable, "offers"),
        (Habit::Long, "prices"),
    ];
    let readers = Readers::start(&site.db, ROWS, &habits).await;
    for number in 1..=PUBLISHES {
        publish(&site, number, refresh).await;
    }
    let seen = readers.finish(refresh).await;
    assert_eq!(site.db.value("SELECT min(generation) || ' ' || max(generation) FROM prices").await, "100 100");
    for reader in &seen {
        assert!(reader.longest <= WAIT_MAX, "{reader:?}");
    }
    let (polling, long) = seen.split_at(habits.len() - 1);
    for reader in polling {
        assert!(reader.looks > 100 && reader.generations > 20, "it looked on: {reader:?}");
    }
    assert!(long[0].looks > 1, "it was there all the time: {long:?}");
}

/// Publishes the next generation.
async fn publish(site: &Site, number: i64, refresh: &str) {
    site.source.update_all("Prices", "Generation", crate::support::source::Value::Int(number));
    let body = site.json(&["single_sync", "--table=prices"]).await;
    assert_eq!((body.code, &body["status"], &body["refresh"]), (Some(0), &json!("ok"), &json!(refresh)), "{body}");
}
