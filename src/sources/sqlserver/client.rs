//! One login to one SQL Server.

use std::time::Duration;

use secrecy::ExposeSecret;
use tiberius::{AuthMethod, Config, EncryptionLevel, Row, ToSql};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_io_timeout::TimeoutStream;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

use super::certificate::server_subject;
use super::connect::connect;
use super::error::{fell_silent, refuses_credentials, source_error};
use crate::config::{Credentials, Encrypt, SqlServerSettings};
use crate::error::{ErrorKind, Passing, Result, SyncError};
use crate::table::Isolation;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// The largest packets that SQL Server sends, with and without TLS records around them.
const PACKET_BYTES_TLS: u32 = 16_383;
const PACKET_BYTES_PLAIN: u32 = 32_767;
/// A server may send a client on to another host this many times (Azure SQL does it once).
const REDIRECTS_MAX: usize = 2;

type Transport = Compat<std::pin::Pin<Box<TimeoutStream<TcpStream>>>>;

/// A logged-in connection. After an error or a dropped stream it is out of step with the server: drop it.
#[derive(Debug)]
pub struct Connection {
    pub(super) client: tiberius::Client<Transport>,
    /// `host:port` as configured, for messages.
    pub(super) server: String,
    pub(super) origin: Box<Origin>,
}

/// What a connection was opened with: enough to open another one.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    settings: SqlServerSettings,
    database: Option<String>,
    idle_timeout: Duration,
    application: String,
}

impl Origin {
    /// A second connection to the same database.
    pub(super) async fn open_another(&self) -> Result<Connection> {
        Connection::open(&self.settings, self.database.as_deref(), self.idle_timeout, &self.application).await
    }

    async fn log_in(&self, credentials: &Credentials) -> Result<Connection> {
        let settings = &self.settings;
        let server = match &settings.instance {
            Some(instance) => format!("{}\\{instance}", settings.host),
            None => format!("{}:{}", settings.host, settings.port),
        };
        let limit = CONNECT_TIMEOUT.min(self.idle_timeout);
        let mut config = driver_config(settings, credentials, self.database.as_deref(), &self.application, limit);
        for _ in 0..=REDIRECTS_MAX {
            let tcp = connect_tcp(&mut config, settings.instance.is_some(), &server, limit).await?;
            let mut transport = TimeoutStream::new(tcp);
            transport.set_read_timeout(Some(self.idle_timeout));
            transport.set_write_timeout(Some(self.idle_timeout));
            // The driver's login is a large future: boxed, it does not swell every future that contains it.
            match Box::pin(tiberius::Client::connect(config.clone(), Box::pin(transport).compat_write())).await {
                Ok(client) => return Ok(Connection { client, server, origin: Box::new(self.clone()) }),
                Err(tiberius::error::Error::Routing { host, port }) => {
                    config.host(host);
                    config.port(port);
                }
                Err(error) => return Err(login_error(settings, &server, error).await),
            }
        }
        Err(SyncError::new(ErrorKind::SourceConnect, format!("{server} keeps sending the connection on to other hosts")))
    }
}

impl Connection {
    /// Connects and logs in to `database`; a server that then stays silent for longer than `idle_timeout` in mid-answer is an error.
    ///
    /// # Errors
    /// [`ErrorKind::SourceConnect`] and [`ErrorKind::SourceLogin`], with the variables that would help.
    pub async fn open(settings: &SqlServerSettings, database: Option<&str>, idle_timeout: Duration, application: &str) -> Result<Self> {
        let origin =
            Origin { settings: settings.clone(), database: database.map(str::to_owned), idle_timeout, application: application.to_owned() };
        let mut credentials = settings.login.credentials();
        loop {
            match Box::pin(origin.log_in(&credentials)).await {
                Err(error) if refuses_credentials(&error) => {
                    credentials = Box::pin(settings.login.after_refusal(&credentials, error)).await?;
                }
                done => return done,
            }
        }
    }

    /// Sets how reads are isolated; `snapshot` is checked against what the database allows.
    ///
    /// # Errors
    /// [`ErrorKind::SourceSchema`] when the database does not allow snapshots.
    pub async fn isolate(&mut self, isolation: Isolation, database: Option<&str>) -> Result<()> {
        match isolation {
            // NOLOCK is a hint of the statement that reads.
            Isolation::ReadCommitted | Isolation::NoLock => Ok(()),
            Isolation::Snapshot => {
                self.check_snapshots_allowed(database).await?;
                self.run("SET TRANSACTION ISOLATION LEVEL SNAPSHOT", "set the isolation level").await
            }
        }
    }

    /// Checks that reads may be isolated so, and leaves the connection as it is.
    ///
    /// # Errors
    /// As [`Connection::isolate`].
    pub async fn check_isolation(&mut self, isolation: Isolation, database: Option<&str>) -> Result<()> {
        match isolation {
            Isolation::ReadCommitted | Isolation::NoLock => Ok(()),
            Isolation::Snapshot => self.check_snapshots_allowed(database).await,
        }
    }

    async fn check_snapshots_allowed(&mut self, database: Option<&str>) -> Result<()> {
        const SNAPSHOT_STATE: &str = "SELECT d.snapshot_isolation_state FROM sys.databases AS d WHERE d.name = COALESCE(@P1, DB_NAME())";
        let rows = self.rows(SNAPSHOT_STATE, &[&database], "read sys.databases").await?;
        match rows.first().map(|row| row.try_get::<u8, _>(0)) {
            Some(Ok(Some(1))) => Ok(()),
            _ => {
                let name = database.unwrap_or("the database");
                Err(SyncError::new(ErrorKind::SourceSchema, format!("isolation is \"snapshot\", and {name} does not allow snapshots"))
                    .with_remedy(format!("Run ALTER DATABASE {name} SET ALLOW_SNAPSHOT_ISOLATION ON, or choose \"read_committed\"")))
            }
        }
    }

    /// Runs a statement that returns no rows.
    pub(super) async fn run(&mut self, sql: &str, doing: &str) -> Result<()> {
        let stream = self.client.simple_query(sql).await.map_err(|error| source_error(doing, &self.server, error))?;
        stream.into_results().await.map_err(|error| source_error(doing, &self.server, error))?;
        Ok(())
    }

    /// Runs a small query with parameters and collects its rows.
    pub(super) async fn rows(&mut self, sql: &str, parameters: &[&dyn ToSql], doing: &str) -> Result<Vec<Row>> {
        let stream = self.client.query(sql, parameters).await.map_err(|error| source_error(doing, &self.server, error))?;
        stream.into_first_result().await.map_err(|error| source_error(doing, &self.server, error))
    }
}

fn driver_config(
    settings: &SqlServerSettings,
    credentials: &Credentials,
    database: Option<&str>,
    application: &str,
    limit: Duration,
) -> Config {
    let mut config = Config::new();
    config.host(&settings.host);
    match &settings.instance {
        // A port set here would be taken for the SQL Browser's.
        Some(instance) => config.instance_name(instance),
        None => config.port(settings.port),
    }
    if let Some(database) = database {
        config.database(database);
    }
    config.application_name(application);
    let password = credentials.password.as_ref().map(|password| password.expose_secret()).unwrap_or_default();
    config.authentication(AuthMethod::sql_server(&credentials.user, password));
    let level = match settings.encrypt {
        Encrypt::Mandatory => EncryptionLevel::Required,
        Encrypt::Strict => EncryptionLevel::Strict,
        // A client that only asks for an encrypted login takes whatever the server insists on.
        Encrypt::Login | Encrypt::AsOffered => EncryptionLevel::Off,
        Encrypt::Off => EncryptionLevel::NotSupported,
    };
    config.encryption(level);
    config.packet_size(match level {
        EncryptionLevel::Off | EncryptionLevel::NotSupported => PACKET_BYTES_PLAIN,
        EncryptionLevel::On | EncryptionLevel::Required | EncryptionLevel::Strict => PACKET_BYTES_TLS,
    });
    // The driver panics when both are set.
    if settings.trust_cert {
        config.trust_cert();
    } else if let Some(ca_file) = &settings.ca_file {
        config.trust_cert_ca(ca_file.display());
    }
    // Broken UTF-16 comes as U+FFFD, and such a value is read again: strictly, the stream would end at it, and nothing say in which row.
    config.lossy_utf16_decoding(true);
    // The transport's own read timeout stands guard over silence; the driver's would cut a server that thinks for long.
    config.command_timeout(None);
    config.handshake_timeout(Some(limit));
    config
}

async fn connect_tcp(config: &mut Config, named_instance: bool, server: &str, limit: Duration) -> Result<TcpStream> {
    let unreachable = |reason: String| {
        SyncError::new(ErrorKind::SourceConnect, format!("SQL Server {server} cannot be reached: {reason}"))
            .with_remedy("Check host, port, firewall and security groups")
            .with_passing(Passing::Unreachable)
    };
    let connected = timeout(limit, connect(config, named_instance)).await;
    let connected = connected.map_err(|_| unreachable(format!("no answer within {}", humantime::format_duration(limit))))?;
    connected.map_err(|error| match error {
        tiberius::error::Error::Io { message, .. } => unreachable(message),
        // What the browser service answers stays so; that it does not may pass.
        error => unreachable(error.to_string()).with_passing(None),
    })
}

async fn login_error(settings: &SqlServerSettings, server: &str, error: tiberius::error::Error) -> SyncError {
    let prefix = format!("SQL_SERVER_{}", settings.db_type.to_ascii_uppercase());
    let refused = matches!(error, tiberius::error::Error::Tls(_));
    let silent = fell_silent(&error);
    let mut failed = source_error("log in", server, error);
    if silent {
        failed = failed.with_passing(Passing::Unreachable);
    }
    if refused && let Some(subject) = server_subject(settings).await {
        failed = failed.context(format!("the certificate of {subject}"));
    }
    match failed.kind() {
        _ if matches!(failed.passing(), Some(Passing::Restarting | Passing::Busy)) => failed,
        ErrorKind::SourceLogin => failed.with_remedy(format!("Check {prefix}_USER, {prefix}_PASSWORD and {prefix}_DB")),
        _ => failed.with_remedy(format!(
            "Check that a SQL Server answers there; for TLS see {prefix}_ENCRYPT, {prefix}_CA_FILE and {prefix}_TRUST_CERT"
        )),
    }
}
