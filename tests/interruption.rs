//! Signals, deadlines and kills in the middle of a table.

use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::support::body::Body;
use crate::support::lambda::Ending;
use crate::support::process::Running;
use crate::support::proxy::{Direction, Place, Proxy, Trouble};
use crate::support::site::Site;
use crate::support::source::{Fault, LoginFault, Source};

const ROWS: u64 = 500;

/// A site whose second table stalls in mid-stream, over targets that already hold older rows.
async fn stalled_in_the_second_table() -> Site {
    let site = Site::over(Source::sample(ROWS).await).await;
    site.sync().await;
    for table in ["customer", "mctm_module"] {
        site.source.change(table, 20.0);
    }
    site.source.fault("mctm_module", Fault::StallAfterRows(100));
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_rolls_the_table_in_flight_back_and_leaves_the_rest_not_started() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let site = stalled_in_the_second_table().await;
        let before = site.db.checksum("mctm_module").await;
        let body = site.interrupt(signal, async || site.source.is_reading("mctm_module")).await;
        assert_eq!((body.code, &body["success"]), (Some(code), &json!(false)), "{body}");
        assert_eq!(body.table("customer")["status"], "ok");
        assert_eq!(body.table("mctm_module")["status"], "failed");
        for table in ["voipdb_customer", "voipdb_useragent"] {
            let result = body.table(table);
            assert_eq!([&result["status"], &result["reason"]], ["not_started", "cancelled"], "{body}");
        }
        assert_eq!([&body["processed_tables"], &body["successful_tables"]], [2, 1]);
        assert_eq!(site.db.checksum("mctm_module").await, before);
        site.db.settled().await;
        site.source.clear_faults("mctm_module");
        site.sync().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_interrupt_ends_at_once() {
    let site = stalled_in_the_second_table().await;
    let running = site.start(&["multi_sync"]);
    site.until_reading("mctm_module").await;
    // No rollback is answered, so that the orderly stop, which ends with a summary, cannot come first.
    let _frozen = Frozen::sessions_of(&site).await;
    running.signal(Signal::INT);
    // Two signals at the same moment may arrive as one.
    while !running.stderr_so_far().contains("SIGINT") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running.signal(Signal::INT);
    let finished = running.finish().await;
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(130), ""), "{finished:?}");
}

/// The product's sessions at the target, halted until this is dropped.
struct Frozen(Vec<Pid>);

impl Frozen {
    async fn sessions_of(site: &Site) -> Self {
        let sessions = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usename <> 'postgres'";
        let rows = site.db.rows(sessions).await;
        let pids: Vec<_> = rows.iter().map(|row| Pid::from_raw(row[0].as_ref().unwrap().parse().unwrap()).unwrap()).collect();
        assert!(!pids.is_empty(), "the product has a session at the target");
        let frozen = Self(pids);
        frozen.signal(Signal::STOP);
        frozen
    }

    fn signal(&self, signal: Signal) {
        for pid in &self.0 {
            let _ = kill_process(*pid, signal);
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.signal(Signal::CONT);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_of_the_command_line_stops_the_run_cleanly() {
    let site = stalled_in_the_second_table().await;
    let before = site.db.checksum("mctm_module").await;
    let body = site.json(&["multi_sync", "--deadline", "2s"]).await;
    assert_eq!(body.code, Some(1), "{body}");
    assert_stopped_by_the_deadline(&body);
    assert_eq!(site.db.checksum("mctm_module").await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_of_an_invocation_is_respected_and_the_process_lives_on() {
    let site = stalled_in_the_second_table().await;
    let mut function = site.deploy().await;
    let body = Body::in_envelope(&function.invoke("{}", Duration::from_secs(4)).await);
    assert_eq!(body.status, Some(500));
    assert_stopped_by_the_deadline(&body);
    site.source.clear_faults("mctm_module");
    let body = Body::in_envelope(&function.invoke("{}", Duration::from_secs(60)).await);
    assert_eq!((body.status, &body["successful_tables"]), (Some(200), &json!(4)), "{body}");
}

fn assert_stopped_by_the_deadline(body: &Body) {
    assert_eq!(body.table("customer")["status"], "ok");
    assert!(body.error_of("mctm_module").contains("deadline"), "{body}");
    for table in ["voipdb_customer", "voipdb_useragent"] {
        let result = body.table(table);
        assert_eq!([&result["status"], &result["reason"]], ["not_started", "deadline"], "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_invocation_leaves_the_target_as_it_was_and_no_lock() {
    let site = stalled_in_the_second_table().await;
    let before = site.db.checksum("mctm_module").await;
    let mut function = site.deploy().await;
    // A deadline long past reads as none: nothing stops the run but the kill.
    assert_eq!(function.invoke_until("{}", 600_000, Duration::from_secs(4)).await, Ending::TimedOut);
    assert_eq!(function.shut_down().await.signal, Some(9));
    assert_eq!(site.db.checksum("mctm_module").await, before);
    site.source.clear_faults("mctm_module");
    site.db.settled().await;
    let body = site.sync().await;
    assert_eq!(body.counts("mctm_module")[0], ROWS);
}

/// Asks a run to stop: it must have within five seconds, and a little for a machine that has other things to do.
async fn stop(running: Running, signal: Signal) -> Body {
    let asked = Instant::now();
    running.signal(signal);
    let body = Body::of(running.finish().await);
    assert!(asked.elapsed() < Duration::from_millis(5_500), "it took {:?}: {body}", asked.elapsed());
    let code = if signal == Signal::INT { 130 } else { 143 };
    assert_eq!((body.code, &body["success"]), (Some(code), &json!(false)), "{body}");
    body
}

async fn until(mut condition: impl AsyncFnMut() -> bool) {
    let asked = Instant::now();
    while !condition().await {
        assert!(asked.elapsed() < Duration::from_secs(60), "it never came to that");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// `customer` and `mctm_module`, filled once, with changes on their way.
async fn two_tables() -> Site {
    let mut site = Site::over(Source::sample(ROWS).await).await;
    site.keep(&["customer", "mctm_module"]);
    site.sync().await;
    site.source.change("customer", 20.0);
    site
}

/// The changes that were on their way have arrived.
fn assert_changed(body: &Body) {
    let [read, inserted, updated, deleted, unchanged] = body.counts("customer");
    assert_eq!([read, inserted, deleted, updated + unchanged], [ROWS, 0, 0, ROWS], "{body}");
    assert!(updated > 50, "about a fifth: {body}");
}

fn assert_not_started(body: &Body, table: &str) {
    let result = body.table(table);
    assert_eq!([&result["status"], &result["reason"]], ["not_started", "cancelled"], "{body}");
}

/// Each with what of the table's run is there by then: none, or its row.
#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_heard_wherever_the_target_keeps_its_answer_back() {
    let mut site = two_tables().await;
    let proxy = Proxy::before(site.db.cluster.port).await;
    site.set("PG_PORT", &proxy.port.to_string()).set("PG_SSLMODE", "disable");
    let before = site.db.checksum("mctm_customer").await;
    let phases = [
        ("lock_timeout", false),
        ("schema_version", false),
        ("pg_try_advisory", false),
        (".runs (run_id", true),
        ("pg_attribute", true),
        ("source_columns", true),
        ("CREATE UNLOGGED", true),
        ("FROM STDIN", true),
        ("ANALYZE", true),
        ("SHARE ROW EXCLUSIVE", true),
    ];
    for (text, begun) in phases {
        site.db.settled().await;
        proxy.plan(Some((Trouble::Stall, Place::Text(Direction::ToServer, text))));
        let running = site.start(&["multi_sync", "--json"]);
        until(async || proxy.has_struck()).await;
        let body = stop(running, Signal::TERM).await;
        if begun {
            assert!(body.error_of("customer").contains("cancelled"), "{text}: {body}");
        } else {
            assert_not_started(&body, "customer");
        }
        assert_not_started(&body, "mctm_module");
        assert_eq!(site.db.checksum("mctm_customer").await, before, "{text}: {body}");
        proxy.plan(None);
        site.db.settled().await;
        let left = "SELECT (SELECT count(*) FROM pg_tables WHERE tablename ~ '^staging_') + \
            (SELECT count(*) FROM tablesync.runs WHERE outcome = 'started')";
        assert_eq!(site.db.value(left).await, "0", "{text}: nothing is left: {body}");
    }
    assert_changed(&site.sync().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_that_waits_for_its_lock_gives_way_to_a_stop() {
    for lock in ["ACCESS EXCLUSIVE", "ROW EXCLUSIVE"] {
        let site = two_tables().await;
        let other = site.db.connect().await;
        let before = site.db.checksum("mctm_customer").await;
        other.batch_execute(&format!("BEGIN; LOCK TABLE mctm_customer IN {lock} MODE")).await.unwrap();
        let running = site.start(&["multi_sync", "--json"]);
        until(async || site.db.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'mctm_customer'::regclass AND database = (SELECT oid FROM pg_database WHERE datname = current_database())").await != "0").await;
        let body = stop(running, Signal::TERM).await;
        assert!(body.error_of("customer").contains("cancelled"), "{lock}: {body}");
        assert_not_started(&body, "mctm_module");
        other.batch_execute("COMMIT").await.unwrap();
        site.db.settled().await;
        assert_eq!(site.db.checksum("mctm_customer").await, before);
        site.sync().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_that_has_begun_is_finished_and_not_cut() {
    let site = two_tables().await;
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END $$; \
        CREATE TRIGGER slow BEFORE UPDATE ON mctm_customer FOR EACH STATEMENT EXECUTE FUNCTION slow()";
    site.db.execute(slow).await;
    let running = site.start(&["multi_sync", "--json"]);
    until(async || {
        site.db.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'").await != "0"
    })
    .await;
    let body = stop(running, Signal::TERM).await;
    assert_changed(&body);
    assert_not_started(&body, "mctm_module");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_heard_while_a_source_does_not_answer_a_login() {
    let site = two_tables().await;
    for mode in ["multi_sync", "multi_test", "plan", "verify"] {
        site.source.fault_logins(Some(LoginFault::Hang), Some(1));
        let running = site.start(&[mode, "--json"]);
        until(async || site.source.is_hanging()).await;
        let body = stop(running, Signal::INT).await;
        let results = if mode == "plan" { &body["plans"] } else { &body["table_results"] };
        let (first, second) = (&results["customer"], &results["mctm_module"]);
        assert_eq!([&second["status"], &second["reason"]], ["not_started", "cancelled"], "{mode}: {body}");
        if ["multi_test", "plan"].contains(&mode) {
            assert_eq!([&first["status"], &first["reason"]], ["not_started", "cancelled"], "{mode}: {body}");
            assert!(body["error"].as_str().unwrap().contains("not started (cancelled): customer, mctm_module"), "{mode}: {body}");
        } else {
            assert!(body.error_of("customer").contains("cancelled"), "{mode}: {body}");
        }
        site.source.fault_logins(None, None);
        site.db.settled().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_is_kept_by_a_target_that_does_not_answer() {
    let mut site = two_tables().await;
    let proxy = Proxy::before(site.db.cluster.port).await;
    site.set("PG_PORT", &proxy.port.to_string()).set("PG_SSLMODE", "disable");
    proxy.plan(Some((Trouble::Stall, Place::Text(Direction::ToServer, "pg_try_advisory"))));
    let begun = Instant::now();
    let body = site.json(&["multi_sync", "--deadline", "1s"]).await;
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}: {body}", begun.elapsed());
    assert_eq!(body.code, Some(1), "{body}");
    for table in ["customer", "mctm_module"] {
        let result = body.table(table);
        assert_eq!([&result["status"], &result["reason"]], ["not_started", "deadline"], "{body}");
    }
}
