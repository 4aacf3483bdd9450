//! What a run that died has left: the next run of its table says so and removes it.
//!
//! A dead run is known by its row of `locks`: it never gave that back, and yet the table's advisory lock was to be had. What is its own is known without a doubt:
//! its row of `runs` by its id, helper tables by the hash of the target's name, which only the holder of the lock writes.
//!
//! Crash story. Its row of `runs` is ended by the statement that takes its row of `locks` over: both or neither. Whoever dies before the helper tables are gone is
//! the dead run that the next one finds.

use tokio_postgres::Row;
use uuid::Uuid;

use super::create::literal;
use super::error::target_error;
use super::session::Session;
use super::state::helper_table;
use crate::error::Result;
use crate::failpoint;
use crate::table::{PgIdent, TargetTable};

/// What a run found when it took a table.
#[derive(Debug)]
pub(super) struct Remains {
    /// The run that did not give it back, as the reader is told.
    dead: Option<String>,
    /// Helper tables that stand there.
    helpers: Vec<TargetTable>,
}

impl Remains {
    /// The parts `dead` and `ended` of a statement that takes the table `$1`, which the configuration calls `$7`, for the run `$2`: the run that did not give it back,
    /// and what of its rows in `runs` this ends. Of a run that renews the lock of another table, and so lives on, only the row of this table is ended.
    pub(super) fn find(schema: &PgIdent<'_>) -> String {
        format!(
            "dead AS MATERIALIZED (SELECT run_id, acquired_at, host, process_id FROM {schema}.locks \
                 WHERE target = $1 AND run_id <> $2 AND expires_at IS NOT NULL), \
             ended AS (UPDATE {schema}.runs AS r SET finished_at = clock_timestamp(), outcome = 'died', \
                 seconds = extract(epoch FROM clock_timestamp() - r.started_at), \
                 error = format('process %s on %s ended without a word, or was cut off', d.process_id, d.host) \
                 FROM dead AS d WHERE r.run_id = d.run_id AND r.outcome = 'started' AND (r.table_name = $7 OR NOT EXISTS (SELECT FROM {schema}.locks AS l \
                 WHERE l.run_id = d.run_id AND l.target <> $1 AND l.expires_at > clock_timestamp())) RETURNING r.table_name)"
        )
    }

    /// The columns that tell of it, and of the helper tables of `target`.
    pub(super) fn columns(state_schema: &str, target: &TargetTable) -> String {
        let stands = helpers(state_schema, target).map(|helper| format!("to_regclass({}) IS NOT NULL", literal(&helper.to_string())));
        let [staging, difference, keys] = stands;
        format!(
            "(SELECT run_id FROM dead) AS dead_run, (SELECT acquired_at::text FROM dead) AS dead_since, (SELECT host FROM dead) AS dead_host, \
             (SELECT process_id FROM dead) AS dead_process, EXISTS (SELECT FROM ended) AS unfinished, {staging} AS staging, {difference} AS difference, {keys} AS keys"
        )
    }

    /// What those columns say.
    pub(super) fn found(row: &Row, state_schema: &str, target: &TargetTable) -> Self {
        let stand = ["staging", "difference", "keys"].map(|name| row.get::<_, bool>(name));
        let helpers = helpers(state_schema, target).into_iter().zip(stand).filter(|(_, stands)| *stands).map(|(helper, _)| helper);
        Self { dead: told(row), helpers: helpers.collect() }
    }
}

impl Session {
    /// Removes what still stands there; returns what the reader should know.
    pub(super) async fn remove(&self, remains: Remains) -> Option<String> {
        if remains.dead.is_some() {
            failpoint::reached("dead_run_ended");
        }
        let mut removed = Vec::new();
        for helper in &remains.helpers {
            match self.remove_helper(helper).await {
                Ok(()) => removed.push(helper.to_string()),
                // Whoever needs a table of that name will say so.
                Err(error) => tracing::warn!("{error}"),
            }
        }
        let dead = remains.dead?;
        failpoint::reached("remains_removed");
        let removed = if removed.is_empty() { String::new() } else { format!("; {} was removed", removed.join(" and ")) };
        Some(format!("{dead}{removed}"))
    }

    async fn remove_helper(&self, helper: &TargetTable) -> Result<()> {
        let dropped = self.batch_execute(&format!("DROP TABLE IF EXISTS {helper}")).await;
        dropped.map_err(|error| target_error("remove what a dead run left", error))
    }
}

fn helpers(state_schema: &str, target: &TargetTable) -> [TargetTable; 3] {
    ["staging", "difference", "keys"].map(|kind| helper_table(state_schema, kind, target))
}

fn told(row: &Row) -> Option<String> {
    let run_id: Uuid = row.get::<_, Option<_>>("dead_run")?;
    let (process_id, host, since): (i64, &str, &str) = (row.get("dead_process"), row.get("dead_host"), row.get("dead_since"));
    let outcome = if row.get("unfinished") { "; its outcome is \"died\" now" } else { "" };
    Some(format!("run {run_id} (process {process_id} on {host}) took the table at {since} and ended without a word{outcome}"))
}
