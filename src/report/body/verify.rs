//! The body of `verify`.

use serde_json::{Map, Value, json};

use super::{Answer, Asked, Verdict, finish, object, reason_name, seconds};
use crate::error::ErrorKind;
use crate::report::{TableVerification, Verified, VerifyReport};

/// The stable name of a failure that is a difference found.
const DIFFERENCE: &str = "DifferenceError";

pub(super) fn verified(report: &VerifyReport, asked: &Asked) -> Answer {
    let results: Map<_, _> = report.tables.iter().map(|(name, table)| (name.clone(), Value::Object(table_result(name, table)))).collect();
    let agreeing = report.tables.values().filter(|table| table.agrees()).count();
    let begun = report.tables.values().filter(|table| !matches!(table.verified, Verified::NotStarted(_))).count();
    let fields = object(json!({
        "table_results": results,
        "verified_tables": begun,
        "successful_tables": agreeing,
        "failed_tables": begun - agreeing,
    }));
    let of_tables =
        report.tables.iter().flat_map(|(name, table)| table.warnings.iter().map(move |warning| format!("table {name}: {warning}")));
    let warnings: Vec<_> = report.warnings.iter().cloned().chain(of_tables).collect();
    finish(verdict(report), asked, &warnings, fields)
}

fn table_result(name: &str, table: &TableVerification) -> Map<String, Value> {
    let status = match &table.verified {
        Verified::NotStarted(_) => "not_started",
        Verified::Compared(_) | Verified::Failed(_) if table.agrees() => "ok",
        Verified::Compared(_) | Verified::Failed(_) => "failed",
    };
    let mut fields = object(json!({"table_name": name, "success": table.agrees(), "status": status}));
    match &table.verified {
        Verified::NotStarted(reason) => fields.extend(object(json!({"reason": reason_name(*reason)}))),
        Verified::Compared(comparison) => {
            let differences: Vec<_> = comparison
                .differences
                .iter()
                .map(|difference| json!({"kind": difference.kind.name(), "key": difference.key, "columns": difference.columns}))
                .collect();
            fields.extend(object(json!({
                "source_rows": comparison.source_rows,
                "target_rows": comparison.target_rows,
                "compared_rows": comparison.compared_rows,
                "sampled": comparison.sampled,
                "differing_rows": comparison.differing,
                "missing_rows": comparison.missing,
                "extra_rows": comparison.extra,
                "changed_meanwhile": comparison.changed_meanwhile,
                "differences": differences,
            })));
            if let Some(only_new) = &comparison.only_new {
                fields.extend(object(json!({
                    "not_synced_yet": only_new.not_synced_yet,
                    "kept_rows": only_new.kept,
                    "left_alone_rows": only_new.left_alone,
                })));
            }
        }
        Verified::Failed(_) => {}
    }
    fields.extend(object(json!({"execution_time": seconds(table.elapsed), "error": table.error()})));
    fields
}

/// A run's verdict: differences and failures speak for themselves, tables never begun are named.
fn verdict(report: &VerifyReport) -> Verdict {
    let mut sentences: Vec<_> =
        report.tables.iter().filter_map(|(name, table)| Some(format!("table {name}: {}", table.error()?))).collect();
    let unbegun: Vec<_> = report
        .tables
        .iter()
        .filter(|(_, table)| matches!(table.verified, Verified::NotStarted(_)))
        .map(|(name, _)| name.as_str())
        .collect();
    if !unbegun.is_empty() {
        sentences.push(format!("not started: {}", unbegun.join(", ")));
    }
    let kinds: Vec<_> = report
        .tables
        .values()
        .filter_map(|table| match &table.verified {
            Verified::Compared(comparison) => (comparison.different() > 0).then_some(DIFFERENCE),
            Verified::Failed(error) => Some(error.kind().name()),
            Verified::NotStarted(_) => Some(ErrorKind::Stopped.name()),
        })
        .collect();
    match kinds.split_first() {
        None => Verdict::OK,
        Some((first, rest)) if rest.iter().all(|kind| kind == first) => Verdict::not(500, first, sentences.join("; ")),
        Some(_) => Verdict::not(500, "TablesFailedError", sentences.join("; ")),
    }
}
