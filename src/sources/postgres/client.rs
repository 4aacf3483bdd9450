//! One login to one PostgreSQL, and the transaction in which it is asked.

use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use super::error::source_error;
use crate::config::PostgresSettings;
use crate::error::{ErrorKind, Result, SyncError};
use crate::postgres::{Connected, Side, code_of, connect};

/// The transaction: one snapshot, in which nothing is written. Whatever role, database or pool would have it inherit, it takes as long as it takes; a client
/// that is gone without a word is noticed by keepalives; row security raises an error in place of hiding rows; text has the form that any other session
/// reads as the same value. What not every version has is set where it is known: that a statement ends with its client (14), that a transaction has no
/// limit of its own (17).
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; \
     SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '30s'; SET LOCAL idle_in_transaction_session_timeout = 0; \
     SET LOCAL tcp_keepalives_idle = 10; SET LOCAL tcp_keepalives_interval = 5; SET LOCAL tcp_keepalives_count = 3; \
     SET LOCAL row_security = off; SET LOCAL extra_float_digits = 3; SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = 'postgres'; \
     SET LOCAL bytea_output = 'hex'; SET LOCAL xmloption = content; \
     SELECT pg_catalog.set_config(k.name, k.setting, true) FROM (VALUES ('client_connection_check_interval', '1s'), ('transaction_timeout', '0')) AS k(name, setting) \
     WHERE pg_catalog.current_setting(k.name, true) IS NOT NULL";

/// A logged-in connection. An error ends its transaction; the next question begins another.
pub struct Connection {
    pub(super) client: Client,
    /// `host:port` as configured, for messages.
    pub(super) server: String,
    pub(super) patience: Patience,
    pub(super) begun: bool,
    _driver: Driver,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("server", &self.server).finish_non_exhaustive()
    }
}

/// The connection's driver, which ends with it: else it would go on receiving what was asked for and nobody wants any more.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How long the server may keep an answer back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience(Duration);

impl Patience {
    /// Waits for what the server is to answer.
    pub(super) async fn wait<T>(self, server: &str, answer: impl Future<Output = Result<T>>) -> Result<T> {
        timeout(self.0, answer).await.unwrap_or_else(|_| {
            let limit = humantime::format_duration(self.0);
            Err(SyncError::new(ErrorKind::SourceRead, format!("PostgreSQL {server} has not answered for {limit}"))
                .with_remedy("SOURCE_IDLE_TIMEOUT says how long silence is borne"))
        })
    }
}

impl Connection {
    /// Connects and logs in; a server that then stays silent for longer than `idle_timeout` is an error.
    ///
    /// # Errors
    /// [`ErrorKind::SourceConnect`] and [`ErrorKind::SourceLogin`], with the variables that would help.
    pub async fn open(settings: &PostgresSettings, idle_timeout: Duration, application: &str) -> Result<Self> {
        let Connected { client, driver, limit, .. } = Box::pin(connect(Side::Source, settings, idle_timeout, application)).await?;
        let server = settings.server();
        let mut connection = Self { client, server, patience: Patience(idle_timeout), begun: false, _driver: Driver(driver) };
        limit.wait(connection.begin()).await?;
        Ok(connection)
    }

    /// Begins the transaction, unless it stands.
    pub(super) async fn begin(&mut self) -> Result<()> {
        if !self.begun {
            let Self { client, server, .. } = self;
            client.batch_execute(BEGIN).await.map_err(|error| source_error("begin a transaction", server, error))?;
            self.begun = true;
        }
        Ok(())
    }

    /// Whether the server has ended the session.
    pub(in crate::sources) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Begins the transaction, unless it stands, as long as the server may take for it.
    pub(super) async fn go_on(&mut self) -> Result<()> {
        self.patience.wait(&self.server.clone(), self.begin()).await
    }

    /// Ends the transaction, if one stands; the next question begins another.
    pub(in crate::sources) async fn let_go(&mut self) -> Result<()> {
        if std::mem::take(&mut self.begun) {
            let Self { client, server, patience, .. } = self;
            let ending = async { client.batch_execute("COMMIT").await.map_err(|error| source_error("end a transaction", server, error)) };
            patience.wait(server, ending).await?;
        }
        Ok(())
    }

    /// Runs a small query with parameters and collects its rows.
    pub(super) async fn rows(&mut self, sql: &str, parameters: &[(&(dyn ToSql + Sync), Type)], doing: &str) -> Result<Vec<Row>> {
        self.go_on().await?;
        let Self { client, server, patience, .. } = self;
        let asking = async { client.query_typed(sql, parameters).await.map_err(|error| source_error(doing, server, error)) };
        let answer = patience.wait(server, asking).await;
        if answer.is_err() {
            self.begun = false;
        }
        // One that is gone or silent has no transaction that matters any more.
        if answer.as_ref().is_err_and(|error| code_of(error).is_some()) {
            self.roll_back().await;
        }
        answer
    }

    /// Ends a transaction that has failed.
    pub(super) async fn roll_back(&mut self) {
        self.begun = false;
        let _ = timeout(self.patience.0, self.client.batch_execute("ROLLBACK")).await;
    }
}
