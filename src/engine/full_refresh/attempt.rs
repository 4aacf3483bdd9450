//! One attempt: plan, read, stage (or load straight), verify, publish.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::TableJob;
use super::lock_retries::LockRetries;
use super::so_far::SoFar;
use crate::engine::drift::unchanged_by;
use crate::engine::money::check_money;
use crate::engine::plan::SyncPlan;
use crate::engine::planning::{Allowed, Known, plan_refresh};
use crate::engine::pump::{RowProgress, pump};
use crate::engine::reading::{Reading, quarantine_warning, read_options, selection};
use crate::engine::retry::Retries;
use crate::error::{ErrorKind, Result, SyncError};
use crate::failpoint;
use crate::report::Phase;
use crate::sources::{Connection, DescribedTable, ReadSummary};
use crate::table::{SourceDescription, TargetTable};
use crate::target::{Load, Loaded, PublishWay, Published, RunRow, Session, TargetDescription, breaks_constraint, breaks_key};

impl TableJob {
    pub(in crate::engine) async fn load_and_publish(&self, session: &mut Session, so_far: &mut SoFar) -> Result<Published> {
        self.reached(Phase::Planning, None);
        let (mut connection, mut described) = self.run.stop.or_done(self.describe_source()).await?;
        failpoint::reached("source_described");
        let standing = self
            .run
            .stop
            .or_done(session.patience().wait(session.describe_for(&self.config.pg_table, self.config.options.refresh)))
            .await?;
        self.define(&mut connection, &mut described, standing.is_none()).await?;
        let plan = self.plan(session, described.description(), standing.as_ref(), so_far).await?;
        so_far.refresh = Some(plan.publication.way.name());
        so_far.refresh_reason = Some(plan.reason.clone());
        so_far.warnings.extend(plan.warnings.iter().cloned());
        failpoint::reached("planned");
        self.reached(Phase::Copying, plan.rows_estimate);
        let read = self.reading(connection, described, &plan, so_far.text_as_bytes);
        let mut published = match plan.publication.way {
            PublishWay::Straight { .. } | PublishWay::Swap { .. } => match Box::pin(self.load_directly(session, &plan, read, so_far)).await
            {
                Err(error) if breaks_constraint(&error) || (breaks_key(&error) && plan.publication.key_is_enforced) => {
                    Err(Box::pin(self.name_bad_rows(session, &plan, so_far, error)).await)
                }
                done => done,
            },
            PublishWay::Merge { .. } | PublishWay::Replace | PublishWay::Truncate => self.stage(session, &plan, read, so_far).await,
        }?;
        if let Some(why) = published.replaced.take() {
            so_far.refresh = Some(PublishWay::Replace.name());
            so_far.refresh_reason = Some(why);
        }
        let put_aside = quarantine_warning(&so_far.bad_rows, &self.target.state_schema, &plan.publication.way, &published);
        published.warnings.extend(put_aside);
        Ok(published)
    }

    pub(in crate::engine) async fn describe_source(&self) -> Result<(Connection, DescribedTable)> {
        let mut connection = self.open_source().await?;
        let described = connection.describe(&self.config.sql_table).await?;
        Ok((connection, described))
    }

    /// A connection for a table that is described already.
    pub(in crate::engine) async fn open_source(&self) -> Result<Connection> {
        let database = self.source.database_for(&self.config);
        let mut connection = Connection::open(&self.source, database, self.run.source_idle_timeout, &self.application()).await?;
        connection.isolate(self.config.options.isolation, self.config.sql_table.database.as_deref()).await?;
        Ok(connection)
    }

    /// A connection that has waited, unless its server has ended it meanwhile: then another one.
    pub(in crate::engine) async fn still_open(&self, connection: Option<Connection>) -> Result<Connection> {
        match connection.filter(|connection| !connection.is_closed()) {
            Some(connection) => Ok(connection),
            None => self.run.stop.or_done(self.open_source()).await,
        }
    }

    /// Plans the refresh, knowing what the last run saw; what this one sees is kept for its record.
    pub(in crate::engine) async fn plan(
        &self,
        session: &Session,
        source: &SourceDescription,
        target: Option<&TargetDescription>,
        so_far: &mut SoFar,
    ) -> Result<SyncPlan> {
        let seen = self.run.stop.or_done(session.patience().wait(session.seen_table(&self.config.name))).await?;
        let known = Known { config: &self.config, source, target, seen: seen.as_ref() };
        let allowed = Allowed { shrink: self.run.allow_shrink, drift: self.run.accept_drift };
        let (plan, seen) = plan_refresh(known, allowed)?;
        self.run.stop.or_done(check_money(session, source, &plan.columns)).await?;
        so_far.seen = Some(seen);
        Ok(plan)
    }

    /// Copies what `read` delivers, and describes the source again: what changed meanwhile must not be published. Gives the connection back.
    pub(in crate::engine) async fn copy(&self, load: Load<'_>, read: Reading, so_far: &mut SoFar) -> Result<Connection> {
        let ((summary, mut connection), loaded) = self.run.stop.or_done(self.pump(load, read)).await?;
        failpoint::reached("copy_done");
        so_far.note(&self.config, loaded, summary);
        if let Some(before) = &so_far.seen {
            connection = self.still_open(Some(connection)).await?;
            let after = self.run.stop.or_done(connection.describe(&self.config.sql_table)).await?;
            so_far.warnings.extend(unchanged_by(&self.config, before, after.description())?);
        }
        failpoint::reached("source_unchanged");
        Ok(connection)
    }

    /// Reads what a table that is to be made takes over from the source.
    pub(in crate::engine) async fn define(&self, connection: &mut Connection, described: &mut DescribedTable, missing: bool) -> Result<()> {
        let options = &self.config.options;
        if missing && options.create_tables {
            let defining = Box::pin(connection.define(&self.config.sql_table, options.create_indexes));
            described.define(self.run.stop.or_done(defining).await?);
        }
        Ok(())
    }

    async fn load_directly(&self, session: &mut Session, plan: &SyncPlan, read: Reading, so_far: &mut SoFar) -> Result<Published> {
        match plan.publication.way {
            PublishWay::Swap { .. } => self.load_and_swap(session, plan, read, so_far).await,
            PublishWay::Straight { .. } | PublishWay::Merge { .. } | PublishWay::Replace | PublishWay::Truncate => {
                self.load_straight(session, plan, read, so_far).await
            }
        }
    }

    async fn load_straight(&self, session: &mut Session, plan: &SyncPlan, read: Reading, so_far: &mut SoFar) -> Result<Published> {
        let patience = session.patience();
        let straight = self.run.stop.or_done(patience.wait(session.begin_straight(&plan.publication))).await?;
        failpoint::reached("straight_begun");
        self.copy(straight.load(), read, so_far).await?;
        self.reached(Phase::Publishing, None);
        so_far.publishing = true;
        patience.wait(straight.publish(&self.ended("succeeded", so_far, None))).await
    }

    /// PostgreSQL names one bad key, or of a constraint no row, and stops; the source is read once more, into staging, to name the first five. Whatever
    /// goes wrong there, the first error stands.
    async fn name_bad_rows(&self, session: &mut Session, plan: &SyncPlan, so_far: &mut SoFar, first: SyncError) -> SyncError {
        let naming = async {
            let (connection, described) = self.describe_source().await?;
            let read = self.reading(connection, described, plan, so_far.text_as_bytes);
            let patience = session.patience();
            let staging = patience.wait(session.create_staging(&plan.publication)).await?;
            so_far.staging = Some(staging.clone());
            self.pump(session.load_staging(&staging, &plan.publication), read).await?;
            patience.wait(session.check_staged(&plan.publication, &staging)).await?;
            Ok(staging)
        };
        match self.run.stop.or_done(naming).await {
            Ok(staging) => {
                let named = async { Ok(session.name_offenders(&plan.publication, &staging, first, false).await) };
                self.run.stop.or_done(named).await.unwrap_or_else(|stopped| stopped)
            }
            Err(named) if named.kind() == ErrorKind::Refused => named,
            Err(_) => first,
        }
    }

    async fn stage(&self, session: &mut Session, plan: &SyncPlan, read: Reading, so_far: &mut SoFar) -> Result<Published> {
        let patience = session.patience();
        let staging = self.run.stop.or_done(patience.wait(session.create_staging(&plan.publication))).await?;
        so_far.staging = Some(staging.clone());
        failpoint::reached("staging_made");
        self.copy(session.load_staging(&staging, &plan.publication), read, so_far).await?;
        self.reached(Phase::Comparing, None);
        self.run.stop.or_done(patience.wait(session.check_staged(&plan.publication, &staging))).await?;
        failpoint::reached("staged_checked");
        self.reached(Phase::Publishing, None);
        so_far.publishing = true;
        let published = self.publish(session, plan, &staging, so_far).await?;
        // The change is visible; what cannot be removed now, the next run removes.
        if let Err(error) = self.run.stop.or_done(patience.wait(session.drop_staging(&staging))).await {
            so_far.warnings.push(error.to_string());
        }
        failpoint::reached("staging_removed");
        Ok(published)
    }

    /// Publishes, again after a pause where a lock was not had or a deadlock came. A stop gives up one that waits for its lock, and none that has it.
    async fn publish(&self, session: &mut Session, plan: &SyncPlan, staging: &TargetTable, so_far: &mut SoFar) -> Result<Published> {
        let mut retries = LockRetries::new(Retries::of_publish());
        loop {
            let begun = AtomicBool::new(false);
            let row = RunRow { begun: Some(&begun), ..self.ended("succeeded", so_far, None) };
            let patience = session.patience();
            let publishing = patience.wait(session.publish(&plan.publication, staging, &row));
            match self.run.stop.or_done_once_begun(publishing, &begun).await {
                Err(error) => retries.wait(self, so_far, error).await?,
                done => return done,
            }
        }
    }

    pub(in crate::engine) async fn pump(&self, mut load: Load<'_>, read: Reading) -> Result<((ReadSummary, Connection), Loaded)> {
        let progress =
            RowProgress { progress: Arc::clone(&self.run.progress), table: self.config.name.clone(), batch_size: self.config.batch_size };
        pump(&mut load, move |sink| read.run(sink), &progress).await
    }

    fn reading(&self, connection: Connection, described: DescribedTable, plan: &SyncPlan, text_as_bytes: bool) -> Reading {
        let selection = selection(&self.config, plan);
        Reading { connection, described, selection, options: read_options(&self.config, text_as_bytes) }
    }
}
