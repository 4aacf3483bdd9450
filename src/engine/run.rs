//! A run: its tables with bounded concurrency, in order, one failing not stopping the next.

use std::sync::Arc;

use indexmap::IndexMap;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use super::broke_down::broke_down;
use super::foreign_keys::make_foreign_keys;
use super::full_refresh::TableJob;
use super::parallel::side_by_side;
use super::run_context::RunContext;
use crate::config::Parallel;
use crate::report::{Outcome, ProgressEvent, RunReport, TableReport};

/// Runs the jobs side by side within `bounds`, begun in order. A stop leaves those not begun `not_started`.
pub async fn run_tables(jobs: Vec<TableJob>, context: RunContext, bounds: Parallel, warnings: Vec<String>) -> RunReport {
    let tables = jobs.len();
    let wanting: Vec<TableJob> = jobs.iter().filter(|job| job.config.options.create_foreign_keys && !context.dry_run).cloned().collect();
    let reports = side_by_side(jobs, bounds, |index, job| run_one(job, context.clone(), index + 1, tables)).await;
    let reports = make_foreign_keys(wanting, reports, &context).await;
    RunReport {
        run_id: context.run_id,
        dry_run: context.dry_run,
        parallel: bounds.tables > 1,
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
                TableReport::new(&name, Outcome::Failed(broke_down("the refresh broke down; the target is as it was", &failure)))
            })
        }
    };
    log_done(&context, &report);
    Arc::clone(&context.progress).on(&ProgressEvent::Finished(&report));
    report
}

/// One line per table done; failures and warnings are logged where the request is answered.
fn log_done(context: &RunContext, report: &TableReport) {
    if !matches!(report.outcome, Outcome::Ok) {
        return;
    }
    tracing::info!(
        run_id = %context.run_id,
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
