//! One run at a time per target table, by a session's advisory lock: PostgreSQL frees it when the session ends, however it ends.

use sha2::{Digest, Sha256};

use super::error::target_error;
use super::session::Session;
use crate::error::Result;
use crate::table::TargetTable;

/// Who holds an advisory lock of this database; a 64-bit key is shown as two halves.
const HOLDER: &str = "SELECT a.pid, a.application_name, CASE WHEN a.backend_start IS NULL THEN NULL ELSE coalesce(host(a.client_addr), 'a local socket') END AS client, a.backend_start::text AS since FROM pg_catalog.pg_locks l \
     JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
     WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
     AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database()) \
     AND ((l.classid::int8 << 32) | l.objid::int8) = $1";

/// Whether the lock was had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockOutcome {
    /// This session holds it until it ends or unlocks.
    Held,
    /// Somebody else does: who, since when.
    HeldBy(String),
}

impl Session {
    /// Takes the lock of `table`, or says who has it; never waits.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn lock(&self, table: &TargetTable) -> Result<LockOutcome> {
        let key = key(table);
        let failed = |error| target_error(&format!("lock {table}"), error);
        let row = self.client.query_one("SELECT pg_try_advisory_lock($1)", &[&key]).await.map_err(failed)?;
        if row.get(0) {
            return Ok(LockOutcome::Held);
        }
        let holder = self.client.query_opt(HOLDER, &[&key]).await.map_err(failed)?;
        let held_by = match holder {
            Some(row) => {
                // What belongs to another role is hidden from one without pg_read_all_stats.
                let shown = |column: &str, hidden: &str| row.get::<_, Option<String>>(column).unwrap_or_else(|| hidden.to_owned());
                format!(
                    "{} (PostgreSQL process {} from {}, connected since {})",
                    shown("application_name", "another role's session"),
                    row.get::<_, i32>("pid"),
                    shown("client", "an address not shown"),
                    shown("since", "a time not shown")
                )
            }
            None => "a session that has just ended".to_owned(),
        };
        Ok(LockOutcome::HeldBy(held_by))
    }

    /// Gives the lock of `table` back, at once rather than when the server notices that the session has ended.
    pub async fn unlock(&self, table: &TargetTable) {
        if let Err(error) = self.client.execute("SELECT pg_advisory_unlock($1)", &[&key(table)]).await {
            tracing::debug!(%error, "the lock goes with the session");
        }
    }
}

/// The lock's key: 63 bits of a hash of the table's name, so that it is the same for every version and host.
fn key(table: &TargetTable) -> i64 {
    i64::from_be_bytes(name_hash(table)) & i64::MAX
}

/// Eight bytes that stand for a table's name: names above 63 bytes are cut silently, so nothing is named by the name itself.
pub(super) fn name_hash(table: &TargetTable) -> [u8; 8] {
    let digest = Sha256::digest(format!("tablesync {table}"));
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    first
}
