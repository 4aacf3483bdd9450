//! A stretch, step by step: so many rows are read, merged and committed, and where the copy then stands.

use std::pin::pin;
use std::sync::atomic::AtomicBool;

use futures_util::future::{Either, select};

use super::ahead::Connections;
use super::stretch::Stretch;
use super::{Course, end_of};
use crate::engine::full_refresh::TableJob;
use crate::engine::full_refresh::lock_retries::LockRetries;
use crate::engine::full_refresh::so_far::SoFar;
use crate::engine::reading::{Reading, read_options, selection};
use crate::engine::retry::Retries;
use crate::error::Result;
use crate::failpoint;
use crate::report::Phase;
use crate::sources::Connection;
use crate::table::{Edge, SyncRange, Window};
use crate::target::{Advance, Load, NewRows, Published, Reached, RunRow, Session, Within, breaks_constraint, breaks_key};

/// One stretch of a run's way.
pub(super) struct Leg<'a> {
    pub(super) connections: &'a mut Connections,
    pub(super) stretch: Stretch,
    /// Whether it is the run's last.
    pub(super) last: bool,
    /// Whether keys are compared at its end.
    pub(super) keys_due: bool,
}

/// One step.
struct Step {
    range: SyncRange,
    /// Where the copy stands when it is committed.
    to: Reached,
    /// Whether rows go straight into the target.
    straight: bool,
    /// Whether it is the run's last.
    last: bool,
    /// Whether keys are compared with it.
    keys_due: bool,
    /// What it reads over; none for a connection of its own.
    connection: Option<Connection>,
}

/// A step that is committed.
struct Taken {
    published: Published,
    /// Whether the next one may go straight into the target, too.
    straight: bool,
    /// What it was read over.
    connection: Connection,
}

impl TableJob {
    /// Copies one stretch; what the last step came to is returned, with all that the run has done.
    pub(super) async fn copy_stretch(
        &self,
        session: &mut Session,
        so_far: &mut SoFar,
        course: &mut Course<'_>,
        leg: Leg<'_>,
    ) -> Result<Published> {
        let Leg { connections, stretch, last, keys_due } = leg;
        let rows = self.step_rows(course);
        let mut range =
            SyncRange { column: course.column.clone(), key: course.key.clone(), from: stretch.from.clone(), to: Edge::After(stretch.to) };
        let mut straight = stretch.into_empty;
        let mut position = self.nth_row(&mut connections.looking, &course.described, &range, rows).await?;
        loop {
            let ends = position.is_none();
            if ends && last && !keys_due && self.is_empty(&mut connections.looking, course, &range).await? {
                return self.publish_nothing(session, so_far, course, Reached::up_to(stretch.to)).await;
            }
            let to = match &position {
                None => Reached::up_to(stretch.to),
                Some(position) => {
                    let within = Within { after: position.key.clone(), until: stretch.to, into_empty: stretch.into_empty };
                    Reached { within: Some(within), ..Reached::up_to(position.watermark) }
                }
            };
            range.to = end_of(position, stretch.to);
            let ahead = SyncRange { from: Some(range.to.clone()), to: Edge::After(stretch.to), ..range.clone() };
            let connection = connections.for_step(ends && last);
            let step = Step { range, to, straight, last: ends && last, keys_due: keys_due && ends, connection };
            let described = course.described.clone();
            let looking = async { if ends { Ok(None) } else { self.nth_row(&mut connections.looking, &described, &ahead, rows).await } };
            let (taken, next) = meanwhile(self.take_step(session, so_far, course, step), looking).await?;
            connections.reading = Some(taken.connection);
            if ends {
                return Ok(taken.published);
            }
            (straight, range, position) = (taken.straight, ahead, next);
        }
    }

    /// Takes one step.
    async fn take_step(&self, session: &mut Session, so_far: &mut SoFar, course: &mut Course<'_>, mut step: Step) -> Result<Taken> {
        so_far.advance = advance(course, &step.to);
        let mut straight = step.straight && !step.keys_due;
        let mut taken = None;
        if straight {
            match Box::pin(self.straight_step(session, so_far, course, &mut step)).await {
                Ok(done) => taken = Some(done),
                // A row was changed since it was copied, and comes once more; or one breaks a constraint, and staging will tell which.
                Err(error) if breaks_key(&error) || breaks_constraint(&error) => {
                    tracing::info!("by way of staging: {error}");
                    straight = false;
                    so_far.forget_step();
                    so_far.advance = advance(course, &step.to);
                }
                Err(error) => return Err(error),
            }
        }
        let (published, connection) = match taken {
            Some(done) => done,
            None => Box::pin(self.staged_step(session, so_far, course, &mut step)).await?,
        };
        self.stepped(so_far, course);
        Ok(Taken { published: Published { rows: so_far.committed, ..published }, straight, connection })
    }

    /// What was committed is the next step's beginning.
    pub(super) fn stepped(&self, so_far: &mut SoFar, course: &mut Course<'_>) {
        if let Some(advance) = so_far.advance.take() {
            course.place.moved(advance.to);
            so_far.began_anew = self.begins_anew();
        }
    }

    async fn straight_step(
        &self,
        session: &mut Session,
        so_far: &mut SoFar,
        course: &Course<'_>,
        step: &mut Step,
    ) -> Result<(Published, Connection)> {
        let patience = session.patience();
        let read = self.read_step(so_far, course, step).await?;
        let load = self.run.stop.or_done(patience.wait(session.begin_step(&course.plan.publication))).await?;
        failpoint::reached("straight_begun");
        let connection = self.copy_step(load.load(), read, so_far).await?;
        self.reached(Phase::Publishing, None);
        so_far.publishing = true;
        let published = patience.wait(load.publish(&self.ended("succeeded", so_far, None), so_far.committed, step.last)).await?;
        so_far.step_done(published.rows);
        Ok((published, connection))
    }

    /// Copies rows, and leaves the source no snapshot to keep while they are published.
    async fn copy_step(&self, load: Load<'_>, read: Reading, so_far: &mut SoFar) -> Result<Connection> {
        let mut connection = self.copy(load, read, so_far).await?;
        self.run.stop.or_done(connection.let_go()).await?;
        Ok(connection)
    }

    async fn staged_step(
        &self,
        session: &mut Session,
        so_far: &mut SoFar,
        course: &Course<'_>,
        step: &mut Step,
    ) -> Result<(Published, Connection)> {
        let (patience, publication) = (session.patience(), &course.plan.publication);
        let read = self.read_step(so_far, course, step).await?;
        let staging = self.run.stop.or_done(patience.wait(session.create_staging(publication))).await?;
        so_far.staging = Some(staging.clone());
        failpoint::reached("staging_made");
        let mut connection = self.copy_step(session.load_staging(&staging, publication), read, so_far).await?;
        let mut gone = None;
        if step.keys_due {
            // Keys are read after the rows: whatever was copied and is not among them is gone.
            let keys;
            (keys, connection) = self.all_keys(session, so_far, course, connection).await?;
            gone = Some(keys);
        }
        let on_conflict = course.sync.on_conflict;
        let new = NewRows { publication, staging: &staging, on_conflict, gone: gone.as_ref(), before: so_far.committed, last: step.last };
        let published = self.publish_new(session, so_far, new).await?;
        so_far.step_done(published.rows);
        Ok((published, connection))
    }

    /// Publishes, again after a pause where a lock was not had or a deadlock came, and removes what that needed.
    pub(super) async fn publish_new(&self, session: &mut Session, so_far: &mut SoFar, new: NewRows<'_>) -> Result<Published> {
        self.reached(Phase::Publishing, None);
        so_far.publishing = true;
        let mut retries = LockRetries::new(Retries::of_publish());
        let published = loop {
            let begun = AtomicBool::new(false);
            let row = RunRow { begun: Some(&begun), ..self.ended("succeeded", so_far, None) };
            let patience = session.patience();
            let publishing = patience.wait(session.publish_new(new, &row));
            match self.run.stop.or_done_once_begun(publishing, &begun).await {
                Err(error) => retries.wait(self, so_far, error).await?,
                Ok(published) => break published,
            }
        };
        let patience = session.patience();
        let dropping = async { session.drop_helpers(new.staging, new.gone).await };
        // The change is visible; what cannot be removed now, the next run removes.
        if let Err(error) = self.run.stop.or_done(patience.wait(dropping)).await {
            so_far.warnings.push(error.to_string());
        }
        failpoint::reached("staging_removed");
        Ok(published)
    }

    /// Commits a watermark behind which there was nothing.
    pub(super) async fn publish_nothing(
        &self,
        session: &mut Session,
        so_far: &mut SoFar,
        course: &mut Course<'_>,
        to: Reached,
    ) -> Result<Published> {
        so_far.advance = advance(course, &to);
        self.reached(Phase::Publishing, None);
        so_far.publishing = true;
        let patience = session.patience();
        let row = self.ended("succeeded", so_far, None);
        let published = self.run.stop.or_done(patience.wait(session.publish_nothing(so_far.committed, &row))).await?;
        self.stepped(so_far, course);
        Ok(Published { rows: so_far.committed, ..published })
    }

    async fn read_step(&self, so_far: &SoFar, course: &Course<'_>, step: &mut Step) -> Result<Reading> {
        let connection = self.still_open(step.connection.take()).await?;
        let mut selection = selection(&self.config, &course.plan);
        selection.window = Some(Window::Range(step.range.clone()));
        Ok(Reading {
            connection,
            described: course.described.clone(),
            selection,
            options: read_options(&self.config, so_far.text_as_bytes),
        })
    }
}

/// Takes a step while the next one is looked for. A step is never given up for what was not found ahead of it.
async fn meanwhile<S, P>(step: impl Future<Output = Result<S>>, looking: impl Future<Output = Result<P>>) -> Result<(S, P)> {
    match select(pin!(step), pin!(looking)).await {
        Either::Left((step, looking)) => Ok((step?, looking.await?)),
        Either::Right((found, step)) => Ok((step.await?, found?)),
    }
}

/// The step forward from what stands there; none where it would be one back.
fn advance(course: &Course<'_>, to: &Reached) -> Option<Advance> {
    let back = |stands: &&Reached| stands.watermark.is_after(&to.watermark);
    match course.place.begins_at().filter(back) {
        // A step through rows that are read again stays behind what was reached before: the watermark waits for it.
        Some(_) if to.within.is_some() => None,
        Some(stands) => Some(course.place.advance(stands.clone())),
        None => Some(course.place.advance(to.clone())),
    }
}
