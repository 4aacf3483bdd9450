//! `locks` in the state schema: who holds a table, until when, and the token that fences everyone else off.
//!
//! Crash story. The row stands beside the session's advisory lock. A process that is gone frees the advisory lock with its session, and the row with
//! it. One that is cut off or frozen keeps its session but renews nothing: once the row has run out, the next run ends that session and takes the
//! table over under a higher token. The token is checked in the transaction that publishes, and the row stays locked until its COMMIT: whoever was
//! taken over, and comes back, publishes nothing.

use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tokio_postgres::Transaction;
use uuid::Uuid;

use super::error::target_error;
use super::session::Session;
use crate::config::TargetSettings;
use crate::error::{ErrorKind, Result, SyncError};
use crate::table::{PgIdent, TargetTable};

/// How long a lease stands that nobody renews; a client that was cut off holds a table so long.
const LEASE: &str = "interval '12 s'";
const RENEWAL_PAUSE: Duration = Duration::from_secs(3);
/// How long one renewal may take.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(4);

/// Makes the table. A row stays when its table is given back, so that its token only grows.
pub(super) fn migration(schema: &PgIdent<'_>) -> String {
    format!(
        "CREATE TABLE {schema}.locks (
             target text PRIMARY KEY,
             token bigint NOT NULL,
             run_id uuid NOT NULL,
             application text NOT NULL,
             host text NOT NULL,
             process_id bigint NOT NULL,
             backend_pid int NOT NULL,
             acquired_at timestamptz NOT NULL,
             renewed_at timestamptz NOT NULL,
             expires_at timestamptz
         );
         COMMENT ON TABLE {schema}.locks IS 'Which run holds a table, or held it last (expires_at is NULL when it was given back)'"
    )
}

/// A table that is held, under a token that no other run has.
#[derive(Debug, Clone)]
pub struct Lease {
    target: TargetTable,
    token: i64,
    /// What was found of a dead run when it was taken, and removed.
    remains: Option<String>,
}

/// Renews a lease in the background, until it is dropped.
#[derive(Debug)]
pub struct Renewal(AbortHandle);

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Lease {
    /// What was found of a dead run when the table was locked, and removed.
    pub fn remains(&self) -> Option<&str> {
        self.remains.as_deref()
    }

    /// Renews the lease every few seconds in a session of its own, which is opened when the first renewal is due: most runs end before.
    pub fn renew_in_background(&self, settings: TargetSettings, application: String) -> Renewal {
        let lease = self.clone();
        let task = tokio::spawn(async move {
            let mut session = None;
            loop {
                sleep(RENEWAL_PAUSE).await;
                let open = session.take();
                match timeout(RENEWAL_TIMEOUT, lease.renew(open, &settings, &application)).await {
                    Ok(Ok(Some(open))) => session = Some(open),
                    Ok(Ok(None)) => {
                        tracing::warn!("the lock of {} was taken over by another run", lease.target);
                        return;
                    }
                    Ok(Err(error)) => tracing::warn!("the lock of {} could not be renewed: {error}", lease.target),
                    Err(_) => tracing::warn!("the lock of {} could not be renewed in time", lease.target),
                }
            }
        });
        Renewal(task.abort_handle())
    }

    /// Renews the lease once; gives the session back, or none when the lease is another run's.
    async fn renew(&self, session: Option<Session>, settings: &TargetSettings, application: &str) -> Result<Option<Session>> {
        let session = match session {
            Some(session) => session,
            None => Session::open(settings, application).await?,
        };
        let sql = format!(
            "UPDATE {}.locks SET renewed_at = clock_timestamp(), expires_at = clock_timestamp() + {LEASE} \
             WHERE target = $1 AND token = $2 AND expires_at IS NOT NULL",
            PgIdent(&session.state_schema)
        );
        let renewed = session.client.execute(&sql, &[&self.target.to_string(), &self.token]).await;
        let renewed = renewed.map_err(|error| target_error(&format!("renew the lock of {}", self.target), error))?;
        Ok((renewed > 0).then_some(session))
    }

    /// Refuses to go on where another run has taken the table over. The row stays locked until the transaction ends, so that none can meanwhile.
    pub(super) async fn check(&self, transaction: &Transaction<'_>, state_schema: &str) -> Result<()> {
        let sql = format!("SELECT token, application, host FROM {}.locks WHERE target = $1 FOR UPDATE", PgIdent(state_schema));
        let row = transaction.query_opt(&sql, &[&self.target.to_string()]).await;
        let row = row.map_err(|error| target_error(&format!("check the lock of {}", self.target), error))?;
        let by = match row {
            Some(row) if row.get::<_, i64>("token") == self.token => return Ok(()),
            Some(row) => format!("taken over by {} on {}", row.get::<_, &str>("application"), row.get::<_, &str>("host")),
            None => "removed by hand".to_owned(),
        };
        Err(SyncError::new(ErrorKind::TargetWrite, format!("the lock of {} was {by}, so nothing is published", self.target))
            .with_remedy("This run was cut off from the target, or halted, for longer than its lock stands without a renewal"))
    }
}

impl Session {
    /// Writes the row of a table whose advisory lock this session has, under the next token.
    pub(super) async fn take_lease(&self, target: &TargetTable, run_id: Uuid, remains: Option<String>) -> Result<Lease> {
        let sql = format!(
            "INSERT INTO {}.locks AS l (target, token, run_id, application, host, process_id, backend_pid, acquired_at, renewed_at, expires_at) \
             SELECT $1, 1, $2, current_setting('application_name'), $3, $4, pg_backend_pid(), t.now, t.now, t.now + {LEASE} \
             FROM (SELECT clock_timestamp() AS now) AS t \
             ON CONFLICT (target) DO UPDATE SET token = l.token + 1, run_id = EXCLUDED.run_id, application = EXCLUDED.application, \
             host = EXCLUDED.host, process_id = EXCLUDED.process_id, backend_pid = EXCLUDED.backend_pid, acquired_at = EXCLUDED.acquired_at, \
             renewed_at = EXCLUDED.renewed_at, expires_at = EXCLUDED.expires_at RETURNING token",
            PgIdent(&self.state_schema)
        );
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let process_id = i64::from(std::process::id());
        let row = self.client.query_one(&sql, &[&target.to_string(), &run_id, &host, &process_id]).await;
        let row = row.map_err(|error| target_error(&format!("lock {target}"), error))?;
        Ok(Lease { target: target.clone(), token: row.get(0), remains })
    }

    /// Gives the row back, unless another run has it.
    pub(super) async fn end_lease(&self, lease: &Lease) -> Result<()> {
        let sql = format!("UPDATE {}.locks SET expires_at = NULL WHERE target = $1 AND token = $2", PgIdent(&self.state_schema));
        let ended = self.client.execute(&sql, &[&lease.target.to_string(), &lease.token]).await;
        ended.map(drop).map_err(|error| target_error(&format!("unlock {}", lease.target), error))
    }

    /// Whether the table is still this lease's.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn still_holds(&self, lease: &Lease) -> Result<bool> {
        let sql = format!("SELECT FROM {}.locks WHERE target = $1 AND token = $2", PgIdent(&self.state_schema));
        let found = self.client.query_opt(&sql, &[&lease.target.to_string(), &lease.token]).await;
        found.map(|row| row.is_some()).map_err(|error| target_error(&format!("check the lock of {}", lease.target), error))
    }

    /// Ends the session that has the advisory lock `key`, where its lease has run out; returns whether there was one. A publish that has come to its COMMIT has the
    /// row locked and is left alone.
    pub(super) async fn evict_expired(&self, target: &TargetTable, key: i64) -> Result<bool> {
        let sql = format!(
            "WITH expired AS MATERIALIZED (SELECT backend_pid, application FROM {}.locks WHERE target = $1 AND expires_at < clock_timestamp() FOR UPDATE SKIP LOCKED) \
             SELECT e.application, pg_terminate_backend(l.pid) AS ended FROM expired e JOIN pg_catalog.pg_locks l ON l.pid = e.backend_pid \
             WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
             AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database()) \
             AND ((l.classid::int8 << 32) | l.objid::int8) = $2",
            PgIdent(&self.state_schema)
        );
        match self.client.query_opt(&sql, &[&target.to_string(), &key]).await {
            Ok(None) => Ok(false),
            Ok(Some(row)) => {
                tracing::warn!("the lock of {target} has run out, so the session of {} was ended", row.get::<_, &str>("application"));
                Ok(row.get("ended"))
            }
            Err(error) => Err(target_error(&format!("end the session that holds {target}"), error)),
        }
    }

    /// What the row says of the holder of the advisory lock `key`; none where it speaks of another session.
    pub(super) async fn holder_by_lease(&self, target: &TargetTable, backend_pid: i32) -> Result<Option<String>> {
        let sql = format!(
            "SELECT format('%s (process %s on %s, PostgreSQL process %s, since %s)', application, process_id, host, backend_pid, acquired_at) \
             FROM {}.locks WHERE target = $1 AND backend_pid = $2 AND expires_at IS NOT NULL",
            PgIdent(&self.state_schema)
        );
        let row = self.client.query_opt(&sql, &[&target.to_string(), &backend_pid]).await;
        Ok(row.map_err(|error| target_error(&format!("read who holds {target}"), error))?.map(|row| row.get(0)))
    }
}
