//! One login to the target.

use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::time::timeout;
use tokio_postgres::config::SslMode as DriverSslMode;
use tokio_postgres::{CancelToken, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::{connect_error, target_error};
use super::patience::Patience;
use super::tls;
use crate::config::{SslMode, TargetSettings};
use crate::error::{ErrorKind, Passing, Result, SyncError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// What every session sets, whatever role or database would have it inherit.
///
/// A statement waits only so long for a lock: a queued request makes later readers wait behind it. A client that is gone without a word is noticed by
/// keepalives, so that its lock is freed. Row security raises an error in place of hiding rows from our own checks.
const SETTINGS: &str = "SET lock_timeout = '3s'; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = '15min'; \
     SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; \
     SET row_security = off; SET xmloption = content; SET work_mem = '64MB'; SET jit = off; SET client_min_messages = warning";

/// A logged-in session; the connection's driver runs beside it and ends with it.
pub struct Session {
    pub(super) client: Client,
    cancel: CancelToken,
    tls: MakeRustlsConnect,
    pub(super) patience: Patience,
    /// The server's process, and what it shows as its application.
    process: (i32, String),
    /// The schema of `runs` and of staging tables.
    pub(super) state_schema: String,
    /// What was done for good before a publish, whatever becomes of that.
    pub(super) done_before: Vec<String>,
}

impl Session {
    /// Connects and logs in; `application` is what `pg_stat_activity` shows.
    ///
    /// # Errors
    /// [`ErrorKind::TargetConnect`], [`ErrorKind::TargetLogin`], or [`ErrorKind::TargetSchema`] for a database that is not UTF8.
    pub async fn open(settings: &TargetSettings, application: &str) -> Result<Self> {
        let tls = tls::connector(settings.sslmode, settings.sslrootcert.as_deref())?;
        let server = format!("{}:{}", settings.host, settings.port);
        let limit = CONNECT_TIMEOUT.min(settings.idle_timeout);
        let silent = |_| {
            SyncError::new(
                ErrorKind::TargetConnect,
                format!("PostgreSQL {server} did not answer within {}", humantime::format_duration(limit)),
            )
            .with_passing(Passing::Unreachable)
        };
        let (client, driver) = timeout(limit, driver_config(settings, application).connect(tls.clone()))
            .await
            .map_err(silent)?
            .map_err(|error| connect_error(&server, error))?;
        let driving = tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "the connection to the target ended");
            }
        });
        let cancel = client.cancel_token();
        let patience = Patience::new(settings.idle_timeout, server.clone(), driving.abort_handle());
        let state_schema = settings.state_schema.clone();
        let mut session =
            Self { client, cancel, tls, patience, process: (0, application.to_owned()), state_schema, done_before: Vec::new() };
        timeout(limit, session.prepare(&settings.database)).await.map_err(silent)??;
        Ok(session)
    }

    /// How long it may keep an answer back.
    pub fn patience(&self) -> Patience {
        self.patience.clone()
    }

    async fn prepare(&mut self, database: &str) -> Result<()> {
        self.client.batch_execute(SETTINGS).await.map_err(|error| target_error("prepare the session", error))?;
        let about = "SELECT pg_catalog.current_setting('server_encoding'), pg_catalog.pg_backend_pid()";
        let row = self.client.query_one(about, &[]).await.map_err(|error| target_error("read server_encoding", error))?;
        self.process.0 = row.get(1);
        match row.get::<_, &str>(0) {
            "UTF8" => Ok(()),
            other => Err(SyncError::new(ErrorKind::TargetSchema, format!("database {database} has the encoding {other}; it must be UTF8"))),
        }
    }

    /// Ends the server's side of a session whose connection was lost, and waits until it has: what it was doing is then done or undone, and its locks
    /// are free.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn end(&self, lost: &Session) -> Result<()> {
        // A process number may be another session's by now; with its name it is ours.
        let sql = "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE pid = $1 AND application_name = $2";
        loop {
            let found = self.client.query(sql, &[&lost.process.0, &lost.process.1]).await;
            if found.map_err(|error| target_error("end the session that was lost", error))?.is_empty() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What was done for good before a publish, whatever became of that: each is told once.
    pub fn take_done_before(&mut self) -> Vec<String> {
        std::mem::take(&mut self.done_before)
    }

    /// Asks the server to give up the statement in hand.
    pub async fn cancel(&self) {
        // Best effort: a server that is gone has given it up already.
        if let Err(error) = self.cancel.cancel_query(self.tls.clone()).await {
            tracing::debug!(%error, "the statement in hand could not be cancelled");
        }
    }
}

fn driver_config(settings: &TargetSettings, application: &str) -> Config {
    let mut config = Config::new();
    let socket = settings.host.starts_with('/');
    config
        .host(&settings.host)
        .port(settings.port)
        .dbname(&settings.database)
        .user(&settings.user)
        .application_name(application)
        .connect_timeout(CONNECT_TIMEOUT)
        .keepalives_idle(Duration::from_secs(10))
        .keepalives_interval(Duration::from_secs(5))
        .keepalives_retries(3)
        .tcp_user_timeout(Duration::from_secs(30))
        .ssl_mode(match settings.sslmode {
            _ if socket => DriverSslMode::Disable,
            SslMode::Disable => DriverSslMode::Disable,
            SslMode::Prefer => DriverSslMode::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => DriverSslMode::Require,
        });
    if let Some(password) = &settings.password {
        config.password(password.expose_secret());
    }
    config
}
