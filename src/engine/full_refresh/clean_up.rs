//! After a failure: what is left behind, and what the run's row says.

use std::time::Duration;

use tokio::time::timeout;

use super::TableJob;
use super::held::Hands;
use super::so_far::SoFar;
use crate::error::{ErrorKind, Passing, Result, SyncError};
use crate::failpoint;
use crate::report::RowCounts;
use crate::table::{PgIdent, TargetTable};
use crate::target::{RunRow, Session};

/// How long a run that was asked to stop may take to clean up.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(4);
/// How much of that the session in hand may take: a statement that is not given up keeps it busy.
const TIDY_TIMEOUT: Duration = Duration::from_millis(1_500);
/// How long a session that is to be used again may take to show that it can be.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

impl TableJob {
    /// Before another attempt: whether the publish was committed after all, as far as the session can tell. One that is of no use any more, or whose lock
    /// is gone, is let go.
    pub(super) async fn look_up(&self, hands: &mut Hands, so_far: &SoFar, error: &SyncError) -> Option<RowCounts> {
        let (session, lease) = (hands.session.as_ref()?, so_far.lease.as_ref()?);
        let looking = async { Ok((session.still_holds(lease).await?, session.published(self.run.run_id, &self.config.name).await?)) };
        match timeout(LOOK_TIMEOUT, self.run.stop.or_done(looking)).await {
            Ok(Ok((_, Some(rows)))) => return Some(rows),
            // Another session may come to the server that writes.
            Ok(Ok((true, None))) if error.passing() == Some(Passing::ReadOnly) => {}
            Ok(Ok((true, None))) => return None,
            Ok(Ok((false, None))) => tracing::debug!("the lock is another run's"),
            // There will be no other attempt: the clean-up asks again.
            Ok(Err(stopped)) if stopped.kind() == ErrorKind::Stopped => return None,
            Ok(Err(error)) => tracing::debug!(%error, "the session is of no use any more"),
            Err(_) => tracing::debug!("the session does not answer"),
        }
        hands.session = None;
        None
    }

    /// After a failure: the staging table goes, unless its rows were refused, and the run's row says why. Nothing here may hide the failure itself; but where the row says that the
    /// publish was committed after all, its counts are returned.
    pub(super) async fn clean_up(&self, hands: &mut Hands, so_far: &mut SoFar, error: &SyncError) -> Option<RowCounts> {
        if !hands.recorded {
            return None;
        }
        failpoint::reached("failure_met");
        let sentence = error.to_string();
        let row = self.ended("failed", so_far, Some(&sentence));
        // Whoever looks into why rows were refused finds them there.
        let staging = if error.kind() == ErrorKind::Refused { so_far.staging.as_ref() } else { None };
        let cleaning = async {
            if let Some(session) = &mut hands.session {
                let tidying = async {
                    if error.kind() == ErrorKind::Stopped {
                        session.cancel().await;
                    }
                    tidy(session, &self.config.pg_table, staging, &row).await
                };
                match timeout(TIDY_TIMEOUT, tidying).await {
                    Ok(Ok(committed)) => return Ok(committed),
                    Ok(Err(unusable)) => tracing::debug!(error = %unusable, "cleaning up in a new session"),
                    Err(_) => tracing::debug!("the session does not answer: cleaning up in a new one"),
                }
            }
            let mut session = Session::open(&self.target, &self.application()).await?;
            if let Some(lease) = row.lease {
                session.end_work(lease).await?;
                session.work_under(lease);
            }
            tidy(&mut session, &self.config.pg_table, staging, &row).await
        };
        match timeout(CLEANUP_TIMEOUT, cleaning).await {
            Ok(Ok(committed)) => return committed,
            Ok(Err(error)) => self.not_recorded(so_far, &format!(": {error}")),
            Err(_) => self.not_recorded(so_far, " in time"),
        }
        None
    }

    /// Nobody could be asked what the run's last statement came to.
    fn not_recorded(&self, so_far: &mut SoFar, why: &str) {
        let unknown = if so_far.publishing {
            let runs = format!("{}.runs", PgIdent(&self.target.state_schema));
            format!("; whether its publish was committed is not known: if it was, {runs} says \"succeeded\" of run {}", self.run.run_id)
        } else {
            String::new()
        };
        so_far.warnings.push(format!("the failure could not be recorded in the target{why}{unknown}"));
    }
}

/// Removes the staging table, unless it is one to be kept, and writes the row.
async fn tidy(session: &mut Session, target: &TargetTable, kept: Option<&TargetTable>, row: &RunRow<'_>) -> Result<Option<RowCounts>> {
    if let (Some(lease), None) = (row.lease, kept) {
        session.drop_own_staging(target, lease).await?;
    }
    failpoint::reached("failure_tidied");
    session.record_end(row).await
}
