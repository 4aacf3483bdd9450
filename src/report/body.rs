//! A report as the status code and the JSON body that callers read. The fields and their order are the contract.

mod plan;
mod verify;

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    IncrementalReport, InfoReport, Left, NotStarted, Outcome, Report, RunReport, TableReport, TableTest, TableWatermark, TestReport,
};
use crate::error::{ErrorKind, SyncError};
use crate::request::Refusal;

/// What every body says about the request itself.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The mode as asked, an unknown one too.
    pub mode: String,
    /// What the caller should know about the request.
    pub warnings: Vec<String>,
    /// How long the answer took.
    pub elapsed: Duration,
    /// When it was ready.
    pub ended: Timestamp,
    /// The invocation that asked, where it was one.
    pub request_id: Option<String>,
}

/// A status code and a body.
#[derive(Debug, Clone)]
pub struct Answer {
    /// 200, 400 or 500.
    pub status: u16,
    /// The body object.
    pub body: Value,
    /// A stable name of the failure, for alarms and state machines; none when there is none.
    pub error_type: Option<&'static str>,
}

impl Answer {
    /// Whether the request was done.
    pub fn success(&self) -> bool {
        self.status == 200
    }

    /// The failure's sentence; empty when there is none.
    pub fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }

    /// The warnings in the body.
    pub fn warnings(&self) -> impl Iterator<Item = &str> {
        self.body["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str)
    }
}

impl Answer {
    /// Adds what the reader should know, too.
    pub fn warn(&mut self, warning: String) {
        if let Some(Value::Array(warnings)) = self.body.get_mut("warnings") {
            warnings.push(Value::String(warning));
        }
    }
}

/// Whether it went well, and if not, why.
struct Verdict {
    status: u16,
    error_type: Option<&'static str>,
    error: Option<String>,
}

impl Verdict {
    const OK: Self = Self { status: 200, error_type: None, error: None };

    fn not(status: u16, error_type: &'static str, error: impl Into<String>) -> Self {
        Self { status, error_type: Some(error_type), error: Some(error.into()) }
    }
}

/// The answer to a request that came to `report`.
pub fn answer(report: &Report, asked: &Asked) -> Answer {
    match report {
        Report::Run(run) if asked.mode == "single_sync" && run.tables.len() == 1 => single(run, asked),
        Report::Run(run) => multi(run, asked),
        Report::Test(test) => tested(test, asked),
        Report::Verify(report) => verify::verified(report, asked),
        Report::Plan(foreseen) => plan::planned(foreseen, asked),
        Report::Info(info) => informed(info, asked),
        Report::Failed(error) => finish(Verdict::not(500, error.kind().name(), error.to_string()), asked, &[], Map::new()),
        Report::Refused(refused) => refusal(refused, asked),
    }
}

/// The answer to a request that is wrong in itself, with the names that would have been right.
pub fn refusal(refused: &Refusal, asked: &Asked) -> Answer {
    let mut fields = Map::new();
    for (name, names) in [("valid_modes", &refused.valid_modes), ("available_tables", &refused.available_tables)] {
        if let Some(names) = names {
            fields.insert(name.to_owned(), json!(names));
        }
    }
    finish(Verdict::not(400, "RequestError", &refused.error), asked, &[], fields)
}

/// The answer to a look at the configuration: `error` is what is wrong with it, `fields` what was found.
pub fn checked(error: Option<String>, fields: Map<String, Value>, asked: &Asked) -> Answer {
    let verdict = error.map_or(Verdict::OK, |error| Verdict::not(500, ErrorKind::Config.name(), error));
    finish(verdict, asked, &[], fields)
}

/// The fields of every body, then the mode's own.
fn finish(verdict: Verdict, asked: &Asked, more: &[String], fields: Map<String, Value>) -> Answer {
    let Verdict { status, error_type, error } = verdict;
    let warnings: Vec<_> = asked.warnings.iter().chain(more).collect();
    let mut body = object(json!({
        "success": status == 200,
        "mode": asked.mode,
        "execution_time": seconds(asked.elapsed),
        "timestamp": format!("{:.3}", asked.ended),
        "version": env!("CARGO_PKG_VERSION"),
        "warnings": warnings,
    }));
    body.extend(error.map(|error| ("error".to_owned(), Value::String(error))));
    body.extend(fields);
    Answer { status, body: Value::Object(body), error_type }
}

fn multi(run: &RunReport, asked: &Asked) -> Answer {
    let count = |wanted: fn(&Outcome) -> bool| run.tables.values().filter(|table| wanted(&table.outcome)).count();
    let results: Map<_, _> =
        run.tables.iter().map(|(name, table)| (name.clone(), Value::Object(table_result(table, run.dry_run)))).collect();
    let mut fields = object(json!({
        "execution_mode": if run.parallel { "parallel" } else { "sequential" },
        "table_results": results,
        "total_transferred": run.tables.values().map(|table| transferred(table, run.dry_run)).sum::<u64>(),
        "processed_tables": run.tables.values().filter(|table| table.begun()).count(),
        "successful_tables": count(|outcome| matches!(outcome, Outcome::Ok)),
        "failed_tables": count(|outcome| matches!(outcome, Outcome::Failed(_))),
    }));
    if run.dry_run {
        fields.insert("dry_run".to_owned(), json!(true));
    }
    finish(verdict(run), asked, &run_warnings(run), fields)
}

/// The one table's result, flat. `success` is the run's, as the status code is: a locked table is no failure.
fn single(run: &RunReport, asked: &Asked) -> Answer {
    let mut verdict = verdict(run);
    let mut fields = run.tables.values().next().map(|table| table_result(table, run.dry_run)).unwrap_or_default();
    fields.shift_remove("success");
    fields.shift_remove("execution_time");
    // The table's own error stands in its place among the table's fields; what has none of its own gets the run's.
    if let Some(error) = verdict.error.take()
        && fields.get("error").is_some_and(Value::is_null)
    {
        fields.insert("error".to_owned(), json!(error));
    }
    if run.dry_run {
        fields.insert("dry_run".to_owned(), json!(true));
    }
    finish(verdict, asked, &run_warnings(run), fields)
}

fn table_result(table: &TableReport, dry_run: bool) -> Map<String, Value> {
    let rows = &table.rows;
    let mut fields = object(json!({
        "table_name": table.table,
        "success": matches!(table.outcome, Outcome::Ok),
        "status": status_name(&table.outcome),
    }));
    match &table.outcome {
        Outcome::Locked { held_by } => fields.extend(object(json!({"reason": "locked", "held_by": held_by}))),
        Outcome::NotStarted(reason) => fields.extend(object(json!({"reason": reason_name(*reason)}))),
        Outcome::Ok | Outcome::Failed(_) => {}
    }
    let error = if let Outcome::Failed(error) = &table.outcome { Some(error.to_string()) } else { None };
    fields.extend(object(json!({
        "transferred_count": transferred(table, dry_run),
        "inserted": rows.inserted,
        "updated": rows.updated,
        "deleted": rows.deleted,
        "unchanged": rows.unchanged,
        "quarantined_count": rows.quarantined,
        "refresh": table.refresh,
        "refresh_reason": table.refresh_reason,
        "execution_time": seconds(table.elapsed),
        "error": error,
        "attempts": table.attempts,
        "validation_passed": table.validation_passed.filter(|_| !dry_run),
    })));
    fields.extend(table.incremental.iter().flat_map(|incremental| incremental_fields(incremental, dry_run)));
    if dry_run {
        let (source_rows, target_rows) = table.counted.map_or((None, None), |(source, target)| (Some(source), target));
        fields.extend(object(json!({"source_rows": source_rows, "target_rows": target_rows})));
    }
    fields
}

/// Between which watermarks the rows lie; of a dry run, what would become of them.
fn incremental_fields(incremental: &IncrementalReport, dry_run: bool) -> Map<String, Value> {
    let mut fields = object(json!({"from": incremental.from, "to": incremental.to}));
    if let Some(rows) = incremental.foreseen.filter(|_| dry_run) {
        fields.extend(object(json!({
            "rows_in_window": rows.in_window,
            "would_insert": rows.would_insert,
            "would_update": rows.would_update,
            "would_delete": rows.would_delete,
        })));
    }
    fields
}

fn transferred(table: &TableReport, dry_run: bool) -> u64 {
    if dry_run { 0 } else { table.rows.read }
}

/// How a table ended, by its name in reports.
pub fn status_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::Failed(_) => "failed",
        Outcome::Locked { .. } => "skipped",
        Outcome::NotStarted(_) => "not_started",
    }
}

/// Why a table was never begun, by its name in reports.
pub fn reason_name(reason: NotStarted) -> &'static str {
    match reason {
        NotStarted::Deadline => "deadline",
        NotStarted::Cancelled => "cancelled",
    }
}

/// The sentence about tables that a stop came before.
fn not_started<'a>(reason: NotStarted, tables: impl Iterator<Item = &'a str>) -> String {
    format!("not started ({}): {}", reason_name(reason), tables.collect::<Vec<_>>().join(", "))
}

/// The same of a mode that has no status of its own for them.
fn left_sentence(left: Option<&Left>) -> Option<String> {
    left.map(|left| not_started(left.reason, left.tables.iter().map(String::as_str)))
}

/// Each table that a stop left undone, with fields of its own and what all of them have.
fn left_results<'a>(left: Option<&'a Left>, of_mode: &'a Value) -> impl Iterator<Item = (String, Value)> + 'a {
    left.into_iter().flat_map(move |left| {
        let reason = reason_name(left.reason);
        left.tables.iter().map(move |name| {
            let mut fields = object(of_mode.clone());
            fields.extend(object(json!({"status": "not_started", "reason": reason, "error": format!("not started ({reason})")})));
            (name.clone(), Value::Object(fields))
        })
    })
}

/// Status, stable name and sentence of a run: one failure speaks for itself, several are named together.
fn verdict(run: &RunReport) -> Verdict {
    let failed: Vec<(&str, &SyncError)> = run
        .tables
        .iter()
        .filter_map(|(name, table)| if let Outcome::Failed(error) = &table.outcome { Some((name.as_str(), error)) } else { None })
        .collect();
    let unbegun: Vec<_> = run.tables.values().filter(|table| matches!(table.outcome, Outcome::NotStarted(_))).collect();
    let mut sentences: Vec<String> = failed.iter().map(|(name, error)| format!("table {name}: {error}")).collect();
    if let Some(TableReport { outcome: Outcome::NotStarted(reason), .. }) = unbegun.first() {
        sentences.push(not_started(*reason, unbegun.iter().map(|table| table.table.as_str())));
    }
    let kinds: Vec<ErrorKind> = failed.iter().map(|(_, error)| error.kind()).collect();
    let error_type = match kinds.split_first() {
        Some((first, rest)) if rest.iter().all(|kind| kind == first) => first.name(),
        Some(_) => "TablesFailedError",
        None if unbegun.is_empty() => return Verdict::OK,
        None => ErrorKind::Stopped.name(),
    };
    Verdict::not(500, error_type, sentences.join("; "))
}

fn run_warnings(run: &RunReport) -> Vec<String> {
    let of_tables =
        run.tables.values().flat_map(|table| table.warnings.iter().map(move |warning| format!("table {}: {warning}", table.table)));
    run.warnings.iter().cloned().chain(of_tables).collect()
}

fn tested(test: &TestReport, asked: &Asked) -> Answer {
    let failed = test.tables.values().filter(|table| table.source.is_err() || table.target.is_err()).count();
    let errors: Vec<_> = test.tables.iter().filter_map(|(name, table)| Some(format!("table {name}: {}", test_error(table)?))).collect();
    let untested = json!({"sql_server_success": false, "postgresql_success": false, "overall_success": false});
    let results = test.tables.iter().map(|(name, table)| (name.clone(), test_result(table)));
    let results: Map<_, _> = results.chain(left_results(test.left.as_ref(), &untested)).collect();
    let fields = object(json!({
        "table_results": results,
        "tested_tables": test.tables.len(),
        "successful_connections": test.tables.len() - failed,
        "failed_connections": failed,
    }));
    let sentences: Vec<_> = errors.into_iter().chain(left_sentence(test.left.as_ref())).collect();
    let verdict = match (failed, &test.left) {
        (0, None) => Verdict::OK,
        (0, Some(_)) => Verdict::not(500, ErrorKind::Stopped.name(), sentences.join("; ")),
        (_, _) => Verdict::not(500, "ConnectionTestError", sentences.join("; ")),
    };
    finish(verdict, asked, &test.warnings, fields)
}

fn test_result(table: &TableTest) -> Value {
    let mut fields = object(json!({
        "sql_server_success": table.source.is_ok(),
        "postgresql_success": table.target.is_ok(),
        "overall_success": table.source.is_ok() && table.target.is_ok(),
        "error": test_error(table),
    }));
    if matches!(table.target, Ok(None)) {
        fields.insert("target_missing".to_owned(), json!(true));
    }
    Value::Object(fields)
}

/// Both sides' errors in one text.
pub fn test_error(table: &TableTest) -> Option<String> {
    let errors: Vec<_> =
        [table.source.as_ref().err(), table.target.as_ref().err()].into_iter().flatten().map(ToString::to_string).collect();
    (!errors.is_empty()).then(|| errors.join("; "))
}

fn informed(info: &InfoReport, asked: &Asked) -> Answer {
    let details: Vec<_> = info
        .tables
        .iter()
        .map(|table| {
            let mut fields = object(json!({
                "table_name": table.table_name,
                "description": table.description,
                "sql_table": table.sql_table,
                "pg_table": table.pg_table,
                "column_count": table.column_count,
                "db_type": table.db_type,
                "sql_server_db": table.sql_server_db,
                "batch_size": table.batch_size,
                "refresh": table.refresh,
                "last_sync": table.last_sync.as_ref().map(|last| json!({
                    "at": format!("{:.3}", last.at),
                    "outcome": last.outcome,
                    "rows": last.rows,
                })),
            }));
            fields.extend(table.watermark.iter().flat_map(watermark_field));
            Value::Object(fields)
        })
        .collect();
    let fields = object(json!({
        "available_tables": info.tables.iter().map(|table| &table.table_name).collect::<Vec<_>>(),
        "default_sync_order": info.default_sync_order,
        "table_details": details,
    }));
    finish(Verdict::OK, asked, &info.warnings, fields)
}

/// How far a table is copied that gets only what is new.
fn watermark_field(reached: &TableWatermark) -> Map<String, Value> {
    object(json!({"watermark": {
        "watermark": reached.watermark,
        "kind": reached.kind,
        "broken_off": reached.broken_off,
        "at": reached.at.map(|at| format!("{at:.3}")),
        "lag_seconds": reached.lag.map(seconds),
    }}))
}

/// Seconds with milliseconds.
fn seconds(elapsed: Duration) -> f64 {
    (elapsed.as_secs_f64() * 1000.0).round() / 1000.0
}

fn object(value: Value) -> Map<String, Value> {
    if let Value::Object(fields) = value { fields } else { Map::new() }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
