//! A table held: the session, the lock, and what renews that; and how it is had back when the session was lost.

use std::time::Duration;

use super::TableJob;
use super::so_far::SoFar;
use crate::error::Result;
use crate::report::RowCounts;
use crate::target::{Lease, LockOutcome, Renewal, Session, Started};

const UNLOCK_TIMEOUT: Duration = Duration::from_millis(500);

/// What a refresh has in its hands from one attempt to the next.
#[derive(Default)]
pub(super) struct Hands {
    /// The table, while it is held.
    pub(super) held: Option<Held>,
    /// A session that was lost: what it was doing is not known until it has been looked up in another one.
    pub(super) lost: Option<Session>,
    /// Whether the run's row may be there.
    pub(super) recorded: bool,
}

/// A table held.
pub(super) struct Held {
    pub(super) session: Session,
    pub(super) lease: Lease,
    renewal: Renewal,
}

/// What came of taking a table.
pub(super) enum Taken {
    /// It is held.
    Held,
    /// Another run holds it.
    HeldBy(String),
    /// A session that was lost had published it.
    Published(RowCounts),
}

impl TableJob {
    /// Takes the table, unless it is held already: a session, the state schema, the lock, the run's row. What a lost session came to is looked up first,
    /// so that nothing is published twice.
    pub(super) async fn take(&self, hands: &mut Hands, so_far: &mut SoFar) -> Result<Taken> {
        if hands.held.is_some() {
            return Ok(Taken::Held);
        }
        let stop = &self.run.stop;
        let mut session = stop.or_done(Session::open(&self.target, &self.application())).await?;
        let patience = session.patience();
        if let Some(lost) = &hands.lost {
            stop.or_done(patience.wait(session.end(lost))).await?;
            if let Some(rows) = stop.or_done(patience.wait(session.published(self.run.run_id, &self.config.name))).await? {
                return Ok(Taken::Published(rows));
            }
        }
        hands.lost = None;
        stop.or_done(patience.wait(session.prepare_state())).await?;
        let lock = stop.or_done(patience.wait(session.lock(&self.config.pg_table, self.run.run_id))).await?;
        let taken = match lock {
            LockOutcome::Held(lease) => {
                let renewal = lease.renew_in_background(self.target.clone(), self.application());
                so_far.lease = Some(lease.clone());
                let held = hands.held.insert(Held { session, lease, renewal });
                self.record_start(&held.session, &mut hands.recorded).await?;
                Taken::Held
            }
            LockOutcome::HeldBy(held_by) => {
                self.record_start(&session, &mut hands.recorded).await?;
                stop.or_done(patience.wait(session.record_end(&self.ended("skipped", so_far, Some(&held_by))))).await?;
                Taken::HeldBy(held_by)
            }
        };
        Ok(taken)
    }

    /// Writes the run's row, once.
    async fn record_start(&self, session: &Session, recorded: &mut bool) -> Result<()> {
        if !std::mem::replace(recorded, true) {
            let started = Started { run_id: self.run.run_id, table: &self.config.name, mode: self.run.mode, at: jiff::Timestamp::now() };
            self.run.stop.or_done(session.patience().wait(session.record_start(&started))).await?;
        }
        Ok(())
    }

    /// Gives the table back.
    pub(super) async fn give_back(&self, hands: Hands, so_far: &mut SoFar) {
        let Some(Held { mut session, lease, renewal }) = hands.held else { return };
        drop(renewal);
        so_far.warnings.append(&mut session.take_done_before());
        // A target that does not answer frees the lock with the session.
        let _ = tokio::time::timeout(UNLOCK_TIMEOUT, session.unlock(&self.config.pg_table, &lease)).await;
    }
}
