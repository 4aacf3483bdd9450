//! Signals, deadlines and kills in the middle of a table.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::support::body::Body;
use crate::support::lambda::Ending;
use crate::support::site::Site;
use crate::support::source::{Fault, Source};

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
