//! What a run that died has left: the next run of its table says so and removes it.
//!
//! A dead run is known by its row of `locks`: nobody gave that back, and yet the table's advisory lock was to be had. What is its own is known without a
//! doubt: its row of `runs` by its id, its helper tables by the hash of the target's name, which nobody but the lock's holder writes.
//!
//! Crash story. All of it happens under the advisory lock, before the row of `locks` is taken over: whoever dies here leaves that row as it was, and the next run
//! finds it again.

use tokio_postgres::Row;
use uuid::Uuid;

use super::error::target_error;
use super::session::Session;
use super::state::helper_table;
use crate::error::Result;
use crate::failpoint;
use crate::table::{PgIdent, TargetTable};

impl Session {
    /// Ends what a dead run of `target` began, `table` being the configuration's name for it; returns what the reader should know. Called with the advisory lock.
    pub(super) async fn settle_dead_run(&self, target: &TargetTable, table: &str, run_id: Uuid) -> Result<Option<String>> {
        let failed = |error| target_error(&format!("see what a dead run of {target} left"), error);
        let helpers = ["staging", "difference"].map(|kind| helper_table(&self.state_schema, kind, target).to_string());
        let [staging, difference] = &helpers;
        let row = self.client.query_opt(&self.end_dead_run(), &[&target.to_string(), &run_id, &table, staging, difference]).await;
        let Some(row) = row.map_err(failed)? else { return Ok(None) };
        failpoint::reached("dead_run_ended");
        let mut removed = Vec::new();
        for (helper, stands) in helpers.iter().zip([row.get("staging"), row.get("difference")]) {
            if stands {
                self.client.batch_execute(&format!("DROP TABLE IF EXISTS {helper}")).await.map_err(failed)?;
                removed.push(helper.as_str());
            }
        }
        failpoint::reached("remains_removed");
        Ok(Some(told(&row, &removed)))
    }

    /// Ends the `runs` row of the run that did not give `target` back, and says what else is there. Of a run that renews the lock of another table, and so lives on, only
    /// the row of this table is ended.
    fn end_dead_run(&self) -> String {
        let schema = PgIdent(&self.state_schema);
        format!(
            "WITH dead AS MATERIALIZED (SELECT run_id, acquired_at, host, process_id FROM {schema}.locks \
                 WHERE target = $1 AND run_id <> $2 AND expires_at IS NOT NULL), \
             ended AS (UPDATE {schema}.runs AS r SET finished_at = clock_timestamp(), outcome = 'died', \
                 seconds = extract(epoch FROM clock_timestamp() - r.started_at), \
                 error = format('process %s on %s ended without a word, or was cut off', d.process_id, d.host) \
                 FROM dead AS d WHERE r.run_id = d.run_id AND r.outcome = 'started' AND (r.table_name = $3 OR NOT EXISTS (SELECT FROM {schema}.locks AS l \
                 WHERE l.run_id = d.run_id AND l.target <> $1 AND l.expires_at > clock_timestamp())) RETURNING r.table_name) \
             SELECT d.run_id, d.acquired_at::text AS since, d.host, d.process_id, (SELECT count(*) FROM ended) > 0 AS unfinished, \
             to_regclass($4) IS NOT NULL AS staging, to_regclass($5) IS NOT NULL AS difference FROM dead AS d"
        )
    }
}

fn told(row: &Row, removed: &[&str]) -> String {
    let (run_id, process_id): (Uuid, i64) = (row.get("run_id"), row.get("process_id"));
    let (since, host): (&str, &str) = (row.get("since"), row.get("host"));
    let outcome = if row.get("unfinished") { "; its outcome is now \"died\"" } else { "" };
    let removed = match removed {
        [] => String::new(),
        tables => format!("; what it left in {} was removed", tables.join(" and ")),
    };
    format!("run {run_id} (process {process_id} on {host}), begun {since}, ended without a word{outcome}{removed}")
}
