//! One table's full refresh: lock, plan, stage, verify, publish.
//!
//! Crash story. Up to the publish only the state schema is written: a `started` row and the staging table, which the next run ends and removes. A straight
//! load is one transaction from its first row to the `succeeded` row. A publish is one transaction, see [`crate::target`]. The lock goes with the
//! process. A stop gives up everything but a publish: once begun, that is finished. So a kill at any step leaves the target as it was or wholly new.

mod attempt;
mod clean_up;
mod count;
mod explain;
mod held;
pub(super) mod lock_retries;
pub(super) mod so_far;
mod swap;

use self::held::{Hands, Taken};
use self::so_far::SoFar;
use super::StopReason;
use super::retry::Retries;
use super::run_context::RunContext;
use crate::config::{SourceSettings, TableConfig, TargetSettings};
use crate::error::{ErrorKind, Result, SyncError};
use crate::report::{Outcome, Phase, ProgressEvent, RowCounts, TableReport};
use crate::sources::wants_text_as_bytes;
use crate::target::{Lease, Published, RunRow, Session};

/// Everything one table's refresh needs; nothing of another table.
#[derive(Clone)]
pub struct TableJob {
    /// The table's configuration.
    pub config: TableConfig,
    /// Its source.
    pub source: SourceSettings,
    /// The target.
    pub target: TargetSettings,
    /// What belongs to the whole run.
    pub run: RunContext,
}

/// How a refresh ended without a failure.
enum End {
    Published(Published),
    /// Another run holds the table.
    HeldBy(String),
}

impl End {
    /// A publish of which only the run's row tells, and what its reply was lost to.
    fn committed(rows: RowCounts, lost: Option<&SyncError>) -> Self {
        let lost = lost.map(|error| format!(": {error}")).unwrap_or_default();
        let warning = format!("the publish was committed, but its reply was lost{lost}");
        Self::Published(Published { rows, warnings: vec![warning], ..Published::default() })
    }
}

impl TableJob {
    /// Refreshes the table, or counts both sides in a dry run; every failure is in the report.
    pub async fn run(self) -> TableReport {
        let mut report = TableReport::new(&self.config.name, Outcome::Ok);
        let mut so_far = SoFar::new();
        let done = if self.run.dry_run {
            Box::pin(self.look(&mut report, &mut so_far)).await
        } else {
            Box::pin(self.refresh(&mut report, &mut so_far)).await
        };
        if let Err(error) = done {
            report.outcome = Outcome::Failed(error);
            report.rows = so_far.committed.and(so_far.rows());
        }
        report.incremental = so_far.incremental.take();
        report.refresh = so_far.refresh;
        report.refresh_reason = so_far.refresh_reason.take();
        report.bytes = so_far.loaded.bytes;
        report.warnings.append(&mut so_far.told);
        report.warnings.append(&mut so_far.warnings);
        report.elapsed = so_far.begun.elapsed();
        report
    }

    /// Refreshes the table, begun again after trouble that may pass.
    async fn refresh(&self, report: &mut TableReport, so_far: &mut SoFar) -> Result<()> {
        let mut hands = Hands::default();
        let mut retries = Retries::of_table(self.run.max_retries);
        let done = loop {
            report.attempts += 1;
            let error = match Box::pin(self.attempt(&mut hands, so_far)).await {
                Ok(end) => break Ok(end),
                Err(error) => self.explain(&hands, so_far, error).await,
            };
            if error.passing().is_some()
                && let Some(rows) = self.look_up(&mut hands, so_far, &error).await
            {
                break Ok(End::committed(rows, Some(&error)));
            }
            let failed = SoFar::failed_attempt(report.attempts, &error);
            if let Err(error) = self.wait_to_retry(&mut retries, error).await {
                break match self.clean_up(&mut hands, so_far, &error).await {
                    Some(rows) => Ok(End::committed(rows, Some(&error))),
                    None => Err(error),
                };
            }
            so_far.start_over(Some(failed));
        };
        let done = self.conclude(report, so_far, &hands, done);
        self.give_back(hands, so_far).await;
        done
    }

    /// Waits until the table may be begun again; the error where it may not.
    async fn wait_to_retry(&self, retries: &mut Retries, error: SyncError) -> Result<()> {
        if error.passing().is_some() {
            self.reached(Phase::Waiting, None);
        }
        self.run.unreachable.wait(retries, error, &self.config.db_type, &self.run.stop).await
    }

    fn conclude(&self, report: &mut TableReport, so_far: &mut SoFar, hands: &Hands, done: Result<End>) -> Result<()> {
        match done {
            Ok(End::Published(published)) => {
                self.run.unreachable.forget();
                report.rows = published.rows;
                report.validation_passed = Some(true);
                so_far.warnings.extend(published.warnings);
                Ok(())
            }
            Ok(End::HeldBy(held_by)) => {
                report.outcome = Outcome::Locked { held_by };
                Ok(())
            }
            // Nothing was done, and nothing was written down.
            Err(error) if error.kind() == ErrorKind::Stopped && !hands.recorded => {
                report.attempts = 0;
                let reason = self.run.stop.reason().unwrap_or(StopReason::Cancelled);
                report.outcome = Outcome::NotStarted(reason.not_started());
                Ok(())
            }
            Err(error) => {
                // Read, staged and published rows disagreeing is what validation looks for.
                report.validation_passed = if error.kind() == ErrorKind::Refused { Some(false) } else { None };
                Err(error)
            }
        }
    }

    async fn attempt(&self, hands: &mut Hands, so_far: &mut SoFar) -> Result<End> {
        let session = match Box::pin(self.take(hands, so_far)).await? {
            Taken::Held(session) => session,
            Taken::HeldBy(held_by) => return Ok(End::HeldBy(held_by)),
            Taken::Published(rows) => return Ok(End::committed(rows, None)),
        };
        let lease = so_far.lease.clone();
        let mut published = self.work_under(&lease, session, so_far).await;
        if let Err(unsure) = &published
            && wants_text_as_bytes(unsure)
        {
            tracing::info!("reading again, text as its bytes: {unsure}");
            so_far.text_as_bytes = true;
            so_far.start_over(None);
            published = self.work_under(&lease, session, so_far).await;
        }
        published.map(End::Published)
    }

    /// Loads and publishes for as long as the table is this run's.
    async fn work_under(&self, lease: &Option<Lease>, session: &mut Session, so_far: &mut SoFar) -> Result<Published> {
        let work = Box::pin(async {
            match &self.config.options.incremental {
                Some(sync) => Box::pin(self.catch_up(session, so_far, sync)).await,
                None => self.load_and_publish(session, so_far).await,
            }
        });
        match lease {
            Some(lease) => lease.or_taken_over(work).await,
            None => work.await,
        }
    }

    pub(super) fn ended<'a>(&'a self, outcome: &'a str, so_far: &'a SoFar, error: Option<&'a str>) -> RunRow<'a> {
        RunRow {
            run_id: self.run.run_id,
            table: &self.config.name,
            outcome,
            refresh: so_far.refresh,
            // What is committed step by step is added where it is.
            rows: if outcome == "succeeded" { so_far.rows() } else { so_far.committed.and(so_far.rows()) },
            bytes: so_far.loaded.bytes,
            seconds: so_far.begun.elapsed().as_secs_f64(),
            error,
            bad_rows: &so_far.bad_rows,
            seen: so_far.seen.as_ref(),
            lease: so_far.lease.as_ref(),
            advance: so_far.advance.as_ref(),
            begun: None,
        }
    }

    pub(super) fn reached(&self, phase: Phase, rows_expected: Option<u64>) {
        self.run.progress.on(&ProgressEvent::Reached { table: &self.config.name, phase, rows_expected });
    }

    /// What both servers show of the session; PostgreSQL keeps 63 bytes.
    pub(super) fn application(&self) -> String {
        let mut name = format!("tablesync {} {}", self.run.run_id.simple(), self.config.name);
        while name.len() > 63 {
            name.pop();
        }
        name
    }
}
