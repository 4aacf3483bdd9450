//! What a failure says besides its cause: who kept the lock, and where the rows stand that were refused.

use std::time::Duration;

use super::TableJob;
use super::held::Hands;
use super::so_far::SoFar;
use crate::error::{ErrorKind, SyncError};
use crate::target::{Blocker, lacks_lock};

/// How long it may take to ask who has a lock.
const ASK_TIMEOUT: Duration = Duration::from_secs(2);

impl TableJob {
    /// The error with what the reader needs to act on it.
    pub(super) async fn explain(&self, hands: &Hands, so_far: &mut SoFar, error: SyncError) -> SyncError {
        if lacks_lock(&error) {
            let blockers = self.blockers(hands, so_far).await;
            return name_blockers(error, &blockers);
        }
        match &so_far.staging {
            Some(staging) if error.kind() == ErrorKind::Refused => {
                error.followed_by(format_args!("the rows that were read stand in {staging} until the next run"))
            }
            Some(_) | None => error,
        }
    }

    /// Who was seen to block, else who has a lock on the table now; nobody where that cannot be told.
    async fn blockers(&self, hands: &Hands, so_far: &mut SoFar) -> Vec<Blocker> {
        let seen = std::mem::take(&mut so_far.blockers);
        let Some(session) = hands.session.as_ref().filter(|_| seen.is_empty()) else { return seen };
        let asking = session.lock_holders(&self.config.pg_table);
        match tokio::time::timeout(ASK_TIMEOUT, self.run.stop.or_done(asking)).await {
            Ok(Ok(holders)) => holders,
            Ok(Err(error)) => {
                tracing::debug!(%error, "who has the lock is not known");
                Vec::new()
            }
            Err(_) => Vec::new(),
        }
    }
}

fn name_blockers(error: SyncError, blockers: &[Blocker]) -> SyncError {
    if blockers.is_empty() {
        return error;
    }
    let named: Vec<_> = blockers.iter().map(|blocker| blocker.description.as_str()).collect();
    let end: Vec<_> = blockers.iter().filter_map(|blocker| blocker.pid).map(|pid| format!("SELECT pg_terminate_backend({pid})")).collect();
    let error = error.followed_by(format_args!("the lock is kept by {}", named.join(" and ")));
    let remedy = "Have the transaction end that keeps it, and run again";
    if end.is_empty() { error.with_remedy(remedy) } else { error.with_remedy(format!("{remedy}; to end it by force: {}", end.join("; "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_keep_a_lock_are_named_with_how_to_end_them() {
        let failed = || SyncError::new(ErrorKind::TargetWrite, "no lock").with_remedy("See pg_locks");
        assert_eq!(name_blockers(failed(), &[]).to_string(), "no lock. See pg_locks");
        let blockers = [
            Blocker { pid: Some(7), description: "psql (PostgreSQL process 7)".to_owned() },
            Blocker { pid: None, description: "a prepared transaction".to_owned() },
        ];
        assert_eq!(
            name_blockers(failed(), &blockers).to_string(),
            "no lock; the lock is kept by psql (PostgreSQL process 7) and a prepared transaction. Have the transaction end that keeps it, and run \
             again; to end it by force: SELECT pg_terminate_backend(7)"
        );
    }
}
