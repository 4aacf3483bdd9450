//! The composition root: settings to sources, target and engine. The only place that names the concrete parts.

mod conclude;
mod settings;

pub use conclude::{Concluded, Done};

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::timeout;
use uuid::Uuid;

use crate::aws::Aws;
use crate::config::{AwsSettings, Env, Settings, SourceSettings, TableConfig, TargetSettings};
use crate::engine::{
    RunContext, Stop, TableJob, TestJob, Unreachable, count_columns, plan_tables, run_tables, test_connections, verify_tables,
};
use crate::error::{ErrorKind, Result, SyncError};
use crate::failpoint;
use crate::report::{InfoReport, LastSync, Progress, Report, TableInfo, TableWatermark};
use crate::request::{Mode, Request, select_tables};
use crate::target::Session;

/// How long `info` waits for the target.
const INFO_TIMEOUT: Duration = Duration::from_secs(2);

/// The product, ready to answer requests; the Lambda keeps one between invocations, and with it the secrets that were fetched.
#[derive(Debug, Clone)]
pub struct App {
    env: Env,
    config: Option<PathBuf>,
    aws: Arc<Aws>,
}

impl App {
    /// An app over an environment; `config` is `--config`.
    pub fn new(env: Env, config: Option<PathBuf>) -> Self {
        let aws = Arc::new(Aws::new(AwsSettings::read(&env)));
        Self { env, config, aws }
    }

    /// Reads the configuration and does what `request` says. Every failure is in the report.
    pub async fn run(&self, request: &Request, stop: &Stop, progress: Arc<dyn Progress>) -> Done {
        match stop.or_done(self.settings_for(request.mode)).await {
            Ok(mut settings) => {
                let running = AssertUnwindSafe(Box::pin(self.run_with(&mut settings, request, stop, progress)));
                // What a panic says may quote a value: nobody gets it, neither as a function error nor as an exit of the process.
                let report = running.catch_unwind().await.unwrap_or_else(|_| Report::Failed(broke_down()));
                Done { report, settings: Some(settings) }
            }
            Err(error) => Done { report: Report::Failed(error), settings: None },
        }
    }

    async fn run_with(&self, settings: &mut Settings, request: &Request, stop: &Stop, progress: Arc<dyn Progress>) -> Report {
        let tables: Vec<TableConfig> = match select_tables(request, &settings.tables) {
            // It describes every table, whatever is asked for.
            _ if request.mode == Mode::Info => settings.tables.tables.values().cloned().collect(),
            Ok(tables) => tables.into_iter().cloned().collect(),
            Err(refusal) => return Report::Refused(refusal),
        };
        let patience = if request.mode == Mode::Info { INFO_TIMEOUT } else { Duration::MAX };
        match timeout(patience, stop.or_done(self.add_secrets(settings, &tables))).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) if request.mode == Mode::Info => tracing::warn!("what needs a secret stays unknown: {error}"),
            Ok(Err(error)) => return Report::Failed(error),
            Err(_) => tracing::warn!("Secrets Manager did not answer within {} s", INFO_TIMEOUT.as_secs()),
        }
        let tls_warnings = settings.tls_warnings(tables.iter().map(|config| config.db_type.as_str()));
        failpoint::reached("configuration_read");
        match request.mode {
            Mode::MultiSync | Mode::SingleSync | Mode::IncrementalSync => {
                let run = context(request, settings, stop, progress);
                match jobs(settings, &tables, &run) {
                    Ok(jobs) => Report::Run(run_tables(jobs, run, settings.run.parallel, tls_warnings).await),
                    Err(error) => Report::Failed(error),
                }
            }
            Mode::MultiTest => match connections(settings, &tables) {
                Ok((target, sources)) => {
                    let jobs = tables.into_iter().zip(sources).map(|(config, source)| TestJob { config, source }).collect();
                    Report::Test(test_connections(jobs, target, settings.run.source_idle_timeout, stop, tls_warnings).await)
                }
                Err(error) => Report::Failed(error),
            },
            Mode::Verify => {
                let run = context(request, settings, stop, progress);
                match jobs(settings, &tables, &run) {
                    Ok(jobs) => Report::Verify(verify_tables(jobs, request.sampling, run, settings.run.parallel, tls_warnings).await),
                    Err(error) => Report::Failed(error),
                }
            }
            Mode::Plan => {
                let run = context(request, settings, stop, progress);
                match jobs(settings, &tables, &run) {
                    Ok(jobs) => Report::Plan(plan_tables(jobs, run, tls_warnings).await),
                    Err(error) => Report::Failed(error),
                }
            }
            Mode::Info => Report::Info(info(settings).await),
        }
    }
}

fn broke_down() -> SyncError {
    SyncError::new(ErrorKind::Internal, "the request broke down; every target is as its last finished table left it")
        .with_cause("a task panicked, see the line before")
}

fn context(request: &Request, settings: &Settings, stop: &Stop, progress: Arc<dyn Progress>) -> RunContext {
    RunContext {
        run_id: Uuid::now_v7(),
        mode: request.mode.name(),
        configured: settings.tables.tables.values().cloned().collect(),
        dry_run: request.dry_run || settings.run.dry_run,
        allow_shrink: request.allow_shrink,
        reset: request.reset.clone().into(),
        accept_drift: request.accept_drift,
        max_retries: settings.run.max_retries,
        unreachable: Unreachable::default(),
        source_idle_timeout: settings.run.source_idle_timeout,
        progress,
        stop: stop.clone(),
    }
}

fn jobs(settings: &Settings, tables: &[TableConfig], run: &RunContext) -> Result<Vec<TableJob>> {
    let (target, sources) = connections(settings, tables)?;
    let job = |(config, source): (&TableConfig, _)| TableJob { config: config.clone(), source, target: target.clone(), run: run.clone() };
    Ok(tables.iter().zip(sources).map(job).collect())
}

/// The target's section and each table's source's; every section that is incomplete is named, and then nothing is begun.
fn connections(settings: &Settings, tables: &[TableConfig]) -> Result<(TargetSettings, Vec<SourceSettings>)> {
    let mut problems = Vec::new();
    let mut note = |error: &SyncError| {
        let sentence = error.to_string();
        if !problems.contains(&sentence) {
            problems.push(sentence);
        }
    };
    let sources: Vec<_> = tables.iter().filter_map(|config| settings.source(&config.db_type).inspect_err(&mut note).ok()).collect();
    let target = settings.target().inspect_err(&mut note).ok();
    for (config, source) in tables.iter().zip(&sources).filter(|_| sources.len() == tables.len()) {
        if target.as_ref().is_some_and(|target| source.holds(&config.sql_table, target, &config.pg_table)) {
            let sentence = format!("table {}: its source and its target are the same table, {}", config.name, config.pg_table);
            note(&SyncError::new(ErrorKind::Config, sentence).with_remedy("Correct the DSN, sql_table or pg_table"));
        }
    }
    match target {
        Some(target) if problems.is_empty() => Ok((target, sources)),
        _ => Err(SyncError::new(ErrorKind::Config, problems.join("; "))),
    }
}

/// Describes the configuration; what a database cannot be asked in time stays unknown.
async fn info(settings: &Settings) -> InfoReport {
    let asked = settings.tables.tables.values().filter(|config| config.columns.is_none());
    let job = |config: &TableConfig| Some(TestJob { config: config.clone(), source: settings.source(&config.db_type).ok()? });
    let counting = count_columns(asked.filter_map(job).collect(), INFO_TIMEOUT);
    let (last, counted) = tokio::join!(timeout(INFO_TIMEOUT, last_runs(settings)), counting);
    let (last, watermarks) = match last {
        Ok(Ok(known)) => known,
        Ok(Err(error)) => {
            tracing::warn!("the target could not be asked for the last runs: {error}");
            (Vec::new(), Vec::new())
        }
        Err(_) => {
            tracing::warn!("the target did not answer within {} s", INFO_TIMEOUT.as_secs());
            (Vec::new(), Vec::new())
        }
    };
    let describe = |config: &TableConfig| TableInfo {
        table_name: config.name.clone(),
        description: config.description.clone(),
        sql_table: config.sql_table_text.clone(),
        pg_table: config.pg_table_text.clone(),
        column_count: config.columns.as_ref().map(Vec::len).or_else(|| counted.get(&config.name).copied()),
        db_type: config.db_type.clone(),
        sql_server_db: config.sql_server_db.clone().or_else(|| settings.source(&config.db_type).ok()?.database().map(str::to_owned)),
        batch_size: config.batch_size,
        refresh: if config.options.incremental.is_some() { "incremental" } else { config.options.refresh.name() },
        last_sync: last.iter().find(|(table, _)| *table == config.name).map(|(_, last)| last.clone()),
        watermark: watermarks.iter().find(|(table, _)| *table == config.name).map(|(_, reached)| reached.clone()),
    };
    InfoReport {
        default_sync_order: settings.tables.default_sync_order.clone(),
        tables: settings.tables.tables.values().map(describe).collect(),
    }
}

/// The last runs of all tables, and the watermarks of those that get only what is new.
async fn last_runs(settings: &Settings) -> Result<(Vec<(String, LastSync)>, Vec<(String, TableWatermark)>)> {
    let session = Session::open(&settings.target()?, "tablesync info").await?;
    let last = session.last_runs().await?;
    let incremental = settings.tables.tables.values().any(|config| config.options.incremental.is_some());
    let watermarks = if incremental { session.watermarks().await.unwrap_or_default() } else { Vec::new() };
    Ok((last, watermarks))
}
