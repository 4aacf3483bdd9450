//! A refresh by `swap`: load beside, build, and take the place of the old table.

use super::TableJob;
use super::lock_retries::LockRetries;
use super::so_far::SoFar;
use crate::engine::plan::SyncPlan;
use crate::engine::reading::Reading;
use crate::engine::retry::Retries;
use crate::error::Result;
use crate::failpoint;
use crate::report::Phase;
use crate::target::{Published, Session};

impl TableJob {
    pub(super) async fn load_and_swap(
        &self,
        session: &mut Session,
        plan: &SyncPlan,
        read: Reading,
        so_far: &mut SoFar,
    ) -> Result<Published> {
        let patience = session.patience();
        let mut swap = self.run.stop.or_done(patience.wait(session.begin_swap(&plan.publication))).await?;
        failpoint::reached("swap_begun");
        self.copy(swap.load(), read, so_far).await?;
        self.reached(Phase::Comparing, None);
        self.run.stop.or_done(patience.wait(swap.build(&self.ended("succeeded", so_far, None)))).await?;
        failpoint::reached("swap_built");
        let mut retries = LockRetries::new(Retries::of_swap());
        while let Err(error) = self.run.stop.or_done(patience.wait(swap.keep_writers_out(&self.ended("succeeded", so_far, None)))).await {
            retries.wait(self, so_far, error).await?;
        }
        failpoint::reached("writers_kept_out");
        let mut retries = LockRetries::new(Retries::of_swap());
        while let Err(error) = self.run.stop.or_done(patience.wait(swap.keep_readers_out())).await {
            retries.wait(self, so_far, error).await?;
        }
        failpoint::reached("readers_kept_out");
        self.reached(Phase::Publishing, None);
        so_far.publishing = true;
        patience.wait(swap.publish(&self.ended("succeeded", so_far, None))).await
    }
}
