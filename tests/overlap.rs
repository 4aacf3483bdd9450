//! Two runs at once: one works, the other skips what the first holds.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join3;
use rustix::process::Signal;
use serde_json::json;

use crate::support::body::Body;
use crate::support::site::Site;
use crate::support::source::{Fault, Source};

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_skips_the_table_that_the_first_holds_and_says_who_holds_it() {
    let site = Site::over(Source::sample(500).await).await;
    site.source.fault("customer", Fault::StallAfterRows(100));
    let first = site.start(&["multi_sync", "--json"]);
    site.until_reading("customer").await;
    let second = site.json(&["multi_sync"]).await;
    assert_eq!((second.code, &second["success"]), (Some(0), &json!(true)), "a locked table alone is no failure: {second}");
    let skipped = second.table("customer");
    assert_eq!([&skipped["status"], &skipped["reason"], &skipped["success"]], [&json!("skipped"), &json!("locked"), &json!(false)]);
    assert!(skipped["held_by"].as_str().is_some_and(|holder| holder.contains("tablesync")), "{skipped}");
    assert_eq!(second.counts("mctm_module"), [500, 500, 0, 0, 0], "what is free is done");

    let mut function = site.deploy().await;
    let lambda = Body::in_envelope(&function.invoke(r#"{"mode": "single_sync", "table_name": "customer"}"#, Duration::from_secs(30)).await);
    assert_eq!((lambda.status, &lambda["status"]), (Some(200), &json!("skipped")), "{lambda}");

    site.source.clear_faults("customer");
    first.signal(Signal::INT);
    first.finish().await;
    site.db.settled().await;
    assert_eq!(site.sync().await.counts("customer"), [500, 500, 0, 0, 0], "the lock went with its holder");
}

/// Whoever comes first does the work; the two others name it by its run, whichever of the three it is.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_processes_and_a_lambda_at_once_one_does_the_work_and_the_others_name_it() {
    let mut site = Site::over(Source::sample(500).await).await;
    site.keep(&["customer"]);
    let mut function = site.deploy().await;
    for round in 1..=3 {
        // Long enough for all three to come; it ends when two have gone again.
        site.source.fault("customer", Fault::DelayPerRow(Duration::from_millis(100)));
        let gone = AtomicU32::new(0);
        let noted = async |body: Body| {
            if gone.fetch_add(1, Ordering::Relaxed) == 1 {
                site.source.clear_faults("customer");
            }
            body
        };
        let lambda = async {
            let event = r#"{"mode": "multi_sync", "tables": ["customer"]}"#;
            noted(Body::in_envelope(&function.invoke(event, Duration::from_secs(60)).await)).await
        };
        let process = || async { noted(site.json(&["multi_sync"]).await).await };
        let (first, second, lambda) = join3(process(), process(), lambda).await;

        let results = [first.table("customer"), second.table("customer"), lambda.table("customer")];
        let mut statuses = results.map(|result| result["status"].as_str().unwrap());
        statuses.sort_unstable();
        assert_eq!(statuses, ["ok", "skipped", "skipped"], "round {round}: {first} {second} {lambda}");
        let winner =
            "SELECT replace(run_id::text, '-', '') FROM tablesync.runs WHERE outcome = 'succeeded' ORDER BY finished_at DESC LIMIT 1";
        let winner = format!("tablesync {} customer (process ", site.db.value(winner).await);
        for skipped in results.iter().filter(|result| result["status"] == "skipped") {
            assert!(skipped["held_by"].as_str().is_some_and(|holder| holder.starts_with(&winner)), "{winner}: {skipped}");
        }
        let ended = "SELECT string_agg(outcome || ' ' || count, ', ' ORDER BY outcome) FROM (SELECT outcome, count(*) FROM tablesync.runs GROUP BY 1) AS o";
        assert_eq!(site.db.value(ended).await, format!("skipped {}, succeeded {round}", 2 * round));
    }
    assert_eq!(site.db.value("SELECT count(*) FROM mctm_customer").await, "500");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_in_parallel_do_not_wait_for_one_another() {
    let mut site = Site::over(Source::sample(500).await).await;
    site.set("MAX_PARALLEL_TABLES", "4").source.fault("customer", Fault::StallAfterRows(100));
    let interrupted = site
        .interrupt(Signal::INT, async || site.db.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").await == "3")
        .await;
    assert_eq!(interrupted.code, Some(130), "{interrupted}");
    for table in ["mctm_module", "voipdb_customer", "voipdb_useragent"] {
        assert_eq!(interrupted.counts(table), [500, 500, 0, 0, 0], "done while customer stalled");
    }
    assert_ne!(interrupted.table("customer")["status"], "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_source_server_is_not_asked_for_more_tables_than_it_is_said_to_bear() {
    let mut site = Site::over(Source::sample(500).await).await;
    site.set("MAX_PARALLEL_TABLES", "4").set("MAX_PARALLEL_PER_SOURCE", "1").source.fault("customer", Fault::StallAfterRows(100));
    let begun =
        async || site.db.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'tablesync' AND tablename = 'locks'").await == "1";
    let interrupted = site.interrupt(Signal::INT, begun).await;
    for table in ["mctm_module", "voipdb_customer", "voipdb_useragent"] {
        assert_eq!(interrupted.table(table)["status"], "not_started", "of the same server: {interrupted}");
    }
}
