//! The body of mode `plan`.

use serde_json::{Map, Value, json};

use super::{Answer, Asked, Verdict, finish, left_results, left_sentence, object};
use crate::error::ErrorKind;
use crate::report::{Foreseen, ForeseenColumn, ForeseenDependent, ForeseenLock, LastSuccess, PlanReport, TablePlan};

/// The answer to a request for a plan: 500 where a table's run would fail.
pub(super) fn planned(report: &PlanReport, asked: &Asked) -> Answer {
    let failed: Vec<_> = report.tables.iter().filter_map(|(name, table)| Some((name, table.error.as_ref()?))).collect();
    let sentences = failed.iter().map(|(name, error)| format!("table {name}: {error}"));
    let sentences = sentences.chain(left_sentence(report.left.as_ref())).collect::<Vec<_>>().join("; ");
    let verdict = match (failed.as_slice(), &report.left) {
        ([], None) => Verdict::OK,
        ([], Some(_)) => Verdict::not(500, ErrorKind::Stopped.name(), sentences),
        ([(_, error)], _) => Verdict::not(500, error.kind().name(), sentences),
        (_, _) => Verdict::not(500, "TablesFailedError", sentences),
    };
    let unplanned = json!({"success": false});
    let plans = report.tables.iter().map(|(name, table)| (name.clone(), table_plan(name, table)));
    let plans: Map<_, _> = plans.chain(left_results(report.left.as_ref(), &unplanned)).collect();
    let fields = object(json!({
        "plans": plans,
        "planned_tables": report.tables.len(),
        "failed_tables": failed.len(),
    }));
    finish(verdict, asked, &report.warnings, fields)
}

fn table_plan(name: &str, table: &TablePlan) -> Value {
    let mut fields = object(json!({
        "table_name": name,
        "success": table.error.is_none(),
        "error": table.error.as_ref().map(ToString::to_string),
        "sql_table": table.sql_table,
        "pg_table": table.pg_table,
    }));
    if let Some(foreseen) = &table.foreseen {
        fields.extend(foreseen_fields(foreseen));
    }
    Value::Object(fields)
}

fn foreseen_fields(foreseen: &Foreseen) -> Map<String, Value> {
    let expected = &foreseen.expected;
    let mut fields = object(json!({
        "target_exists": foreseen.target_exists,
        "refresh": foreseen.refresh,
        "refresh_reason": foreseen.reason,
        "key": foreseen.columns.iter().filter(|column| column.key).map(|column| &column.target).collect::<Vec<_>>(),
        "columns": foreseen.columns.iter().map(column).collect::<Vec<_>>(),
        "ddl": foreseen.ddl,
        "locks": foreseen.locks.iter().map(lock).collect::<Vec<_>>(),
        "expected_rows": expected.rows,
        "expected_bytes": expected.bytes,
        "bytes_estimated_from": expected.basis.name(),
        "last_success": expected.last.as_ref().map(last_success),
        "dependents": foreseen.dependents.iter().map(dependent).collect::<Vec<_>>(),
        "drift": foreseen.drift,
        "warnings": foreseen.warnings,
    }));
    if let Some(incremental) = &foreseen.incremental {
        fields.extend(object(json!({
            "from": incremental.from,
            "to": incremental.to,
            "rows_in_window": incremental.rows,
            "way": incremental.way,
            "compares_keys": incremental.compares_keys,
        })));
    }
    fields
}

fn column(column: &ForeseenColumn) -> Value {
    json!({
        "source": column.source,
        "source_type": column.source_type,
        "target": column.target,
        "target_type": column.target_type,
        "nullable": column.nullable,
        "key": column.key,
        "conversion": column.conversion,
    })
}

fn lock(lock: &ForeseenLock) -> Value {
    json!({"mode": lock.mode, "held": lock.held, "readers": lock.readers, "writers": lock.writers})
}

fn last_success(last: &LastSuccess) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "a run does not take 2^52 ms")]
    let seconds = last.elapsed_ms as f64 / 1000.0;
    json!({"at": format!("{:.3}", last.at), "rows": last.rows, "bytes": last.bytes, "seconds": seconds})
}

fn dependent(dependent: &ForeseenDependent) -> Value {
    json!({"kind": dependent.kind, "name": dependent.name, "effect": dependent.effect})
}
