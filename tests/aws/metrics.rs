//! Metrics in CloudWatch's embedded format, and the log beside them.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::body::Body;
use crate::support::lambda::Ending;
use crate::support::process::Finished;
use crate::support::site::Site;
use crate::support::source::{Fault, Source};

const TIME: Duration = Duration::from_secs(60);

fn schema() -> jsonschema::Validator {
    jsonschema::validator_for(&serde_json::from_str(include_str!("emf.schema.json")).unwrap()).unwrap()
}

/// The lines of a log that carry metrics, each checked against the format.
fn metrics(log: &str) -> Vec<Value> {
    let schema = schema();
    let lines = log.lines().filter(|line| line.starts_with("{\"_aws\""));
    let lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        if let Err(error) = schema.validate(line) {
            panic!("{error}: {line:#}");
        }
        for directive in line["_aws"]["CloudWatchMetrics"].as_array().unwrap() {
            for metric in directive["Metrics"].as_array().unwrap() {
                let value = &line[metric["Name"].as_str().unwrap()];
                assert!(value.as_f64().is_some_and(|value| value.is_finite() && value >= 0.0), "{metric}: {line:#}");
            }
            for name in directive["Dimensions"].as_array().unwrap().iter().flat_map(|set| set.as_array().unwrap()) {
                let value = line[name.as_str().unwrap()].as_str().unwrap();
                // https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html
                let printable = value.chars().all(|c| c == ' ' || c.is_ascii_graphic());
                assert!(printable && (1..=1024).contains(&value.len()) && !value.starts_with(':') && !value.trim().is_empty(), "{value:?}");
            }
        }
    }
    lines
}

/// The line about a table; none is the run's.
fn of<'a>(lines: &'a [Value], table: Option<&str>) -> &'a Value {
    let mut found = lines.iter().filter(|line| line.get("table").and_then(Value::as_str) == table);
    let line = found.next().unwrap_or_else(|| panic!("{table:?}: {lines:#?}"));
    assert!(found.next().is_none(), "one line of {table:?}: {lines:#?}");
    line
}

/// The lines of the log proper, each an object in which no name stands twice.
fn logged(finished: &Finished) -> Vec<Value> {
    let lines = finished.stdout.lines().filter(|line| !line.starts_with("{\"_aws\""));
    lines
        .map(|line| {
            for name in ["timestamp", "level", "message", "request_id", "run_id", "table", "target", "name"] {
                assert!(line.matches(&format!("\"{name}\":")).count() <= 1, "{name} stands twice: {line}");
            }
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        })
        .collect()
}

#[test]
fn what_is_not_the_format_is_told_from_it() {
    let good = json!({
        "_aws": {
            "Timestamp": 1_574_109_732_004_u64,
            "CloudWatchMetrics": [{"Namespace": "a", "Dimensions": [["function"]], "Metrics": [{"Name": "time", "Unit": "Milliseconds", "StorageResolution": 60}]}],
        },
        "function": "f",
        "time": 100,
    });
    let schema = schema();
    assert!(schema.is_valid(&good));
    let directive = "/_aws/CloudWatchMetrics/0";
    let keys = |count: usize| json!([(0..count).map(|key| key.to_string()).collect::<Vec<_>>()]);
    let cases = [
        ("/_aws/Timestamp".to_owned(), json!("2026-02-05T10:30:00Z")),
        ("/_aws/Timestamp".to_owned(), json!(1_574_109_732)),
        ("/_aws/CloudWatchMetrics".to_owned(), json!({})),
        (format!("{directive}/Namespace"), json!("")),
        (format!("{directive}/Namespace"), json!("AWS/Lambda")),
        (format!("{directive}/Dimensions"), json!(["function"])),
        (format!("{directive}/Dimensions"), json!([])),
        (format!("{directive}/Dimensions"), keys(31)),
        (format!("{directive}/Metrics/0/Name"), json!("")),
        (format!("{directive}/Metrics/0/Unit"), json!("Rows")),
        (format!("{directive}/Metrics/0/StorageResolution"), json!(5)),
    ];
    for (place, wrong) in cases {
        let mut line = good.clone();
        *line.pointer_mut(&place).unwrap() = wrong;
        assert!(!schema.is_valid(&line), "{place}: {line:#}");
    }
    assert!(!schema.is_valid(&json!({"function": "f"})));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lambda_writes_metrics_of_the_run_and_of_each_table() {
    let mut site = Site::over(Source::sample(20).await).await;
    site.keep(&["customer", "mctm_module"]).configure("顧客", "dbo.Missing", &json!({}));
    let mut function = site.deploy().await;
    let body = Body::in_envelope(&function.invoke("{}", TIME).await);
    let finished = function.shut_down().await;
    let lines = metrics(&finished.stdout);
    assert_eq!(lines.len(), 4, "{lines:#?}");
    let run = of(&lines, None);
    assert_eq!((&run["succeeded_runs"], &run["failed_runs"], &run["function"]), (&json!(0), &json!(1), &json!("tablesync")));
    let done = of(&lines, Some("customer"));
    assert_eq!((&done["rows"], &done["failures"], &done["mode"]), (&json!(20), &json!(0), &json!("multi_sync")), "{body}");
    assert!(done["bytes"].as_u64().unwrap() > 0 && done["seconds"].as_f64().unwrap() > 0.0 && done["lag"].as_f64().unwrap() > 0.0);
    let failed = of(&lines, Some("%E9%A1%A7%E5%AE%A2"));
    assert_eq!((&failed["failures"], failed.get("lag")), (&json!(1), None), "it never succeeded: {failed}");
    assert!(lines.iter().all(|line| line["run_id"] == run["run_id"] && line["request_id"] == run["request_id"]), "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_fails_falls_behind_by_the_age_of_its_last_success() {
    let mut site = Site::over(Source::sample(20).await).await;
    site.keep(&["customer"]).set("MAX_RETRIES", "0");
    site.sync().await;
    site.db
        .execute("UPDATE tablesync.runs SET started_at = started_at - interval '1 hour', finished_at = finished_at - interval '1 hour'")
        .await;
    site.source.fault("customer", Fault::CutAfterRows(5));
    site.set("METRICS", "emf");
    let body = site.json(&["multi_sync"]).await;
    assert_eq!(body.code, Some(1), "standard output has the body only: {body}");
    let lines = metrics(&body.stderr);
    let lag = of(&lines, Some("customer"))["lag"].as_f64().unwrap();
    assert!((3600.0..3900.0).contains(&lag), "{lag}");
    site.set("METRICS", "off");
    let mut function = site.deploy().await;
    function.invoke("{}", TIME).await;
    assert!(metrics(&function.shut_down().await.stdout).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_of_the_log_knows_its_request_and_a_failure_is_one_line() {
    let mut site = Site::over(Source::sample(20).await).await;
    site.keep(&["customer"]).configure("missing", "dbo.Missing", &json!({}));
    site.set("LOG_LEVEL", "debug");
    let mut function = site.deploy().await;
    let event = json!({"trigger": "schedule"}).to_string();
    let ending = function.invoke(&event, TIME).await;
    assert!(matches!(ending, Ending::Error { .. }), "{ending:?}");
    let finished = function.shut_down().await;
    let run = of(&metrics(&finished.stdout), None).clone();
    let lines = logged(&finished);
    let ours: Vec<_> = lines.iter().filter(|line| line["target"].as_str().is_some_and(|target| target.starts_with("tablesync"))).collect();
    let requests: HashSet<_> = ours.iter().map(|line| line["request_id"].to_string()).collect();
    assert!(ours.len() > 3 && requests.len() == 1, "{ours:#?}");
    let errors: Vec<_> = ours.iter().filter(|line| line["level"] == "ERROR").collect();
    let [error] = errors[..] else { panic!("one line: {errors:#?}") };
    assert_eq!((&error["table"], &error["kind"]), (&json!("missing"), &json!("SourceSchemaError")), "{error}");
    assert_eq!((&error["run_id"], &error["request_id"]), (&run["run_id"], &run["request_id"]));
    let of_the_table = ours.iter().filter(|line| line["table"] == "customer" && line["run_id"] == run["run_id"]);
    assert!(of_the_table.count() > 0, "{ours:#?}");
}
