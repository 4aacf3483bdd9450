//! Where rows come from: one face for the servers that can be a source. Each turns its rows into COPY buffers; none knows the target.

pub mod postgres;
mod progress;
mod reading;
mod row_key;
mod selection;
pub mod sqlserver;

use std::time::Duration;

pub use self::progress::Newest;
pub use self::reading::{ReadOptions, ReadSummary};
pub use self::selection::{SelectColumn, Selection};
pub use self::sqlserver::wants_text_as_bytes;
use crate::config::SourceSettings;
use crate::copy::BatchSink;
use crate::error::{ErrorKind, Result, SyncError};
use crate::table::{Isolation, SourceDefinition, SourceDescription, SourceForeignKey, SourceTable};

/// A logged-in connection to a source, small enough to be moved about. After an error or a dropped stream it is out of step with the server: drop it.
#[derive(Debug)]
pub enum Connection {
    /// To SQL Server.
    SqlServer(Box<sqlserver::Connection>),
    /// To PostgreSQL.
    Postgres(Box<postgres::Connection>),
}

/// A table as its source's catalogue describes it: what the engine plans with, and what its own reader needs besides.
#[derive(Debug, Clone)]
pub enum DescribedTable {
    /// Of SQL Server.
    SqlServer(sqlserver::SqlServerTable),
    /// Of PostgreSQL, which needs no more.
    Postgres(SourceDescription),
}

impl DescribedTable {
    /// What the engine plans with.
    pub fn description(&self) -> &SourceDescription {
        match self {
            Self::SqlServer(table) => &table.description,
            Self::Postgres(description) => description,
        }
    }

    /// Adds what a table that is to be made takes over.
    pub fn define(&mut self, definition: SourceDefinition) {
        match self {
            Self::SqlServer(table) => table.description.definition = definition,
            Self::Postgres(description) => description.definition = definition,
        }
    }
}

impl Connection {
    /// Connects and logs in to `database`, where the source's section leaves that open; a server that then stays silent for longer than `idle_timeout` in
    /// mid-answer is an error.
    ///
    /// # Errors
    /// [`ErrorKind::SourceConnect`] and [`ErrorKind::SourceLogin`], with
    /// the variables that would help.
    pub async fn open(settings: &SourceSettings, database: Option<&str>, idle_timeout: Duration, application: &str) -> Result<Self> {
        match settings {
            SourceSettings::SqlServer(settings) => {
                let connection = sqlserver::Connection::open(settings, database, idle_timeout, application).await?;
                Ok(Self::SqlServer(Box::new(connection)))
            }
            SourceSettings::Postgres { server, .. } => {
                let connection = postgres::Connection::open(server, idle_timeout, application).await?;
                Ok(Self::Postgres(Box::new(connection)))
            }
        }
    }

    /// Sets how reads are isolated; `snapshot` is checked against what the database allows.
    ///
    /// # Errors
    /// [`ErrorKind::SourceSchema`] when the database does not allow it.
    pub async fn isolate(&mut self, isolation: Isolation, database: Option<&str>) -> Result<()> {
        match self {
            Self::SqlServer(connection) => connection.isolate(isolation, database).await,
            // Whatever is asked of it, it is asked in one snapshot.
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Checks that reads may be isolated so, and leaves the connection as it is.
    ///
    /// # Errors
    /// As [`Connection::isolate`].
    pub async fn check_isolation(&mut self, isolation: Isolation, database: Option<&str>) -> Result<()> {
        match self {
            Self::SqlServer(connection) => connection.check_isolation(isolation, database).await,
            Self::Postgres(_) => Ok(()),
        }
    }

    /// Reads what the catalogue says of `table`.
    ///
    /// # Errors
    /// [`ErrorKind::SourceSchema`] when there is no such table or view, or the login cannot see it.
    pub async fn describe(&mut self, table: &SourceTable) -> Result<DescribedTable> {
        match self {
            Self::SqlServer(connection) => connection.describe(table).await.map(DescribedTable::SqlServer),
            Self::Postgres(connection) => connection.describe(table).await.map(DescribedTable::Postgres),
        }
    }

    /// Reads what a new target table takes over from `table`: everything but foreign keys.
    ///
    /// # Errors
    /// As the server answers; the refusal of an optional view is no error.
    pub async fn define(&mut self, table: &SourceTable, indexes: bool) -> Result<SourceDefinition> {
        match self {
            Self::SqlServer(connection) => connection.define(table, indexes).await,
            Self::Postgres(connection) => connection.define(table, indexes).await,
        }
    }

    /// The foreign keys of `table`, and what could not be asked about them.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn foreign_keys(&mut self, table: &SourceTable) -> Result<(Vec<SourceForeignKey>, Vec<String>)> {
        match self {
            Self::SqlServer(connection) => connection.foreign_keys(table).await,
            Self::Postgres(connection) => connection.foreign_keys(table).await,
        }
    }

    /// Counts the rows of `table`, by scanning it.
    ///
    /// # Errors
    /// As the server answers: a missing table or permission, a lost connection.
    pub async fn count(&mut self, table: &SourceTable) -> Result<u64> {
        match self {
            Self::SqlServer(connection) => connection.count(table).await,
            Self::Postgres(connection) => connection.count(table).await,
        }
    }

    /// Reads the selection to its end, handing rows to `sink` as COPY buffers. Gives the connection back, for whatever is asked next; after an error it is
    /// out of step, and gone.
    ///
    /// # Errors
    /// [`ErrorKind::SourceRead`] when the stream ends early or the server reports an error,
    /// [`ErrorKind::BadValue`] for a value that its column cannot hold or for more such rows than may be put aside,
    /// [`ErrorKind::Stopped`] when nobody takes the buffers any more. One that [`wants_text_as_bytes`] asks for another
    /// read from the beginning.
    pub async fn read(
        self,
        selection: &Selection,
        described: &DescribedTable,
        options: &ReadOptions,
        sink: BatchSink,
    ) -> Result<(ReadSummary, Self)> {
        match (self, described) {
            (Self::SqlServer(connection), DescribedTable::SqlServer(table)) => {
                let (summary, connection) = connection.read(selection, table, options, sink).await?;
                Ok((summary, Self::SqlServer(Box::new(connection))))
            }
            (Self::Postgres(connection), DescribedTable::Postgres(table)) => {
                let (summary, connection) = connection.read(selection, table, options, sink).await?;
                Ok((summary, Self::Postgres(Box::new(connection))))
            }
            (Self::SqlServer(_), DescribedTable::Postgres(_)) | (Self::Postgres(_), DescribedTable::SqlServer(_)) => {
                Err(SyncError::new(ErrorKind::Internal, format!("{} was described by another source", selection.table)))
            }
        }
    }
}
