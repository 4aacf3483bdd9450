//! A run: its tables with bounded concurrency, in order, one failing not stopping the next.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::stream::{self, StreamExt};
use indexmap::IndexMap;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::foreign_keys::make_foreign_keys;
use super::full_refresh::TableJob;
use super::run_context::RunContext;
use crate::error::{ErrorKind, SyncError};
use crate::report::{Outcome, ProgressEvent, RunReport, TableReport};

/// Runs the jobs, at most `parallel` at a time, begun in order. A stop leaves those not begun `not_started`.
pub async fn run_tables(jobs: Vec<TableJob>, context: RunContext, parallel: usize, warnings: Vec<String>) -> RunReport {
    let tables = jobs.len();
    let wanting: Vec<TableJob> = jobs.iter().filter(|job| job.config.options.create_foreign_keys && !context.dry_run).cloned().collect();
    let mut reports: Vec<(usize, TableReport)> = stream::iter(jobs.into_iter().enumerate())
        .map(|(index, job)| run_one(job, context.clone(), index + 1, tables).map(move |report| (index, report)))
        .buffer_unordered(parallel.max(1))
        .collect()
        .await;
    reports.sort_by_key(|(index, _)| *index);
    let reports: Vec<_> = reports.into_iter().map(|(_, report)| report).collect();
    let reports = make_foreign_keys(wanting, reports, &context).await;
    RunReport {
        run_id: context.run_id,
        dry_run: context.dry_run,
        parallel: parallel > 1,
        warnings,
        tables: reports.into_iter().map(|report| (report.table.clone(), report)).collect::<IndexMap<_, _>>(),
    }
}

/// One table in a task of its own: a panic there is that table's failure.
async fn run_one(job: TableJob, context: RunContext, position: usize, tables: usize) -> TableReport {
    let name = job.config.name.clone();
    let report = match context.stop.reason() {
        Some(reason) => TableReport::new(&name, Outcome::NotStarted(reason.not_started())),
        None => {
            context.progress.on(&ProgressEvent::Started { table: &name, position, tables });
            let span = tracing::info_span!("table", run_id = %context.run_id, table = %name);
            let task = AbortOnDropHandle::new(tokio::spawn(job.run().instrument(span)));
            task.await.unwrap_or_else(|failure| {
                let error = SyncError::new(ErrorKind::Internal, "the refresh broke down; the target is as it was").with_cause(failure);
                TableReport::new(&name, Outcome::Failed(error))
            })
        }
    };
    log_done(&report);
    Arc::clone(&context.progress).on(&ProgressEvent::Finished(&report));
    report
}

/// One line per table done; failures and warnings are logged where the request is answered.
fn log_done(report: &TableReport) {
    if !matches!(report.outcome, Outcome::Ok) {
        return;
    }
    tracing::info!(
        table = report.table,
        refresh = report.refresh,
        rows_read = report.rows.read,
        inserted = report.rows.inserted,
        updated = report.rows.updated,
        deleted = report.rows.deleted,
        unchanged = report.rows.unchanged,
        bytes = report.bytes,
        seconds = report.elapsed.as_secs_f64(),
        "table done"
    );
}
