//! The composition root: settings to sources, target and engine. The only place that names the concrete parts.

mod choice;
mod conclude;
mod inform;
mod settings;

pub use conclude::{Concluded, Done};

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::FutureExt;
use uuid::Uuid;

use self::choice::Chosen;
use crate::aws::Aws;
use crate::config::{AwsSettings, Env, Settings, SourceSettings, TableConfig, TargetSettings};
use crate::engine::{RunContext, Stop, TableJob, TestJob, Unreachable, plan_tables, run_tables, test_connections, verify_tables};
use crate::error::{ErrorKind, Result, SyncError};
use crate::failpoint;
use crate::report::{Progress, Report};
use crate::request::{Mode, Request, select_tables};

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
        match stop.or_done(self.choose(request)).await {
            Ok(mut chosen) => {
                let running = AssertUnwindSafe(Box::pin(self.run_with(&mut chosen, request, stop, progress)));
                // What a panic says may quote a value: nobody gets it, neither as a function error nor as an exit of the process.
                let report = match running.catch_unwind().await.unwrap_or_else(|_| Report::Failed(broke_down())) {
                    Report::Failed(error) => Report::Failed(chosen.notes.iter().fold(error, SyncError::followed_by)),
                    report => report,
                };
                Done { report, settings: Some(chosen.settings), list_version: chosen.list.and_then(|list| list.version) }
            }
            Err(error) => Done { report: Report::Failed(error), settings: None, list_version: None },
        }
    }

    async fn run_with(&self, chosen: &mut Chosen, request: &Request, stop: &Stop, progress: Arc<dyn Progress>) -> Report {
        let (tables, warnings) = match self.prepare(chosen, request, stop).await {
            Ok(prepared) => prepared,
            Err(report) => return report,
        };
        let settings = &chosen.settings;
        match request.mode {
            Mode::MultiSync | Mode::SingleSync | Mode::IncrementalSync => {
                let run = context(request, settings, stop, progress);
                match jobs(settings, &tables, &run) {
                    Ok(jobs) => Report::Run(run_tables(jobs, run, settings.run.parallel, warnings).await),
                    Err(error) => Report::Failed(error),
                }
            }
            Mode::MultiTest => match connections(settings, &tables) {
                Ok((target, sources)) => {
                    let jobs = tables.into_iter().zip(sources).map(|(config, source)| TestJob { config, source }).collect();
                    Report::Test(test_connections(jobs, target, settings.run.source_idle_timeout, stop, warnings).await)
                }
                Err(error) => Report::Failed(error),
            },
            Mode::Verify => {
                let run = context(request, settings, stop, progress);
                match jobs(settings, &tables, &run) {
                    Ok(jobs) => Report::Verify(verify_tables(jobs, request.sampling, run, settings.run.parallel, warnings).await),
                    Err(error) => Report::Failed(error),
                }
            }
            Mode::Plan => {
                let run = context(request, settings, stop, progress);
                match jobs(settings, &tables, &run) {
                    Ok(jobs) => Report::Plan(plan_tables(jobs, run, warnings).await),
                    Err(error) => Report::Failed(error),
                }
            }
            Mode::Info => Report::Info(self.inform(chosen, stop).await),
        }
    }

    /// The tables that a request is about, with the secrets that they need at hand, and what the caller should know of the whole. Nothing of that for `info`,
    /// which describes every table, whatever is asked for.
    async fn prepare(
        &self,
        chosen: &mut Chosen,
        request: &Request,
        stop: &Stop,
    ) -> std::result::Result<(Vec<TableConfig>, Vec<String>), Report> {
        if request.mode == Mode::Info {
            return Ok((Vec::new(), Vec::new()));
        }
        let Chosen { settings, notes, .. } = chosen;
        let selected = select_tables(request, &settings.tables).map_err(|refusal| Report::Refused(refusal.and(notes)))?;
        let tables: Vec<TableConfig> = selected.into_iter().cloned().collect();
        stop.or_done(self.add_secrets(settings, &tables)).await.map_err(Report::Failed)?;
        let mut warnings = notes.clone();
        warnings.extend(settings.tls_warnings(tables.iter().map(|config| config.db_type.as_str())));
        failpoint::reached("configuration_read");
        Ok((tables, warnings))
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
