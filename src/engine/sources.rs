//! One connection per source for the modes that ask and do not read.

use std::time::Duration;

use indexmap::IndexMap;

use crate::config::{SourceSettings, TableConfig};
use crate::error::{ErrorKind, Result, SyncError};
use crate::sources::Connection;

/// A source connection as tables share it: by `db_type` and database.
type Key = (String, Option<String>);

/// The sources met so far: a connection, or the error that every table of it gets.
pub(super) struct Sources {
    open: IndexMap<Key, Result<Connection>>,
    idle_timeout: Duration,
    application: &'static str,
}

impl Sources {
    pub(super) fn new(idle_timeout: Duration, application: &'static str) -> Self {
        Self { open: IndexMap::new(), idle_timeout, application }
    }

    /// The connection that serves a table.
    pub(super) async fn connection(&mut self, settings: &SourceSettings, config: &TableConfig) -> Result<&mut Connection> {
        let key = key(settings, config);
        if !self.open.contains_key(&key) {
            let opened = Connection::open(settings, key.1.as_deref(), self.idle_timeout, self.application).await;
            self.open.insert(key.clone(), opened);
        }
        match self.open.get_mut(&key) {
            Some(Ok(connection)) => Ok(connection),
            Some(Err(error)) => Err(again(error)),
            None => Err(SyncError::new(ErrorKind::Internal, "the connection was lost from sight")),
        }
    }

    /// Looks at what a connection was asked: the server answered a missing table or permission and goes on; after any other error a connection may
    /// be out of step, and the next table gets a new one. Where none could be opened, that stays so.
    pub(super) fn asked<T>(&mut self, settings: &SourceSettings, config: &TableConfig, answered: &Result<T>) {
        let key = key(settings, config);
        let out_of_step = answered.as_ref().is_err_and(|error| error.kind() != ErrorKind::SourceSchema);
        if out_of_step && self.open.get(&key).is_some_and(Result::is_ok) {
            self.open.shift_remove(&key);
        }
    }
}

fn key(settings: &SourceSettings, config: &TableConfig) -> Key {
    (settings.db_type().to_owned(), settings.database_for(config).map(str::to_owned))
}

/// The same error for another table.
pub(super) fn again(error: &SyncError) -> SyncError {
    if error.has_remedy() {
        return SyncError::new(error.kind(), error.to_string());
    }
    SyncError::new(error.kind(), error.sentence()).with_passing(error.passing())
}
