//! One login to the target.
//!
//! Between the product and the server there may be a pool that gives every transaction another connection (pgbouncer's transaction mode, RDS Proxy). So
//! nothing is kept in a session: each statement runs in a transaction that begins with its own settings, and the driver's client is nobody else's.

mod parameter;
mod transaction;

use std::time::Duration;

use futures_util::future::join3;
use tokio::time::timeout;
use tokio_postgres::{CancelToken, Client, CopyOutStream, Error, Row};
use tokio_postgres_rustls::MakeRustlsConnect;

use self::parameter::{Parameter, typed};
pub(super) use self::transaction::Transaction;
use super::error::target_error;
use super::patience::Patience;
use crate::config::TargetSettings;
use crate::error::{ErrorKind, Result, SyncError};
use crate::postgres::{Connected, Side, connect};

/// How long it may take to ask the server to give up a statement.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(1);
/// What is locked is looked at as it is then, not as it was when the transaction began.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";
/// What every transaction sets for itself, whatever role, database or pool would have it inherit.
///
/// A statement waits only so long for a lock: a queued request makes later readers wait behind it. A client that is gone without a word is noticed by
/// keepalives, so that its locks are freed. Row security raises an error in place of hiding rows from our own checks.
const SETTINGS: &str = "SET LOCAL lock_timeout = '3s'; SET LOCAL statement_timeout = 0; \
     SET LOCAL idle_in_transaction_session_timeout = '15min'; \
     SET LOCAL tcp_keepalives_idle = 10; SET LOCAL tcp_keepalives_interval = 5; SET LOCAL tcp_keepalives_count = 3; \
     SET LOCAL row_security = off; SET LOCAL xmloption = content; SET LOCAL work_mem = '64MB'; SET LOCAL jit = off; \
     SET LOCAL client_min_messages = warning";
/// Settings that not every version has: a statement is given up when its client is gone (14), a transaction has no limit of its own (17).
const SETTINGS_IF_KNOWN: [(&str, &str); 2] = [("client_connection_check_interval", "'1s'"), ("transaction_timeout", "0")];

/// A logged-in session; the connection's driver runs beside it and ends with it.
pub struct Session {
    client: Client,
    cancel: CancelToken,
    tls: MakeRustlsConnect,
    patience: Patience,
    login: Login,
    /// The settings with which each transaction begins.
    begins_with: String,
    /// Whether a transaction stands open in which everything is asked.
    standing: bool,
    /// The schema of `runs` and of staging tables.
    pub(super) state_schema: String,
    /// What was done for good before a publish, whatever becomes of that.
    pub(super) done_before: Vec<String>,
}

/// What a session is opened with: enough to open another one.
#[derive(Clone)]
pub struct Login {
    settings: TargetSettings,
    /// What `pg_stat_activity` shows.
    pub(super) application: String,
}

impl Login {
    /// Another session.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub async fn open(&self) -> Result<Session> {
        Session::open(&self.settings, &self.application).await
    }
}

impl Session {
    /// Connects and logs in; `application` is what `pg_stat_activity` shows.
    ///
    /// # Errors
    /// [`ErrorKind::TargetConnect`], [`ErrorKind::TargetLogin`], or [`ErrorKind::TargetSchema`] for a database that is not UTF8.
    pub async fn open(settings: &TargetSettings, application: &str) -> Result<Self> {
        let connected = Box::pin(connect(Side::Target, &settings.server, settings.idle_timeout, application)).await?;
        let Connected { client, driver, tls, limit } = connected;
        let mut session = Self {
            cancel: client.cancel_token(),
            client,
            tls,
            patience: Patience::new(settings.idle_timeout, settings.server.server(), driver),
            login: Login { settings: settings.clone(), application: application.to_owned() },
            begins_with: SETTINGS.to_owned(),
            standing: false,
            state_schema: settings.state_schema.clone(),
            done_before: Vec::new(),
        };
        limit.wait(session.prepare()).await?;
        Ok(session)
    }

    /// What it was opened with.
    pub fn login(&self) -> &Login {
        &self.login
    }

    /// How long it may keep an answer back.
    pub fn patience(&self) -> Patience {
        self.patience.clone()
    }

    /// Learns which settings the server has, and that its database can hold any text.
    async fn prepare(&mut self) -> Result<()> {
        let [check, limit] = SETTINGS_IF_KNOWN.map(|(name, _)| format!("current_setting('{name}', true) IS NOT NULL"));
        let about = format!("SELECT pg_catalog.current_setting('server_encoding'), {check}, {limit}");
        let row = self.query_one(&about, &[]).await.map_err(|error| target_error("prepare the session", error))?;
        for (index, (name, value)) in SETTINGS_IF_KNOWN.iter().enumerate() {
            if row.get(index + 1) {
                self.begins_with.push_str(&format!("; SET LOCAL {name} = {value}"));
            }
        }
        match row.get::<_, &str>(0) {
            "UTF8" => Ok(()),
            other => {
                let database = &self.login.settings.server.database;
                Err(SyncError::new(ErrorKind::TargetSchema, format!("database {database} has the encoding {other}; it must be UTF8")))
            }
        }
    }

    /// Has every transaction from now on run `sql` when it begins.
    pub(super) fn begin_with(&mut self, sql: &str) {
        self.begins_with.push_str("; ");
        self.begins_with.push_str(sql);
    }

    /// Begins a transaction.
    pub(super) async fn begin(&mut self) -> Result<Transaction<'_>, Error> {
        Transaction::begin(&self.client, &format!("{BEGIN}; {}", self.begins_with)).await
    }

    /// Begins a transaction in which everything is asked until [`Session::end_standing`]; `more` are settings of its own.
    pub(super) async fn begin_standing(&mut self, mode: &str, more: &str) -> Result<(), Error> {
        self.client.batch_execute(&format!("BEGIN {mode}; {}; {more}", self.begins_with)).await?;
        self.standing = true;
        Ok(())
    }

    /// Commits the transaction of [`Session::begin_standing`].
    pub(super) async fn end_standing(&mut self) -> Result<(), Error> {
        self.standing = false;
        self.client.batch_execute("COMMIT").await
    }

    pub(super) async fn query(&self, sql: &str, parameters: &[&dyn Parameter]) -> Result<Vec<Row>, Error> {
        self.alone(self.client.query_typed(sql, &typed(parameters))).await
    }

    pub(super) async fn query_one(&self, sql: &str, parameters: &[&dyn Parameter]) -> Result<Row, Error> {
        self.alone(self.client.query_typed_one(sql, &typed(parameters))).await
    }

    pub(super) async fn query_opt(&self, sql: &str, parameters: &[&dyn Parameter]) -> Result<Option<Row>, Error> {
        self.alone(self.client.query_typed_opt(sql, &typed(parameters))).await
    }

    /// Returns how many rows were touched.
    pub(super) async fn execute(&self, sql: &str, parameters: &[&dyn Parameter]) -> Result<u64, Error> {
        self.alone(self.client.execute_typed(sql, &typed(parameters))).await
    }

    /// Statements without parameters, whose rows nobody wants: all of them, or none.
    pub(super) async fn batch_execute(&self, sql: &str) -> Result<(), Error> {
        self.alone(self.client.batch_execute(sql)).await
    }

    /// Rows as COPY sends them, in the transaction that stands open.
    pub(super) async fn stream_out(&self, sql: &str) -> Result<CopyOutStream, Error> {
        self.client.copy_out(sql).await
    }

    /// A statement in a transaction of its own, unless one stands open. All of it is sent at once, in this order, so it takes one round trip, and a
    /// caller that is no longer interested leaves no transaction behind.
    async fn alone<T>(&self, statement: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        if self.standing {
            return statement.await;
        }
        let begin = format!("{BEGIN}; {}", self.begins_with);
        let (begun, answer, ended) = join3(self.client.batch_execute(&begin), statement, self.client.batch_execute("COMMIT")).await;
        begun?;
        let answer = answer?;
        ended?;
        Ok(answer)
    }

    /// What was done for good before a publish, whatever became of that: each is told once.
    pub fn take_done_before(&mut self) -> Vec<String> {
        std::mem::take(&mut self.done_before)
    }

    /// Asks the server to give up the statement in hand.
    pub async fn cancel(&self) {
        // Best effort: a server that is gone has given it up already.
        match timeout(CANCEL_TIMEOUT, self.cancel.cancel_query(self.tls.clone())).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the statement in hand could not be cancelled"),
            Err(_) => tracing::debug!("the statement in hand could not be cancelled in time"),
        }
    }
}
