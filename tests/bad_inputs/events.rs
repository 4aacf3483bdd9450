//! Events: the answer is a 400 that names the field or the table and lists what would have been right; nothing is connected.

use std::time::Duration;

use serde_json::{Value, json};

use super::Findings;
use crate::support::body::Body;
use crate::support::site::Site;
use crate::support::source::Source;

pub(super) const COUNT: fn() -> usize = || events().len();

/// Events, and what the error names.
fn events() -> Vec<(Value, &'static str)> {
    let deep = (0..100).fold(json!("x"), |inner, _| json!([inner]));
    vec![
        (json!([]), "array"),
        (json!(null), "null"),
        (json!("multi_sync"), "string"),
        (json!(7), "number"),
        (json!(true), "boolean"),
        (json!({"mode": 5}), "\"mode\""),
        (json!({"mode": ["info"]}), "\"mode\""),
        (json!({"mode": "sync_everything"}), "sync_everything"),
        (json!({"mode": "MULTI_SYNC "}), "MULTI_SYNC"),
        (json!({"mode": ""}), "mode"),
        (json!({"mode": "x".repeat(100_000)}), "xxx"),
        (json!({"mode": "info\u{0}\u{1F600}"}), "mode"),
        (json!({"tables": 5}), "\"tables\""),
        (json!({"tables": {"customer": true}}), "\"tables\""),
        (json!({"tables": ["customer", 5]}), "\"tables\""),
        (json!({"tables": [["customer"]]}), "\"tables\""),
        (json!({"tables": deep}), "\"tables\""),
        (json!({"tables": "custmer"}), "custmer"),
        (json!({"tables": ["customer", "Customer"]}), "Customer"),
        (json!({"tables": ["customer; DROP TABLE mctm_customer"]}), "DROP TABLE"),
        (json!({"mode": "single_sync"}), "table"),
        (json!({"mode": "single_sync", "tables": ["customer"]}), "table"),
        (json!({"mode": "single_sync", "table_name": " "}), "table"),
        (json!({"mode": "single_sync", "table_name": ["customer"]}), "\"table_name\""),
        (json!({"mode": "single_sync", "table": "nobody"}), "nobody"),
        (json!({"mode": "multi_test", "tables": ["nobody"]}), "nobody"),
        (json!({"dry_run": "true"}), "\"dry_run\""),
        (json!({"allow_shrink": 1}), "\"allow_shrink\""),
        (json!({"trigger": true}), "\"trigger\""),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_events_are_answered_with_what_is_wrong() {
    let mut site = Site::over(Source::nowhere().await).await;
    let port = site.source.port().to_string();
    site.set("PG_HOST", "127.0.0.1").set("PG_PORT", &port);
    let mut function = site.deploy().await;
    let mut findings = Findings::default();
    for (event, named) in events() {
        let text = event.to_string();
        let body = Body::in_envelope(&function.invoke(&text, Duration::from_secs(60)).await);
        let input: String = text.chars().take(100).collect();
        if body.status != Some(400) {
            findings.add(&input, format!("a 400 was expected: {body}"));
        }
        findings.says(&input, body["error"].as_str().unwrap_or_default(), &[named]);
    }
    let finished = function.shut_down().await;
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    assert_eq!(site.source.logins(), 0, "nothing is connected");
    findings.none();
}
