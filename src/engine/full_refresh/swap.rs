//! A refresh by `swap`: load beside, build, and take the place of the old table.

use super::TableJob;
use super::so_far::SoFar;
use crate::engine::plan::SyncPlan;
use crate::engine::reading::Reading;
use crate::engine::retry::Retries;
use crate::error::Result;
use crate::failpoint;
use crate::report::Phase;
use crate::target::{BlockerWatch, Patience, Published, Session, SwapLoad, lacks_lock};

/// Whom a swap keeps out, one after the other.
#[derive(Clone, Copy)]
enum Out {
    Writers,
    Readers,
}

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
        let (summary, loaded) = self.run.stop.or_done(self.pump(swap.load(), read)).await?;
        failpoint::reached("copy_done");
        so_far.note(&self.config, loaded, summary);
        self.check_unchanged(so_far).await?;
        failpoint::reached("source_unchanged");
        self.reached(Phase::Comparing, None);
        self.run.stop.or_done(patience.wait(swap.build(&self.ended("succeeded", so_far, None)))).await?;
        failpoint::reached("swap_built");
        self.keep_out(Out::Writers, &mut swap, &patience, so_far).await?;
        failpoint::reached("writers_kept_out");
        self.keep_out(Out::Readers, &mut swap, &patience, so_far).await?;
        failpoint::reached("readers_kept_out");
        self.reached(Phase::Publishing, None);
        patience.wait(swap.publish(&self.ended("succeeded", so_far, None))).await
    }

    /// Asks for a lock, again after a pause where it was not had. From the second time on, somebody looks on who keeps it.
    async fn keep_out(&self, whom: Out, swap: &mut SwapLoad<'_>, patience: &Patience, so_far: &mut SoFar) -> Result<()> {
        let mut retries = Retries::of_swap();
        let mut watch: Option<BlockerWatch> = None;
        loop {
            let row = self.ended("succeeded", so_far, None);
            let locking = async {
                match whom {
                    Out::Writers => swap.keep_writers_out(&row).await,
                    Out::Readers => swap.keep_readers_out().await,
                }
            };
            let Err(error) = self.run.stop.or_done(patience.wait(locking)).await else { return Ok(()) };
            if lacks_lock(&error) {
                let watch = watch.get_or_insert_with(|| BlockerWatch::start(self.target.clone(), self.application()));
                so_far.blockers = watch.seen();
            }
            retries.wait(error, &self.run.stop).await?;
        }
    }
}
