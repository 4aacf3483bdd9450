//! Every event in `events/` and the envelope it is answered with.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::body::Body;
use crate::support::lambda::Ending;
use crate::support::site::{FOUR_TABLES, Site};
use crate::support::source::{Source, error_after};

const TIME: Duration = Duration::from_secs(60);
const ALL: &[&str] = &["customer", "mctm_module", "voipdb_customer", "voipdb_useragent"];

/// What an event must be answered with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected {
    /// 200, and these tables in this order.
    MultiSync(&'static [&'static str]),
    /// 200, one table, flat.
    SingleSync,
    /// 200, nothing transferred.
    DryRun(&'static [&'static str]),
    /// As `DryRun`, one table, flat.
    SingleDryRun,
    /// 200, both ends of these tables.
    MultiTest(&'static [&'static str]),
    /// 200, and these tables agree.
    Verify(&'static [&'static str]),
    /// 200, what a run would do with these tables.
    Plan(&'static [&'static str]),
    /// 200, the configuration, and a word of a warning.
    Info(&'static str),
    /// 400, this mode, a word of the error, a list of what would have been right.
    Refused(&'static str, &'static str, Option<&'static str>),
    /// A function error of this type: the event is a scheduled one.
    FunctionError(&'static str),
}

/// Every file of `events/`.
pub(crate) const EVENTS: &[(&str, Expected)] = &[
    ("empty", Expected::MultiSync(ALL)),
    ("eventbridge_empty_detail", Expected::MultiSync(ALL)),
    ("eventbridge_object_detail", Expected::MultiSync(&["customer"])),
    ("eventbridge_refused_unknown_mode", Expected::FunctionError("RequestError")),
    ("eventbridge_text_detail", Expected::SingleSync),
    ("incremental_sync", Expected::Refused("incremental_sync", "no table has", Some("available_tables"))),
    ("info", Expected::Info("")),
    ("multi_sync", Expected::MultiSync(ALL)),
    ("multi_sync_accept_drift", Expected::MultiSync(&["customer"])),
    ("multi_sync_allow_shrink", Expected::MultiSync(&["customer"])),
    ("multi_sync_dry_run", Expected::DryRun(ALL)),
    ("multi_sync_tables_array", Expected::MultiSync(&["customer", "mctm_module"])),
    ("multi_sync_tables_string", Expected::MultiSync(&["voipdb_customer", "voipdb_useragent"])),
    ("multi_test", Expected::MultiTest(ALL)),
    ("multi_test_tables", Expected::MultiTest(&["customer"])),
    ("plan", Expected::Plan(ALL)),
    ("plan_tables", Expected::Plan(&["customer"])),
    ("refused_not_an_object", Expected::Refused("multi_sync", "object", None)),
    ("refused_single_sync_without_table", Expected::Refused("single_sync", "table", Some("available_tables"))),
    ("refused_unknown_mode", Expected::Refused("sync_everything", "sync_everything", Some("valid_modes"))),
    ("refused_unknown_table", Expected::Refused("multi_sync", "custmer", Some("available_tables"))),
    ("refused_wrong_type", Expected::Refused("multi_sync", "dry_run", None)),
    ("scheduler_with_input", Expected::MultiSync(ALL)),
    ("scheduler_without_input", Expected::MultiSync(ALL)),
    ("single_sync", Expected::SingleSync),
    ("single_sync_dry_run", Expected::SingleDryRun),
    ("single_sync_table", Expected::SingleSync),
    ("unknown_field", Expected::Info("tabels")),
    ("verify", Expected::Verify(&["customer"])),
    ("verify_full", Expected::Verify(ALL)),
    ("verify_sample", Expected::Verify(ALL)),
];

/// The text of an event's file.
pub(crate) fn event(name: &str) -> String {
    fs::read_to_string(format!("{}/events/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn every_event_has_an_expected_envelope() {
    let mut files: Vec<_> = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/events"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    files.sort();
    assert_eq!(files, EVENTS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_event_gives_its_envelope_through_the_runtime_api() {
    let site = Site::over(Source::to_read().await).await;
    let mut function = site.deploy().await;
    for (name, expected) in EVENTS {
        let ending = function.invoke(&event(name), TIME).await;
        assert_answered(name, *expected, &ending);
    }
    let finished = function.shut_down().await;
    let lines: Vec<Value> =
        finished.stderr.lines().chain(finished.stdout.lines()).map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(lines.iter().any(|line| line.to_string().contains("request_id")), "logs are JSON lines that name the request");
}

/// Checks an ending against what the contract says.
pub(crate) fn assert_answered(name: &str, expected: Expected, ending: &Ending) {
    if let Expected::FunctionError(expected) = expected {
        assert!(
            matches!(ending, Ending::Error { error_type, message } if error_type == expected && !message.is_empty()),
            "{name}: {ending:?}"
        );
        return;
    }
    let body = Body::in_envelope(ending);
    let status = if matches!(expected, Expected::Refused(..)) { 400 } else { 200 };
    assert_eq!((body.status, body["success"].as_bool()), (Some(status), Some(status == 200)), "{name}: {body}");
    match expected {
        Expected::MultiSync(tables) => {
            assert_eq!(body["mode"], "multi_sync", "{name}");
            assert_run(&body, tables);
            assert!(body["total_transferred"].as_u64().is_some_and(|rows| rows > 0), "{name}: {body}");
            assert!(tables.iter().all(|table| body.table(table)["validation_passed"] == true), "{name}: {body}");
        }
        Expected::DryRun(tables) => {
            assert_run(&body, tables);
            assert_eq!((&body["dry_run"], &body["total_transferred"]), (&json!(true), &json!(0)), "{name}");
            for table in tables {
                assert_dry(body.table(table));
            }
        }
        Expected::SingleSync => {
            assert_eq!([&body["mode"], &body["table_name"], &body["status"]], ["single_sync", "customer", "ok"], "{name}: {body}");
            assert_eq!(body["validation_passed"], true, "{name}");
            assert!(body["transferred_count"].as_u64().is_some_and(|rows| rows > 0), "{name}: {body}");
        }
        Expected::SingleDryRun => {
            assert_eq!([&body["dry_run"], &body["transferred_count"]], [&json!(true), &json!(0)], "{name}: {body}");
            assert!(body["source_rows"].is_u64() && body["validation_passed"].is_null(), "{name}: {body}");
        }
        Expected::MultiTest(tables) => {
            assert_eq!([&body["tested_tables"], &body["successful_connections"]], [tables.len(), tables.len()], "{name}: {body}");
            assert_eq!(body["failed_connections"], 0);
            for table in tables {
                let result = body.table(table);
                for side in ["sql_server_success", "postgresql_success", "overall_success"] {
                    assert_eq!(result[side], true, "{name}: {body}");
                }
                assert!(result["error"].is_null());
            }
        }
        Expected::Verify(tables) => assert_verified(&body, tables),
        Expected::Plan(tables) => assert_plan(&body, tables),
        Expected::Info(warned) => assert_info(&body, warned),
        Expected::Refused(mode, named, list) => {
            assert_eq!(body["mode"], mode, "{name}");
            assert!(body["error"].as_str().unwrap().contains(named), "{name}: {body}");
            if let Some(list) = list {
                assert!(body[list].as_array().is_some_and(|list| list.len() >= 4), "{name}: {body}");
            }
        }
        Expected::FunctionError(_) => {}
    }
}

fn assert_run(body: &Body, tables: &[&str]) {
    let order: Vec<_> = body["table_results"].as_object().unwrap().keys().collect();
    assert_eq!(order, tables, "{body}");
    assert_eq!([&body["processed_tables"], &body["successful_tables"]], [tables.len(), tables.len()], "{body}");
    assert_eq!([&body["failed_tables"], &body["execution_mode"]], [&json!(0), &json!("sequential")], "{body}");
    for table in tables {
        let result = body.table(table);
        assert_eq!([&result["table_name"], &result["status"], &result["success"]], [&json!(table), &json!("ok"), &json!(true)]);
        assert!(result["error"].is_null() && result["execution_time"].is_number(), "{result}");
        for count in ["transferred_count", "inserted", "updated", "deleted", "unchanged"] {
            assert!(result[count].is_u64(), "{result}");
        }
    }
}

fn assert_dry(table: &Value) {
    assert_eq!([&table["transferred_count"], &table["validation_passed"]], [&json!(0), &Value::Null], "{table}");
    assert!(table["source_rows"].is_u64() && table["refresh"].is_string(), "{table}");
    assert!(table.as_object().unwrap().contains_key("target_rows"), "{table}");
}

fn assert_verified(body: &Body, tables: &[&str]) {
    assert_eq!([&body["mode"], &body["verified_tables"]], [&json!("verify"), &json!(tables.len())], "{body}");
    assert!(tables.iter().all(|table| body.table(table)["status"] == "ok"), "{body}");
}

fn assert_plan(body: &Body, tables: &[&str]) {
    assert_eq!([&body["planned_tables"], &body["failed_tables"]], [tables.len(), 0], "{body}");
    let plans = body["plans"].as_object().unwrap();
    assert_eq!(plans.keys().collect::<Vec<_>>(), tables, "{body}");
    for plan in plans.values() {
        assert!(plan["refresh"].is_string() && plan["refresh_reason"].is_string() && plan["error"].is_null(), "{plan}");
        assert!(plan["columns"].as_array().is_some_and(|columns| columns.len() >= 7), "{plan}");
    }
}

fn assert_info(body: &Body, warned: &str) {
    assert_eq!(body["available_tables"], json!(ALL), "{body}");
    assert_eq!(body["default_sync_order"], json!(ALL), "{body}");
    let warnings = body["warnings"].as_array().unwrap();
    assert!(if warned.is_empty() { warnings.is_empty() } else { warnings[0].as_str().unwrap().contains(warned) }, "{body}");
    for (detail, (name, target)) in body["table_details"].as_array().unwrap().iter().zip(FOUR_TABLES) {
        assert_eq!([&detail["table_name"], &detail["pg_table"]], [name, target]);
        for text in ["description", "sql_table", "db_type", "sql_server_db", "refresh"] {
            assert!(detail[text].as_str().is_some_and(|text| !text.is_empty()), "{detail}");
        }
        assert_eq!(detail["batch_size"], 10000);
        assert!(detail["column_count"].as_u64().is_some_and(|count| count >= 7), "{detail}");
        assert!(detail.as_object().unwrap().contains_key("last_sync"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_a_function_error_for_a_schedule_and_an_envelope_for_a_caller() {
    let mut site = Site::over(Source::sample(50).await).await;
    site.source.fault("customer", error_after(10, 8645, 17, "A timeout occurred while waiting for memory."));
    // What is retried is told elsewhere.
    site.set("MAX_RETRIES", "0");
    for (fail_on, scheduled_fails, direct_fails) in [("scheduled", true, false), ("never", false, false), ("always", true, true)] {
        let mut function = site.set("FAIL_ON", fail_on).deploy().await;
        for (name, fails) in [
            ("eventbridge_empty_detail", scheduled_fails),
            ("scheduler_with_input", scheduled_fails),
            ("scheduler_without_input", scheduled_fails),
            ("multi_sync", direct_fails),
        ] {
            let ending = function.invoke(&event(name), TIME).await;
            if fails {
                let Ending::Error { error_type, message } = ending else { panic!("{fail_on} {name}: {ending:?}") };
                assert_eq!(error_type, "SourceReadError", "{fail_on} {name}");
                assert!(message.contains("customer"), "{message}");
            } else {
                let body = Body::in_envelope(&ending);
                assert_eq!(body.status, Some(500), "{fail_on} {name}");
                body.error_of("customer");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_configuration_is_answered_by_an_envelope_and_the_process_lives_on() {
    let mut site = Site::over(Source::nowhere().await).await;
    site.config["tables"]["customer"]["colums"] = json!([]);
    let mut function = site.deploy().await;
    for _ in 0..2 {
        let body = Body::in_envelope(&function.invoke("{}", TIME).await);
        assert_eq!(body.status, Some(500));
        assert!(body["error"].as_str().unwrap().contains("colums"), "{body}");
    }
    assert_eq!(function.init_error(), None);
}
