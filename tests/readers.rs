//! Readers of the target never wait and never see a half table.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::site::Site;
use crate::support::source::{Planted, Value};

const ROWS: i64 = 5_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_whole_generations_through_ten_merges() {
    poll_through_ten_refreshes("merge").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_whole_generations_through_ten_replacements() {
    poll_through_ten_refreshes("replace").await;
}

/// Every row of a generation carries its number, and every refresh brings a new generation: a reader that sees two numbers sees a half table.
async fn poll_through_ten_refreshes(refresh: &str) {
    let table = Planted::new("Prices", &[("Id", "int"), ("Generation", "int"), ("Note", "nvarchar(200)")], 1);
    let mut site = Site::planted(vec![table.rows(first_generation())], json!({})).await;
    site.default("refresh", json!(refresh));
    site.sync().await;
    let done = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn(poll(site.db.connect().await, Arc::clone(&done)));
    for number in 1..=10 {
        site.source.update_all("Prices", "Generation", Value::Int(number));
        site.sync().await;
    }
    done.store(true, Ordering::Relaxed);
    let seen = reader.await.unwrap();
    assert_eq!(site.db.value("SELECT min(generation) || ' ' || max(generation) FROM prices").await, "10 10");
    assert!(seen.looks > 50, "the reader looked {} times only", seen.looks);
    assert!(seen.generations > 5, "the reader saw {} generations only", seen.generations);
    assert!(seen.longest < Duration::from_secs(1), "a reader waited {:?}", seen.longest);
}

struct Seen {
    looks: u32,
    generations: u32,
    longest: Duration,
}

async fn poll(reader: tokio_postgres::Client, done: Arc<AtomicBool>) -> Seen {
    let mut seen = Seen { looks: 0, generations: 1, longest: Duration::ZERO };
    let mut last = 0;
    while !done.load(Ordering::Relaxed) {
        let asked = Instant::now();
        let row = reader.query_one("SELECT count(*), min(generation), max(generation) FROM prices", &[]).await.unwrap();
        seen.longest = seen.longest.max(asked.elapsed());
        let (count, low, high): (i64, Option<i32>, Option<i32>) = (row.get(0), row.get(1), row.get(2));
        assert_eq!(count, ROWS, "never empty, never partial");
        assert_eq!(low, high, "never a mixture of two generations");
        seen.looks += 1;
        seen.generations += u32::from(low != Some(last));
        last = low.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    seen
}

fn first_generation() -> Vec<Vec<Value>> {
    (0..ROWS).map(|id| vec![Value::Int(id), Value::Int(0), Value::text("メモ")]).collect()
}
