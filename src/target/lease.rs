//! `locks` in the state schema: who holds a table, until when, and the token that fences everyone else off.
//!
//! Crash story. A process that is gone frees the advisory lock with its connection, and the next run ends what its transactions are still doing. One that
//! is cut off or frozen keeps its connections but renews nothing: once the row has run out, the next run ends the holder of the lock and every transaction
//! of the old run, and takes the table over under a higher token. The token is checked in the transaction that publishes, and the row stays locked until
//! its COMMIT: whoever was taken over, and comes back, publishes nothing.

use std::time::{Duration, Instant};

use tokio::time::sleep;
use tokio_postgres::Row;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::error::target_error;
use super::lock::key;
use super::remains::Remains;
use super::session::{Session, Transaction};
use crate::error::{ErrorKind, Result, SyncError};
use crate::table::{PgIdent, TargetTable};

/// How long a lease stands that nobody renews; a client that was cut off holds a table so long.
const LEASE: &str = "interval '12 s'";
/// How long a process of the server may take to end.
const ENDING_TIMEOUT: Duration = Duration::from_secs(3);

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
    /// Says that another run has the table.
    taken_over: CancellationToken,
}

impl Lease {
    /// The table.
    pub(super) fn target(&self) -> &TargetTable {
        &self.target
    }

    /// That of the run before.
    pub(super) fn before(&self) -> Self {
        Self { target: self.target.clone(), token: self.token - 1, taken_over: CancellationToken::new() }
    }

    /// The key of the advisory lock that every transaction of the run shares, by which they are known. Below zero, where no table's lock is.
    fn work_key(&self) -> i64 {
        !(key(&self.target) ^ self.token)
    }

    /// The server does not answer.
    pub(super) fn unanswered(&self, doing: &str) -> SyncError {
        SyncError::new(ErrorKind::TargetWrite, format!("could not {doing} the lock of {}: PostgreSQL did not answer in time", self.target))
    }

    /// Says that another run has the table.
    pub(super) fn note_taken_over(&self) {
        self.taken_over.cancel();
    }

    /// Does `work`, unless another run takes the table over: then nothing of it can be published any more, and it is given up.
    ///
    /// # Errors
    /// As `work` has them, or [`ErrorKind::TargetWrite`] for the loss.
    pub async fn or_taken_over<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.taken_over.cancelled() => Err(self.lost("taken over by another run")),
        }
    }

    fn lost(&self, by: &str) -> SyncError {
        SyncError::new(ErrorKind::TargetWrite, format!("the lock of {} was {by}, so nothing is published", self.target))
            .with_remedy("This run was cut off from the target, or halted, for longer than its lock stands without a renewal")
    }

    /// Whether it is still this run that has the table. The row stays locked until the transaction ends, so that no other takes it over meanwhile.
    pub(super) async fn still_stands(&self, transaction: &Transaction<'_>, state_schema: &str) -> Result<bool> {
        Ok(self.row(transaction, state_schema).await?.is_some_and(|row| row.get::<_, i64>("token") == self.token))
    }

    /// Refuses to go on where another run has taken the table over. The row stays locked until the transaction ends, so that none can meanwhile.
    pub(super) async fn check(&self, transaction: &Transaction<'_>, state_schema: &str) -> Result<()> {
        let by = match self.row(transaction, state_schema).await? {
            Some(row) if row.get::<_, i64>("token") == self.token => return Ok(()),
            Some(row) => format!("taken over by {} on {}", row.get::<_, &str>("application"), row.get::<_, &str>("host")),
            None => "removed by hand".to_owned(),
        };
        Err(self.lost(&by))
    }

    async fn row(&self, transaction: &Transaction<'_>, state_schema: &str) -> Result<Option<Row>> {
        let sql = format!("SELECT token, application, host FROM {}.locks WHERE target = $1 FOR UPDATE", PgIdent(state_schema));
        let row = transaction.query_opt(&sql, &[&self.target.to_string()]).await;
        row.map_err(|error| target_error(&format!("check the lock of {}", self.target), error))
    }
}

impl Session {
    /// Writes the row of a table, which the configuration calls `name` and whose advisory lock the server's process `holder` has, under the next token; with it,
    /// ends the `runs` row of a run that died with the table.
    pub(super) async fn take_lease(&self, target: &TargetTable, name: &str, run_id: Uuid, holder: i32) -> Result<(Lease, Remains)> {
        let schema = PgIdent(&self.state_schema);
        let sql = format!(
            "WITH {}, taken AS (INSERT INTO {schema}.locks AS l (target, token, run_id, application, host, process_id, backend_pid, acquired_at, renewed_at, expires_at) \
             SELECT $1, 1, $2, $3, $4, $5, $6, t.now, t.now, t.now + {LEASE} \
             FROM (SELECT clock_timestamp() AS now) AS t \
             ON CONFLICT (target) DO UPDATE SET token = l.token + 1, run_id = EXCLUDED.run_id, application = EXCLUDED.application, \
             host = EXCLUDED.host, process_id = EXCLUDED.process_id, backend_pid = EXCLUDED.backend_pid, acquired_at = EXCLUDED.acquired_at, \
             renewed_at = EXCLUDED.renewed_at, expires_at = EXCLUDED.expires_at RETURNING token) SELECT token, {} FROM taken",
            Remains::find(&schema),
            Remains::columns(&self.state_schema, target)
        );
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let process_id = i64::from(std::process::id());
        let application = &self.login().application;
        let row = self.query_one(&sql, &[&target.to_string(), &run_id, application, &host, &process_id, &holder, &name]).await;
        let row = row.map_err(|error| target_error(&format!("lock {target}"), error))?;
        let lease = Lease { target: target.clone(), token: row.get("token"), taken_over: CancellationToken::new() };
        Ok((lease, Remains::found(&row, &self.state_schema, target)))
    }

    /// Whether the table is still this lease's.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn still_holds(&self, lease: &Lease) -> Result<bool> {
        let sql = format!("SELECT FROM {}.locks WHERE target = $1 AND token = $2", PgIdent(&self.state_schema));
        let found = self.query_opt(&sql, &[&lease.target.to_string(), &lease.token]).await;
        found.map(|row| row.is_some()).map_err(|error| target_error(&format!("check the lock of {}", lease.target), error))
    }

    /// From now on every transaction of this session is known as work under `lease`.
    pub fn work_under(&mut self, lease: &Lease) {
        self.begin_with(&format!("SELECT pg_advisory_xact_lock_shared({})", lease.work_key()));
    }

    /// Ends what transactions under `lease` are still under way, and waits until they have ended: what they were doing is then done or undone. Each
    /// of them is known by the lock that it shares, so that behind a pool, too, nobody else's is ended.
    ///
    /// # Errors
    /// As the server answers, or [`ErrorKind::TargetWrite`] when they do not end.
    pub async fn end_work(&self, lease: &Lease) -> Result<()> {
        let sql = "SELECT pg_terminate_backend(l.pid) FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
             AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database()) \
             AND ((l.classid::int8 << 32) | l.objid::int8) = $1";
        let doing = format!("end what a run that is gone was doing with {}", lease.target);
        let begun = Instant::now();
        while !self.query(sql, &[&lease.work_key()]).await.map_err(|error| target_error(&doing, error))?.is_empty() {
            if begun.elapsed() > ENDING_TIMEOUT {
                return Err(SyncError::new(ErrorKind::TargetWrite, format!("could not {doing}: PostgreSQL has not ended it in time")));
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Renews the row of a lock that the server's process `holder` has; returns whether it is still this lease's.
    pub(super) async fn renew_lease(&self, lease: &Lease, holder: i32) -> Result<bool> {
        let sql = format!(
            "UPDATE {}.locks SET renewed_at = clock_timestamp(), expires_at = clock_timestamp() + {LEASE}, backend_pid = $3 \
             WHERE target = $1 AND token = $2 AND expires_at IS NOT NULL",
            PgIdent(&self.state_schema)
        );
        let renewed = self.execute(&sql, &[&lease.target.to_string(), &lease.token, &holder]).await;
        Ok(renewed.map_err(|error| target_error(&format!("renew the lock of {}", lease.target), error))? > 0)
    }

    /// Gives the row back, unless another run has it.
    pub(super) async fn end_lease(&self, lease: &Lease) -> Result<()> {
        let sql = format!("UPDATE {}.locks SET expires_at = NULL WHERE target = $1 AND token = $2", PgIdent(&self.state_schema));
        let ended = self.execute(&sql, &[&lease.target.to_string(), &lease.token]).await;
        ended.map(drop).map_err(|error| target_error(&format!("unlock {}", lease.target), error))
    }

    /// Where the lease of a table has run out, ends the process that has its advisory lock `key` and those that work under it; returns whether there
    /// were any. A publish that has come to its COMMIT has the row locked and is left alone.
    pub(super) async fn evict_expired(&self, target: &TargetTable, key: i64) -> Result<bool> {
        let sql = format!(
            "WITH expired AS MATERIALIZED (SELECT backend_pid, token, application FROM {}.locks \
                WHERE target = $1 AND expires_at < clock_timestamp() FOR UPDATE SKIP LOCKED), \
             held AS MATERIALIZED (SELECT l.pid, (l.classid::int8 << 32) | l.objid::int8 AS key FROM pg_catalog.pg_locks l \
                WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
                AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database())) \
             SELECT e.application, bool_or(pg_terminate_backend(h.pid)) AS ended FROM expired e \
             JOIN held h ON (h.key = $2 AND h.pid = e.backend_pid) OR h.key = ~($2 # e.token) GROUP BY e.application",
            PgIdent(&self.state_schema)
        );
        match self.query_opt(&sql, &[&target.to_string(), &key]).await {
            Ok(None) => Ok(false),
            Ok(Some(row)) => {
                tracing::warn!("the lock of {target} has run out, so the sessions of {} were ended", row.get::<_, &str>("application"));
                Ok(row.get("ended"))
            }
            Err(error) => Err(target_error(&format!("end the session that holds {target}"), error)),
        }
    }

    /// What the row says of the holder of the advisory lock; none where it speaks of another process.
    pub(super) async fn holder_by_lease(&self, target: &TargetTable, backend_pid: i32) -> Result<Option<String>> {
        let sql = format!(
            "SELECT format('%s (process %s on %s, PostgreSQL process %s, since %s)', application, process_id, host, backend_pid, acquired_at) \
             FROM {}.locks WHERE target = $1 AND backend_pid = $2 AND expires_at IS NOT NULL",
            PgIdent(&self.state_schema)
        );
        let row = self.query_opt(&sql, &[&target.to_string(), &backend_pid]).await;
        Ok(row.map_err(|error| target_error(&format!("read who holds {target}"), error))?.map(|row| row.get(0)))
    }
}
