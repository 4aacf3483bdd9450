//! Every body against the contract's fields, in order.

use indexmap::IndexMap;
use uuid::Uuid;

use super::super::{LastSync, PlanReport, RowCounts, TableInfo};
use super::*;
use crate::request::{Mode, Refusal};

const EVERY_BODY: [&str; 6] = ["success", "mode", "execution_time", "timestamp", "version", "warnings"];

fn asked(mode: &str) -> Asked {
    Asked {
        mode: mode.to_owned(),
        warnings: vec!["w".to_owned()],
        elapsed: Duration::from_micros(1_234_567),
        ended: "2026-02-05T10:30:00.1239Z".parse().unwrap(),
        request_id: None,
    }
}

fn table(name: &str, outcome: Outcome) -> (String, TableReport) {
    let rows = RowCounts { read: 10, inserted: 1, updated: 2, deleted: 3, unchanged: 7, quarantined: 0 };
    let report = TableReport { refresh: Some("merge"), rows, validation_passed: Some(true), ..TableReport::new(name, outcome) };
    (name.to_owned(), report)
}

fn run(tables: impl IntoIterator<Item = (String, TableReport)>) -> RunReport {
    RunReport { run_id: Uuid::nil(), dry_run: false, parallel: false, tables: tables.into_iter().collect(), warnings: Vec::new() }
}

fn failure() -> Outcome {
    Outcome::Failed(SyncError::new(ErrorKind::SourceLogin, "顧客 refused").with_cause("canary cause"))
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn with_every_body<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    EVERY_BODY.iter().chain(rest).copied().collect()
}

const TABLE: [&str; 15] = [
    "table_name",
    "success",
    "status",
    "transferred_count",
    "inserted",
    "updated",
    "deleted",
    "unchanged",
    "quarantined_count",
    "refresh",
    "refresh_reason",
    "execution_time",
    "error",
    "attempts",
    "validation_passed",
];
const MULTI: [&str; 6] = ["execution_mode", "table_results", "total_transferred", "processed_tables", "successful_tables", "failed_tables"];

#[test]
fn multi_sync_has_its_fields_in_order() {
    let answer = answer(&Report::Run(run([table("a", Outcome::Ok), table("b", Outcome::Ok)])), &asked("multi_sync"));
    assert_eq!((answer.status, answer.error_type), (200, None));
    assert_eq!(keys(&answer.body), with_every_body(&MULTI));
    assert_eq!(keys(&answer.body["table_results"]), ["a", "b"]);
    assert_eq!(keys(&answer.body["table_results"]["a"]), TABLE);
    assert_eq!(answer.body["execution_time"], 1.235);
    assert_eq!(answer.body["timestamp"], "2026-02-05T10:30:00.123Z");
    assert_eq!(answer.body["total_transferred"], 20);
    assert_eq!(answer.body["execution_mode"], "sequential");
}

#[test]
fn a_failed_table_fails_the_run_and_a_locked_one_alone_does_not() {
    let locked = || table("l", Outcome::Locked { held_by: "run 7".to_owned() });
    let cases = [
        (vec![table("a", Outcome::Ok), locked()], 200, None, [1, 1, 0]),
        (vec![table("a", Outcome::Ok), table("f", failure())], 500, Some("SourceLoginError"), [2, 1, 1]),
        (vec![table("a", Outcome::Ok), table("n", Outcome::NotStarted(NotStarted::Deadline))], 500, Some("StoppedError"), [1, 1, 0]),
        (vec![table("f", failure()), table("n", Outcome::NotStarted(NotStarted::Cancelled))], 500, Some("SourceLoginError"), [1, 0, 1]),
    ];
    for (tables, status, error_type, counts) in cases {
        let answer = answer(&Report::Run(run(tables)), &asked("multi_sync"));
        assert_eq!((answer.status, answer.error_type), (status, error_type));
        assert_eq!(answer.body["success"], status == 200);
        assert_eq!(answer.body.get("error").is_some(), status != 200);
        assert_eq!(["processed_tables", "successful_tables", "failed_tables"].map(|name| answer.body[name].as_u64().unwrap()), counts);
    }
}

#[test]
fn what_kept_a_table_from_ending_is_told() {
    let locked = table("l", Outcome::Locked { held_by: "run 7".to_owned() });
    let late = table("n", Outcome::NotStarted(NotStarted::Deadline));
    let body = answer(&Report::Run(run([table("f", failure()), locked, late])), &asked("multi_sync")).body;
    let results = &body["table_results"];
    assert_eq!((&results["f"]["status"], &results["f"]["error"]), (&json!("failed"), &json!("顧客 refused")));
    assert_eq!(
        (&results["l"]["status"], &results["l"]["held_by"], &results["l"]["success"]),
        (&json!("skipped"), &json!("run 7"), &json!(false))
    );
    assert_eq!((&results["n"]["status"], &results["n"]["reason"]), (&json!("not_started"), &json!("deadline")));
    assert_eq!(body["error"], "table f: 顧客 refused; not started (deadline): n");
    assert!(!body.to_string().contains("canary"), "causes are for the log");
    assert!(body.to_string().contains("顧客"), "text stays as it is");
}

#[test]
fn single_sync_is_flat() {
    let ok = answer(&Report::Run(run([table("a", Outcome::Ok)])), &asked("single_sync"));
    let flat: Vec<_> = TABLE.into_iter().filter(|name| !["success", "execution_time"].contains(name)).collect();
    assert_eq!(keys(&ok.body), with_every_body(&flat));
    assert_eq!((&ok.body["transferred_count"], &ok.body["error"]), (&json!(10), &Value::Null));
    let failed = answer(&Report::Run(run([table("a", failure())])), &asked("single_sync"));
    assert_eq!((failed.status, failed.error()), (500, "顧客 refused"));
    let late = answer(&Report::Run(run([table("a", Outcome::NotStarted(NotStarted::Deadline))])), &asked("single_sync"));
    assert_eq!((late.status, late.error()), (500, "not started (deadline): a"));
    let locked = answer(&Report::Run(run([table("a", Outcome::Locked { held_by: "x".to_owned() })])), &asked("single_sync"));
    assert_eq!((locked.status, &locked.body["success"], &locked.body["status"]), (200, &json!(true), &json!("skipped")));
}

#[test]
fn a_dry_run_counts_and_transfers_nothing() {
    let (name, mut report) = table("a", Outcome::Ok);
    report.counted = Some((5, None));
    let dry = RunReport { dry_run: true, ..run([(name, report)]) };
    let body = answer(&Report::Run(dry), &asked("multi_sync")).body;
    assert_eq!(body["dry_run"], true);
    let result = &body["table_results"]["a"];
    assert_eq!((&result["transferred_count"], &result["source_rows"], &result["target_rows"]), (&json!(0), &json!(5), &Value::Null));
    assert_eq!((&result["validation_passed"], &result["refresh"]), (&Value::Null, &json!("merge")));
    assert_eq!(body["total_transferred"], 0);
}

#[test]
fn warnings_of_request_run_and_tables_stand_together() {
    let (name, mut report) = table("a", Outcome::Ok);
    report.warnings.push("shrank".to_owned());
    let mut run = run([(name, report)]);
    run.warnings.push("tls".to_owned());
    let answer = answer(&Report::Run(run), &asked("multi_sync"));
    assert_eq!(answer.warnings().collect::<Vec<_>>(), ["w", "tls", "table a: shrank"]);
}

#[test]
fn multi_test_names_both_sides() {
    let error = |text: &str| SyncError::new(ErrorKind::SourceConnect, text);
    let tables = IndexMap::from([
        ("a".to_owned(), TableTest { source: Ok(1), target: Ok(None) }),
        ("b".to_owned(), TableTest { source: Err(error("no route")), target: Err(error("no table")) }),
    ]);
    let answer = answer(&Report::Test(TestReport { tables, left: None, warnings: Vec::new() }), &asked("multi_test"));
    assert_eq!((answer.status, answer.error()), (500, "table b: no route; no table"));
    let mode = ["error", "table_results", "tested_tables", "successful_connections", "failed_connections"];
    assert_eq!(keys(&answer.body), with_every_body(&mode));
    let (a, b) = (&answer.body["table_results"]["a"], &answer.body["table_results"]["b"]);
    assert_eq!(keys(b), ["sql_server_success", "postgresql_success", "overall_success", "error"]);
    assert_eq!((&a["overall_success"], &a["target_missing"]), (&json!(true), &json!(true)));
    assert_eq!(answer.body["failed_connections"], 1);
}

#[test]
fn what_a_stop_left_untested_and_unplanned_is_not_started() {
    let left = Some(Left { reason: NotStarted::Deadline, tables: vec!["b".to_owned(), "c".to_owned()] });
    let tables = IndexMap::from([("a".to_owned(), TableTest { source: Ok(1), target: Ok(None) })]);
    let tested = answer(&Report::Test(TestReport { tables, left: left.clone(), warnings: Vec::new() }), &asked("multi_test"));
    let planned = answer(&Report::Plan(PlanReport { tables: IndexMap::new(), left, warnings: Vec::new() }), &asked("plan"));
    for (answer, results) in [(&tested, "table_results"), (&planned, "plans")] {
        assert_eq!((answer.status, answer.error_type), (500, Some("StoppedError")));
        assert_eq!(answer.error(), "not started (deadline): b, c");
        for name in ["b", "c"] {
            let result = &answer.body[results][name];
            assert_eq!([&result["status"], &result["reason"], &result["error"]], ["not_started", "deadline", "not started (deadline)"]);
        }
    }
    assert_eq!(tested.body["table_results"]["c"]["overall_success"], false);
    assert_eq!([&tested.body["tested_tables"], &tested.body["failed_connections"]], [1, 0]);
}

#[test]
fn info_describes_every_table() {
    let last = LastSync { at: "2026-02-05T10:30:00Z".parse().unwrap(), outcome: "ok".to_owned(), rows: 3 };
    let info = |name: &str, last_sync| TableInfo {
        table_name: name.to_owned(),
        description: "d".to_owned(),
        sql_table: "S".to_owned(),
        pg_table: "p".to_owned(),
        column_count: None,
        db_type: "x".to_owned(),
        sql_server_db: None,
        batch_size: 10,
        refresh: "auto",
        last_sync,
        watermark: None,
    };
    let tables = vec![info("a", Some(last)), info("b", None)];
    let report = InfoReport { default_sync_order: vec!["b".to_owned()], tables, warnings: Vec::new() };
    let answer = answer(&Report::Info(report), &asked("info"));
    assert_eq!((answer.status, keys(&answer.body)), (200, with_every_body(&["available_tables", "default_sync_order", "table_details"])));
    assert_eq!(answer.body["available_tables"], json!(["a", "b"]));
    let details = &answer.body["table_details"];
    let fields = [
        "table_name",
        "description",
        "sql_table",
        "pg_table",
        "column_count",
        "db_type",
        "sql_server_db",
        "batch_size",
        "refresh",
        "last_sync",
    ];
    assert_eq!(keys(&details[0]), fields);
    assert_eq!(details[0]["last_sync"], json!({"at": "2026-02-05T10:30:00.000Z", "outcome": "ok", "rows": 3}));
    assert_eq!(details[1]["last_sync"], Value::Null);
}

#[test]
fn refusals_keep_the_mode_and_list_what_would_be_right() {
    let unknown = refusal(&"sync_all".parse::<Mode>().unwrap_err(), &asked("sync_all"));
    assert_eq!((unknown.status, keys(&unknown.body)), (400, with_every_body(&["error", "valid_modes"])));
    assert_eq!(unknown.body["mode"], "sync_all");
    let report = Report::Refused(Refusal { available_tables: Some(vec!["a".to_owned()]), ..Refusal::new("unknown table") });
    let table = answer(&report, &asked("multi_sync"));
    assert_eq!((table.status, table.error_type), (400, Some("RequestError")));
    assert_eq!(table.body["available_tables"], json!(["a"]));
}

#[test]
fn a_configuration_that_fails_is_500_with_its_kind() {
    let report = Report::Failed(SyncError::new(ErrorKind::Config, "t.json:3: x").with_remedy("Do y"));
    let answer = answer(&report, &asked("multi_sync"));
    assert_eq!((answer.status, answer.error_type, answer.error()), (500, Some("ConfigError"), "t.json:3: x. Do y"));
    assert_eq!(keys(&answer.body), with_every_body(&["error"]));
}
