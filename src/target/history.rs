//! What the state schema knows of a table's last successful run. Only read, so it may be missing.

use indexmap::IndexMap;
use jiff::Timestamp;

use super::error::target_error;
use super::session::Session;
use crate::error::Result;
use crate::report::{LastSuccess, PastRun, TableHistory};
use crate::table::PgIdent;

/// So many runs make a trend.
const RUNS_SHOWN: u32 = 30;

impl Session {
    /// The last successful run of the table of this configuration name that read any rows; none where there is no record.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn last_success(&self, table: &str) -> Result<Option<LastSuccess>> {
        let failed = |error| target_error("read the last runs", error);
        let runs = format!("{}.runs", PgIdent(&self.state_schema));
        if !self.exists(&runs).await? {
            return Ok(None);
        }
        let sql = format!(
            "SELECT extract(epoch FROM finished_at)::float8 AS at, rows_read, bytes, seconds FROM {runs} \
             WHERE table_name = $1 AND outcome = 'succeeded' AND finished_at IS NOT NULL ORDER BY started_at DESC LIMIT 1"
        );
        let row = self.query_opt(&sql, &[&table]).await.map_err(failed)?;
        Ok(row.and_then(|row| {
            let at = timestamp(row.get("at"))?;
            let elapsed = std::time::Duration::try_from_secs_f64(row.get::<_, Option<f64>>("seconds")?).ok()?;
            Some(LastSuccess {
                at,
                rows: row.get::<_, i64>("rows_read").cast_unsigned(),
                bytes: row.get::<_, i64>("bytes").cast_unsigned(),
                elapsed_ms: u64::try_from(elapsed.as_millis()).ok()?,
            })
        }))
    }

    /// The last runs of these tables, at most [`RUNS_SHOWN`] each.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn past_runs(&self, tables: &[&str]) -> Result<IndexMap<String, TableHistory>> {
        let failed = |error| target_error("read the last runs", error);
        let mut histories: IndexMap<_, _> = tables.iter().map(|&table| (table.to_owned(), TableHistory::default())).collect();
        let runs = format!("{}.runs", PgIdent(&self.state_schema));
        if !self.exists(&runs).await? {
            return Ok(histories);
        }
        let last = format!(
            "SELECT t.name, extract(epoch FROM r.started_at)::float8 AS at, r.outcome, r.rows_read, r.seconds FROM unnest($1::text[]) AS t(name) \
             CROSS JOIN LATERAL (SELECT started_at, outcome, rows_read, coalesce(seconds, 0) AS seconds FROM {runs} \
             WHERE table_name = t.name AND finished_at IS NOT NULL ORDER BY started_at DESC LIMIT {RUNS_SHOWN}) AS r ORDER BY r.started_at"
        );
        for row in self.query(&last, &[&tables]).await.map_err(failed)? {
            let Some((history, at)) = histories.get_mut(row.get::<_, &str>("name")).zip(timestamp(row.get("at"))) else { continue };
            let rows = row.get::<_, i64>("rows_read").cast_unsigned();
            history.runs.push(PastRun { at, outcome: row.get("outcome"), rows, seconds: row.get("seconds") });
        }
        let fresh = format!(
            "SELECT t.name, extract(epoch FROM r.started_at)::float8 AS at FROM unnest($1::text[]) AS t(name) CROSS JOIN LATERAL (SELECT started_at \
             FROM {runs} WHERE table_name = t.name AND outcome = 'succeeded' ORDER BY started_at DESC LIMIT 1) AS r"
        );
        for row in self.query(&fresh, &[&tables]).await.map_err(failed)? {
            if let Some(history) = histories.get_mut(row.get::<_, &str>("name")) {
                history.fresh_at = timestamp(row.get("at"));
            }
        }
        Ok(histories)
    }

    /// Whether a table of this quoted name is there.
    pub(super) async fn exists(&self, table: &str) -> Result<bool> {
        let row = self.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]).await;
        Ok(row.map_err(|error| target_error(&format!("look for {table}"), error))?.get(0))
    }
}

/// Seconds since 1970, as the server gave them.
pub(super) fn timestamp(seconds: f64) -> Option<Timestamp> {
    let since = std::time::Duration::try_from_secs_f64(seconds).ok()?;
    Timestamp::UNIX_EPOCH.checked_add(jiff::SignedDuration::try_from(since).ok()?).ok()
}
