//! Mode `plan`: both sides of every table are asked, what a run would do is said, and nothing is written.

mod effects;
mod expect;
mod foresee;
mod only_new;
mod relations;

use indexmap::IndexMap;

use self::foresee::{Asked, foresee};
use self::relations::foresee_foreign_keys;
use super::full_refresh::TableJob;
use super::incremental;
use super::money::check_money;
use super::planning::{Known, find_drift, plan_through};
use super::retry::explained;
use super::run_context::RunContext;
use super::sources::{Sources, again};
use crate::error::{ErrorKind, Result, SyncError};
use crate::report::{Foreseen, PlanReport, TablePlan};
use crate::sources::DescribedTable;
use crate::target::Session;

const APPLICATION: &str = "tablesync plan";

/// Plans the tables of the jobs in order; a table that cannot be planned does not stop the next. After a stop, what is left is not started.
pub async fn plan_tables(jobs: Vec<TableJob>, context: RunContext, warnings: Vec<String>) -> PlanReport {
    let stop = &context.stop;
    let mut sources = Sources::new(context.source_idle_timeout, APPLICATION);
    let opening = async {
        match jobs.first() {
            Some(job) => Session::open(&job.target, APPLICATION).await,
            None => Err(SyncError::new(ErrorKind::Internal, "there is no table to plan")),
        }
    };
    let session = stop.or_done(opening).await;
    let mut tables = IndexMap::new();
    let mut left = None;
    for job in jobs {
        let planning = async { Ok(plan_table(&session, &mut sources, &job).await) };
        let planned = Box::pin(stop.or_done(planning)).await;
        let config = job.config;
        let (foreseen, error) = match planned {
            Ok(Ok((foreseen, error))) => (Some(foreseen), error),
            Ok(Err(error)) => (None, Some(explained(error))),
            Err(_) => {
                stop.leave(&mut left, config.name);
                continue;
            }
        };
        let plan = TablePlan { sql_table: config.sql_table_text, pg_table: config.pg_table_text, foreseen, error };
        tables.insert(config.name, plan);
    }
    PlanReport { tables, left, warnings }
}

/// What a run would do, and what it would fail with though it could be planned; an error where it could not.
async fn plan_table(session: &Result<Session>, sources: &mut Sources, job: &TableJob) -> Result<(Foreseen, Option<SyncError>)> {
    let config = &job.config;
    let standing = match session {
        Ok(session) => session.patience().wait(session.describe_for(&config.pg_table, config.options.refresh)).await,
        Err(error) => Err(again(error)),
    };
    let described = describe(sources, job, matches!(standing, Ok(None))).await;
    sources.asked(&job.source, config, &described);
    let (described, standing) = (described?, standing?);
    let session = session.as_ref().map_err(again)?;
    let patience = session.patience();
    let seen = patience.wait(session.seen_table(&config.name)).await?;
    let known = Known { config, source: described.description(), target: standing.as_ref(), seen: seen.as_ref() };
    let drift = find_drift(known, false);
    let refused = drift.check(config).err();
    let plan = match plan_through(known, &drift, false) {
        Ok(plan) => plan,
        // What does not fit may well be what has changed.
        Err(error) => return Err(refused.unwrap_or(error)),
    };
    let mut refused = refused.or(check_money(session, described.description(), &plan.columns).await.err());
    let dependents = patience.wait(session.dependents(&config.pg_table)).await?;
    let last = patience.wait(session.last_success(&config.name)).await?;
    let outline = match &config.options.incremental {
        Some(sync) => {
            let known = incremental::Known { described: described.clone(), standing: standing.clone(), plan: plan.clone() };
            let outlined = match sources.connection(&job.source, config).await {
                Ok(connection) => Box::pin(job.outline(session, connection, (sync, known))).await,
                Err(error) => Err(error),
            };
            sources.asked(&job.source, config, &outlined);
            outlined.map_err(|error| refused.get_or_insert(explained(error))).ok()
        }
        None => None,
    };
    let asked = Asked {
        config,
        source: described.description(),
        target: standing.as_ref(),
        dependents: &dependents,
        drift: &drift,
        last,
        outline: outline.as_ref(),
    };
    let mut foreseen = foresee(&asked, &plan);
    foresee_foreign_keys(session, sources, job, &mut foreseen).await;
    Ok((foreseen, refused))
}

async fn describe(sources: &mut Sources, job: &TableJob, missing: bool) -> Result<DescribedTable> {
    let config = &job.config;
    let connection = sources.connection(&job.source, config).await?;
    connection.check_isolation(config.options.isolation, config.sql_table.database.as_deref()).await?;
    let mut described = connection.describe(&config.sql_table).await?;
    if missing && config.options.create_tables {
        described.define(connection.define(&config.sql_table, config.options.create_indexes).await?);
    }
    Ok(described)
}
