//! After a failure: what is left behind, and what the run's row says.

use std::time::Duration;

use super::TableJob;
use super::so_far::SoFar;
use crate::error::{ErrorKind, Result, SyncError};
use crate::failpoint;
use crate::report::RowCounts;
use crate::table::TargetTable;
use crate::target::{LockOutcome, RunRow, Session};

/// How long a run that was asked to stop may take to clean up.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(4);

impl TableJob {
    /// After a failure: the staging table goes, the run's row says why. Nothing here may hide the failure itself; but where the row says that the
    /// publish was committed after all, its counts are returned.
    pub(super) async fn clean_up(&self, session: &Session, so_far: &mut SoFar, error: &SyncError) -> Option<RowCounts> {
        failpoint::reached("failure_met");
        let sentence = error.to_string();
        let row = self.ended("failed", so_far, Some(&sentence));
        let cleaning = async {
            if error.kind() == ErrorKind::Stopped {
                session.cancel().await;
            }
            match tidy(session, &self.config.pg_table, &row).await {
                Ok(committed) => Ok(committed),
                Err(unusable) => {
                    tracing::debug!(error = %unusable, "cleaning up in a new session");
                    let lost = session;
                    let session = Session::open(&self.target, &self.application()).await?;
                    session.end(lost).await?;
                    match session.lock(&self.config.pg_table, &self.config.name, self.run.run_id).await? {
                        LockOutcome::Held(lease) => {
                            let tidied = tidy(&session, &self.config.pg_table, &RunRow { lease: Some(&lease), ..row.clone() }).await;
                            session.unlock(&self.config.pg_table, &lease).await;
                            tidied
                        }
                        // The lock went with the old session: what stands there now is another run's.
                        LockOutcome::HeldBy(_) => session.record_end(&row).await,
                    }
                }
            }
        };
        match tokio::time::timeout(CLEANUP_TIMEOUT, cleaning).await {
            Ok(Ok(committed)) => return committed,
            Ok(Err(error)) => so_far.warnings.push(format!("the failure could not be recorded in the target: {error}")),
            Err(_) => so_far.warnings.push("the failure could not be recorded in the target in time".to_owned()),
        }
        None
    }
}

async fn tidy(session: &Session, target: &TargetTable, row: &RunRow<'_>) -> Result<Option<RowCounts>> {
    // Where the lock is another run's, so is what stands there now.
    if let Some(lease) = row.lease
        && session.still_holds(lease).await?
    {
        session.drop_staging_of(target).await?;
    }
    failpoint::reached("failure_tidied");
    session.record_end(row).await
}
