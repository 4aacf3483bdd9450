//! One login to the target.

use std::time::Duration;

use secrecy::ExposeSecret;
use tokio_postgres::config::SslMode as DriverSslMode;
use tokio_postgres::{CancelToken, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::{connect_error, target_error};
use super::tls;
use crate::config::{SslMode, TargetSettings};
use crate::error::{ErrorKind, Result, SyncError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a statement waits for a lock before it gives up; a queued lock request makes every later reader wait behind it.
const LOCK_TIMEOUT: &str = "5s";
/// What the server may use for each sort and hash of a comparison.
const WORK_MEM: &str = "64MB";

/// A logged-in session; the connection's driver runs beside it and ends with it.
pub struct Session {
    pub(super) client: Client,
    cancel: CancelToken,
    tls: MakeRustlsConnect,
    /// The schema of `runs` and of staging tables.
    pub(super) state_schema: String,
}

impl Session {
    /// Connects and logs in; `application` is what `pg_stat_activity` shows.
    ///
    /// # Errors
    /// [`ErrorKind::TargetConnect`], [`ErrorKind::TargetLogin`], or [`ErrorKind::TargetSchema`] for a database that is not UTF8.
    pub async fn open(settings: &TargetSettings, application: &str) -> Result<Self> {
        let tls = tls::connector(settings.sslmode, settings.sslrootcert.as_deref())?;
        let server = format!("{}:{}", settings.host, settings.port);
        let (client, driver) =
            driver_config(settings, application).connect(tls.clone()).await.map_err(|error| connect_error(&server, error))?;
        tokio::spawn(async move {
            if let Err(error) = driver.await {
                tracing::debug!(%error, "the connection to the target ended");
            }
        });
        let cancel = client.cancel_token();
        let session = Self { client, cancel, tls, state_schema: settings.state_schema.clone() };
        session.prepare(&settings.database).await?;
        Ok(session)
    }

    async fn prepare(&self, database: &str) -> Result<()> {
        let set =
            format!("SET lock_timeout = '{LOCK_TIMEOUT}'; SET work_mem = '{WORK_MEM}'; SET jit = off; SET client_min_messages = warning");
        self.client.batch_execute(&set).await.map_err(|error| target_error("prepare the session", error))?;
        let row = self.client.query_one("SHOW server_encoding", &[]).await.map_err(|error| target_error("read server_encoding", error))?;
        match row.get::<_, &str>(0) {
            "UTF8" => Ok(()),
            other => Err(SyncError::new(ErrorKind::TargetSchema, format!("database {database} has the encoding {other}; it must be UTF8"))),
        }
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
