//! One table's full refresh: lock, plan, stage, verify, publish.
//!
//! Crash story. Up to the publish only the state schema is written: a `started` row and the staging table, which the next run replaces. A straight
//! load is one transaction from its first row to the `succeeded` row. A publish is one transaction, see [`crate::target`]. The lock belongs to the
//! session and goes with it. A stop gives up everything but a publish: once begun, that is finished. So a kill at any step leaves the target as it was or wholly new.

mod attempt;
mod clean_up;
mod count;
mod so_far;

use std::time::Duration;

use self::so_far::SoFar;
use super::run_context::RunContext;
use crate::config::{SqlServerSettings, TableConfig, TargetSettings};
use crate::error::{ErrorKind, Result};
use crate::failpoint;
use crate::report::{Outcome, Phase, ProgressEvent, TableReport};
use crate::sources::sqlserver::wants_text_as_bytes;
use crate::target::{LockOutcome, RunRow, Session, Started};

const UNLOCK_TIMEOUT: Duration = Duration::from_millis(500);

/// Everything one table's refresh needs; nothing of another table.
#[derive(Clone)]
pub struct TableJob {
    /// The table's configuration.
    pub config: TableConfig,
    /// Its source.
    pub source: SqlServerSettings,
    /// The target.
    pub target: TargetSettings,
    /// What belongs to the whole run.
    pub run: RunContext,
}

impl TableJob {
    /// Refreshes the table, or counts both sides in a dry run; every failure is in the report.
    pub async fn run(self) -> TableReport {
        let mut report = TableReport::new(&self.config.name, Outcome::Ok);
        let mut so_far = SoFar::new();
        let done = if self.run.dry_run {
            self.count(&mut report, &mut so_far).await
        } else {
            Box::pin(self.refresh(&mut report, &mut so_far)).await
        };
        if let Err(error) = done {
            report.outcome = Outcome::Failed(error);
            report.rows = so_far.rows();
        }
        report.refresh = so_far.refresh;
        report.bytes = so_far.loaded.bytes;
        report.warnings.append(&mut so_far.warnings);
        report.elapsed = so_far.begun.elapsed();
        report
    }

    async fn refresh(&self, report: &mut TableReport, so_far: &mut SoFar) -> Result<()> {
        let mut session = self.run.stop.or_done(Session::open(&self.target, &self.application())).await?;
        let patience = session.patience();
        patience.wait(session.prepare_state()).await?;
        failpoint::reached("state_prepared");
        let lock = patience.wait(session.lock(&self.config.pg_table, &self.config.name, self.run.run_id)).await?;
        failpoint::reached("lock_taken");
        let started = Started { run_id: self.run.run_id, table: &self.config.name, mode: self.run.mode, at: jiff::Timestamp::now() };
        let lease = match lock {
            LockOutcome::Held(lease) => lease,
            LockOutcome::HeldBy(held_by) => {
                patience.wait(session.record_skipped(&started, &held_by)).await?;
                report.outcome = Outcome::Locked { held_by };
                return Ok(());
            }
        };
        report.warnings.extend(lease.remains().map(str::to_owned));
        patience.wait(session.record_start(&started)).await?;
        failpoint::reached("run_recorded");
        let renewal = lease.renew_in_background(self.target.clone(), self.application());
        so_far.lease = Some(lease.clone());
        let mut attempt = Box::pin(self.load_and_publish(&mut session, so_far)).await;
        if let Err(unsure) = &attempt
            && wants_text_as_bytes(unsure)
        {
            tracing::info!("reading again, text as its bytes: {unsure}");
            so_far.start_over();
            attempt = Box::pin(self.load_and_publish(&mut session, so_far)).await;
        }
        let done = match attempt {
            Ok(published) => {
                report.rows = published.rows;
                report.validation_passed = Some(true);
                so_far.warnings.extend(published.warnings);
                Ok(())
            }
            Err(error) => match self.clean_up(&session, so_far, &error).await {
                Some(rows) => {
                    report.rows = rows;
                    report.validation_passed = Some(true);
                    so_far.warnings.push(format!("the publish was committed, but its reply was lost: {error}"));
                    Ok(())
                }
                None => {
                    // Read, staged and published rows disagreeing is what validation looks for.
                    report.validation_passed = if error.kind() == ErrorKind::Refused { Some(false) } else { None };
                    Err(error)
                }
            },
        };
        drop(renewal);
        so_far.warnings.append(&mut session.take_done_before());
        // A target that does not answer frees the lock with the session.
        let _ = tokio::time::timeout(UNLOCK_TIMEOUT, session.unlock(&self.config.pg_table, &lease)).await;
        failpoint::reached("lock_given_back");
        done
    }

    fn ended<'a>(&'a self, outcome: &'a str, so_far: &'a SoFar, error: Option<&'a str>) -> RunRow<'a> {
        RunRow {
            run_id: self.run.run_id,
            table: &self.config.name,
            outcome,
            refresh: so_far.refresh,
            rows: so_far.rows(),
            bytes: so_far.loaded.bytes,
            seconds: so_far.begun.elapsed().as_secs_f64(),
            error,
            bad_rows: &so_far.bad_rows,
            seen: so_far.seen.as_ref(),
            lease: so_far.lease.as_ref(),
        }
    }

    fn reached(&self, phase: Phase, rows_expected: Option<u64>) {
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
