//! After a failure: what is left behind, and what the run's row says.

use std::time::Duration;

use tokio::time::timeout;

use super::TableJob;
use super::so_far::SoFar;
use crate::error::{ErrorKind, Result, SyncError};
use crate::report::RowCounts;
use crate::table::TargetTable;
use crate::target::{RunRow, Session};

/// How long a run that was asked to stop may take to clean up.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(4);
/// How long the session at hand may take for it: a statement that is not given up keeps it busy.
const TIDY_TIMEOUT: Duration = Duration::from_secs(2);

impl TableJob {
    /// After a failure: the staging table goes, the run's row says why. Nothing here may hide the failure itself; but where the row says that the
    /// publish was committed after all, its counts are returned.
    pub(super) async fn clean_up(&self, session: &mut Session, so_far: &mut SoFar, error: &SyncError) -> Option<RowCounts> {
        let sentence = error.to_string();
        let row = self.ended("failed", so_far, Some(&sentence));
        let cleaning = async {
            if error.kind() == ErrorKind::Stopped {
                session.cancel().await;
            }
            match timeout(TIDY_TIMEOUT, tidy(session, &self.config.pg_table, &row)).await {
                Ok(Ok(committed)) => return Ok(committed),
                Ok(Err(unusable)) => tracing::debug!(error = %unusable, "cleaning up in a new session"),
                Err(_) => tracing::debug!("the session is busy: cleaning up in a new one"),
            }
            let mut session = session.login().open().await?;
            if let Some(lease) = row.lease {
                session.end_work(lease).await?;
                session.work_under(lease);
            }
            tidy(&mut session, &self.config.pg_table, &row).await
        };
        match timeout(CLEANUP_TIMEOUT, cleaning).await {
            Ok(Ok(committed)) => return committed,
            Ok(Err(error)) => so_far.warnings.push(format!("the failure could not be recorded in the target: {error}")),
            Err(_) => so_far.warnings.push("the failure could not be recorded in the target in time".to_owned()),
        }
        None
    }
}

async fn tidy(session: &mut Session, target: &TargetTable, row: &RunRow<'_>) -> Result<Option<RowCounts>> {
    if let Some(lease) = row.lease {
        session.drop_own_staging(target, lease).await?;
    }
    session.record_end(row).await
}
