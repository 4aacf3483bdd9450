//! `runs` in the state schema: a row per table and run, and the schema's version.
//!
//! A `succeeded` row is written only in the transaction of the data it speaks of; the others have a short one of their own.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::error::target_error;
use super::lease::{self, Lease};
use super::quarantine;
use super::seen::{self, record_seen};
use super::session::{Session, Transaction};
use super::sync_meta::{Advance, advance};
use crate::error::{ErrorKind, Result, SyncError};
use crate::report::RowCounts;
use crate::table::{BadRow, PgIdent, SeenTable, TargetTable};

/// Forward-only steps; the schema's version is how many of them it has had. Every table has a primary key: a publication FOR ALL TABLES refuses
/// deletes from one without. `{schema}` is the quoted state schema.
fn migrations(schema: &PgIdent<'_>) -> [String; 4] {
    let runs = format!(
        "CREATE TABLE {schema}.runs (
             run_id uuid NOT NULL,
             table_name text NOT NULL,
             mode text NOT NULL,
             started_at timestamptz NOT NULL,
             finished_at timestamptz,
             outcome text NOT NULL,
             refresh text,
             rows_read bigint NOT NULL DEFAULT 0,
             inserted bigint NOT NULL DEFAULT 0,
             updated bigint NOT NULL DEFAULT 0,
             deleted bigint NOT NULL DEFAULT 0,
             unchanged bigint NOT NULL DEFAULT 0,
             bytes bigint NOT NULL DEFAULT 0,
             seconds double precision,
             error text,
             version text NOT NULL,
             PRIMARY KEY (run_id, table_name)
         );
         CREATE INDEX runs_by_table ON {schema}.runs (table_name, started_at DESC);
         COMMENT ON TABLE {schema}.runs IS 'What each run of tablesync did, table by table'"
    );
    [runs, quarantine::migration(schema), seen::migration(schema), lease::migration(schema)]
}

/// A run's row as it begins.
#[derive(Debug, Clone)]
pub struct Started<'a> {
    /// The run.
    pub run_id: Uuid,
    /// The table's configuration name.
    pub table: &'a str,
    /// The request's mode.
    pub mode: &'a str,
    /// When the table was begun.
    pub at: jiff::Timestamp,
}

/// What is added to a run's row when it ends.
#[derive(Debug, Clone)]
pub struct RunRow<'a> {
    /// The run.
    pub run_id: Uuid,
    /// The table's configuration name.
    pub table: &'a str,
    /// `succeeded` or `failed`; the others are `started`, `skipped` and `died`.
    pub outcome: &'a str,
    /// The way the contents were replaced.
    pub refresh: Option<&'a str>,
    /// What became of the rows.
    pub rows: RowCounts,
    /// COPY bytes.
    pub bytes: u64,
    /// Duration.
    pub seconds: f64,
    /// The error's sentence.
    pub error: Option<&'a str>,
    /// The rows put aside; written down with a success.
    pub bad_rows: &'a [BadRow],
    /// The source as the run saw it; written down with a success.
    pub seen: Option<&'a SeenTable>,
    /// The table's lock; a success is written only while the run has it.
    pub lease: Option<&'a Lease>,
    /// How far the data brings the table; none where every run brings all rows.
    pub advance: Option<&'a Advance>,
    /// Becomes true when the publish has its locks: from there on it is finished, not cut.
    pub begun: Option<&'a AtomicBool>,
}

impl RunRow<'_> {
    /// Says that the publish has its locks.
    pub(super) fn has_begun(&self) {
        if let Some(begun) = self.begun {
            begun.store(true, Ordering::Relaxed);
        }
    }
}

impl Session {
    /// Makes the state schema what this version needs; an older schema is brought forward, a newer one refused.
    ///
    /// # Errors
    /// [`ErrorKind::TargetSchema`] with the two GRANT lines when the role may not.
    pub async fn prepare_state(&mut self) -> Result<()> {
        let name = self.state_schema.clone();
        let schema = PgIdent(&name);
        let failed = |error: tokio_postgres::Error| state_error(&name, error);
        if self.state_version(&name).await? == Some(migrations(&schema).len()) {
            return Ok(());
        }
        let transaction = self.begin().await.map_err(failed)?;
        // Two first runs at once: the second waits here and finds the work done.
        transaction
            .execute("SELECT pg_advisory_xact_lock(hashtextextended('tablesync state ' || $1, 0))", &[&name])
            .await
            .map_err(failed)?;
        let exists: bool =
            transaction.query_one("SELECT to_regnamespace($1) IS NOT NULL", &[&schema.to_string()]).await.map_err(failed)?.get(0);
        if !exists {
            transaction.batch_execute(&format!("CREATE SCHEMA {schema}")).await.map_err(failed)?;
        }
        transaction
            .batch_execute(&format!("CREATE TABLE IF NOT EXISTS {schema}.schema_version (version int PRIMARY KEY)"))
            .await
            .map_err(failed)?;
        let version = version_of(transaction.query_opt(&version_query(&schema), &[]).await.map_err(failed)?).unwrap_or(0);
        let steps = migrations(&schema);
        let Some(outstanding) = steps.get(version..) else { return Err(newer(&name, version)) };
        for step in outstanding {
            transaction.batch_execute(step).await.map_err(failed)?;
        }
        let version = i32::try_from(steps.len()).unwrap_or(i32::MAX);
        transaction.batch_execute(&format!("DELETE FROM {schema}.schema_version")).await.map_err(failed)?;
        transaction.execute(&format!("INSERT INTO {schema}.schema_version VALUES ($1)"), &[&version]).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    /// The schema's version; none where it was never made.
    async fn state_version(&self, name: &str) -> Result<Option<usize>> {
        let schema = PgIdent(name);
        let failed = |error: tokio_postgres::Error| state_error(name, error);
        let table = format!("{schema}.schema_version");
        let exists: bool = self.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]).await.map_err(failed)?.get(0);
        if !exists {
            return Ok(None);
        }
        let version = version_of(self.query_opt(&version_query(&schema), &[]).await.map_err(failed)?);
        match version {
            Some(version) if version > migrations(&schema).len() => Err(newer(name, version)),
            version => Ok(version),
        }
    }

    /// Writes that a table was begun.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn record_start(&self, started: &Started<'_>) -> Result<()> {
        let sql = format!(
            "INSERT INTO {}.runs (run_id, table_name, mode, started_at, outcome, version) \
             VALUES ($1, $2, $3, $4::text::timestamptz, 'started', $5)",
            PgIdent(&self.state_schema)
        );
        let version = env!("CARGO_PKG_VERSION");
        self.execute(&sql, &[&started.run_id, &started.table, &started.mode, &started.at.to_string(), &version])
            .await
            .map_err(|error| target_error("record the run", error))?;
        Ok(())
    }

    /// Writes that a table was left to another run, which has it.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn record_skipped(&self, started: &Started<'_>, held_by: &str) -> Result<()> {
        let sql = format!(
            "INSERT INTO {}.runs AS r (run_id, table_name, mode, started_at, finished_at, outcome, seconds, error, version) \
             SELECT $1, $2, $3, s.at, clock_timestamp(), 'skipped', extract(epoch FROM clock_timestamp() - s.at), $5, $6 \
             FROM (SELECT $4::text::timestamptz AS at) AS s ON CONFLICT (run_id, table_name) DO UPDATE SET finished_at = EXCLUDED.finished_at, \
             outcome = EXCLUDED.outcome, seconds = extract(epoch FROM EXCLUDED.finished_at - r.started_at), error = EXCLUDED.error \
             WHERE r.outcome IN ('started', 'died')",
            PgIdent(&self.state_schema)
        );
        let version = env!("CARGO_PKG_VERSION");
        self.execute(&sql, &[&started.run_id, &started.table, &started.mode, &started.at.to_string(), &held_by, &version])
            .await
            .map_err(|error| target_error("record the run", error))?;
        Ok(())
    }

    /// Writes how a table that published nothing ended, unless its publish has been committed after all (a COMMIT whose reply was lost): then
    /// that stands, and its counts are returned.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn record_end(&mut self, row: &RunRow<'_>) -> Result<Option<RowCounts>> {
        let failed = |error| target_error("record the run", error);
        let schema = self.state_schema.clone();
        let transaction = self.begin().await.map_err(failed)?;
        let ended = record(&transaction, &schema, row).await?;
        transaction.commit().await.map_err(failed)?;
        if ended > 0 {
            return Ok(None);
        }
        self.published(row.run_id, row.table).await
    }

    /// What a run has published of a table, by the row that was committed with it; none where it has not.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn published(&self, run_id: Uuid, table: &str) -> Result<Option<RowCounts>> {
        let sql = format!(
            "SELECT rows_read, inserted, updated, deleted, unchanged, quarantined FROM {}.runs WHERE run_id = $1 AND table_name = $2 AND outcome = 'succeeded'",
            PgIdent(&self.state_schema)
        );
        let found = self.query_opt(&sql, &[&run_id, &table]).await.map_err(|error| target_error("look the run up", error))?;
        Ok(found.map(|row| {
            let [read, inserted, updated, deleted, unchanged, quarantined] =
                std::array::from_fn(|index| row.get::<_, i64>(index).cast_unsigned());
            RowCounts { read, inserted, updated, deleted, unchanged, quarantined }
        }))
    }

    /// How many runs of a table have succeeded since the last one that was called `refresh`; none where there is no state schema yet.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn runs_since(&self, table: &str, refresh: &str) -> Result<u64> {
        if self.state_version(&self.state_schema).await?.is_none() {
            return Ok(0);
        }
        let runs = format!("{}.runs", PgIdent(&self.state_schema));
        let sql = format!(
            "SELECT count(*) FROM {runs} WHERE table_name = $1 AND outcome = 'succeeded' AND started_at > coalesce((SELECT max(started_at) FROM {runs} \
             WHERE table_name = $1 AND outcome = 'succeeded' AND refresh = $2), '-infinity')"
        );
        let row = self.query_one(&sql, &[&table, &refresh]).await.map_err(|error| target_error("count the runs", error))?;
        Ok(row.get::<_, i64>(0).cast_unsigned())
    }

    /// When each of these tables last ended, by name; a state schema that does not exist yet knows of none.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn last_runs(&self) -> Result<Vec<(String, crate::report::LastSync)>> {
        if self.state_version(&self.state_schema).await?.is_none() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT DISTINCT ON (table_name) table_name, extract(epoch FROM finished_at)::float8 AS at, outcome, rows_read \
             FROM {}.runs WHERE finished_at IS NOT NULL ORDER BY table_name, started_at DESC",
            PgIdent(&self.state_schema)
        );
        let rows = self.query(&sql, &[]).await.map_err(|error| target_error("read the last runs", error))?;
        let last = rows.iter().filter_map(|row| {
            let at = std::time::Duration::try_from_secs_f64(row.get("at")).ok()?;
            let at = jiff::Timestamp::UNIX_EPOCH.checked_add(jiff::SignedDuration::try_from(at).ok()?).ok()?;
            let last = crate::report::LastSync { at, outcome: row.get("outcome"), rows: row.get::<_, i64>("rows_read").cast_unsigned() };
            Some((row.get("table_name"), last))
        });
        Ok(last.collect())
    }
}

/// Writes a run's `succeeded` row, the rows that it put aside and the source as it saw it, in the transaction of its data; refused where the table's
/// lock is another run's by now.
pub(super) async fn record_success(transaction: &Transaction<'_>, state_schema: &str, row: &RunRow<'_>) -> Result<()> {
    let lease =
        row.lease.ok_or_else(|| SyncError::new(ErrorKind::Internal, format!("{} would be published without its lock", row.table)))?;
    lease.check(transaction, state_schema).await?;
    record(transaction, state_schema, row).await?;
    quarantine::record(transaction, state_schema, row).await?;
    if let Some(step) = row.advance {
        advance(transaction, row.table, row.run_id, row.rows.read, step).await?;
    }
    match row.seen {
        Some(seen) => record_seen(transaction, state_schema, row.table, row.run_id, seen).await,
        None => Ok(()),
    }
}

/// Writes how far a run has come that is not at its end, in the transaction of its data; refused as [`record_success`] is.
pub(super) async fn record_step(transaction: &Transaction<'_>, state_schema: &str, row: &RunRow<'_>) -> Result<()> {
    let lease =
        row.lease.ok_or_else(|| SyncError::new(ErrorKind::Internal, format!("{} would be published without its lock", row.table)))?;
    lease.check(transaction, state_schema).await?;
    quarantine::record(transaction, state_schema, row).await?;
    match row.advance {
        Some(step) => advance(transaction, row.table, row.run_id, row.rows.read, step).await,
        None => Ok(()),
    }
}

/// Writes how a begun table ended; returns how many rows that were, 0 where it had ended before. A run that was taken for dead, and was not, knows better.
async fn record(transaction: &Transaction<'_>, state_schema: &str, row: &RunRow<'_>) -> Result<u64> {
    let sql = format!(
        "UPDATE {}.runs SET finished_at = clock_timestamp(), outcome = $3, refresh = $4, rows_read = $5, inserted = $6, updated = $7, \
         deleted = $8, unchanged = $9, bytes = $10, seconds = $11, error = $12, quarantined = $13 WHERE run_id = $1 AND table_name = $2 AND outcome IN ('started', 'died')",
        PgIdent(state_schema)
    );
    let RowCounts { read, inserted, updated, deleted, unchanged, quarantined } = row.rows;
    let [read, inserted, updated, deleted, unchanged, quarantined, bytes] =
        [read, inserted, updated, deleted, unchanged, quarantined, row.bytes].map(u64::cast_signed);
    transaction
        .execute(
            &sql,
            &[
                &row.run_id,
                &row.table,
                &row.outcome,
                &row.refresh,
                &read,
                &inserted,
                &updated,
                &deleted,
                &unchanged,
                &bytes,
                &row.seconds,
                &row.error,
                &quarantined,
            ],
        )
        .await
        .map_err(|error| target_error("record the run", error))
}

fn version_query(schema: &PgIdent<'_>) -> String {
    format!("SELECT max(version) FROM {schema}.schema_version")
}

fn version_of(row: Option<Row>) -> Option<usize> {
    row.and_then(|row| row.get::<_, Option<i32>>(0)).and_then(|version| usize::try_from(version).ok())
}

fn newer(schema: &str, version: usize) -> SyncError {
    SyncError::new(
        ErrorKind::TargetSchema,
        format!("the state schema {schema:?} has version {version}, which this tablesync does not know"),
    )
    .with_remedy("A newer tablesync has been here: use that one")
}

fn state_error(schema: &str, error: tokio_postgres::Error) -> SyncError {
    let denied = error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE);
    let failed = target_error(&format!("prepare the state schema {schema:?}"), error);
    if denied {
        let quoted = PgIdent(schema);
        failed.with_remedy(format!(
            "Have its owner run: CREATE SCHEMA IF NOT EXISTS {quoted}; GRANT USAGE, CREATE ON SCHEMA {quoted} TO <the role of PG_USER or TARGET_DSN>; \
             or: GRANT CREATE ON DATABASE <its database> TO <that role>;"
        ))
    } else {
        failed
    }
}

/// The quoted name of a helper table of `table` in the state schema: `kind` and a hash.
pub(super) fn helper_table(state_schema: &str, kind: &str, table: &TargetTable) -> TargetTable {
    let hash = u64::from_be_bytes(super::lock::name_hash(table));
    TargetTable { schema: state_schema.to_owned(), table: format!("{kind}_{hash:016x}") }
}
