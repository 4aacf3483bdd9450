//! One run at a time per target table, by an advisory lock that PostgreSQL frees when the transaction that has it ends, however it ends. Beside it stands
//! a [`Lease`], for a holder whose end PostgreSQL does not notice.
//!
//! The transaction is one of its own, in a session of its own, open for as long as the run has the table: behind a pool, too, it keeps its connection,
//! and the lock with it. It reads and writes nothing, so it holds nobody else up.

use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use backon::{BackoffBuilder, ConstantBuilder};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::error::target_error;
use super::lease::Lease;
use super::session::{Login, Session};
use crate::error::Result;
use crate::table::TargetTable;

/// How often a lock is renewed.
const RENEWAL_PAUSE: Duration = Duration::from_secs(3);
/// How long one renewal may take, and how long with a login before it.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(4);
const OPENING_TIMEOUT: Duration = Duration::from_secs(8);
/// How soon a renewal that failed is tried again.
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// How long it may take to give a lock back.
const RELEASE_TIMEOUT: Duration = Duration::from_millis(500);

/// Who holds an advisory lock of this database; a 64-bit key is shown as two halves.
const HOLDER: &str = "SELECT a.pid, a.application_name, CASE WHEN a.backend_start IS NULL THEN NULL ELSE coalesce(host(a.client_addr), 'a local socket') END AS client, a.backend_start::text AS since FROM pg_catalog.pg_locks l \
     JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
     WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
     AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = current_database()) \
     AND ((l.classid::int8 << 32) | l.objid::int8) = $1";

/// Whether the lock was had.
pub enum LockOutcome {
    /// It is held until it is released or dropped, or the process ends.
    Held(Lock),
    /// Somebody else does: who, since when.
    HeldBy(String),
}

/// The lock of a table. Renewed in the background for as long as this stands.
pub struct Lock {
    lease: Lease,
    remains: Option<String>,
    /// Dropped, it has the keeper give the lock back.
    released: oneshot::Sender<()>,
    keeper: JoinHandle<()>,
}

impl Lock {
    /// What the lock is known by.
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// What a run that died with the table has left, and what became of that.
    pub fn remains(&self) -> Option<&str> {
        self.remains.as_deref()
    }

    /// Gives the lock back, and waits until it is free; a target that does not answer frees it by itself.
    pub async fn release(self) {
        drop(self.released);
        if timeout(RELEASE_TIMEOUT, self.keeper).await.is_err() {
            tracing::debug!("the lock runs out by itself");
        }
    }
}

impl Session {
    /// Takes the lock of `table`, which the configuration calls `name`, for a run, or says who has it; waits for nobody but a holder whose lease has run out, and
    /// which is then ended.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn lock(&mut self, table: &TargetTable, name: &str, run_id: Uuid) -> Result<LockOutcome> {
        let key = key(table);
        let mut holder = self.login().open().await?;
        let mut looks = ConstantBuilder::default().with_delay(Duration::from_millis(50)).with_max_times(40).build();
        holder.begin_holding(table).await?;
        let process = loop {
            if let Some(process) = holder.try_lock(table, key).await? {
                break process;
            }
            let ending = self.evict_expired(table, key).await.unwrap_or_else(|error| {
                tracing::warn!("{error}");
                false
            });
            match looks.next().filter(|_| ending) {
                Some(pause) => sleep(pause).await,
                None => return Ok(LockOutcome::HeldBy(self.holder(table, key).await?)),
            }
        };
        let (lease, remains) = self.take_lease(table, name, run_id, process).await?;
        // Who had the table before may be gone with work still under way at the server.
        if let Err(error) = self.end_work(&lease.before()).await {
            tracing::warn!("{error}");
        }
        let remains = self.remove(remains).await;
        self.work_under(&lease);
        let (released, release) = oneshot::channel();
        let process = AtomicI32::new(process);
        let keeper = Keeper { lease: lease.clone(), process, holder: Some(holder), renewer: None, login: self.login().clone() };
        Ok(LockOutcome::Held(Lock { lease, remains, released, keeper: tokio::spawn(keeper.keep(release)) }))
    }

    /// Begins the transaction that is to hold a lock, for however long.
    async fn begin_holding(&mut self, table: &TargetTable) -> Result<()> {
        let begun = self.begin_standing("ISOLATION LEVEL READ COMMITTED", "SET LOCAL idle_in_transaction_session_timeout = 0").await;
        begun.map_err(|error| target_error(&format!("lock {table}"), error))
    }

    /// Takes the lock for the transaction that stands open; returns the server's process that has it, none where another one does.
    async fn try_lock(&self, table: &TargetTable, key: i64) -> Result<Option<i32>> {
        let row = self.query_one("SELECT pg_try_advisory_xact_lock($1), pg_backend_pid()", &[&key]).await;
        let row = row.map_err(|error| target_error(&format!("lock {table}"), error))?;
        Ok(row.get::<_, bool>(0).then(|| row.get(1)))
    }

    /// Asks something of the transaction that stands open.
    async fn still_stands(&self, table: &TargetTable) -> Result<()> {
        let alive = self.query_one("SELECT 1", &[]).await;
        alive.map(drop).map_err(|error| target_error(&format!("hold the lock of {table}"), error))
    }

    /// Who has the advisory lock `key`: by the row of the lease, or by the session where that is just being taken or given back.
    async fn holder(&self, table: &TargetTable, key: i64) -> Result<String> {
        let holder = self.query_opt(HOLDER, &[&key]).await.map_err(|error| target_error(&format!("lock {table}"), error))?;
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
}

/// Who keeps a lock while a run works.
struct Keeper {
    lease: Lease,
    /// The server's process that has the advisory lock.
    process: AtomicI32,
    /// The session whose transaction has it; none while it is lost.
    holder: Option<Session>,
    /// The session that renews the row, opened when the first renewal is due: most runs end before.
    renewer: Option<Session>,
    login: Login,
}

impl Keeper {
    async fn keep(mut self, release: oneshot::Receiver<()>) {
        let Self { lease, process, holder, renewer, login } = &mut self;
        let (lease, process, login) = (&*lease, &*process, &*login);
        tokio::select! {
            biased;
            _ = release => {}
            () = Box::pin(renew_until_taken_over(renewer, lease, process, login)) => lease.note_taken_over(),
            () = Box::pin(hold(holder, lease, process, login)) => {}
        }
        self.give_back().await;
    }

    /// Gives row and advisory lock back at once, where they can be.
    async fn give_back(self) {
        let given = match (self.holder, self.renewer) {
            (Some(mut holder), _) => match holder.end_lease(&self.lease).await {
                Ok(()) => holder.end_standing().await.map_err(|error| target_error("give the lock back", error)),
                Err(error) => Err(error),
            },
            (None, Some(renewer)) => renewer.end_lease(&self.lease).await,
            (None, None) => return,
        };
        if let Err(error) = given {
            tracing::debug!(%error, "the lock of {} goes with its session", self.lease.target());
        }
    }
}

async fn renew_until_taken_over(renewer: &mut Option<Session>, lease: &Lease, process: &AtomicI32, login: &Login) {
    let mut pause = RENEWAL_PAUSE;
    loop {
        sleep(pause).await;
        let limit = if renewer.is_some() { RENEWAL_TIMEOUT } else { OPENING_TIMEOUT };
        let renewed = timeout(limit, renew(renewer, lease, process, login)).await;
        pause = match renewed.unwrap_or_else(|_| Err(lease.unanswered("renew"))) {
            Ok(true) => RENEWAL_PAUSE,
            Ok(false) => return,
            Err(error) => {
                tracing::warn!("{error}");
                *renewer = None;
                RETRY_PAUSE
            }
        };
    }
}

/// Renews the row once; returns whether it is still this lease's.
async fn renew(renewer: &mut Option<Session>, lease: &Lease, process: &AtomicI32, login: &Login) -> Result<bool> {
    let session = match renewer {
        Some(session) => session,
        none => none.insert(login.open().await?),
    };
    session.renew_lease(lease, process.load(Ordering::Relaxed)).await
}

/// Keeps the transaction that has the advisory lock from looking idle. Where it is lost, the lock is taken once more, in another: until then another
/// run may take the table over, and the token sees to it that only one of them publishes.
async fn hold(holder: &mut Option<Session>, lease: &Lease, process: &AtomicI32, login: &Login) {
    loop {
        sleep(RENEWAL_PAUSE).await;
        let held = match holder {
            Some(session) => timeout(RENEWAL_TIMEOUT, session.still_stands(lease.target())).await,
            None => Ok(hold_again(login, lease).await.map(|again| {
                if let Some((session, again)) = again {
                    tracing::info!("the lock of {} is held again", lease.target());
                    process.store(again, Ordering::Relaxed);
                    *holder = Some(session);
                }
            })),
        };
        if let Err(error) = held.unwrap_or_else(|_| Err(lease.unanswered("hold"))) {
            tracing::warn!("{error}");
            *holder = None;
        }
    }
}

/// The lock in another transaction; none where another run has it by now.
async fn hold_again(login: &Login, lease: &Lease) -> Result<Option<(Session, i32)>> {
    let mut holder = login.open().await?;
    holder.begin_holding(lease.target()).await?;
    let process = holder.try_lock(lease.target(), key(lease.target())).await?;
    Ok(process.map(|process| (holder, process)))
}

/// The lock's key: 63 bits of a hash of the table's name, so that it is the same for every version and host.
pub(super) fn key(table: &TargetTable) -> i64 {
    i64::from_be_bytes(name_hash(table)) & i64::MAX
}

/// Eight bytes that stand for a table's name: names above 63 bytes are cut silently, so nothing is named by the name itself.
pub(super) fn name_hash(table: &TargetTable) -> [u8; 8] {
    let digest = Sha256::digest(format!("tablesync {table}"));
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    first
}
