//! What Lambda does to a function: events twice, two at once, late, huge or broken; processes frozen and thawed; a time limit.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::support::body::Body;
use crate::support::lambda::{Ending, Function};
use crate::support::postgres::{Cluster, Database};
use crate::support::site::{FOUR_TABLES, Site};
use crate::support::source::{Fault, Source};

const TIME: Duration = Duration::from_secs(60);
const ROWS: u64 = 200;

/// Where every row stands and who wrote it: the same only when nothing was written.
async fn versions(site: &Site) -> Vec<String> {
    let mut versions = Vec::new();
    for (_, target) in FOUR_TABLES {
        let sql = format!("SELECT count(*) || ':' || sum(hashtextextended(t.xmin::text || t.ctid::text, 0)) FROM {target} AS t");
        versions.push(site.db.value(&sql).await);
    }
    versions
}

async fn synced(function: &mut Function) -> Body {
    let body = Body::in_envelope(&function.invoke("{}", TIME).await);
    assert_eq!((body.status, &body["successful_tables"]), (Some(200), &json!(4)), "{body}");
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_three_times_moves_its_rows_once_and_says_so() {
    let site = Site::over(Source::sample(ROWS).await).await;
    let mut function = site.deploy().await;
    let first = synced(&mut function).await;
    let written = versions(&site).await;
    let second = synced(&mut function).await;
    let third = synced(&mut function).await;
    for (table, _) in FOUR_TABLES {
        assert_eq!(first.counts(table), [ROWS, ROWS, 0, 0, 0]);
        assert_eq!(second.counts(table), [ROWS, 0, 0, 0, ROWS]);
        assert_eq!(third.counts(table), [ROWS, 0, 0, 0, ROWS]);
    }
    assert_eq!(versions(&site).await, written, "not a row was written again");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_one_event_twice_at_once_one_does_the_work_and_the_other_says_who_does() {
    let mut site = Site::over(Source::sample(ROWS).await).await;
    // A table that is locked is no failure, not even where every failure is a function error.
    site.keep(&["customer"]).set("FAIL_ON", "always").source.fault("customer", Fault::DelayPerRow(Duration::from_millis(100)));
    let (mut first, mut second) = (site.deploy().await, site.deploy().await);
    let event = r#"{"trigger": "schedule"}"#;
    let other = async {
        site.until_reading("customer").await;
        let ending = second.invoke(event, TIME).await;
        site.source.clear_faults("customer");
        ending
    };
    let (worked, skipped) = tokio::join!(first.invoke(event, TIME), other);
    let (worked, skipped) = (Body::in_envelope(&worked), Body::in_envelope(&skipped));
    assert_eq!((worked.status, skipped.status), (Some(200), Some(200)), "{worked} {skipped}");
    assert_eq!(worked.counts("customer"), [ROWS, ROWS, 0, 0, 0]);
    let skipped = skipped.table("customer");
    assert_eq!([&skipped["status"], &skipped["reason"]], ["skipped", "locked"]);
    assert!(skipped["held_by"].as_str().is_some_and(|holder| holder.contains("tablesync")), "{skipped}");
}

/// An EventBridge envelope whose time is so long ago.
fn envelope(age: jiff::Span, detail: Value) -> String {
    let time = Timestamp::now().checked_sub(age).unwrap();
    json!({
        "version": "0", "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa", "detail-type": "Scheduled Event", "source": "aws.events",
        "account": "123456789012", "time": format!("{time:.0}"), "region": "ap-northeast-1",
        "resources": ["arn:aws:events:ap-northeast-1:123456789012:rule/tablesync"], "detail": detail
    })
    .to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_six_hours_old_is_run_with_a_warning_that_names_its_age() {
    let site = Site::over(Source::sample(ROWS).await).await;
    let mut function = site.deploy().await;
    let late = Body::in_envelope(&function.invoke(envelope(6.hours(), json!({"tables": ["customer"]})), TIME).await);
    assert_eq!((late.status, late.counts("customer")), (Some(200), [ROWS, ROWS, 0, 0, 0]), "{late}");
    let of_age = |body: &Body| {
        let warnings = body["warnings"].as_array().unwrap().iter().filter_map(Value::as_str);
        warnings.filter(|warning| warning.starts_with("the event is")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(of_age(&late).len() == 1 && of_age(&late)[0].starts_with("the event is 6h old"), "{late}");
    let punctual = Body::in_envelope(&function.invoke(envelope(1.minutes(), json!({"tables": ["customer"]})), TIME).await);
    assert_eq!((punctual.status, of_age(&punctual)), (Some(200), Vec::new()), "{punctual}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_frozen_once_it_has_answered_holds_nothing_and_works_again_though_its_servers_were_restarted() {
    static OWN: OnceLock<Cluster> = OnceLock::new();
    let db = Database::create_on(OWN.get_or_init(|| Cluster::start(&[]))).await;
    let mut site = Site::between(Source::sample(ROWS).await, db);
    let (mut frozen, mut other) = (site.deploy().await, site.deploy().await);
    frozen.freeze_once_answered();
    synced(&mut frozen).await;
    let body = synced(&mut other).await;
    for (table, _) in FOUR_TABLES {
        assert_eq!(body.counts(table), [ROWS, 0, 0, 0, ROWS], "no lock is left behind");
    }
    site.source.restart().await;
    site.db.crash_server().await;
    frozen.thaw();
    site.source.resize("customer", ROWS + 1);
    assert_eq!(synced(&mut frozen).await.counts("customer"), [ROWS + 1, 1, 0, 0, ROWS]);
    // And so does one that was only idle meanwhile.
    assert_eq!(synced(&mut other).await.counts("customer"), [ROWS + 1, 0, 0, 0, ROWS + 1]);
}

/// An installation whose source, or target, takes connections and never answers.
async fn half_silent(source_is_silent: bool) -> (Site, Option<Source>) {
    if source_is_silent {
        return (Site::over(Source::silent().await).await, None);
    }
    let mut site = Site::over(Source::sample(ROWS).await).await;
    let target = Source::silent().await;
    site.set("PG_PORT", &target.port().to_string());
    (site, Some(target))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mode_ends_before_its_deadline_though_a_server_never_answers() {
    const LIMIT: Duration = Duration::from_secs(5);
    for source_is_silent in [true, false] {
        let (site, _target) = half_silent(source_is_silent).await;
        let mut functions = Vec::new();
        for mode in ["multi_sync", "multi_test", "plan", "verify", "info"] {
            functions.push((mode, site.deploy().await));
        }
        let invoked = join_all(functions.iter_mut().map(async |(mode, function)| {
            let began = Instant::now();
            (*mode, function.invoke(json!({"mode": mode}).to_string(), LIMIT).await, began.elapsed())
        }));
        for (mode, ending, elapsed) in invoked.await {
            let body = Body::in_envelope(&ending);
            assert!(elapsed < LIMIT, "{mode}: {elapsed:?}");
            let expected = if mode == "info" { 200 } else { 500 };
            assert_eq!(body.status, Some(expected), "{mode}: {body}");
            if mode == "multi_sync" {
                if source_is_silent {
                    assert!(body.error_of("customer").contains("deadline"), "{body}");
                } else {
                    assert_eq!(body.table("customer")["status"], "not_started", "nothing was begun: {body}");
                }
                for (table, _) in &FOUR_TABLES[1..] {
                    let result = body.table(table);
                    assert_eq!([&result["status"], &result["reason"]], ["not_started", "deadline"], "{body}");
                }
                assert_eq!(body["processed_tables"], u64::from(source_is_silent), "{body}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_invocation_that_its_deadline_stopped_is_a_function_error() {
    let site = Site::over(Source::sample(ROWS).await).await;
    site.source.fault("customer", Fault::StallAfterRows(100));
    let mut function = site.deploy().await;
    let ending =
        function.invoke(envelope(6.hours(), json!({"mode": "single_sync", "table_name": "customer"})), Duration::from_secs(4)).await;
    let Ending::Error { error_type, message } = ending else { panic!("{ending:?}") };
    assert_eq!(error_type, "StoppedError");
    assert!(message.contains("customer") && message.contains("deadline"), "{message}");
}

/// Events of nearly six megabytes, the most that an invocation may bring, and what the error says.
fn huge_events() -> Vec<(String, &'static str)> {
    const SIZE: usize = 5_900_000;
    let list = |item: &dyn Fn(usize) -> String, size: usize| (0..SIZE / size).map(item).collect::<Vec<_>>().join(",");
    let long = "x".repeat(SIZE);
    vec![
        (json!({"mode": long}).to_string(), "unknown mode"),
        (json!({"mode": [long]}).to_string(), "field \"mode\" is an array"),
        (json!({"tables": long}).to_string(), "unknown table"),
        (json!({"mode": "single_sync", "table_name": long}).to_string(), "unknown table"),
        (json!({"sample": [long]}).to_string(), "field \"sample\""),
        (json!({"mode": "\u{1}".repeat(SIZE / 6)}).to_string(), "unknown mode"),
        (format!("{{\"tables\": [{}]}}", list(&|n| format!("\"t{n}\""), 12)), "unknown tables"),
        (json!({"tables": list(&|n| format!("t{n}"), 10)}).to_string(), "unknown tables"),
        (format!("{{\"mode\": \"x\", {}}}", list(&|n| format!("\"f{n}\": 1"), 14)), "unknown mode"),
        (format!("{}{}", "[".repeat(SIZE / 2), "]".repeat(SIZE / 2)), "not JSON that can be read"),
        (long, "not JSON that can be read"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn huge_and_broken_events_are_answered_with_400_and_the_process_lives_on() {
    let site = Site::over(Source::nowhere().await).await;
    let mut function = site.deploy().await;
    for (event, named) in huge_events() {
        let begin: String = event.chars().take(30).collect();
        let body = Body::in_envelope(&function.invoke(&event, TIME).await);
        assert_eq!(body.status, Some(400), "{begin}");
        let error = body["error"].as_str().unwrap();
        assert!(error.contains(named), "{begin}: {error}");
        assert!(body.to_string().len() < 20_000, "{begin}: {} bytes", body.to_string().len());
    }
    let broken: [&[u8]; 6] = [b"", b"{", b"{\"mode\": \"info\"", b"\xef\xbb\xbf{}", b"{\"mode\": \"\xff\"}", b"\xff\xfe{\0}\0"];
    for event in broken {
        let body = Body::in_envelope(&function.invoke(event, TIME).await);
        assert_eq!((body.status, &body["mode"]), (Some(400), &json!(if event.len() == 13 { "\u{fffd}" } else { "multi_sync" })), "{body}");
    }
    let finished = function.shut_down().await;
    assert!(!finished.stdout.contains("panicked") && !finished.stderr.contains("panicked"), "{finished:?}");
    assert_eq!(site.source.logins(), 0, "nothing is connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_request_is_a_function_error_where_fail_on_says_so() {
    let refused = r#"{"mode": "sync_all"}"#;
    let scheduled = r#"{"mode": "sync_all", "trigger": "schedule"}"#;
    let late = envelope(6.hours(), json!({"mode": "sync_all"}));
    let cases = [
        ("never", [None, None, None, None]),
        ("Scheduled", [None, None, Some("RequestError"), Some("RequestError")]),
        ("always", [Some("RequestError"); 4]),
    ];
    let mut site = Site::over(Source::nowhere().await).await;
    for (fail_on, expected) in cases {
        let mut function = site.set("FAIL_ON", fail_on).deploy().await;
        for (event, expected) in ["{", refused, scheduled, &late].into_iter().zip(expected) {
            match (function.invoke(event, TIME).await, expected) {
                (Ending::Error { error_type, .. }, Some(expected)) => assert_eq!(error_type, expected, "{fail_on} {event}"),
                (ending, None) => assert_eq!(Body::in_envelope(&ending).status, Some(400), "{fail_on} {event}"),
                (ending, expected) => panic!("{fail_on} {event}: {ending:?}, expected {expected:?}"),
            }
        }
    }
    // A value that is none fails what would run, and says so by the default.
    let mut function = site.set("FAIL_ON", "sometimes").deploy().await;
    let body = Body::in_envelope(&function.invoke("{}", TIME).await);
    assert!(body.status == Some(500) && body["error"].as_str().unwrap().contains("FAIL_ON"), "{body}");
    let ending = function.invoke(r#"{"trigger": "schedule"}"#, TIME).await;
    assert!(matches!(&ending, Ending::Error { error_type, .. } if error_type == "ConfigError"), "{ending:?}");
}
