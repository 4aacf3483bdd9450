//! What a run would do, for a person: a block per table.

use std::fmt::Write;

use indicatif::HumanBytes;
use jiff::SignedDuration;

use super::output::{count, duration, table};
use crate::report::{Basis, Expected, Foreseen, ForeseenIncremental, PlanReport, TablePlan};

/// All tables, and that nothing was written.
pub(super) fn planned(report: &PlanReport) -> String {
    let mut text = String::new();
    for (name, table) in &report.tables {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name}: {} -> {}", table.sql_table, table.pg_table);
        text.push_str(&one(table));
        text.push('\n');
    }
    for name in report.left.iter().flat_map(|left| &left.tables) {
        let _ = writeln!(text, "{name}: not started\n");
    }
    let failed = report.tables.values().filter(|table| table.error.is_some()).count();
    let of = if failed == 0 { String::new() } else { format!(", {failed} of them would fail") };
    let _ = writeln!(text, "{} tables planned{of}; nothing was written.", report.tables.len());
    text
}

fn one(table: &TablePlan) -> String {
    let mut text = String::new();
    if let Some(error) = &table.error {
        text.push_str(&fact("fails", &error.to_string()));
    }
    if let Some(foreseen) = &table.foreseen {
        text.push_str(&facts(foreseen));
    }
    text
}

fn facts(foreseen: &Foreseen) -> String {
    let mut text = fact("refresh", &format!("{}: {}", foreseen.refresh, foreseen.reason));
    if let Some(incremental) = &foreseen.incremental {
        text.push_str(&fact("window", &window(incremental)));
    }
    text.push_str(&fact("expected", &expected(&foreseen.expected)));
    for lock in &foreseen.locks {
        let said = format!("{} {}; readers {}; other writers {}", lock.mode, lock.held, lock.readers, lock.writers);
        text.push_str(&fact("lock", &said));
    }
    foreseen.ddl.iter().for_each(|statement| text.push_str(&fact("ddl", &format!("{statement};"))));
    for dependent in &foreseen.dependents {
        let said = format!("{} {}: {}", dependent.kind.replace('_', " "), dependent.name, dependent.effect);
        text.push_str(&fact("dependent", &said));
    }
    foreseen.drift.iter().for_each(|change| text.push_str(&fact("drift", change)));
    foreseen.warnings.iter().for_each(|warning| text.push_str(&fact("warning", warning)));
    text + &columns(foreseen)
}

/// Which part of the table is ahead.
fn window(incremental: &ForeseenIncremental) -> String {
    let from = incremental.from.as_deref().unwrap_or("the first row");
    let rows = incremental.rows.map_or("rows not counted (a dry run counts them)".to_owned(), |rows| format!("about {} rows", count(rows)));
    format!("from {from} to {}, {rows}", incremental.to)
}

fn columns(foreseen: &Foreseen) -> String {
    let mut shown = table(["source column", "type", "target column", "type", "", "on the way"], usize::MAX);
    for column in &foreseen.columns {
        let marks = match (column.key, column.nullable) {
            (true, _) => "key",
            (false, false) => "not null",
            (false, true) => "",
        };
        let conversion = column.conversion.clone().unwrap_or_default();
        let (source, target) = (column.source.clone(), column.target.clone());
        shown.add_row([source, column.source_type.clone(), target, column.target_type.clone(), marks.to_owned(), conversion]);
    }
    shown.to_string().lines().map(|line| format!("  {}\n", line.trim_end())).collect()
}

/// One line: what it is about, and what there is to say.
fn fact(about: &str, said: &str) -> String {
    format!("  {about:<10} {said}\n")
}

fn expected(expected: &Expected) -> String {
    let mut said = match (expected.rows, expected.bytes) {
        (Some(rows), Some(bytes)) => {
            let basis = match expected.basis {
                Basis::ColumnTypes => "guessed from the columns' types",
                Basis::LastRun => "by the bytes per row of the last run",
            };
            format!("about {} rows, {} ({basis})", count(rows), HumanBytes(bytes))
        }
        (Some(rows), None) => format!("about {} rows", count(rows)),
        (None, _) => "it is not known how many rows".to_owned(),
    };
    if let Some(last) = &expected.last {
        let elapsed = SignedDuration::from_millis(i64::try_from(last.elapsed_ms).unwrap_or(i64::MAX)).unsigned_abs();
        let _ = write!(said, "; the last run read {} rows in {} ({:.0})", count(last.rows), duration(elapsed), last.at);
    }
    said
}
