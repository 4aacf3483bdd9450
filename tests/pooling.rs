//! The product behind a pool that gives every transaction another connection: all of it works, and nothing of it stays in a connection that goes on to
//! others. The pool is as small as the README says it may be.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::pgbouncer::Pool;
use crate::support::process::Running;
use crate::support::site::Site;
use crate::support::source::{Fault, ForeignKeyDef, Source, TableDef, Value};

/// What one table needs: its lock, its work, and the renewal of its lock.
const PER_TABLE: usize = 3;

/// A pool in front of the site's target, which the product goes through from now on.
fn pooled(site: &mut Site, size: usize) -> Pool {
    let pool = Pool::before(&site.db, size);
    site.set("PG_PORT", &pool.port.to_string());
    pool
}

async fn assert_nothing_left(pool: &Pool, after: &str) {
    assert_eq!(pool.left_behind().await, Vec::<String>::new(), "after {after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mode_and_every_way_works_behind_a_pool_and_leaves_nothing_in_it() {
    let mut site = Site::over(Source::sample(300).await).await;
    let pool = pooled(&mut site, PER_TABLE);
    assert_eq!(site.json(&["multi_sync", "--dry-run"]).await.code, Some(0));
    assert_nothing_left(&pool, "a dry run").await;
    assert_eq!(site.sync().await.counts("customer"), [300, 300, 0, 0, 0]);
    assert_nothing_left(&pool, "a straight load into new tables").await;
    for refresh in ["merge", "replace", "truncate"] {
        site.default("refresh", json!(refresh));
        site.source.change("customer", 20.0);
        let body = site.sync().await;
        assert_eq!(body.table("customer")["refresh"], refresh, "{body}");
        assert_nothing_left(&pool, refresh).await;
    }
    for mode in ["plan", "verify", "info", "multi_test"] {
        let body = site.json(&[mode]).await;
        assert_eq!((body.code, &body["success"]), (Some(0), &json!(true)), "{mode}: {body}");
        assert_nothing_left(&pool, mode).await;
    }
    let verified = site.json(&["verify"]).await;
    assert_eq!(verified["table_results"]["customer"]["status"], "ok", "{verified}");
    site.default("refresh", json!("auto"));
    site.db.execute("TRUNCATE mctm_customer").await;
    assert_eq!(site.json(&["single_sync", "--table=customer"]).await["refresh"], "straight");
    assert_nothing_left(&pool, "a straight load into an empty table").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_side_by_side_work_behind_a_pool_of_three_connections_each() {
    let mut site = Site::over(Source::sample(300).await).await;
    let pool = pooled(&mut site, 4 * PER_TABLE);
    site.set("MAX_PARALLEL_TABLES", "4");
    for rows in [[300, 300, 0, 0, 0], [300, 0, 0, 0, 300]] {
        assert_eq!(site.sync().await.counts("voipdb_customer"), rows);
    }
    assert_nothing_left(&pool, "tables side by side").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_is_too_small_is_a_named_error() {
    let mut site = Site::over(Source::sample(10).await).await;
    site.keep(&["customer"]).set("TARGET_IDLE_TIMEOUT", "2s").set("MAX_RETRIES", "0");
    let pool = pooled(&mut site, 1);
    let body = site.json(&["multi_sync"]).await;
    assert_eq!(body.code, Some(1), "{body}");
    let error = body.error_of("customer");
    assert!(error.contains("PostgreSQL 127.0.0.1") && error.contains("has not answered for 2s"), "{error}");
    assert_nothing_left(&pool, "a pool that is too small").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_put_aside_new_columns_and_foreign_keys_work_behind_a_pool() {
    let people = TableDef::new("McTM", "dbo", "People")
        .required("Id", "int")
        .column("Name", "nvarchar(50)")
        .column("Boss", "int")
        .key(&["Id"])
        .foreign_key(ForeignKeyDef::new("FK_Boss", &["Boss"], ("dbo", "People"), &["Id"]))
        .row([Value::Int(1), Value::text("Ann"), Value::Null])
        .row([Value::Int(2), Value::text("Bob"), Value::Int(1)]);
    let options = json!({"create_foreign_keys": true, "on_bad_row": "quarantine", "on_drift": "add_columns"});
    let mut site = Site::defined(vec![("People", people)], options).await;
    let pool = pooled(&mut site, PER_TABLE);
    site.sync().await;
    assert_eq!(site.db.value("SELECT string_agg(conname, ' ') FROM pg_constraint WHERE contype = 'f'").await, "fk_boss");
    assert_nothing_left(&pool, "a foreign key").await;

    site.source.table("People").add_column("Age", "int", Value::Int(30)).unwrap();
    site.source.update_all("People", "Name", Value::Wide(vec![0x61, 0xD83D, 0x62]));
    let body = site.sync().await;
    assert_eq!(body.table("people")["quarantined_count"], 2, "{body}");
    assert_eq!(site.db.value("SELECT string_agg(people::text, ' ' ORDER BY id) FROM people").await, "(1,Ann,,) (2,Bob,1,)");
    assert_nothing_left(&pool, "rows put aside and a new column").await;
}

/// A run behind a pool that has `customer` and reads it without an end.
async fn stalled() -> (Site, Pool, Running) {
    let mut site = Site::over(Source::sample(500).await).await;
    site.keep(&["customer"]);
    // Two runs at once, and a test that looks on.
    let pool = pooled(&mut site, 2 * PER_TABLE + 1);
    site.sync().await;
    site.source.change("customer", 20.0);
    site.source.fault("customer", Fault::StallAfterRows(100));
    let running = site.start(&["multi_sync", "--json"]);
    site.until_reading("customer").await;
    site.source.clear_faults("customer");
    (site, pool, running)
}

/// Runs until the table is had; how many seconds after `since` that was.
async fn free_after(site: &Site, since: &str) -> f64 {
    let asked = Instant::now();
    while site.json(&["multi_sync"]).await.table("customer")["status"] != "ok" {
        assert!(asked.elapsed() < Duration::from_secs(60), "the lock is never free");
    }
    site.db.value(&format!("SELECT extract(epoch FROM acquired_at - '{since}') FROM tablesync.locks")).await.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_behind_a_pool_skips_what_the_first_holds_and_a_killed_one_frees_it_within_two_seconds() {
    let (site, pool, first) = stalled().await;
    // Longer than a renewal takes to come: the lock is still held, by both.
    let renewed = "SELECT renewed_at > acquired_at FROM tablesync.locks";
    while site.db.value(renewed).await != "t" {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let second = site.json(&["multi_sync"]).await;
    assert_eq!(
        [&second.table("customer")["status"], &second.table("customer")["reason"]],
        [&json!("skipped"), &json!("locked")],
        "{second}"
    );
    let row = site.db.value("SELECT application || ' (process ' || process_id || ' on ' || host FROM tablesync.locks").await;
    assert!(second.table("customer")["held_by"].as_str().unwrap().starts_with(&row), "{second} names {row}");

    let since = site.db.value("SELECT clock_timestamp()").await;
    first.signal(Signal::KILL);
    let waited = free_after(&site, &since).await;
    assert!(waited < 2.0, "free after {waited} s");
    assert_nothing_left(&pool, "a kill").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_behind_a_pool_that_is_halted_loses_the_table_and_nobody_else_loses_a_connection() {
    let (site, pool, halted) = stalled().await;
    let bystander = pool.connect().await;
    bystander.batch_execute("BEGIN; CREATE TABLE beside (id int); INSERT INTO beside VALUES (1)").await.unwrap();
    halted.signal(Signal::STOP);
    let since = site.db.value("SELECT clock_timestamp()").await;
    let waited = free_after(&site, &since).await;
    assert!((5.0..15.0).contains(&waited), "free after {waited} s");
    let published = site.db.checksum("mctm_customer").await;
    bystander.batch_execute("COMMIT").await.unwrap();
    halted.signal(Signal::CONT);
    halted.signal(Signal::INT);
    assert_eq!(halted.finish().await.code, Some(130));
    assert_eq!(site.db.checksum("mctm_customer").await, published);
    assert_eq!(site.sync().await.counts("customer"), [500, 0, 0, 0, 500]);
    assert_nothing_left(&pool, "a halt").await;
}
