//! After a failure: what was committed after all, what is left behind, and what the run's row says.

use std::time::Duration;

use super::TableJob;
use super::held::Hands;
use super::so_far::SoFar;
use crate::error::{ErrorKind, Passing, Result, SyncError};
use crate::report::RowCounts;
use crate::table::TargetTable;
use crate::target::{LockOutcome, RunRow, Session};

/// How long a run that was asked to stop may take to clean up.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(4);
/// How long a session that is to be used again may take to show that it can be.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

impl TableJob {
    /// Before another attempt: whether the publish was committed after all, as far as the session can tell. One that is of no use any more, or whose lock
    /// is gone, is put aside as lost.
    pub(super) async fn look_up(&self, hands: &mut Hands, error: &SyncError) -> Option<RowCounts> {
        let held = hands.held.as_ref()?;
        let looking = async {
            let holds = held.session.still_holds(&held.lease).await?;
            Ok((holds, held.session.published(self.run.run_id, &self.config.name).await?))
        };
        match tokio::time::timeout(LOOK_TIMEOUT, self.run.stop.or_done(looking)).await {
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
        hands.lost = hands.held.take().map(|held| held.session);
        None
    }

    /// After a failure: the staging table goes, unless its rows were refused, and the run's row says why. Nothing here may hide the failure itself; but where the row says that the
    /// publish was committed after all, its counts are returned.
    pub(super) async fn clean_up(&self, hands: &Hands, so_far: &mut SoFar, error: &SyncError) -> Option<RowCounts> {
        if !hands.recorded {
            return None;
        }
        let sentence = error.to_string();
        let row = self.ended("failed", so_far, Some(&sentence));
        // Whoever looks into why the rows were refused finds them there.
        let refused = error.kind() == ErrorKind::Refused && so_far.staging.is_some();
        let left = Left { row, keeps_staging: refused };
        let cleaning = async {
            let Some(held) = &hands.held else { return self.clean_up_anew(hands.lost.as_ref(), &left).await };
            if error.kind() == ErrorKind::Stopped {
                held.session.cancel().await;
            }
            match left.tidy(&held.session, &self.config.pg_table).await {
                Ok(committed) => Ok(committed),
                Err(unusable) => {
                    tracing::debug!(error = %unusable, "cleaning up in a new session");
                    self.clean_up_anew(Some(&held.session), &left).await
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

    /// In a session of its own, after the one that was lost.
    async fn clean_up_anew(&self, lost: Option<&Session>, left: &Left<'_>) -> Result<Option<RowCounts>> {
        let session = Session::open(&self.target, &self.application()).await?;
        if let Some(lost) = lost {
            session.end(lost).await?;
        }
        match session.lock(&self.config.pg_table, self.run.run_id).await? {
            LockOutcome::Held(lease) => {
                let own = Left { row: RunRow { lease: Some(&lease), ..left.row.clone() }, ..*left };
                let tidied = own.tidy(&session, &self.config.pg_table).await;
                session.unlock(&self.config.pg_table, &lease).await;
                tidied
            }
            // The lock went with the old session: what stands there now is another run's.
            LockOutcome::HeldBy(_) => session.record_end(&left.row).await,
        }
    }
}

/// What a failed refresh leaves.
struct Left<'a> {
    row: RunRow<'a>,
    keeps_staging: bool,
}

impl Left<'_> {
    async fn tidy(&self, session: &Session, target: &TargetTable) -> Result<Option<RowCounts>> {
        // Where the lock is another run's, so is what stands there now.
        if let Some(lease) = self.row.lease
            && !self.keeps_staging
            && session.still_holds(lease).await?
        {
            session.drop_staging_of(target).await?;
        }
        session.record_end(&self.row).await
    }
}
