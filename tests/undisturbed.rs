//! Readers of the target never wait and never see a half table, however often it is published.

use std::time::Duration;

use serde_json::json;

use crate::support::body::Body;
use crate::support::readers::{Habit, Readers, Seen, generations};
use crate::support::site::Site;
use crate::support::source::Value;

const ROWS: i64 = 2_000;
const PUBLISHES: i64 = 100;
/// The longest that a statement of a reader may take.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Readers of the table, and of a view where the way keeps views.
const OF_TABLE: [(Habit, &str); 3] = [(Habit::Autocommit, "prices"), (Habit::ByKey, "prices"), (Habit::Repeatable, "prices")];
const OF_VIEW: [(Habit, &str); 2] = [(Habit::Autocommit, "offers"), (Habit::Repeatable, "offers")];
const LONG: (Habit, &str) = (Habit::Long, "prices");

const VIEW: &str = "CREATE VIEW offers AS SELECT id, generation, note FROM prices WHERE id >= 0";
const PARTITIONED: &str = "SET ROLE sync; CREATE TABLE prices (id integer PRIMARY KEY, generation integer, note varchar(200)) PARTITION BY RANGE (id); \
    CREATE TABLE all_prices PARTITION OF prices DEFAULT; RESET ROLE";

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_merges_disturb_no_reader() {
    let site = site("merge", "").await;
    site.db.execute(VIEW).await;
    publish_under_readers(&site, "merge", &[&OF_TABLE[..], &OF_VIEW, &[LONG]].concat()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_replacements_disturb_no_reader() {
    let site = site("replace", "").await;
    site.db.execute(VIEW).await;
    publish_under_readers(&site, "replace", &[&OF_TABLE[..], &OF_VIEW, &[LONG]].concat()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_swaps_disturb_no_reader() {
    let site = site("swap", "").await;
    publish_under_readers(&site, "swap", &OF_TABLE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_swapped_partitions_disturb_no_reader() {
    let site = site("swap", PARTITIONED).await;
    site.db.execute(VIEW).await;
    publish_under_readers(&site, "swap", &[&OF_TABLE[..], &OF_VIEW].concat()).await;
}

/// Those who read while a swap waits for one that stays, and gives up, wait no longer than for a swap that is had.
#[tokio::test(flavor = "multi_thread")]
async fn a_swap_gives_up_before_a_reader_that_stays_and_disturbs_no_other() {
    for target in ["", PARTITIONED] {
        let mut site = site("swap", target).await;
        site.set("MAX_RETRIES", "0");
        let before = site.db.checksum("prices").await;
        let stays = site.db.connect().await;
        stays.batch_execute("SET application_name = 'long report'; BEGIN; SELECT count(*) FROM prices").await.unwrap();
        let pid: i32 = stays.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
        let readers = Readers::start(&site.db, ROWS, &OF_TABLE).await;
        let given_up = publish(&site, 1).await;
        assert_undisturbed(&readers.finish("a swap that gives up").await);
        let error = given_up["error"].as_str().unwrap_or_else(|| panic!("{given_up}"));
        assert!(error.contains("kept by long report of role postgres") && error.contains(&format!("process {pid}")), "{error}");
        assert_eq!(site.db.checksum("prices").await, before);
        let left = "SELECT count(*) FROM pg_class WHERE relname ~ '^(tablesync_swap|staging|difference)'";
        assert_eq!(site.db.value(left).await, "0");
        stays.batch_execute("COMMIT").await.unwrap();
        assert_eq!(publish(&site, 2).await["status"], "ok");
    }
}

/// What `truncate` costs: a reader that looks meanwhile waits for the rows to be inserted; it sees the old rows or the new ones all the same.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_a_truncate_sees_all_rows_afterwards() {
    let site = site("truncate", "").await;
    let readers = Readers::start(&site.db, ROWS, &OF_TABLE[..2]).await;
    for number in 1..=10 {
        let body = publish(&site, number).await;
        assert_eq!(body["refresh"], "truncate");
        assert!(body["warnings"].to_string().contains("readers of \\\"public\\\".\\\"prices\\\" were kept out for "), "{body}");
    }
    readers.finish("truncate").await;
}

/// A hundred generations: 0 empty reads, 0 mixed ones, no long wait.
async fn publish_under_readers(site: &Site, refresh: &str, habits: &[(Habit, &'static str)]) {
    let readers = Readers::start(&site.db, ROWS, habits).await;
    for number in 1..=PUBLISHES {
        let body = publish(site, number).await;
        assert_eq!((body.code, &body["status"], &body["refresh"]), (Some(0), &json!("ok"), &json!(refresh)), "{body}");
    }
    let seen = readers.finish(refresh).await;
    assert_eq!(site.db.value("SELECT min(generation) || ' ' || max(generation) FROM prices").await, "100 100");
    assert_undisturbed(&seen);
    for reader in seen {
        let (looks, generations) = if reader.habit == Habit::Long { (1, 1) } else { (100, 20) };
        assert!(reader.looks > looks && reader.generations > generations, "it looked on all the time: {reader:?}");
    }
}

fn assert_undisturbed(readers: &[Seen]) {
    for reader in readers {
        assert!(reader.longest <= WAIT_MAX, "{reader:?}");
    }
}

/// Publishes the next generation.
async fn publish(site: &Site, number: i64) -> Body {
    site.source.update_all("Prices", "Generation", Value::Int(number));
    site.json(&["single_sync", "--table=prices"]).await
}

/// A site whose target, made by `sql` or else by the product, has generation 0.
async fn site(refresh: &str, sql: &str) -> Site {
    let mut site = Site::planted(vec![generations("Prices", ROWS)], json!({})).await;
    site.db.execute(sql).await;
    site.default("refresh", json!(refresh));
    site.sync().await;
    site
}
