//! Summaries as a person reads them.

use indexmap::IndexMap;
use uuid::Uuid;

use super::*;
use crate::error::ErrorKind;
use crate::report::{Asked, NotStarted, RowCounts, TableTest, body};

fn shown(report: &Report) -> Shown {
    let asked = Asked {
        mode: "multi_sync".to_owned(),
        warnings: vec!["mind the gap".to_owned()],
        elapsed: Duration::from_millis(65_400),
        ended: "2026-02-05T10:30:00Z".parse().unwrap(),
        request_id: None,
    };
    show(report, &body::answer(report, &asked))
}

fn run(dry_run: bool, tables: Vec<TableReport>) -> Report {
    let tables = tables.into_iter().map(|table| (table.table.clone(), table)).collect();
    Report::Run(RunReport { run_id: Uuid::nil(), dry_run, parallel: false, tables, warnings: Vec::new() })
}

#[test]
fn a_run_is_a_table_with_totals_and_its_errors_apart() {
    let error = SyncError::new(ErrorKind::SourceLogin, "login failed").with_remedy("Check the password").with_cause("18456");
    let rows = RowCounts { read: 1_234_567, unchanged: 1_234_567, ..RowCounts::default() };
    let ok = TableReport { rows, elapsed: Duration::from_secs(2), refresh: Some("merge"), ..TableReport::new("customer", Outcome::Ok) };
    let late = TableReport::new("agent", Outcome::NotStarted(NotStarted::Deadline));
    let shown = shown(&run(false, vec![ok, TableReport::new("module", Outcome::Failed(error)), late]));
    for part in ["1,234,567", "617,283/s", "2.0 s", "not_started (deadline)", "1 ok, 1 failed, 1 not started of 3 tables in 1m 5s"] {
        assert!(shown.stdout.contains(part), "{part}: {}", shown.stdout);
    }
    let errors = "warning: mind the gap\nerror in table module: login failed. Check the password\n  caused by: 18456\n";
    assert_eq!(shown.stderr, errors);
}

#[test]
fn a_dry_run_says_that_nothing_was_written() {
    let table = TableReport { counted: Some((10, None)), refresh: Some("straight"), ..TableReport::new("customer", Outcome::Ok) };
    let shown = shown(&run(true, vec![table]));
    for part in ["straight", "missing", "10", "nothing was written"] {
        assert!(shown.stdout.contains(part), "{part}: {}", shown.stdout);
    }
}

#[test]
fn a_test_shows_both_sides() {
    let tables = IndexMap::from([
        ("a".to_owned(), TableTest { source: Ok(7), target: Ok(None) }),
        ("b".to_owned(), TableTest { source: Err(SyncError::new(ErrorKind::SourceConnect, "no route")), target: Ok(Some(3)) }),
    ]);
    let shown = shown(&Report::Test(TestReport { tables, left: None, warnings: Vec::new() }));
    assert!(shown.stdout.contains("to be created") && shown.stdout.contains("failed"), "{}", shown.stdout);
    assert!(shown.stderr.contains("error in table b: no route\n"), "{}", shown.stderr);
}

#[test]
fn a_failed_configuration_is_an_error_and_nothing_else() {
    let shown = shown(&Report::Failed(SyncError::new(ErrorKind::Config, "t.json:3: x")));
    assert_eq!((shown.stdout.as_str(), shown.stderr.as_str()), ("", "warning: mind the gap\nerror: t.json:3: x\n"));
}
