//! Compares source and target row by row and writes nothing.
//!
//! Both sides are read as streams of the same form, the target's from one snapshot. The first pass sums up hashes of rows by a hash of their key; where
//! all sums agree, all rows do, and that is the end. The second looks into the buckets that do not, key by key; the third reads the keys that differ
//! once more to name them, and sets aside those that a writer at the source has changed meanwhile. Memory is bounded in each, whatever the table.

mod buckets;
mod compare;
mod name;
mod net;
mod only_new;
mod ranges;
mod row;
mod sides;

use std::time::{Duration, Instant};

use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use self::compare::compare;
use self::sides::Sides;
use super::full_refresh::TableJob;
use super::parallel::side_by_side;
use super::retry::explained;
use super::run_context::RunContext;
use crate::config::Parallel;
use crate::engine::broke_down::broke_down;
use crate::error::{ErrorKind, Result, SyncError};
use crate::report::{Comparison, Outcome, ProgressEvent, RowCounts, TableReport, TableVerification, Verified, VerifyReport};
use crate::request::Sampling;
use crate::sources::wants_text_as_bytes;

/// How long the target is asked to give a read up.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(2);

/// Verifies the tables of the jobs side by side within `bounds`, begun in order. A stop leaves those not begun `not_started`.
pub async fn verify_tables(
    jobs: Vec<TableJob>,
    sampling: Sampling,
    context: RunContext,
    bounds: Parallel,
    warnings: Vec<String>,
) -> VerifyReport {
    let tables = jobs.len();
    let done = side_by_side(jobs, bounds, |index, job| verify_one(job, sampling, (index + 1, tables))).await;
    VerifyReport { run_id: context.run_id, tables: done.into_iter().collect(), warnings }
}

/// One table in a task of its own: a panic there is that table's failure.
async fn verify_one(job: TableJob, sampling: Sampling, (position, tables): (usize, usize)) -> (String, TableVerification) {
    let (name, run) = (job.config.name.clone(), job.run.clone());
    let begun = Instant::now();
    if let Some(reason) = run.stop.reason() {
        let verified = Verified::NotStarted(reason.not_started());
        return (name, TableVerification { verified, elapsed: Duration::ZERO, warnings: Vec::new() });
    }
    run.progress.on(&ProgressEvent::Started { table: &name, position, tables });
    let span = tracing::info_span!("verify", run_id = %run.run_id, table = %name);
    let task = AbortOnDropHandle::new(tokio::spawn(async move { Box::pin(verify(&job, sampling)).await }.instrument(span)));
    let done = task.await.unwrap_or_else(|failure| Err(broke_down("the comparison broke down", &failure)));
    let (verified, warnings) = match done {
        Ok((comparison, warnings)) => (Verified::Compared(comparison), warnings),
        Err(error) => (Verified::Failed(error), Vec::new()),
    };
    let table = TableVerification { verified, elapsed: begun.elapsed(), warnings };
    run.progress.on(&ProgressEvent::Finished(&as_progress(&name, &table)));
    (name, table)
}

async fn verify(job: &TableJob, sampling: Sampling) -> Result<(Comparison, Vec<String>)> {
    let stop = &job.run.stop;
    let mut sides = stop.or_done(Box::pin(Sides::open(job))).await.map_err(explained)?;
    let mut compared = stop.or_done(compare(job, sampling, &mut sides)).await;
    if compared.as_ref().is_err_and(wants_text_as_bytes) {
        sides.read_text_as_bytes();
        compared = stop.or_done(compare(job, sampling, &mut sides)).await;
    }
    match &compared {
        Ok(_) => stop.or_done(sides.close()).await?,
        // A target that does not answer gives up when it notices that the session has ended.
        Err(_) => drop(tokio::time::timeout(CANCEL_TIMEOUT, sides.cancel()).await),
    }
    compared.map_err(explained)
}

/// What those who watch are told of a table that is done.
fn as_progress(name: &str, table: &TableVerification) -> TableReport {
    let read = if let Verified::Compared(comparison) = &table.verified { comparison.compared_rows } else { 0 };
    let outcome = match table.error() {
        None => Outcome::Ok,
        Some(sentence) => Outcome::Failed(SyncError::new(ErrorKind::Refused, sentence)),
    };
    TableReport { rows: RowCounts { read, ..RowCounts::default() }, elapsed: table.elapsed, ..TableReport::new(name, outcome) }
}
