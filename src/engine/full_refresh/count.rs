//! A dry run.

use super::TableJob;
use super::so_far::SoFar;
use crate::engine::retry::Retries;
use crate::error::Result;
use crate::report::TableReport;
use crate::target::Session;

impl TableJob {
    /// A dry run.
    pub(super) async fn look(&self, report: &mut TableReport, so_far: &mut SoFar) -> Result<()> {
        let mut retries = Retries::of_table(self.run.max_retries);
        loop {
            report.attempts += 1;
            let looked = match &self.config.options.incremental {
                Some(sync) => Box::pin(self.foresee(so_far, sync)).await,
                None => self.count_once(report, so_far).await,
            };
            let Err(error) = looked else { return Ok(()) };
            let failed = SoFar::failed_attempt(report.attempts, &error);
            self.wait_to_retry(&mut retries, error).await?;
            so_far.start_over(Some(failed));
        }
    }

    /// Counts both sides and says which way the refresh would go.
    async fn count_once(&self, report: &mut TableReport, so_far: &mut SoFar) -> Result<()> {
        // Two connections being made are a large future.
        let counting = Box::pin(async {
            let session = Session::open(&self.target, &self.application()).await?;
            let patience = session.patience();
            let (mut connection, mut described) = self.describe_source().await?;
            let describing = session.describe_for(&self.config.pg_table, self.config.options.refresh);
            let standing = patience.wait(describing).await?;
            self.define(&mut connection, &mut described, standing.is_none()).await?;
            let plan = self.plan(&session, described.description(), standing.as_ref(), so_far).await?;
            let at_source = connection.count(&self.config.sql_table).await?;
            let in_target = patience.wait(session.count(&self.config.pg_table)).await?;
            Ok((plan, at_source, in_target))
        });
        let (plan, at_source, in_target) = self.run.stop.or_done(counting).await?;
        so_far.refresh = Some(plan.publication.way.name());
        so_far.refresh_reason = Some(plan.reason);
        so_far.warnings = plan.warnings;
        report.counted = Some((at_source, in_target));
        Ok(())
    }
}
