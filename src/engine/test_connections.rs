//! `multi_test`: both ends of every table are connected, logged in, there, and countable. One login per source.

use std::time::Duration;

use indexmap::IndexMap;

use super::Stop;
use super::retry::explained;
use super::sources::{Sources, again};
use crate::config::{SourceSettings, TableConfig, TargetSettings};
use crate::error::{ErrorKind, Result, SyncError};
use crate::report::{TableTest, TestReport};
use crate::target::Session;

const APPLICATION: &str = "tablesync multi_test";

/// One table to test.
pub struct TestJob {
    /// The table.
    pub config: TableConfig,
    /// Its source.
    pub source: SourceSettings,
}

/// Tests the jobs in order; after a stop, what is left is not started.
pub async fn test_connections(
    jobs: Vec<TestJob>,
    target: TargetSettings,
    idle_timeout: Duration,
    stop: &Stop,
    warnings: Vec<String>,
) -> TestReport {
    let mut sources = Sources::new(idle_timeout, APPLICATION);
    let session = stop.or_done(Session::open(&target, APPLICATION)).await;
    let mut tables = IndexMap::new();
    let mut left = None;
    for job in jobs {
        let testing = async {
            let source = count_source(&mut sources, &job).await.map_err(explained);
            let target = count_target(&session, &job.config).await.map_err(explained);
            Ok(TableTest { source, target })
        };
        match stop.or_done(testing).await {
            Ok(test) => drop(tables.insert(job.config.name, test)),
            Err(_) => stop.leave(&mut left, job.config.name),
        }
    }
    TestReport { tables, left, warnings }
}

async fn count_source(sources: &mut Sources, job: &TestJob) -> Result<u64> {
    let counted = sources.connection(&job.source, &job.config).await?.count(&job.config.sql_table).await;
    sources.asked(&job.source, &job.config, &counted);
    counted
}

async fn count_target(session: &Result<Session>, config: &TableConfig) -> Result<Option<u64>> {
    let session = session.as_ref().map_err(again)?;
    match session.patience().wait(session.count(&config.pg_table)).await? {
        None if !config.options.create_tables => {
            Err(SyncError::new(ErrorKind::TargetSchema, format!("there is no table {} in the target", config.pg_table))
                .with_remedy("Create it, or set \"create_tables\": true"))
        }
        rows => Ok(rows),
    }
}
