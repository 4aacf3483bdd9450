//! `multi_test`: both ends of every table are connected, logged in, there, and countable. One login per source.

use std::time::Duration;

use indexmap::IndexMap;

use super::Stop;
use crate::config::{SqlServerSettings, TableConfig, TargetSettings};
use crate::error::{ErrorKind, Result, SyncError};
use crate::report::TableTest;
use crate::sources::sqlserver::Connection;
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
    let mut sources = Sources { open: IndexMap::new(), idle_timeout };
    let session = stop.or_done(Session::open(&target, APPLICATION)).await;
    let mut tables = IndexMap::new();
    for job in jobs {
        let source = stop.or_done(sources.count(&job)).await;
        let test = TableTest { source, target: stop.or_done(count_target(&session, &job.config)).await };
        tables.insert(job.config.name, test);
    }
    tables
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

/// The sources met so far, by `db_type` and database: a connection, or the error that every table of it gets.
struct Sources {
    open: IndexMap<(String, Option<String>), Result<Connection>>,
    idle_timeout: Duration,
}

impl Sources {
    async fn count(&mut self, job: &TestJob) -> Result<u64> {
        let settings = &job.source;
        let login = settings.database.clone().or_else(|| job.config.sql_server_db.clone());
        let key = (settings.db_type.clone(), login.clone());
        if !self.open.contains_key(&key) {
            let opened = Connection::open(settings, login.as_deref(), self.idle_timeout, APPLICATION).await;
            self.open.insert(key.clone(), opened);
        }
        let counted = match self.open.get_mut(&key) {
            Some(Ok(connection)) => connection.count(&job.config.sql_table).await,
            Some(Err(error)) => return Err(again(error)),
            None => return Err(SyncError::new(ErrorKind::Internal, "the connection was lost from sight")),
        };
        if counted.as_ref().is_err_and(|error| error.kind() != ErrorKind::SourceSchema) {
            // The server answered a missing table or permission and goes on; after any other error a connection may be out of step.
            self.open.shift_remove(&key);
        }
        counted
    }
}

/// The same error for another table.
fn again(error: &SyncError) -> SyncError {
    SyncError::new(error.kind(), error.to_string())
}
