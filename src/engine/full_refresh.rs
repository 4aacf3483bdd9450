//! One table's full refresh: lock, plan, stage, verify, publish.
//!
//! Crash story. Up to the publish only the state schema is written: a `started` row and the staging table, which the next run replaces. A straight
//! load is one transaction from its first row to the `succeeded` row. A publish is one transaction, see [`crate::target`]. The lock belongs to the
//! session and goes with it. A stop gives up everything but a publish: once begun, that is finished. So a kill at any step leaves the target as it was or wholly new.

use std::sync::Arc;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use futures_util::FutureExt;
use uuid::Uuid;

use super::drift::unchanged_by;
use super::plan::SyncPlan;
use super::planning::{Allowed, Known, plan_refresh};
use super::pump::{RowProgress, pump};
use super::reading::{Reading, change_warnings, quarantine_warning, read_options, selection};
use super::{Stop, StopReason};
use crate::config::{SqlServerSettings, TableConfig, TargetSettings};
use crate::error::{ErrorKind, Result, SyncError};
use crate::report::{NotStarted, Outcome, Phase, Progress, ProgressEvent, RowCounts, TableReport};
use crate::sources::sqlserver::{Connection, ReadSummary, SqlServerTable, wants_text_as_bytes};
use crate::table::{BadRow, SeenTable, SourceDescription, TargetTable};
use crate::target::{
    Lease, Loaded, LockOutcome, PublishWay, Published, RunRow, Session, Started, TargetDescription, breaks_constraint, breaks_key,
    is_transient,
};

/// How long a run that was asked to stop may take to clean up.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(4);
const UNLOCK_TIMEOUT: Duration = Duration::from_millis(500);

/// Everything one table's refresh needs; nothing of another table.
#[derive(Clone)]
pub struct TableJob {
    /// The table's configuration.
    pub config: TableConfig,
    /// Its source.
    pub source: SqlServerSettings,
    /// The target.
    pub target: TargetSettings,
    /// What belongs to the whole run.
    pub run: RunContext,
}

/// What belongs to the whole run.
#[derive(Clone)]
pub struct RunContext {
    /// Its id.
    pub run_id: Uuid,
    /// The request's mode, for the `runs` table.
    pub mode: &'static str,
    /// All configured tables, those that do not run included.
    pub configured: Arc<[TableConfig]>,
    /// Count, write nothing.
    pub dry_run: bool,
    /// Publish although a guard would refuse.
    pub allow_shrink: bool,
    /// Go on although the source has changed.
    pub accept_drift: bool,
    /// How long a source may be silent.
    pub source_idle_timeout: Duration,
    /// Who is told of progress.
    pub progress: Arc<dyn Progress>,
    /// How the run is asked to stop.
    pub stop: Stop,
}

/// What is known of a refresh so far, whatever happens next.
#[derive(Debug)]
struct SoFar {
    begun: Instant,
    refresh: Option<&'static str>,
    loaded: Loaded,
    /// Rows read and put aside.
    bad_rows: Vec<BadRow>,
    /// Whether text is read as its bytes, because the driver's text could not be relied on.
    text_as_bytes: bool,
    warnings: Vec<String>,
    /// The source as the plan saw it.
    seen: Option<SeenTable>,
    /// The table's lock.
    lease: Option<Lease>,
}

impl TableJob {
    /// Refreshes the table, or counts both sides in a dry run; every failure is in the report.
    pub async fn run(self) -> TableReport {
        let mut report = TableReport::new(&self.config.name, Outcome::Ok);
        let mut so_far = SoFar::new();
        let done = if self.run.dry_run {
            self.count(&mut report, &mut so_far).await
        } else {
            Box::pin(self.refresh(&mut report, &mut so_far)).await
        };
        if let Err(error) = done {
            report.outcome = Outcome::Failed(error);
            report.rows = so_far.rows();
        }
        report.refresh = so_far.refresh;
        report.bytes = so_far.loaded.bytes;
        report.warnings.append(&mut so_far.warnings);
        report.elapsed = so_far.begun.elapsed();
        report
    }

    async fn refresh(&self, report: &mut TableReport, so_far: &mut SoFar) -> Result<()> {
        let mut session = self.run.stop.or_done(Session::open(&self.target, &self.application())).await?;
        let patience = session.patience();
        patience.wait(session.prepare_state()).await?;
        let lock = patience.wait(session.lock(&self.config.pg_table, self.run.run_id)).await?;
        let started = Started { run_id: self.run.run_id, table: &self.config.name, mode: self.run.mode, at: jiff::Timestamp::now() };
        patience.wait(session.record_start(&started)).await?;
        let lease = match lock {
            LockOutcome::Held(lease) => lease,
            LockOutcome::HeldBy(held_by) => {
                session.record_end(&self.ended("skipped", so_far, Some(&held_by))).await?;
                report.outcome = Outcome::Locked { held_by };
                return Ok(());
            }
        };
        let renewal = lease.renew_in_background(self.target.clone(), self.application());
        so_far.lease = Some(lease.clone());
        let mut attempt = Box::pin(self.load_and_publish(&mut session, so_far)).await;
        if let Err(unsure) = &attempt
            && wants_text_as_bytes(unsure)
        {
            tracing::info!("reading again, text as its bytes: {unsure}");
            so_far.start_over();
            attempt = Box::pin(self.load_and_publish(&mut session, so_far)).await;
        }
        let done = match attempt {
            Ok(published) => {
                report.rows = published.rows;
                report.validation_passed = Some(true);
                so_far.warnings.extend(published.warnings);
                Ok(())
            }
            Err(error) => match self.clean_up(&session, so_far, &error).await {
                Some(rows) => {
                    report.rows = rows;
                    report.validation_passed = Some(true);
                    so_far.warnings.push(format!("the publish was committed, but its reply was lost: {error}"));
                    Ok(())
                }
                None => {
                    // Read, staged and published rows disagreeing is what validation looks for.
                    report.validation_passed = if error.kind() == ErrorKind::Refused { Some(false) } else { None };
                    Err(error)
                }
            },
        };
        drop(renewal);
        so_far.warnings.append(&mut session.take_done_before());
        // A target that does not answer frees the lock with the session.
        let _ = tokio::time::timeout(UNLOCK_TIMEOUT, session.unlock(&self.config.pg_table, &lease)).await;
        done
    }

    async fn load_and_publish(&self, session: &mut Session, so_far: &mut SoFar) -> Result<Published> {
        self.reached(Phase::Planning, None);
        let (mut connection, mut described) = self.run.stop.or_done(self.describe_source()).await?;
        let standing = session.patience().wait(session.describe(&self.config.pg_table)).await?;
        self.define(&mut connection, &mut described, standing.is_none()).await?;
        let plan = self.plan(session, &described.description, standing.as_ref(), so_far).await?;
        so_far.refresh = Some(plan.publication.way.name());
        so_far.warnings.extend(plan.warnings.iter().cloned());
        self.reached(Phase::Copying, plan.rows_estimate);
        let read = self.reading(connection, described, &plan, so_far.text_as_bytes);
        let mut published = match plan.publication.way {
            PublishWay::Straight { .. } => match self.load_straight(session, &plan, read, so_far).await {
                Err(error) if breaks_constraint(&error) || (breaks_key(&error) && plan.publication.key_is_enforced) => {
                    Err(self.name_bad_rows(session, &plan, so_far, error).await)
                }
                done => done,
            },
            PublishWay::Merge { .. } | PublishWay::Replace | PublishWay::Truncate => self.stage(session, &plan, read, so_far).await,
        }?;
        let put_aside = quarantine_warning(&so_far.bad_rows, &self.target.state_schema, &plan.publication.way, &published);
        published.warnings.extend(put_aside);
        Ok(published)
    }

    async fn describe_source(&self) -> Result<(Connection, SqlServerTable)> {
        let database = self.source.database.as_deref().or(self.config.sql_server_db.as_deref());
        let mut connection = Connection::open(&self.source, database, self.run.source_idle_timeout, &self.application()).await?;
        connection.isolate(self.config.options.isolation, self.config.sql_table.database.as_deref()).await?;
        let described = connection.describe(&self.config.sql_table).await?;
        Ok((connection, described))
    }

    /// Plans the refresh, knowing what the last run saw; what this one sees is kept for its record.
    async fn plan(
        &self,
        session: &Session,
        source: &SourceDescription,
        target: Option<&TargetDescription>,
        so_far: &mut SoFar,
    ) -> Result<SyncPlan> {
        let seen = session.patience().wait(session.seen_table(&self.config.name)).await?;
        let known = Known { config: &self.config, source, target, seen: seen.as_ref() };
        let allowed = Allowed { shrink: self.run.allow_shrink, drift: self.run.accept_drift };
        let (plan, seen) = plan_refresh(known, allowed)?;
        so_far.seen = Some(seen);
        Ok(plan)
    }

    /// Describes the source again once its rows have been read: what changed meanwhile must not be published.
    async fn check_unchanged(&self, so_far: &mut SoFar) -> Result<()> {
        let Some(before) = &so_far.seen else { return Ok(()) };
        let (_, after) = self.run.stop.or_done(self.describe_source()).await?;
        so_far.warnings.extend(unchanged_by(&self.config, before, &after.description)?);
        Ok(())
    }

    /// Reads what a table that is to be made takes over from the source.
    async fn define(&self, connection: &mut Connection, described: &mut SqlServerTable, missing: bool) -> Result<()> {
        let options = &self.config.options;
        if missing && options.create_tables {
            let defining = Box::pin(connection.define(&self.config.sql_table, options.create_indexes));
            described.description.definition = self.run.stop.or_done(defining).await?;
        }
        Ok(())
    }

    async fn load_straight(&self, session: &mut Session, plan: &SyncPlan, read: Reading, so_far: &mut SoFar) -> Result<Published> {
        let patience = session.patience();
        let straight = self.run.stop.or_done(patience.wait(session.begin_straight(&plan.publication))).await?;
        let load = straight.load();
        let (summary, loaded) = self.run.stop.or_done(self.pump(&load, read)).await?;
        so_far.note(&self.config, loaded, summary);
        self.check_unchanged(so_far).await?;
        self.reached(Phase::Publishing, None);
        patience.wait(straight.publish(&self.ended("succeeded", so_far, None))).await
    }

    /// PostgreSQL names one bad key, or of a constraint no row, and stops; the source is read once more, into staging, to name the first five. Whatever
    /// goes wrong there, the first error stands.
    async fn name_bad_rows(&self, session: &Session, plan: &SyncPlan, so_far: &SoFar, first: SyncError) -> SyncError {
        let naming = async {
            let (connection, described) = self.describe_source().await?;
            let read = self.reading(connection, described, plan, so_far.text_as_bytes);
            let staging = session.create_staging(&plan.publication).await?;
            self.pump(&session.load_staging(&staging, &plan.publication), read).await?;
            session.check_staged(&plan.publication, &staging).await?;
            Ok(staging)
        };
        match self.run.stop.or_done(naming).await {
            Ok(staging) => session.name_offenders(&plan.publication, &staging, first).await,
            Err(named) if named.kind() == ErrorKind::Refused => named,
            Err(_) => first,
        }
    }

    async fn stage(&self, session: &mut Session, plan: &SyncPlan, read: Reading, so_far: &mut SoFar) -> Result<Published> {
        let patience = session.patience();
        let staging = patience.wait(session.create_staging(&plan.publication)).await?;
        let load = session.load_staging(&staging, &plan.publication);
        let (summary, loaded) = self.run.stop.or_done(self.pump(&load, read)).await?;
        so_far.note(&self.config, loaded, summary);
        self.check_unchanged(so_far).await?;
        self.reached(Phase::Comparing, None);
        self.run.stop.or_done(patience.wait(session.check_staged(&plan.publication, &staging))).await?;
        self.reached(Phase::Publishing, None);
        let published = self.publish(session, plan, &staging, so_far).await?;
        // The change is visible; what cannot be removed now, the next run removes.
        if let Err(error) = patience.wait(session.drop_staging(&staging)).await {
            so_far.warnings.push(error.to_string());
        }
        Ok(published)
    }

    /// Publishes, again after a pause where a lock was not had or a deadlock came: at most three times more, and not after a stop.
    async fn publish(&self, session: &mut Session, plan: &SyncPlan, staging: &TargetTable, so_far: &SoFar) -> Result<Published> {
        let mut pauses = ExponentialBuilder::default().with_min_delay(Duration::from_millis(200)).with_max_times(3).with_jitter().build();
        loop {
            let patience = session.patience();
            match patience.wait(session.publish(&plan.publication, staging, &self.ended("succeeded", so_far, None))).await {
                Err(error) if is_transient(&error) => {
                    let Some(pause) = pauses.next() else { return Err(error) };
                    tracing::warn!("publishing again in {} ms: {error}", pause.as_millis());
                    self.run.stop.or_done(tokio::time::sleep(pause).map(Ok)).await?;
                }
                done => return done,
            }
        }
    }

    async fn pump(&self, load: &crate::target::Load<'_>, read: Reading) -> Result<(ReadSummary, Loaded)> {
        let progress =
            RowProgress { progress: Arc::clone(&self.run.progress), table: self.config.name.clone(), batch_size: self.config.batch_size };
        pump(load, move |sink| read.run(sink), &progress).await
    }

    /// A dry run: counts both sides and says which way the refresh would go.
    async fn count(&self, report: &mut TableReport, so_far: &mut SoFar) -> Result<()> {
        // Two connections being made are a large future.
        let counting = Box::pin(async {
            let session = Session::open(&self.target, &self.application()).await?;
            let (mut connection, mut described) = self.describe_source().await?;
            let standing = session.describe(&self.config.pg_table).await?;
            self.define(&mut connection, &mut described, standing.is_none()).await?;
            let plan = self.plan(&session, &described.description, standing.as_ref(), so_far).await?;
            let at_source = connection.count(&self.config.sql_table).await?;
            let in_target = session.count(&self.config.pg_table).await?;
            Ok((plan, at_source, in_target))
        });
        let (plan, at_source, in_target) = self.run.stop.or_done(counting).await?;
        so_far.refresh = Some(plan.publication.way.name());
        so_far.warnings = plan.warnings;
        report.counted = Some((at_source, in_target));
        Ok(())
    }

    /// After a failure: the staging table goes, the run's row says why. Nothing here may hide the failure itself; but where the row says that the
    /// publish was committed after all, its counts are returned.
    async fn clean_up(&self, session: &Session, so_far: &mut SoFar, error: &SyncError) -> Option<RowCounts> {
        let sentence = error.to_string();
        let row = self.ended("failed", so_far, Some(&sentence));
        let cleaning = async {
            if error.kind() == ErrorKind::Stopped {
                session.cancel().await;
            }
            match tidy(session, &self.config.pg_table, &row).await {
                Ok(committed) => Ok(committed),
                Err(unusable) => {
                    tracing::debug!(error = %unusable, "cleaning up in a new session");
                    let lost = session;
                    let session = Session::open(&self.target, &self.application()).await?;
                    session.end(lost).await?;
                    match session.lock(&self.config.pg_table, self.run.run_id).await? {
                        LockOutcome::Held(lease) => {
                            let tidied = tidy(&session, &self.config.pg_table, &RunRow { lease: Some(&lease), ..row.clone() }).await;
                            session.unlock(&self.config.pg_table, &lease).await;
                            tidied
                        }
                        // The lock went with the old session: what stands there now is another run's.
                        LockOutcome::HeldBy(_) => session.record_end(&row).await,
                    }
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

    fn ended<'a>(&'a self, outcome: &'a str, so_far: &'a SoFar, error: Option<&'a str>) -> RunRow<'a> {
        RunRow {
            run_id: self.run.run_id,
            table: &self.config.name,
            outcome,
            refresh: so_far.refresh,
            rows: so_far.rows(),
            bytes: so_far.loaded.bytes,
            seconds: so_far.begun.elapsed().as_secs_f64(),
            error,
            bad_rows: &so_far.bad_rows,
            seen: so_far.seen.as_ref(),
            lease: so_far.lease.as_ref(),
        }
    }

    fn reading(&self, connection: Connection, described: SqlServerTable, plan: &SyncPlan, text_as_bytes: bool) -> Reading {
        let selection = selection(&self.config, plan);
        Reading { connection, described, selection, options: read_options(&self.config, text_as_bytes) }
    }

    fn reached(&self, phase: Phase, rows_expected: Option<u64>) {
        self.run.progress.on(&ProgressEvent::Reached { table: &self.config.name, phase, rows_expected });
    }

    /// What both servers show of the session; PostgreSQL keeps 63 bytes.
    pub(super) fn application(&self) -> String {
        let mut name = format!("tablesync {} {}", self.run.run_id.simple(), self.config.name);
        while name.len() > 63 {
            name.pop();
        }
        name
    }
}

impl SoFar {
    fn new() -> Self {
        Self {
            begun: Instant::now(),
            refresh: None,
            loaded: Loaded::default(),
            bad_rows: Vec::new(),
            text_as_bytes: false,
            warnings: Vec::new(),
            seen: None,
            lease: None,
        }
    }

    /// Forgets an attempt; the next one reads text as its bytes.
    fn start_over(&mut self) {
        *self = Self { begun: self.begun, text_as_bytes: true, lease: self.lease.take(), ..Self::new() };
    }

    fn note(&mut self, config: &TableConfig, loaded: Loaded, summary: ReadSummary) {
        self.loaded = loaded;
        self.warnings.extend(change_warnings(config, &summary));
        self.bad_rows = summary.bad_rows;
    }

    /// What was read, of which nothing is published.
    fn rows(&self) -> RowCounts {
        let quarantined = u64::try_from(self.bad_rows.len()).unwrap_or(u64::MAX);
        RowCounts { read: self.loaded.rows + quarantined, quarantined, ..RowCounts::default() }
    }
}

async fn tidy(session: &Session, target: &TargetTable, row: &RunRow<'_>) -> Result<Option<RowCounts>> {
    // Where the lock is another run's, so is what stands there now.
    if let Some(lease) = row.lease
        && session.still_holds(lease).await?
    {
        session.drop_staging_of(target).await?;
    }
    session.record_end(row).await
}

/// Why a table that was never begun was not.
pub(super) fn not_started(reason: StopReason) -> NotStarted {
    match reason {
        StopReason::Deadline => NotStarted::Deadline,
        StopReason::Cancelled => NotStarted::Cancelled,
    }
}
