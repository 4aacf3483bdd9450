//! The connections' sections: one per source `db_type`, one for the target.

use std::path::PathBuf;
use std::time::Duration;

use super::target::is_local;
use super::{Login, PostgresSettings, TableConfig};
use crate::table::{SourceTable, TargetTable};

/// How a SQL Server connection is encrypted (`SQL_SERVER_<DB_TYPE>_ENCRYPT`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encrypt {
    /// Everything, or no connection.
    Mandatory,
    /// TDS 8: TLS before the first byte.
    Strict,
    /// The login only.
    Login,
    /// Nothing.
    Off,
    /// Whatever the server offers: the default on loopback.
    AsOffered,
}

/// Where a SQL Server source is and how to log in.
#[derive(Debug, Clone)]
pub struct SqlServerSettings {
    /// The name that `db_type` uses, as configured (`mctm`).
    pub db_type: String,
    /// Host name or address, without port and instance.
    pub host: String,
    /// The named instance of `host\instance`; its port is asked from the SQL Browser.
    pub instance: Option<String>,
    /// The port.
    pub port: u16,
    /// The database to log in to; without it, the table's `sql_server_db`.
    pub database: Option<String>,
    /// The SQL login and its password.
    pub login: Login,
    /// How the connection is encrypted.
    pub encrypt: Encrypt,
    /// Whether the server's certificate goes unverified.
    pub trust_cert: bool,
    /// A PEM file of certificate authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
}

/// Where a source is and how to log in: a section for each kind of server.
#[derive(Debug, Clone)]
pub enum SourceSettings {
    /// SQL Server.
    SqlServer(SqlServerSettings),
    /// PostgreSQL.
    Postgres {
        /// The name that `db_type` uses, as configured (`mctm`).
        db_type: String,
        /// The server and the login.
        server: PostgresSettings,
    },
}

impl SourceSettings {
    /// The name that `db_type` uses, as configured.
    pub fn db_type(&self) -> &str {
        match self {
            Self::SqlServer(settings) => &settings.db_type,
            Self::Postgres { db_type, .. } => db_type,
        }
    }

    /// Which server it is, whatever the section calls it: as told apart by [`MAX_PARALLEL_PER_SOURCE`](super::Parallel::per_source).
    pub fn server(&self) -> String {
        match self {
            Self::SqlServer(SqlServerSettings { host, port, instance, .. }) => {
                let host = host.to_ascii_lowercase();
                instance.as_ref().map_or_else(|| format!("{host},{port}"), |instance| format!("{host}\\{instance}"))
            }
            Self::Postgres { server, .. } => format!("postgres {}", server.server().to_ascii_lowercase()),
        }
    }

    /// The database that its own variables name.
    pub fn database(&self) -> Option<&str> {
        match self {
            Self::SqlServer(settings) => settings.database.as_deref(),
            Self::Postgres { server, .. } => Some(&server.database),
        }
    }

    /// Whether a table of this source is one of `target`, as far as the configuration says.
    pub fn holds(&self, table: &SourceTable, target: &TargetSettings, target_table: &TargetTable) -> bool {
        // All names of this machine are one.
        let host = |server: &PostgresSettings| if is_local(&server.host) { String::new() } else { server.host.to_ascii_lowercase() };
        let place = |server: &PostgresSettings| (host(server), server.port, server.database.clone());
        match self {
            Self::SqlServer(_) => false,
            Self::Postgres { server, .. } => {
                place(server) == place(&target.server) && (&table.schema, &table.table) == (&target_table.schema, &target_table.table)
            }
        }
    }

    /// The database to log in to for a table.
    pub fn database_for<'a>(&'a self, table: &'a TableConfig) -> Option<&'a str> {
        match self {
            Self::SqlServer(settings) => settings.database.as_deref().or(table.sql_server_db.as_deref()),
            Self::Postgres { server, .. } => Some(&server.database),
        }
    }
}

/// libpq's `sslmode`, without `allow`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SslMode {
    /// No TLS.
    Disable,
    /// TLS if offered, unverified.
    Prefer,
    /// TLS, unverified.
    Require,
    /// TLS, the chain verified.
    VerifyCa,
    /// TLS, chain and host name verified.
    VerifyFull,
}

/// Where the PostgreSQL target is, how to log in, and what belongs to no other PostgreSQL.
#[derive(Debug, Clone)]
pub struct TargetSettings {
    /// The server and the login.
    pub server: PostgresSettings,
    /// How long it may keep an answer back (`TARGET_IDLE_TIMEOUT`).
    pub idle_timeout: Duration,
    /// The schema of `runs` and of the staging tables (`STATE_SCHEMA`).
    pub state_schema: String,
}
