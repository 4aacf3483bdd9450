//! A report of each run in S3: JSON for machines, a page for people.

use std::time::Duration;

use serde_json::{Value, json};

use super::{pointed, site};
use crate::support::aws::{Aws, env};
use crate::support::source::Fault;

/// The JSON documents below `prefix`, oldest first, each with its page.
async fn reports(aws: &Aws, bucket: &str, prefix: &str) -> Vec<(Value, String)> {
    let keys = aws.keys(bucket).await;
    assert!(keys.iter().all(|key| key.starts_with(prefix)), "{keys:?}");
    let mut reports = Vec::new();
    for key in keys.iter().filter_map(|key| key.strip_suffix(".json")) {
        let (json_type, json) = aws.get(bucket, &format!("{key}.json")).await;
        let (html_type, html) = aws.get(bucket, &format!("{key}.html")).await;
        assert_eq!((json_type.as_str(), html_type.as_str()), ("application/json", "text/html; charset=utf-8"));
        reports.push((serde_json::from_str(&json).unwrap(), html));
    }
    assert_eq!(keys.len(), reports.len() * 2, "{keys:?}");
    reports
}

#[tokio::test(flavor = "multi_thread")]
async fn every_run_leaves_a_document_and_a_page_with_its_tables_errors_and_last_runs() {
    for aws in [Aws::ministack(), Aws::moto()] {
        let mut site = site(&aws).await;
        let bucket = aws.add_bucket().await;
        site.set("REPORT_URL", &format!("s3://{bucket}/daily"));
        let hostile = "<b>\"&'";
        site.keep(&["customer", "mctm_module"]).configure(hostile, "dbo.Missing", &json!({}));
        let first = site.json(&["multi_sync"]).await;
        assert_eq!((first.code, &first["successful_tables"]), (Some(1), &json!(2)), "{first}");
        // Names have seconds, and the first part of a run's id has milliseconds: the second report is listed second.
        site.source.fault("customer", Fault::CutAfterRows(5));
        site.set("MAX_RETRIES", "0");
        let second = site.json(&["multi_sync"]).await;
        assert_eq!((second.code, &second["successful_tables"]), (Some(1), &json!(1)), "{second}");
        let dry = site.json(&["multi_sync", "--dry-run"]).await;
        assert!(dry["warnings"].as_array().unwrap().iter().all(|warning| !warning.to_string().contains("report")), "{dry}");
        let reports = reports(&aws, &bucket, "daily/").await;
        assert_eq!(reports.len(), 2, "a dry run has none");
        let (document, page) = &reports[1];
        assert_eq!((&document["table_results"], &document["warnings"]), (&second["table_results"], &second["warnings"]));
        assert_eq!(document["last_runs"]["customer"].as_array().unwrap().len(), 2, "{document}");
        assert_eq!(document["last_runs"]["customer"][1]["outcome"], "failed", "{document}");
        let run_id = site.db.value("SELECT run_id FROM tablesync.runs ORDER BY started_at DESC LIMIT 1").await;
        assert_eq!(document["run_id"], json!(run_id));
        let error = second.error_of("customer").split(':').next().unwrap().replace('"', "&quot;");
        for part in ["customer", "mctm_module", "&lt;b&gt;&quot;&amp;", &run_id, "the last 2 runs", &error] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(!page.contains("<b>"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_cannot_be_written_is_a_warning() {
    let aws = Aws::ministack();
    let mut site = site(&aws).await;
    site.keep(&["customer"]);
    for (endpoint, reason) in [(aws.endpoint.as_str(), "NoSuchBucket"), ("http://127.0.0.1:9", "S3 cannot be reached")] {
        pointed(&mut site, &env(endpoint));
        site.set("REPORT_URL", "s3://suite-no-such-bucket/");
        let body = site.sync().await;
        let warnings = body["warnings"].to_string();
        assert!(warnings.contains("the report was not written") && warnings.contains(reason), "{body}");
    }
    // Nobody answers there, and the function's time is short: the report is given up, not the answer.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    pointed(&mut site, &env(&format!("http://{}", silent.local_addr().unwrap())));
    let mut function = site.deploy().await;
    let body = crate::support::body::Body::in_envelope(&function.invoke("{}", Duration::from_secs(6)).await);
    assert!(body["success"] == true && body["warnings"].to_string().contains("did not take it within"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_came_to_nothing_has_a_report_too() {
    let aws = Aws::ministack();
    let mut site = site(&aws).await;
    let bucket = aws.add_bucket().await;
    site.set("REPORT_URL", &format!("s3://{bucket}")).set("PG_SECRET_ID", "suite/no-such-secret");
    let body = site.json(&["multi_sync"]).await;
    assert_eq!(body.code, Some(2), "{body}");
    let reports = reports(&aws, &bucket, "").await;
    let [(document, page)] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((&document["error"], &document["run_id"]), (&body["error"], &Value::Null));
    assert!(page.contains("suite/no-such-secret") && page.contains("failed"), "{page}");
}
