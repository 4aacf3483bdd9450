//! A lock of the publish that is asked for again and again.

use super::TableJob;
use super::so_far::SoFar;
use crate::engine::retry::Retries;
use crate::error::{Result, SyncError};
use crate::target::{BlockerWatch, lacks_lock};

/// The attempts at a lock. From the second one on, somebody looks on who keeps it; nobody does while all is well.
pub(in crate::engine) struct LockRetries {
    retries: Retries,
    watch: Option<BlockerWatch>,
}

impl LockRetries {
    pub(in crate::engine) fn new(retries: Retries) -> Self {
        Self { retries, watch: None }
    }

    /// Waits until the next attempt may begin.
    ///
    /// # Errors
    /// As [`Retries::wait`]; who was seen to keep the lock is noted.
    pub(in crate::engine) async fn wait(&mut self, job: &TableJob, so_far: &mut SoFar, error: SyncError) -> Result<()> {
        if lacks_lock(&error) {
            let watch = self.watch.get_or_insert_with(|| BlockerWatch::start(job.target.clone(), job.application()));
            so_far.blockers = watch.seen();
        }
        self.retries.wait(error, &job.run.stop).await
    }
}
