//! One run at a time per target table, by a session's advisory lock: PostgreSQL frees it when the session ends, however it ends. Beside it stands a
//! [`Lease`], for a session whose end PostgreSQL does not notice.

use std::time::Duration;

use backon::{BackoffBuilder, ConstantBuilder};
use sha2::{Digest, Sha256};
use tokio::time::sleep;
use uuid::Uuid;

use super::error::target_error;
use super::lease::Lease;
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
#[derive(Debug, Clone)]
pub enum LockOutcome {
    /// This session holds it until it ends or unlocks, as long as the lease is renewed.
    Held(Lease),
    /// Somebody else does: who, since when.
    HeldBy(String),
}

impl Session {
    /// Takes the lock of `table`, which the configuration calls `name`, for a run, or says who has it; waits for nobody but a session whose lease has run out, and
    /// which is then ended.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn lock(&self, table: &TargetTable, name: &str, run_id: Uuid) -> Result<LockOutcome> {
        let key = key(table);
        let mut looks = ConstantBuilder::default().with_delay(Duration::from_millis(50)).with_max_times(40).build();
        while !self.try_advisory_lock(table, key).await? {
            let ending = self.evict_expired(table, key).await.unwrap_or_else(|error| {
                tracing::warn!("{error}");
                false
            });
            match looks.next().filter(|_| ending) {
                Some(pause) => sleep(pause).await,
                None => return Ok(LockOutcome::HeldBy(self.holder(table, key).await?)),
            }
        }
        let remains = self.settle_dead_run(table, name, run_id).await?;
        Ok(LockOutcome::Held(self.take_lease(table, run_id, remains).await?))
    }

    async fn try_advisory_lock(&self, table: &TargetTable, key: i64) -> Result<bool> {
        let row = self.client.query_one("SELECT pg_try_advisory_lock($1)", &[&key]).await;
        Ok(row.map_err(|error| target_error(&format!("lock {table}"), error))?.get(0))
    }

    /// Who has the advisory lock `key`: by the row of the lease, or by the session where that is just being taken or given back.
    async fn holder(&self, table: &TargetTable, key: i64) -> Result<String> {
        let holder = self.client.query_opt(HOLDER, &[&key]).await.map_err(|error| target_error(&format!("lock {table}"), error))?;
        let Some(row) = holder else { return Ok("a session that has just ended".to_owned()) };
        if let Some(holder) = self.holder_by_lease(table, row.get("pid")).await? {
            return Ok(holder);
        }
        // What belongs to another role is hidden from one without pg_read_all_stats.
        let shown = |column: &str, hidden: &str| row.get::<_, Option<String>>(column).unwrap_or_else(|| hidden.to_owned());
        Ok(format!(
            "{} (PostgreSQL process {} from {}, connected since {})",
            shown("application_name", "another role's session"),
            row.get::<_, i32>("pid"),
            shown("client", "an address not shown"),
            shown("since", "a time not shown")
        ))
    }

    /// Gives the lock of `table` back, at once rather than when the server notices that the session has ended.
    pub async fn unlock(&self, table: &TargetTable, lease: &Lease) {
        if let Err(error) = self.end_lease(lease).await {
            tracing::debug!(%error, "the lease runs out by itself");
        }
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
