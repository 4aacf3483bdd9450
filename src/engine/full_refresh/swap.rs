//! A refresh by `swap`: load beside, build, and take the place of the old table.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures_util::FutureExt;

use super::TableJob;
use super::so_far::SoFar;
use crate::engine::plan::SyncPlan;
use crate::engine::reading::Reading;
use crate::error::Result;
use crate::report::Phase;
use crate::target::{Published, Session, is_transient};

/// How often each lock is asked for besides the first time, and the first pause.
const TIMES_MAX: usize = 6;
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(2);

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
        let load = swap.load();
        let (summary, loaded) = self.run.stop.or_done(self.pump(&load, read)).await?;
        drop(load);
        so_far.note(&self.config, loaded, summary);
        self.check_unchanged(so_far).await?;
        self.reached(Phase::Comparing, None);
        self.run.stop.or_done(patience.wait(swap.build(&self.ended("succeeded", so_far, None)))).await?;
        let mut pauses = pauses();
        while let Err(error) = self.run.stop.or_done(patience.wait(swap.keep_writers_out(&self.ended("succeeded", so_far, None)))).await {
            self.pause_after(error, &mut pauses).await?;
        }
        let mut pauses = self::pauses();
        while let Err(error) = self.run.stop.or_done(patience.wait(swap.keep_readers_out())).await {
            self.pause_after(error, &mut pauses).await?;
        }
        self.reached(Phase::Publishing, None);
        patience.wait(swap.publish(&self.ended("succeeded", so_far, None))).await
    }

    /// Pauses where a lock was not had and may be asked for again; any other error, and the last one, is the end.
    async fn pause_after(&self, error: crate::error::SyncError, pauses: &mut ExponentialBackoff) -> Result<()> {
        match pauses.next() {
            Some(pause) if is_transient(&error) => {
                tracing::info!("asking again in {} ms: {error}", pause.as_millis());
                self.run.stop.or_done(tokio::time::sleep(pause).map(Ok)).await
            }
            _ => Err(error),
        }
    }
}

fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::default().with_min_delay(PAUSE_MIN).with_max_delay(PAUSE_MAX).with_max_times(TIMES_MAX).with_jitter().build()
}
