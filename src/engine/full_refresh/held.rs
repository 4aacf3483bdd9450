//! A table held: the lock, and the session that works under it; and how they are had back when one of them was lost.

use super::TableJob;
use super::so_far::SoFar;
use crate::error::Result;
use crate::failpoint;
use crate::report::RowCounts;
use crate::target::{Lock, LockOutcome, Session, Started};

/// What a refresh has in its hands from one attempt to the next.
#[derive(Default)]
pub(super) struct Hands {
    /// The table's lock. It may outlive the session, and be lost before it.
    pub(super) lock: Option<Lock>,
    /// The session that works under the lock; none before the first attempt, and while one that was lost is not replaced.
    pub(super) session: Option<Session>,
    /// Whether the run's row may be there.
    pub(super) recorded: bool,
}

/// What came of taking a table.
pub(super) enum Taken<'a> {
    /// It is held, and worked at in this session.
    Held(&'a mut Session),
    /// Another run holds it.
    HeldBy(String),
    /// A session that was lost had published it.
    Published(RowCounts),
}

impl TableJob {
    /// Takes the table, unless it is held already: a session, the state schema, the lock, the run's row. What a lost session came to is looked up first,
    /// so that nothing is published twice.
    pub(super) async fn take<'a>(&self, hands: &'a mut Hands, so_far: &mut SoFar) -> Result<Taken<'a>> {
        if let Some(session) = hands.session.take() {
            return Ok(Taken::Held(hands.session.insert(session)));
        }
        let stop = &self.run.stop;
        let mut session = stop.or_done(Session::open(&self.target, &self.application())).await?;
        let patience = session.patience();
        if let Some(lease) = &so_far.lease {
            stop.or_done(patience.wait(session.end_work(lease))).await?;
            if let Some(rows) = stop.or_done(patience.wait(session.published(self.run.run_id, &self.config.name))).await? {
                return Ok(Taken::Published(rows));
            }
            if hands.lock.is_some() && stop.or_done(patience.wait(session.still_holds(lease))).await? {
                session.work_under(lease);
                return Ok(Taken::Held(hands.session.insert(session)));
            }
        }
        hands.lock = None;
        stop.or_done(patience.wait(session.prepare_state())).await?;
        failpoint::reached("state_prepared");
        match stop.or_done(patience.wait(session.lock(&self.config.pg_table, &self.config.name, self.run.run_id))).await? {
            LockOutcome::Held(lock) => {
                failpoint::reached("lock_taken");
                so_far.told.extend(lock.remains().map(str::to_owned));
                so_far.lease = Some(lock.lease().clone());
                hands.lock = Some(lock);
                self.record_start(&session, &mut hands.recorded).await?;
                Ok(Taken::Held(hands.session.insert(session)))
            }
            LockOutcome::HeldBy(held_by) => {
                stop.or_done(patience.wait(session.record_skipped(&self.started(), &held_by))).await?;
                Ok(Taken::HeldBy(held_by))
            }
        }
    }

    /// Writes the run's row, once.
    async fn record_start(&self, session: &Session, recorded: &mut bool) -> Result<()> {
        if !std::mem::replace(recorded, true) {
            self.run.stop.or_done(session.patience().wait(session.record_start(&self.started()))).await?;
            failpoint::reached("run_recorded");
        }
        Ok(())
    }

    fn started(&self) -> Started<'_> {
        Started { run_id: self.run.run_id, table: &self.config.name, mode: self.run.mode, at: jiff::Timestamp::now() }
    }

    /// Gives the table back.
    pub(super) async fn give_back(&self, hands: Hands, so_far: &mut SoFar) {
        if let Some(mut session) = hands.session {
            so_far.warnings.append(&mut session.take_done_before());
        }
        if let Some(lock) = hands.lock {
            lock.release().await;
            failpoint::reached("lock_given_back");
        }
    }
}
