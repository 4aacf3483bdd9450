//! The connections' sections: one per source `db_type`, one for the target.

use std::path::PathBuf;
use std::time::Duration;

use super::{Login, TableConfig};

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
}

impl SourceSettings {
    /// The name that `db_type` uses, as configured.
    pub fn db_type(&self) -> &str {
        match self {
            Self::SqlServer(settings) => &settings.db_type,
        }
    }

    /// Which server it is, whatever the section calls it: as told apart by [`MAX_PARALLEL_PER_SOURCE`](super::Parallel::per_source).
    pub fn server(&self) -> String {
        match self {
            Self::SqlServer(SqlServerSettings { host, port, instance, .. }) => {
                let host = host.to_ascii_lowercase();
                instance.as_ref().map_or_else(|| format!("{host},{port}"), |instance| format!("{host}\\{instance}"))
            }
        }
    }

    /// The database that its own variables name.
    pub fn database(&self) -> Option<&str> {
        match self {
            Self::SqlServer(settings) => settings.database.as_deref(),
        }
    }

    /// The database to log in to for a table.
    pub fn database_for<'a>(&'a self, table: &'a TableConfig) -> Option<&'a str> {
        match self {
            Self::SqlServer(settings) => settings.database.as_deref().or(table.sql_server_db.as_deref()),
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

/// Where the PostgreSQL target is and how to log in.
#[derive(Debug, Clone)]
pub struct TargetSettings {
    /// Host name, address, or the directory of a Unix socket (begins with `/`).
    pub host: String,
    /// The port.
    pub port: u16,
    /// The database.
    pub database: String,
    /// The role and its password, where one is needed.
    pub login: Login,
    /// How TLS is used and verified.
    pub sslmode: SslMode,
    /// A PEM file of certificate authorities, in place of the system's.
    pub sslrootcert: Option<PathBuf>,
    /// A PEM file of authorities besides the system's, where none are named: Amazon's for RDS, packed with the function.
    pub packed_authorities: Option<PathBuf>,
    /// How long it may keep an answer back (`TARGET_IDLE_TIMEOUT`).
    pub idle_timeout: Duration,
    /// The schema of `runs` and of the staging tables (`STATE_SCHEMA`).
    pub state_schema: String,
}
