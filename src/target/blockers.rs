//! Who keeps a lock that was not had.
//!
//! PostgreSQL tells it exactly only of a session that waits: so a second one looks on while a publish waits again. Of a lock that was not had at the
//! first attempt, the holders of the table's locks are told right after. What belongs to another role is hidden from one without `pg_read_all_stats`, except
//! its process and its application; the statement that a session runs is never shown, for it may hold values.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio_postgres::Row;

use super::error::target_error;
use super::session::Session;
use crate::config::TargetSettings;
use crate::error::Result;
use crate::table::TargetTable;

/// Between two looks at who blocks.
const LOOK_PAUSE: Duration = Duration::from_millis(200);
/// How many sessions are named.
const NAMED_MAX: usize = 5;

/// What is told of a session `b` with the process `p.pid`; `pg_blocking_pids` gives 0 for a prepared transaction.
const TOLD: &str = "p.pid, b.application_name, b.usename::text AS role, b.backend_type, \
     CASE WHEN b.state IS NOT NULL THEN coalesce(host(b.client_addr), 'a local socket') END AS client, b.state, \
     b.wait_event_type = 'Lock' AS waits, coalesce(b.xact_start, b.state_change)::timestamptz(0)::text AS since";

/// Who blocks the sessions of an application that wait for a lock.
const BLOCKING: &str = "FROM pg_catalog.pg_stat_activity w CROSS JOIN LATERAL unnest(pg_catalog.pg_blocking_pids(w.pid)) AS p(pid) \
     LEFT JOIN pg_catalog.pg_stat_activity b ON b.pid = p.pid \
     WHERE w.application_name = $1 AND w.datname = current_database() AND w.wait_event_type = 'Lock'";

/// Who else has a lock on a table, or a part of it, that keeps writers out. Those who only read, or lock single rows, do not.
const HOLDING: &str = "FROM (SELECT l.pid FROM pg_catalog.pg_locks l WHERE l.granted AND l.locktype = 'relation' AND l.mode NOT IN ('AccessShareLock', 'RowShareLock') \
       AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database()) \
       AND l.relation IN (SELECT relid FROM pg_catalog.pg_partition_tree(to_regclass($1)) UNION SELECT to_regclass($1))) AS p(pid) \
     LEFT JOIN pg_catalog.pg_stat_activity b ON b.pid = p.pid \
     WHERE p.pid IS DISTINCT FROM pg_backend_pid()";

/// A session, or what else keeps a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// Its process in PostgreSQL; none of a prepared transaction.
    pub pid: Option<i32>,
    /// Who it is, and what it does.
    pub description: String,
}

/// Looks on, in a session of its own, who blocks the sessions of one application; ends when it is dropped.
#[derive(Debug)]
pub struct BlockerWatch {
    seen: Arc<Mutex<Vec<Blocker>>>,
    task: AbortHandle,
}

impl BlockerWatch {
    /// Begins to look on.
    pub fn start(settings: TargetSettings, application: String) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            let session = match Session::open(&settings, &application).await {
                Ok(session) => session,
                Err(error) => return tracing::debug!(%error, "nobody looks on who blocks"),
            };
            loop {
                match session.blockers(BLOCKING, settings.server.shown_as(&application)).await {
                    Ok(blockers) if blockers.is_empty() => {}
                    Ok(blockers) => *noted.lock().unwrap_or_else(PoisonError::into_inner) = blockers,
                    Err(error) => return tracing::debug!(%error, "nobody looks on any more who blocks"),
                }
                tokio::time::sleep(LOOK_PAUSE).await;
            }
        });
        Self { seen, task: task.abort_handle() }
    }

    /// Who was seen last to block; nobody where nobody did.
    pub fn seen(&self) -> Vec<Blocker> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for BlockerWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Session {
    /// Who else has a lock on `table` that keeps writers out, now.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn lock_holders(&self, table: &TargetTable) -> Result<Vec<Blocker>> {
        self.blockers(HOLDING, &table.to_string()).await
    }

    async fn blockers(&self, of: &str, parameter: &str) -> Result<Vec<Blocker>> {
        let sql = format!("SELECT DISTINCT {TOLD} {of} ORDER BY p.pid LIMIT {NAMED_MAX}");
        let rows = self.query(&sql, &[&parameter]).await.map_err(|error| target_error("read who blocks", error))?;
        Ok(rows.iter().map(blocker).collect())
    }
}

fn blocker(row: &Row) -> Blocker {
    let pid = Some(row.get::<_, i32>("pid")).filter(|pid| *pid != 0);
    let Some(process) = pid else {
        return Blocker { pid, description: "a prepared transaction (see pg_prepared_xacts)".to_owned() };
    };
    let text = |column: &str| row.get::<_, Option<String>>(column).filter(|text| !text.is_empty());
    let name = text("application_name").or_else(|| text("backend_type")).unwrap_or_else(|| "a session without a name".to_owned());
    let role = text("role").map(|role| format!(" of role {role}")).unwrap_or_default();
    let client = text("client").map(|client| format!(" from {client}")).unwrap_or_default();
    let waits = if row.get::<_, Option<bool>>("waits") == Some(true) { ", itself waiting for a lock" } else { "" };
    let state = text("state").map(|state| format!(", {state}{waits}")).unwrap_or_default();
    let since = text("since").map(|since| format!(", its transaction began {since}")).unwrap_or_default();
    Blocker { pid, description: format!("{name}{role}{client} (PostgreSQL process {process}{state}{since})") }
}
