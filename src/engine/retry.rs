//! What is tried again, how, and what to do where that did not help: the one table of it.
//!
//! The adapters say by numbers and codes what kind of trouble an error is, where it is trouble that may pass ([`Passing`]); only such an error is
//! followed by another attempt. A publish that only lacked a lock is begun again by itself, on the rows that are staged. For everything else the whole
//! table is begun again: what was read half is not gone on with.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures_util::FutureExt;

use super::Stop;
use crate::error::{ErrorKind, Passing, Result, SyncError};

/// The pause before a table is begun again: a failover takes seconds to a minute.
const TABLE_PAUSE: Duration = Duration::from_secs(1);
const TABLE_PAUSE_FACTOR: f32 = 4.0;
/// The pause before a publish is begun again: whoever holds a lock in a running system holds it for a moment.
const PUBLISH_PAUSE: Duration = Duration::from_millis(200);
const PUBLISH_RETRIES: usize = 3;
/// A swap asks for its locks half a second at a time, so more often.
const SWAP_PAUSE_MAX: Duration = Duration::from_secs(2);
const SWAP_RETRIES: usize = 7;

/// What becomes of one kind of trouble.
struct Rule {
    /// Whether a publish that met it is begun again by itself.
    publish_alone: bool,
    /// What to do where trying again did not help.
    remedy: &'static str,
}

/// The table.
fn rule(passing: Passing) -> Rule {
    let (publish_alone, remedy) = match passing {
        Passing::Unreachable => (false, "See that the server runs and that its port is open to this machine"),
        Passing::ConnectionLost => (false, "Look into the server's log and at the network between: something ends connections"),
        Passing::Restarting => (false, "The server is starting, stopping or failing over: run again when it is up"),
        Passing::Busy => {
            (false, "The server is at one of its limits (connections, requests, memory): run at another time, or raise the limit")
        }
        Passing::Deadlock => {
            (true, "Other transactions take the same locks in another order: run when they do not, or look for them in the server's log")
        }
        Passing::LockTimeout => {
            (true, "Somebody holds a lock on the table: look for the session that blocks (pg_stat_activity; sys.dm_tran_locks)")
        }
        Passing::Serialization => (true, "Other transactions change the same rows: run when they do not"),
        Passing::SnapshotLost => {
            (false, "The snapshot's row versions were lost: look at the room in tempdb, or choose isolation \"read_committed\"")
        }
        Passing::MovingData => (false, "A read without locks met moving data: choose isolation \"read_committed\" or \"snapshot\""),
        Passing::ReadOnly => (false, "The server only reads: see that PG_HOST names the primary, not a replica"),
    };
    Rule { publish_alone, remedy }
}

/// The attempts at one thing: how often it may be begun again, and after which pauses.
pub(super) struct Retries {
    pauses: ExponentialBackoff,
    publish: bool,
    /// Attempts that have failed.
    failed: u32,
}

impl Retries {
    /// Of a table: as often as configured.
    pub(super) fn of_table(max: usize) -> Self {
        Self::new(ExponentialBuilder::default().with_min_delay(TABLE_PAUSE).with_factor(TABLE_PAUSE_FACTOR).with_max_times(max), false)
    }

    /// Of a publish: a few times, whatever is configured for tables.
    pub(super) fn of_publish() -> Self {
        Self::new(ExponentialBuilder::default().with_min_delay(PUBLISH_PAUSE).with_max_times(PUBLISH_RETRIES), true)
    }

    /// Of a lock that a swap needs, with everything else done.
    pub(super) fn of_swap() -> Self {
        let pauses = ExponentialBuilder::default().with_min_delay(PUBLISH_PAUSE).with_max_delay(SWAP_PAUSE_MAX);
        Self::new(pauses.with_max_times(SWAP_RETRIES), true)
    }

    fn new(pauses: ExponentialBuilder, publish: bool) -> Self {
        Self { pauses: pauses.with_jitter().build(), publish, failed: 0 }
    }

    /// Takes note of an attempt that failed, and waits until the next one may begin.
    ///
    /// # Errors
    /// The attempt's own, where there is to be no other: its trouble does not pass, it was the last one, or the run stops first.
    pub(super) async fn wait(&mut self, error: SyncError, stop: &Stop) -> Result<()> {
        self.failed += 1;
        let Some(rule) = error.passing().map(rule) else { return Err(error) };
        if self.publish && !rule.publish_alone {
            return Err(error);
        }
        let Some(pause) = self.pauses.next() else { return Err(self.given_up(error)) };
        if !stop.leaves(pause) {
            return Err(error.followed_by("there was no time left to try again"));
        }
        let what = if self.publish { "publish" } else { "attempt" };
        tracing::warn!("{what} {} failed, the next one begins in {:.1} s: {error}", self.failed, pause.as_secs_f64());
        match stop.or_done(tokio::time::sleep(pause).map(Ok)).await {
            Ok(()) => Ok(()),
            Err(_) => Err(error.followed_by("the run was to stop before it could be tried again")),
        }
    }

    /// The error of the last attempt: a publish that was tried often enough does not have the table read again.
    fn given_up(&self, error: SyncError) -> SyncError {
        let error = explained(error);
        let error = if self.publish { error.with_passing(None) } else { error };
        if self.failed > 1 { error.followed_by(format_args!("tried {} times", self.failed)) } else { error }
    }
}

/// The servers that could not be reached, however often it was tried: the tables after that try once each.
#[derive(Debug, Clone, Default)]
pub struct Unreachable(Arc<Mutex<HashSet<String>>>);

impl Unreachable {
    /// As [`Retries::wait`], for a table of the source `db_type`.
    pub(super) async fn wait(&self, retries: &mut Retries, error: SyncError, db_type: &str, stop: &Stop) -> Result<()> {
        let at_source = matches!(error.kind(), ErrorKind::SourceConnect | ErrorKind::SourceLogin | ErrorKind::SourceRead);
        let server = if at_source { format!("source {db_type}") } else { "target".to_owned() };
        let unreachable = error.passing() == Some(Passing::Unreachable);
        if unreachable && self.servers().contains(&server) {
            return Err(explained(error));
        }
        let waited = retries.wait(error, stop).await;
        if unreachable && waited.is_err() {
            self.servers().insert(server);
        }
        waited
    }

    /// Somebody was reached: whoever is not, from now on, is waited for again.
    pub(super) fn forget(&self) {
        self.servers().clear();
    }

    fn servers(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error with what to do about trouble that has not passed, where the adapter knew nothing better.
pub(super) fn explained(error: SyncError) -> SyncError {
    match error.passing() {
        Some(passing) if !error.has_remedy() => error.with_remedy(rule(passing).remedy),
        Some(_) | None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::StopReason;
    use std::time::Instant;

    fn trouble(passing: impl Into<Option<Passing>>) -> SyncError {
        SyncError::new(ErrorKind::SourceRead, "it broke").with_passing(passing)
    }

    fn quick(retries: usize, publish: bool) -> Retries {
        Retries::new(ExponentialBuilder::default().with_min_delay(Duration::from_millis(1)).with_max_times(retries), publish)
    }

    #[tokio::test]
    async fn what_passes_is_tried_as_often_as_configured_and_then_explained() {
        let mut retries = quick(2, false);
        for _ in 0..2 {
            retries.wait(trouble(Passing::ConnectionLost), &Stop::new()).await.unwrap();
        }
        let error = retries.wait(trouble(Passing::ConnectionLost), &Stop::new()).await.unwrap_err();
        assert_eq!(retries.failed, 3);
        assert_eq!(
            error.to_string(),
            "it broke; tried 3 times. Look into the server's log and at the network between: something ends connections"
        );
    }

    #[tokio::test]
    async fn what_does_not_pass_is_not_tried_again() {
        let mut retries = Retries::of_table(2);
        assert_eq!(retries.wait(trouble(None), &Stop::new()).await.unwrap_err().to_string(), "it broke");
        let mut none = Retries::of_table(0);
        assert!(none.wait(trouble(Passing::Deadlock), &Stop::new()).await.unwrap_err().to_string().starts_with("it broke. "));
    }

    #[tokio::test]
    async fn a_publish_is_begun_again_for_locks_alone_and_never_has_the_table_read_again() {
        let mut retries = Retries::of_publish();
        assert!(retries.wait(trouble(Passing::ConnectionLost), &Stop::new()).await.is_err());
        let mut retries = quick(3, true);
        for _ in 0..3 {
            retries.wait(trouble(Passing::LockTimeout), &Stop::new()).await.unwrap();
        }
        let error = retries.wait(trouble(Passing::LockTimeout), &Stop::new()).await.unwrap_err();
        assert_eq!(error.passing(), None);
        assert!(error.to_string().contains("tried 4 times"), "{error}");
    }

    #[tokio::test]
    async fn a_server_that_could_not_be_reached_is_tried_once_by_the_tables_after_that() {
        let (unreachable, stop) = (Unreachable::default(), Stop::new());
        let of = |db_type: &'static str, retries: usize| {
            let (unreachable, stop) = (unreachable.clone(), stop.clone());
            async move {
                let mut retries = quick(retries, false);
                let mut attempts = 1;
                while unreachable.wait(&mut retries, trouble(Passing::Unreachable), db_type, &stop).await.is_ok() {
                    attempts += 1;
                }
                attempts
            }
        };
        assert_eq!((of("a", 2).await, of("a", 2).await, of("b", 2).await), (3, 1, 3));
        unreachable.forget();
        assert_eq!(of("a", 2).await, 3);
    }

    #[tokio::test]
    async fn no_pause_outlasts_the_run() {
        let stop = Stop::new();
        stop.at_deadline(Duration::from_millis(900));
        let begun = Instant::now();
        let error = Retries::of_table(2).wait(trouble(Passing::Busy), &stop).await.unwrap_err();
        assert!(begun.elapsed() < Duration::from_millis(500), "it does not wait in vain");
        assert!(error.to_string().contains("no time left"), "{error}");
        let stop = Stop::new();
        stop.request(StopReason::Cancelled);
        let error = Retries::of_table(2).wait(trouble(Passing::Busy), &stop).await.unwrap_err();
        assert!(error.to_string().contains("was to stop"), "{error}");
    }
}
