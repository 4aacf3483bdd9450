//! What the state schema knows of a table's last successful run. Only read, so it may be missing.

use super::error::target_error;
use super::session::Session;
use crate::error::Result;
use crate::report::LastSuccess;
use crate::table::PgIdent;

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
            let at = std::time::Duration::try_from_secs_f64(row.get("at")).ok()?;
            let at = jiff::Timestamp::UNIX_EPOCH.checked_add(jiff::SignedDuration::try_from(at).ok()?).ok()?;
            let elapsed = std::time::Duration::try_from_secs_f64(row.get::<_, Option<f64>>("seconds")?).ok()?;
            Some(LastSuccess {
                at,
                rows: row.get::<_, i64>("rows_read").cast_unsigned(),
                bytes: row.get::<_, i64>("bytes").cast_unsigned(),
                elapsed_ms: u64::try_from(elapsed.as_millis()).ok()?,
            })
        }))
    }

    /// Whether a table of this quoted name is there.
    pub(super) async fn exists(&self, table: &str) -> Result<bool> {
        let row = self.query_one("SELECT to_regclass($1) IS NOT NULL", &[&table]).await;
        Ok(row.map_err(|error| target_error(&format!("look for {table}"), error))?.get(0))
    }
}
