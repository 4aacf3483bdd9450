//! Mode `plan`: both sides of every table are asked, what a run would do is said, and nothing is written.

mod effects;
mod expect;
mod foresee;

use std::time::Duration;

use indexmap::IndexMap;

use self::foresee::{Asked, foresee};
use super::Stop;
use super::plan::plan;
use super::sources::{Sources, again};
use crate::config::{SqlServerSettings, TableConfig, TargetSettings};
use crate::error::Result;
use crate::report::{Foreseen, TablePlan};
use crate::sources::sqlserver::SqlServerTable;
use crate::target::Session;

const APPLICATION: &str = "tablesync plan";

/// One table to plan.
pub struct PlanJob {
    /// The table.
    pub config: TableConfig,
    /// Its source.
    pub source: SqlServerSettings,
}

/// Plans the jobs in order; a table that cannot be planned does not stop the next. After a stop, what is left fails as stopped.
pub async fn plan_tables(jobs: Vec<PlanJob>, target: TargetSettings, idle_timeout: Duration, stop: &Stop) -> IndexMap<String, TablePlan> {
    let mut sources = Sources::new(idle_timeout, APPLICATION);
    let session = stop.or_done(Session::open(&target, APPLICATION)).await;
    let mut tables = IndexMap::new();
    for job in jobs {
        let planned = stop.or_done(plan_table(&session, &mut sources, &job)).await;
        let (foreseen, error) = match planned {
            Ok(foreseen) => (Some(foreseen), None),
            Err(error) => (None, Some(error)),
        };
        let PlanJob { config, .. } = job;
        let plan = TablePlan { sql_table: config.sql_table_text, pg_table: config.pg_table_text, foreseen, error };
        tables.insert(config.name, plan);
    }
    tables
}

async fn plan_table(session: &Result<Session>, sources: &mut Sources, job: &PlanJob) -> Result<Foreseen> {
    let described = describe(sources, job).await;
    sources.asked(&job.source, &job.config, &described);
    let (session, described) = (session.as_ref().map_err(again)?, described?);
    let config = &job.config;
    let standing = session.describe(&config.pg_table).await?;
    let plan = plan(config, &described.description, standing.as_ref(), false)?;
    let dependents = session.dependents(&config.pg_table).await?;
    let last = session.last_success(&config.name).await?;
    let asked = Asked { config, source: &described.description, target: standing.as_ref(), dependents: &dependents, last };
    Ok(foresee(&asked, &plan))
}

async fn describe(sources: &mut Sources, job: &PlanJob) -> Result<SqlServerTable> {
    let config = &job.config;
    let connection = sources.connection(&job.source, config).await?;
    connection.check_isolation(config.options.isolation, config.sql_table.database.as_deref()).await?;
    connection.describe(&config.sql_table).await
}
