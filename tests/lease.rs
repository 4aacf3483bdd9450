//! The row beside the advisory lock: who holds a table, how a halted run loses it, and that it publishes nothing then.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::body::Body;
use crate::support::process::Running;
use crate::support::proxy::{Direction, Place, Proxy, Trouble};
use crate::support::site::Site;
use crate::support::source::{Fault, Source};

/// A run that has `customer` and reads it without an end.
async fn stalled() -> (Site, Running) {
    stalled_after(100, 500).await
}

/// The same after so many rows of so many.
async fn stalled_after(after: u64, rows: u64) -> (Site, Running) {
    let mut site = Site::over(Source::sample(rows).await).await;
    site.keep(&["customer"]).set("MAX_RETRIES", "0");
    site.sync().await;
    site.source.change("customer", 20.0);
    site.source.fault_times("customer", Fault::StallAfterRows(after), 1);
    let running = site.start(&["multi_sync", "--json"]);
    site.until_reading("customer").await;
    (site, running)
}

/// Runs until the table is had.
async fn until_taken(site: &Site) {
    let asked = Instant::now();
    while site.json(&["multi_sync"]).await.table("customer")["status"] != "ok" {
        assert!(asked.elapsed() < Duration::from_secs(60), "the lock is never free");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_halted_loses_the_table_within_fifteen_seconds() {
    let (site, halted) = stalled().await;
    let renewed = "SELECT renewed_at > acquired_at AND expires_at > renewed_at FROM tablesync.locks";
    while site.db.value(renewed).await != "t" {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let skipped = site.json(&["multi_sync"]).await;
    let holder = skipped.table("customer")["held_by"].as_str().unwrap().to_owned();
    let row = site.db.value("SELECT application || ' (process ' || process_id || ' on ' || host FROM tablesync.locks").await;
    assert!(holder.starts_with(&row) && holder.contains("since 20"), "{holder} names {row}");

    // Its system still acknowledges what PostgreSQL sends: nothing but the lease shows that it is halted.
    halted.signal(Signal::STOP);
    let since = site.db.value("SELECT clock_timestamp()").await;
    until_taken(&site).await;
    let waited: f64 =
        site.db.value(&format!("SELECT extract(epoch FROM acquired_at - '{since}') FROM tablesync.locks")).await.parse().unwrap();
    assert!((5.0..15.0).contains(&waited), "free after {waited} s");
    let published = site.db.checksum("mctm_customer").await;

    halted.signal(Signal::CONT);
    halted.signal(Signal::INT);
    assert_eq!(halted.finish().await.code, Some(130));
    assert_eq!(site.db.checksum("mctm_customer").await, published);
    assert_eq!(site.sync().await.counts("customer"), [500, 0, 0, 0, 500]);
    assert_eq!(site.db.value("SELECT token >= 4 AND expires_at IS NULL FROM tablesync.locks").await, "t", "each of four runs had a token");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cut_off_from_the_target_loses_the_table_within_fifteen_seconds() {
    let mut site = Site::over(Source::sample(500).await).await;
    site.keep(&["customer"]).set("MAX_RETRIES", "0").set("PG_SSLMODE", "disable");
    site.sync().await;
    site.source.change("customer", 20.0);
    site.source.fault_times("customer", Fault::StallAfterRows(100), 1);
    let proxy = Proxy::before(site.db.cluster.port).await;
    let cut_off = site.start_beside(&["multi_sync", "--json"], &[("PG_PORT", &proxy.port.to_string())]);
    site.until_reading("customer").await;
    // The next byte, which is a renewal's, is lost, and with it whatever either side sends from then on.
    proxy.plan(Some((Trouble::Drop, Place::Byte(Direction::ToServer, 0))));
    while !proxy.has_struck() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let since = site.db.value("SELECT clock_timestamp()").await;
    until_taken(&site).await;
    let waited: f64 =
        site.db.value(&format!("SELECT extract(epoch FROM acquired_at - '{since}') FROM tablesync.locks")).await.parse().unwrap();
    assert!((5.0..15.0).contains(&waited), "free after {waited} s");
    let published = site.db.checksum("mctm_customer").await;
    cut_off.signal(Signal::INT);
    assert_eq!(cut_off.finish().await.code, Some(130));
    assert_eq!(site.db.checksum("mctm_customer").await, published);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_frees_the_table_within_two_seconds() {
    let (site, killed) = stalled().await;
    let since = site.db.value("SELECT clock_timestamp()").await;
    killed.signal(Signal::KILL);
    until_taken(&site).await;
    let waited: f64 =
        site.db.value(&format!("SELECT extract(epoch FROM acquired_at - '{since}') FROM tablesync.locks")).await.parse().unwrap();
    assert!(waited < 2.0, "free after {waited} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_table_was_taken_over_publishes_nothing() {
    let mut site = Site::over(Source::sample(100).await).await;
    site.keep(&["customer"]);
    site.sync().await;
    let taken = "CREATE FUNCTION taken() RETURNS trigger LANGUAGE plpgsql AS \
        $$ BEGIN UPDATE tablesync.locks SET token = token + 1, application = 'the next run'; RETURN NULL; END $$; \
        CREATE TRIGGER taken BEFORE INSERT OR UPDATE OR DELETE ON mctm_customer EXECUTE FUNCTION taken()";
    site.db.execute(taken).await;
    site.source.change("customer", 20.0);
    for refresh in ["merge", "replace", "truncate", "straight"] {
        if refresh == "straight" {
            site.db.execute("TRUNCATE mctm_customer").await;
        }
        site.default("refresh", json!(if refresh == "straight" { "auto" } else { refresh }));
        let before = site.db.checksum("mctm_customer").await;
        let refused = site.json(&["multi_sync"]).await;
        assert_eq!(refused.table("customer")["refresh"], refresh, "{refused}");
        assert!(refused.error_of("customer").contains("was taken over by the next run on"), "{refused}");
        assert_eq!(site.db.checksum("mctm_customer").await, before, "{refresh}");
    }
    site.db.execute("DROP TRIGGER taken ON mctm_customer").await;
    assert_eq!(site.sync().await.counts("customer"), [100, 100, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_lock_session_is_ended_takes_the_lock_again_and_goes_on() {
    let (site, running) = stalled().await;
    let holder = site.db.value("SELECT backend_pid FROM tablesync.locks").await;
    assert_eq!(site.db.value(&format!("SELECT pg_terminate_backend({holder})")).await, "t");
    // Another process of the server has the lock, and the row says which.
    let again = format!(
        "SELECT count(*) FROM tablesync.locks k JOIN pg_locks l ON l.pid = k.backend_pid AND l.locktype = 'advisory' AND l.mode = 'ExclusiveLock' \
         WHERE k.backend_pid <> {holder}"
    );
    let asked = Instant::now();
    while site.db.value(&again).await != "1" {
        assert!(asked.elapsed() < Duration::from_secs(30), "the lock is never held again: {}", running.stderr_so_far());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(site.json(&["multi_sync"]).await.table("customer")["status"], "skipped");
    running.signal(Signal::INT);
    assert_eq!(running.finish().await.code, Some(130));
    until_taken(&site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_lost_its_lock_to_another_is_ended_by_it_and_publishes_nothing() {
    // So many that a COPY is under way.
    let (site, first) = stalled_after(15_000, 20_000).await;
    let work = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND mode = 'ShareLock' \
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    while site.db.value(work).await != "1" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    site.db.execute("SELECT pg_terminate_backend(backend_pid) FROM tablesync.locks").await;
    until_taken(&site).await;
    assert_eq!(site.db.value(work).await, "0", "the COPY was ended by the run that came after");
    let published = site.db.checksum("mctm_customer").await;
    let ended = Body::of(first.finish().await);
    assert_eq!(ended.code, Some(1), "{ended}");
    let error = ended.error_of("customer");
    assert!(error.contains("was taken over by") || error.contains("PostgreSQL"), "{ended}");
    assert_eq!(site.db.checksum("mctm_customer").await, published);
    assert_eq!(
        site.db.value("SELECT string_agg(outcome, ' ' ORDER BY started_at) FROM tablesync.runs").await,
        "succeeded failed succeeded"
    );
}
