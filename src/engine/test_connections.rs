//! `multi_test`: both ends of every table are connected, logged in, there, and countable. One login per source.

use std::time::Duration;

use indexmap::IndexMap;

use super::Stop;
use super::sources::{Sources, again};
use crate::config::{SqlServerSettings, TableConfig, TargetSettings};
use crate::error::{ErrorKind, Result, SyncError};
use crate::report::TableTest;
use crate::target::Session;

const APPLICATION: &str = "tablesync multi_test";

/// One table to test.
pub struct TestJob {
    /// The table.
    pub config: TableConfig,
    /// Its source.
    pub source: SqlServerSettings,
}

/// Tests the jobs in order; after a stop, what is left fails as stopped.
pub async fn test_connections(
    jobs: Vec<TestJob>,
    target: TargetSettings,
    idle_timeout: Duration,
    stop: &Stop,
) -> IndexMap<String, TableTest> {
    let mut sources = Sources::new(idle_timeout, APPLICATION);
    let session = stop.or_done(Session::open(&target, APPLICATION)).await;
    let mut tables = IndexMap::new();
    for job in jobs {
        let source = stop.or_done(count_source(&mut sources, &job)).await;
        let test = TableTest { source, target: stop.or_done(count_target(&session, &job.config)).await };
        tables.insert(job.config.name, test);
    }
    tables
}

async fn count_source(sources: &mut Sources, job: &TestJob) -> Result<u64> {
    let counted = sources.connection(&job.source, &job.config).await?.count(&job.config.sql_table).await;
    sources.asked(&job.source, &job.config, &counted);
    counted
}

async fn count_target(session: &Result<Session>, config: &TableConfig) -> Result<Option<u64>> {
    let session = session.as_ref().map_err(again)?;
    match session.count(&config.pg_table).await? {
        None if !config.options.create_tables => {
            Err(SyncError::new(ErrorKind::TargetSchema, format!("there is no table {} in the target", config.pg_table))
                .with_remedy("Create it, or set \"create_tables\": true"))
        }
        rows => Ok(rows),
    }
}
