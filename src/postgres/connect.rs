//! Connecting and logging in.

use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::config::SslMode as DriverSslMode;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::{Side, connect_error, refuses_credentials};
use super::tls;
use crate::config::{Credentials, PostgresSettings, SslMode};
use crate::error::{Passing, Result, SyncError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// How much of that one of several addresses may take.
const ADDRESS_TIMEOUT: Duration = Duration::from_secs(5);
/// A server that acknowledges nothing for so long is gone, and so is one that for so long takes none of what is sent to it. It stands above the number
/// of keepalives; those that come before are at 10 and 15 s.
const GONE_AFTER: Duration = Duration::from_secs(20);

/// A login, and what ends and cancels it. The connection's driver runs beside it.
pub struct Connected {
    /// The driver's client.
    pub client: Client,
    /// Ends the connection.
    pub driver: AbortHandle,
    /// What a request to cancel is encrypted with.
    pub tls: MakeRustlsConnect,
    /// How long what is asked first may take.
    pub limit: ConnectLimit,
}

/// How long a server may take until a session is ready, and what is said when it did not.
#[derive(Debug, Clone)]
pub struct ConnectLimit {
    limit: Duration,
    side: Side,
    sentence: String,
    remedy: String,
}

impl ConnectLimit {
    fn new(side: Side, settings: &PostgresSettings, idle_timeout: Duration) -> Self {
        let limit = match settings.connect_timeout {
            None => CONNECT_TIMEOUT,
            // As libpq has it: no limit of its own.
            Some(Duration::ZERO) => Duration::MAX,
            Some(limit) => limit,
        };
        let limit = limit.min(idle_timeout);
        let (server, address) = (settings.server(), settings.named_by.address());
        Self {
            limit,
            side,
            sentence: format!("PostgreSQL {server} did not answer within {}", humantime::format_duration(limit)),
            remedy: format!("Check that a PostgreSQL answers there ({address}); {} may be too short", side.idle_timeout()),
        }
    }

    /// Waits for what makes the session ready.
    ///
    /// # Errors
    /// As `answer` has them, or [`Side::connect`] for the silence.
    pub async fn wait<T>(&self, answer: impl Future<Output = Result<T>>) -> Result<T> {
        timeout(self.limit, answer).await.unwrap_or_else(|_| {
            let silent = SyncError::new(self.side.connect(), self.sentence.as_str()).with_remedy(self.remedy.as_str());
            Err(silent.with_passing(Passing::Unreachable))
        })
    }
}

/// Connects and logs in, with what a secret says now where the server refuses what it said before; `application` is what `pg_stat_activity` shows, unless
/// a DSN names another.
///
/// # Errors
/// [`Side::connect`] and [`Side::login`], with the variables that would help.
pub async fn connect(side: Side, settings: &PostgresSettings, idle_timeout: Duration, application: &str) -> Result<Connected> {
    let limit = ConnectLimit::new(side, settings, idle_timeout);
    let mut credentials = settings.login.credentials();
    loop {
        match Box::pin(log_in(side, settings, &credentials, application, &limit)).await {
            Err(error) if refuses_credentials(&error) => {
                credentials = Box::pin(settings.login.after_refusal(&credentials, error)).await?;
            }
            Err(error) => return Err(error),
            Ok((client, driver, tls)) => return Ok(Connected { client, driver, tls, limit }),
        }
    }
}

async fn log_in(
    side: Side,
    settings: &PostgresSettings,
    credentials: &Credentials,
    application: &str,
    limit: &ConnectLimit,
) -> Result<(Client, AbortHandle, MakeRustlsConnect)> {
    let tls = tls::connector(settings)?;
    let config = driver_config(settings, credentials, application);
    let connecting = async { config.connect(tls.clone()).await.map_err(|error| connect_error(side, settings, error)) };
    let (client, driver) = limit.wait(connecting).await?;
    let driving = tokio::spawn(async move {
        if let Err(error) = driver.await {
            tracing::debug!(%error, "the connection to the {} ended", side.name());
        }
    });
    Ok((client, driving.abort_handle(), tls))
}

fn driver_config(settings: &PostgresSettings, credentials: &Credentials, application: &str) -> Config {
    let mut config = Config::new();
    let socket = settings.host.starts_with('/');
    let address_timeout = settings.connect_timeout.filter(|limit| !limit.is_zero()).unwrap_or(ADDRESS_TIMEOUT);
    config
        .host(&settings.host)
        .port(settings.port)
        .dbname(&settings.database)
        .user(&credentials.user)
        .application_name(settings.shown_as(application))
        .connect_timeout(address_timeout)
        .keepalives_idle(Duration::from_secs(10))
        .keepalives_interval(Duration::from_secs(5))
        .keepalives_retries(3)
        .tcp_user_timeout(GONE_AFTER)
        .ssl_mode(match settings.sslmode {
            _ if socket => DriverSslMode::Disable,
            SslMode::Disable => DriverSslMode::Disable,
            SslMode::Prefer => DriverSslMode::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => DriverSslMode::Require,
        });
    if let Some(password) = &credentials.password {
        config.password(password.expose_secret());
    }
    if let Some(options) = &settings.options {
        config.options(options);
    }
    config
}
