//! How a run is asked to end early: a signal, or a deadline.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::error::{ErrorKind, Result, SyncError};
use crate::report::{Left, NotStarted};

/// Why a run ends early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The deadline is near.
    Deadline,
    /// Somebody asked.
    Cancelled,
}

impl StopReason {
    /// Why a table that was never begun was not.
    pub(super) fn not_started(self) -> NotStarted {
        match self {
            StopReason::Deadline => NotStarted::Deadline,
            StopReason::Cancelled => NotStarted::Cancelled,
        }
    }

    /// The error of work that was given up.
    fn error(self) -> SyncError {
        let why = match self {
            StopReason::Deadline => "the deadline is near",
            StopReason::Cancelled => "the run was cancelled",
        };
        SyncError::new(ErrorKind::Stopped, format!("stopped before anything was published, because {why}"))
    }
}

/// A request to stop that every task of a run can see; the first reason given stands.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    token: CancellationToken,
    reason: Arc<OnceLock<StopReason>>,
    deadline: Arc<OnceLock<Instant>>,
}

impl Stop {
    /// A stop that nobody has asked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks every task to stop.
    pub fn request(&self, reason: StopReason) {
        self.reason.get_or_init(|| reason);
        self.token.cancel();
    }

    /// Asks for the stop by itself once `time_left` has passed; ends with the last clone of the task's runtime.
    pub fn at_deadline(&self, time_left: Duration) {
        let stop = self.clone();
        // One too far away to be told is none.
        if let Some(deadline) = Instant::now().checked_add(time_left) {
            self.deadline.get_or_init(|| deadline);
        }
        tokio::spawn(async move {
            tokio::time::sleep(time_left).await;
            stop.request(StopReason::Deadline);
        });
    }

    /// Whether the deadline, if there is one, comes after a pause.
    pub fn leaves(&self, pause: Duration) -> bool {
        self.deadline.get().is_none_or(|deadline| Instant::now() + pause < *deadline)
    }

    /// Why, if a stop was asked for.
    pub fn reason(&self) -> Option<StopReason> {
        if self.token.is_cancelled() { self.reason.get().copied() } else { None }
    }

    /// Does `work`, given up as soon as a stop is asked for.
    ///
    /// # Errors
    /// [`ErrorKind::Stopped`], or what `work` fails with.
    pub async fn or_done<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            reason = self.requested() => Err(reason.error()),
            done = work => done,
        }
    }

    /// Does `work`, given up as soon as a stop is asked for, unless it has `begun` by then: that is finished.
    ///
    /// # Errors
    /// As [`Stop::or_done`].
    pub async fn or_done_once_begun<T>(&self, work: impl Future<Output = Result<T>>, begun: &AtomicBool) -> Result<T> {
        tokio::pin!(work);
        tokio::select! {
            biased;
            done = &mut work => return done,
            reason = self.requested() => if !begun.load(Ordering::Relaxed) {
                return Err(reason.error());
            },
        }
        work.await
    }

    /// Notes that a table is left undone because of the stop.
    pub(super) fn leave(&self, left: &mut Option<Left>, table: String) {
        let reason = self.reason().unwrap_or(StopReason::Cancelled).not_started();
        left.get_or_insert_with(|| Left { reason, tables: Vec::new() }).tables.push(table);
    }

    /// Waits until a stop is asked for.
    pub async fn requested(&self) -> StopReason {
        self.token.cancelled().await;
        self.reason.get().copied().unwrap_or(StopReason::Cancelled)
    }
}
