//! `sync_meta` in the first schema of the search path: how far each table that gets only what is new has come.
//!
//! A row of it is written only in the transaction of the data that it speaks of, only where it still says what the run began with, and only forward,
//! unless the run was told to begin anew. A table of this name and of another shape, which the service before may have left, is read for its watermarks;
//! the first run that writes renames it and takes them over.

mod shape;

use std::time::Duration;

use serde_json::{Value, json};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use self::shape::{REPLACED, Shape, definition, may_not_write, not_made, shape};
use super::error::target_error;
use super::history::timestamp;
use super::session::{Session, Transaction};
use crate::error::{ErrorKind, Result, SyncError};
use crate::postgres::code_of;
use crate::report::TableWatermark;
use crate::table::{PgIdent, TargetTable, Watermark, WatermarkKind};

/// Its name.
const NAME: &str = "sync_meta";

/// The first schema of the search path, and whether the role may write into a `sync_meta` there.
const PLACE: &str = "SELECT current_schema()::text AS schema, (SELECT bool_and(has_table_privilege(c.oid, p.privilege)) \
     FROM pg_catalog.pg_class c CROSS JOIN (VALUES ('INSERT'), ('UPDATE')) AS p(privilege) \
     WHERE c.relname = 'sync_meta' AND c.relnamespace = current_schema()::text::regnamespace) AS may_write";

/// Where the watermarks are, and in which shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncMeta {
    table: TargetTable,
    shape: Shape,
    may_write: bool,
}

/// How far a table has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// All rows up to here are copied, unless [`Reached::within`] says where among them the copy stands.
    pub watermark: Watermark,
    /// The columns by which rows have their order: the sync column, where there is one, and the key; none where nobody wrote them down.
    pub by: Option<Vec<String>>,
    /// Where it stands within a range that is being copied in steps.
    pub within: Option<Within>,
}

/// The place in a range that is being copied in steps: the row at [`Reached::watermark`] with this key is the last that was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Within {
    /// The key's values in the source's text form.
    pub after: Vec<String>,
    /// The end of the range.
    pub until: Watermark,
    /// Whether the target was empty when the copy began.
    pub into_empty: bool,
}

impl Reached {
    /// All rows up to here.
    pub fn up_to(watermark: Watermark) -> Self {
        Self { watermark, by: None, within: None }
    }

    fn key(&self) -> Option<String> {
        let by = json!(self.by);
        let key = match &self.within {
            None => json!({"by": by}),
            Some(within) => {
                json!({"by": by, "after": within.after, "until": within.until.to_string(), "into_empty": within.into_empty})
            }
        };
        Some(key.to_string()).filter(|_| self.by.is_some() || self.within.is_some())
    }
}

/// A step forward, as it is written down with the data.
#[derive(Debug, Clone)]
pub struct Advance {
    /// Where it is written.
    pub meta: SyncMeta,
    /// What the row says when the run begins; none where there is none.
    pub before: Option<Reached>,
    /// The table's name in that row, where the service before called it otherwise: the row is taken over.
    pub known_as: Option<String>,
    /// What it says from now on.
    pub to: Reached,
    /// Whether it may go back, because the run was told to begin anew.
    pub anew: bool,
}

impl SyncMeta {
    /// Its name, quoted.
    pub fn name(&self) -> String {
        self.table.to_string()
    }

    /// The statements that make it, or make it what it has to be; none where it is that.
    pub fn ddl(&self) -> Vec<String> {
        match &self.shape {
            Shape::Ours => Vec::new(),
            Shape::Missing => vec![definition(&self.table)],
            Shape::Others { .. } => {
                vec![format!("ALTER TABLE {} RENAME TO {}", self.table, PgIdent(REPLACED)), definition(&self.table)]
            }
        }
    }

    /// What is made of a table of another shape, or of none.
    pub fn change(&self) -> Option<String> {
        match &self.shape {
            Shape::Ours | Shape::Missing => None,
            Shape::Others { .. } => {
                Some(format!("{} had another shape: its watermarks were taken over, and it is called {REPLACED} now", self.table))
            }
        }
    }
}

impl Session {
    /// Finds out where the watermarks are; nothing is written.
    ///
    /// # Errors
    /// [`ErrorKind::TargetSchema`] where the search path has no schema, or a table of this name tells no watermarks.
    pub async fn sync_meta(&self) -> Result<SyncMeta> {
        let failed = |error| target_error("look for sync_meta", error);
        let row = self.query_one(PLACE, &[]).await.map_err(failed)?;
        let Some(schema) = row.get::<_, Option<String>>("schema") else {
            return Err(SyncError::new(
                ErrorKind::TargetSchema,
                "the search path of the target's role names no schema that is there, so sync_meta has no place",
            )
            .with_remedy("Make one: CREATE SCHEMA ..., or ALTER ROLE ... SET search_path = ..."));
        };
        let table = TargetTable { schema, table: NAME.to_owned() };
        let columns = self.column_types(&table).await?;
        let shape = shape(&table, &columns)?;
        Ok(SyncMeta { table, shape, may_write: row.get::<_, Option<bool>>("may_write").unwrap_or(true) })
    }

    /// How far the table of one of these names has come, the first that is known; none where none is.
    ///
    /// # Errors
    /// [`ErrorKind::TargetSchema`] for a row that says nothing that can be understood, or of another kind of watermark.
    pub async fn reached(&self, meta: &SyncMeta, names: &[&str], kind: WatermarkKind) -> Result<Option<(Reached, String)>> {
        // Where a table stands there more than once, the least of its moments misses nothing.
        let (name, sql) = match &meta.shape {
            Shape::Missing => return Ok(None),
            Shape::Ours => (
                "table_name".to_owned(),
                format!("SELECT table_name AS name, watermark, watermark_kind, key::text AS key FROM {}", meta.table),
            ),
            Shape::Others { name, moment } => {
                let kind = WatermarkKind::Timestamp.name();
                (
                    PgIdent(name).to_string(),
                    format!(
                        "SELECT {}::text AS name, {moment} AS watermark, '{kind}' AS watermark_kind, NULL::text AS key FROM {}",
                        PgIdent(name),
                        meta.table
                    ),
                )
            }
        };
        let sql = format!(
            "{sql} WHERE {name}::text = ANY($1::text[]) ORDER BY array_position($1::text[], {name}::text), watermark NULLS LAST LIMIT 1"
        );
        let row = self.query_opt(&sql, &[&names]).await.map_err(|error| target_error("read the watermark", error))?;
        let Some(row) = row else { return Ok(None) };
        Ok(understand(meta, names, kind, &row)?.map(|reached| (reached, row.get("name"))))
    }

    /// How far each table is copied, by its name there; nothing where there is no `sync_meta`.
    ///
    /// # Errors
    /// As the server answers, and as [`Session::sync_meta`].
    pub async fn watermarks(&self) -> Result<Vec<(String, TableWatermark)>> {
        let meta = self.sync_meta().await?;
        let table = &meta.table;
        let sql = match &meta.shape {
            Shape::Missing => return Ok(Vec::new()),
            Shape::Ours => format!(
                "SELECT table_name, watermark, watermark_kind, coalesce(key ? 'after', false) AS broken_off, \
                 extract(epoch FROM updated_at)::float8 AS at, extract(epoch FROM clock_timestamp() - updated_at)::float8 AS lag FROM {table} WHERE watermark IS NOT NULL"
            ),
            Shape::Others { name, moment } => format!(
                "SELECT {}::text AS table_name, {moment} AS watermark, '{}' AS watermark_kind, false AS broken_off, NULL::float8 AS at, NULL::float8 AS lag \
                 FROM {table} WHERE {moment} IS NOT NULL",
                PgIdent(name),
                WatermarkKind::Timestamp.name()
            ),
        };
        let rows = self.query(&sql, &[]).await.map_err(|error| target_error("read the watermarks", error))?;
        let reached = |row: &Row| TableWatermark {
            watermark: row.get("watermark"),
            kind: row.get::<_, Option<String>>("watermark_kind").unwrap_or_default(),
            broken_off: row.get("broken_off"),
            at: row.get::<_, Option<f64>>("at").and_then(timestamp),
            lag: row.get::<_, Option<f64>>("lag").and_then(|lag| Duration::try_from_secs_f64(lag).ok()),
        };
        Ok(rows.iter().map(|row| (row.get("table_name"), reached(row))).collect())
    }

    /// Makes `sync_meta` where it is not there, or takes over what one of another shape says.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn make_sync_meta(&mut self, meta: &mut SyncMeta) -> Result<()> {
        if meta.shape == Shape::Ours {
            return if meta.may_write { Ok(()) } else { Err(may_not_write(&meta.table)) };
        }
        let (table, taken_over) = (meta.table.clone(), meta.shape != Shape::Missing);
        let failed = |error| not_made(&table, taken_over, target_error(&format!("make {table}"), error));
        let transaction = self.begin().await.map_err(failed)?;
        // Two first runs at once: the second waits here and finds the work done.
        transaction.execute("SELECT pg_advisory_xact_lock(hashtextextended('tablesync sync_meta', 0))", &[]).await.map_err(failed)?;
        if let Shape::Others { name, moment } = &meta.shape {
            let replaced = TargetTable { schema: meta.table.schema.clone(), table: REPLACED.to_owned() };
            let sql = format!(
                "ALTER TABLE {} RENAME TO {}; {}; INSERT INTO {} (table_name, watermark, watermark_kind) \
                 SELECT {}::text, min({moment}), '{}' FROM {replaced} WHERE {moment} IS NOT NULL GROUP BY 1",
                meta.table,
                PgIdent(REPLACED),
                definition(&meta.table),
                meta.table,
                PgIdent(name),
                WatermarkKind::Timestamp.name()
            );
            transaction.batch_execute(&sql).await.map_err(failed)?;
        } else {
            transaction.batch_execute(&definition(&meta.table)).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)?;
        meta.shape = Shape::Ours;
        Ok(())
    }

    /// Forgets how far a table has come that is not there any more.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn forget_reached(&self, meta: &SyncMeta, name: &str) -> Result<()> {
        let sql = format!("DELETE FROM {} WHERE table_name = $1", meta.table);
        self.execute(&sql, &[&name])
            .await
            .map(drop)
            .map_err(|error| target_error(&format!("forget the watermark of {name} in {}", meta.table), error))
    }
}

/// Writes a step forward, in the transaction of its data.
pub(super) async fn advance(transaction: &Transaction<'_>, table: &str, run_id: Uuid, rows: u64, step: &Advance) -> Result<()> {
    let meta = &step.meta.table;
    let failed = |error| {
        let error = target_error(&format!("write the watermark into {meta}"), error);
        // It has its columns, and another key than its name, or columns besides that want a value.
        let unlike = [SqlState::INVALID_COLUMN_REFERENCE, SqlState::NOT_NULL_VIOLATION, SqlState::CHECK_VIOLATION];
        let unlike = code_of(&error).is_some_and(|code| unlike.contains(code));
        if unlike { error.with_remedy(format!("Let it have this shape: {}", definition(meta))) } else { error }
    };
    let sql = format!("SELECT watermark, watermark_kind, key::text AS key FROM {meta} WHERE table_name = $1 FOR UPDATE");
    let known_as = step.known_as.as_deref().unwrap_or(table);
    let row = transaction.query_opt(&sql, &[&known_as]).await.map_err(failed)?;
    let kind = step.to.watermark.kind();
    let stands = row.map(|row| understand(&step.meta, &[table], kind, &row)).transpose();
    let unmoved = match (&stands, &step.before) {
        // Told to begin anew, it may have been anything.
        _ if step.anew => true,
        (Ok(stands), before) => stands.clone().flatten() == *before,
        (Err(_), _) => false,
    };
    let back = step.before.as_ref().is_some_and(|before| before.watermark.is_after(&step.to.watermark)) && !step.anew;
    if !unmoved || back {
        let why = if back { "would go back" } else { "is not what this run began with" };
        return Err(SyncError::new(ErrorKind::Refused, format!("the watermark of {table} in {meta} {why}, so nothing is published"))
            .with_remedy("Another run, of another state schema, may copy the same table: let one of them be the only one"));
    }
    if known_as != table {
        transaction.execute(&format!("DELETE FROM {meta} WHERE table_name = $1"), &[&known_as]).await.map_err(failed)?;
    }
    let sql = format!(
        "INSERT INTO {meta} AS m (table_name, watermark, watermark_kind, key, rows, run_id, updated_at) \
         VALUES ($1, $2, $3, $4::text::jsonb, $5, $6, clock_timestamp()) ON CONFLICT (table_name) DO UPDATE SET watermark = EXCLUDED.watermark, \
         watermark_kind = EXCLUDED.watermark_kind, key = EXCLUDED.key, rows = EXCLUDED.rows, run_id = EXCLUDED.run_id, updated_at = EXCLUDED.updated_at"
    );
    let (watermark, key) = (step.to.watermark.to_string(), step.to.key());
    transaction.execute(&sql, &[&table, &watermark, &kind.name(), &key, &rows.cast_signed(), &run_id]).await.map_err(failed)?;
    Ok(())
}

fn understand(meta: &SyncMeta, names: &[&str], wanted: WatermarkKind, row: &Row) -> Result<Option<Reached>> {
    let (text, kind): (Option<String>, Option<String>) = (row.get("watermark"), row.get("watermark_kind"));
    let Some(text) = text else { return Ok(None) };
    let table = names.first().copied().unwrap_or_default();
    let anew = format!("Begin anew with --reset {table}");
    let kind = kind.unwrap_or_else(|| WatermarkKind::Timestamp.name().to_owned());
    if kind != wanted.name() {
        let sentence = format!("{} knows a watermark of kind {kind} for {table}, and the configuration says {}", meta.table, wanted.name());
        return Err(SyncError::new(ErrorKind::TargetSchema, sentence).with_remedy(anew));
    }
    let wrong = |what: String| {
        SyncError::new(ErrorKind::TargetSchema, format!("the row of {table} in {}: {what}", meta.table)).with_remedy(anew.clone())
    };
    let watermark = Watermark::parse(wanted, &text).map_err(wrong)?;
    let Some(key) = row.get::<_, Option<String>>("key") else { return Ok(Some(Reached::up_to(watermark))) };
    let key: Value = serde_json::from_str(&key).map_err(|error| wrong(format!("its key is no JSON: {error}")))?;
    let texts = |field: &str| key[field].as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
    let (by, after) = (texts("by"), texts("after"));
    let until = key["until"].as_str().map(|text| Watermark::parse(wanted, text)).transpose().map_err(wrong)?;
    match (after, until) {
        (Some(after), Some(until)) => {
            let into_empty = key["into_empty"].as_bool().unwrap_or(false);
            Ok(Some(Reached { watermark, by, within: Some(Within { after, until, into_empty }) }))
        }
        (None, None) if by.is_some() => Ok(Some(Reached { watermark, by, within: None })),
        _ => Err(wrong("its key does not say where the copy stands".to_owned())),
    }
}
