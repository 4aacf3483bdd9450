//! A report for a person: a summary table for standard output, errors and warnings for standard error.

use std::time::Duration;

use comfy_table::{CellAlignment, LineStyle, Table, presets};
use indicatif::HumanCount;

use super::{plan_output, verify_output};
use crate::error::SyncError;
use crate::report::body::{reason_name, status_name};
use crate::report::{Answer, InfoReport, Outcome, Report, RunReport, TableInfo, TableReport, TestReport};

/// What goes where; either may be empty.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Shows a report; `answer` gives its warnings and how long it took.
pub(super) fn show(report: &Report, answer: &Answer) -> Shown {
    let mut shown = Shown { stdout: String::new(), stderr: warnings(answer) };
    match report {
        Report::Run(run) => {
            shown.stdout = if run.dry_run { dry_run(run) } else { synced(run) };
            shown.stdout.push_str(&totals(run, answer));
            run.tables.values().for_each(|table| shown.stderr.push_str(&table_error(table)));
        }
        Report::Test(test) => {
            shown.stdout = tested(test);
            for (name, table) in &test.tables {
                let errors = [table.source.as_ref().err(), table.target.as_ref().err()];
                errors.into_iter().flatten().for_each(|error| shown.stderr.push_str(&failure(Some(name), error)));
            }
        }
        Report::Verify(report) => {
            shown.stdout = verify_output::verified(report);
            shown.stderr.push_str(&verify_output::failures(report));
        }
        Report::Plan(plan) => {
            shown.stdout = plan_output::planned(plan);
            for (name, table) in &plan.tables {
                table.error.iter().for_each(|error| shown.stderr.push_str(&failure(Some(name), error)));
            }
        }
        Report::Info(info) => shown.stdout = informed(info),
        Report::Failed(error) => shown.stderr.push_str(&failure(None, error)),
        Report::Refused(refused) => shown.stderr.push_str(&format!("error: {}\n", refused.error)),
    }
    shown
}

/// One line per warning.
pub(super) fn warnings(answer: &Answer) -> String {
    answer.warnings().map(|warning| format!("warning: {warning}\n")).collect()
}

fn synced(run: &RunReport) -> String {
    let mut table = table(["table", "status", "refresh", "rows", "inserted", "updated", "deleted", "unchanged", "time", "rate"], 3);
    for report in run.tables.values() {
        let rows = &report.rows;
        let counts = [rows.read, rows.inserted, rows.updated, rows.deleted, rows.unchanged].map(count);
        let [read, inserted, updated, deleted, unchanged] = counts;
        let time = if report.begun() { duration(report.elapsed) } else { String::new() };
        let rate = rate(rows.read, report.elapsed);
        let refresh = report.refresh.unwrap_or("-").to_owned();
        table.add_row([report.table.clone(), status(report), refresh, read, inserted, updated, deleted, unchanged, time, rate]);
    }
    format!("{table}\n")
}

fn dry_run(run: &RunReport) -> String {
    let mut table = table(["table", "status", "would refresh by", "source rows", "target rows"], 3);
    for report in run.tables.values() {
        let (source, target) = report.counted.map_or((None, None), |(source, target)| (Some(source), target));
        let missing = if report.counted.is_some() { "missing" } else { "-" };
        let source = source.map_or("-".to_owned(), count);
        let target = target.map_or(missing.to_owned(), count);
        table.add_row([report.table.clone(), status(report), report.refresh.unwrap_or("-").to_owned(), source, target]);
    }
    let ahead: String = run.tables.values().filter_map(ahead).collect();
    format!("{table}\n{ahead}Dry run: nothing was written.\n")
}

/// What is ahead of a table that gets only what is new.
fn ahead(report: &TableReport) -> Option<String> {
    let incremental = report.incremental.as_ref()?;
    let rows = incremental.foreseen?;
    let [from, to] = [&incremental.from, &incremental.to].map(|end| end.as_deref().unwrap_or("the first row"));
    let [new, inserted, updated, deleted] = [rows.in_window, rows.would_insert, rows.would_update, rows.would_delete].map(count);
    Some(format!(
        "{}: from {from} to {to}: {new} rows, {inserted} would be inserted, {updated} updated and {deleted} deleted\n",
        report.table
    ))
}

fn totals(run: &RunReport, answer: &Answer) -> String {
    let of = |wanted: fn(&Outcome) -> bool| run.tables.values().filter(|table| wanted(&table.outcome)).count();
    let counts = [
        (of(|outcome| matches!(outcome, Outcome::Ok)), "ok"),
        (of(|outcome| matches!(outcome, Outcome::Failed(_))), "failed"),
        (of(|outcome| matches!(outcome, Outcome::Locked { .. })), "skipped"),
        (of(|outcome| matches!(outcome, Outcome::NotStarted(_))), "not started"),
    ];
    let named: Vec<_> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, name)| format!("{n} {name}")).collect();
    let seconds = answer.body["execution_time"].as_f64().unwrap_or_default();
    let time = duration(Duration::try_from_secs_f64(seconds).unwrap_or_default());
    let aside = match run.tables.values().map(|table| table.rows.quarantined).sum() {
        0 => String::new(),
        1 => ", 1 row put aside".to_owned(),
        rows => format!(", {} rows put aside", count(rows)),
    };
    format!("{} of {} tables in {time}{aside}, run {}\n", named.join(", "), run.tables.len(), run.run_id)
}

fn tested(test: &TestReport) -> String {
    let mut table = table(["table", "source", "rows", "target", "rows"], usize::MAX);
    for (name, tested) in &test.tables {
        let source = tested.source.as_ref().map_or(("failed", String::new()), |rows| ("ok", count(*rows)));
        let target = match &tested.target {
            Ok(Some(rows)) => ("ok", count(*rows)),
            Ok(None) => ("ok (to be created)", String::new()),
            Err(_) => ("failed", String::new()),
        };
        table.add_row([name.clone(), source.0.to_owned(), source.1, target.0.to_owned(), target.1]);
    }
    for name in test.left.iter().flat_map(|left| &left.tables) {
        table.add_row([name.as_str(), "not started", "", "not started", ""]);
    }
    for rows in [2, 4] {
        align_right(&mut table, rows);
    }
    format!("{table}\n")
}

fn informed(info: &InfoReport) -> String {
    let mut table = table(["table", "source", "target", "columns", "refresh", "last sync", "description"], usize::MAX);
    for entry in &info.tables {
        let last =
            entry.last_sync.as_ref().map_or("-".to_owned(), |last| format!("{:.0} {}, {} rows", last.at, last.outcome, count(last.rows)));
        let columns = entry.column_count.map_or("all".to_owned(), |n| n.to_string());
        let source = format!("{}: {}", entry.db_type, entry.sql_table);
        let refresh = entry.refresh.to_owned();
        table.add_row([entry.table_name.clone(), source, entry.pg_table.clone(), columns, refresh, last, entry.description.clone()]);
    }
    let watermarks: String = info.tables.iter().filter_map(watermark).collect();
    format!("{table}\n{watermarks}default_sync_order: {}\n", info.default_sync_order.join(", "))
}

/// How far a table is copied that gets only what is new.
fn watermark(entry: &TableInfo) -> Option<String> {
    let Some(reached) = &entry.watermark else {
        return (entry.refresh == "incremental").then(|| format!("{}: no watermark is known\n", entry.table_name));
    };
    let at = reached.at.map_or(String::new(), |at| format!(", written {at:.0}"));
    let lag = reached.lag.map_or(at.clone(), |lag| format!("{at}, {} ago", duration(lag)));
    let broken_off = if reached.broken_off { ", broken off there" } else { "" };
    Some(format!("{}: copied up to {} ({}){lag}{broken_off}\n", entry.table_name, reached.watermark, reached.kind))
}

/// A borderless table; columns from `numbers` on are numbers.
pub(super) fn table<const N: usize>(header: [&str; N], numbers: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING.header_separator(LineStyle::none().fill('─').junction('─'))).set_header(header);
    for index in numbers..N {
        align_right(&mut table, index);
    }
    table
}

fn align_right(table: &mut Table, index: usize) {
    if let Some(column) = table.column_mut(index) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

fn status(report: &TableReport) -> String {
    match &report.outcome {
        Outcome::NotStarted(reason) => format!("{} ({})", status_name(&report.outcome), reason_name(*reason)),
        Outcome::Locked { .. } => format!("{} (locked)", status_name(&report.outcome)),
        Outcome::Ok | Outcome::Failed(_) => status_name(&report.outcome).to_owned(),
    }
}

fn table_error(table: &TableReport) -> String {
    match &table.outcome {
        Outcome::Failed(error) => failure(Some(&table.table), error),
        Outcome::Locked { held_by } => format!("skipped {}: held by {held_by}\n", table.table),
        Outcome::Ok | Outcome::NotStarted(_) => String::new(),
    }
}

/// One failure: the sentence with what to do, and below it the causes.
pub(super) fn failure(table: Option<&str>, error: &SyncError) -> String {
    let table = table.map(|table| format!(" in table {table}")).unwrap_or_default();
    let chain = error.chain();
    let cause = if chain.is_empty() { String::new() } else { format!("  caused by: {chain}\n") };
    format!("error{table}: {error}\n{cause}")
}

/// `1,234,567`.
pub(super) fn count(rows: u64) -> String {
    HumanCount(rows).to_string()
}

/// `0.4 s`, `1m 5s`.
pub(super) fn duration(elapsed: Duration) -> String {
    if elapsed < Duration::from_secs(60) {
        return format!("{:.1} s", elapsed.as_secs_f64());
    }
    humantime::format_duration(Duration::from_secs(elapsed.as_secs())).to_string()
}

/// Rows a second; empty while there is nothing to divide.
pub(super) fn rate(rows: u64, elapsed: Duration) -> String {
    let millis = elapsed.as_millis();
    if rows == 0 || millis == 0 {
        return String::new();
    }
    u64::try_from(u128::from(rows) * 1000 / millis).map(|rate| format!("{}/s", count(rate))).unwrap_or_default()
}

#[cfg(test)]
#[path = "output_tests.rs"]
mod tests;
