//! By Change Tracking: what has changed since a version, and what is gone. The first run brings all rows, in the order of their key; what changed while it
//! did comes with the next changes.

use super::ahead::Connections;
use super::gone::keys_of;
use super::{Course, Place};
use crate::engine::full_refresh::TableJob;
use crate::engine::full_refresh::so_far::SoFar;
use crate::engine::reading::{Reading, read_options, selection};
use crate::error::{ErrorKind, Result, SyncError};
use crate::failpoint;
use crate::sources::{Connection, DescribedTable};
use crate::table::{Watermark, Window};
use crate::target::{Gone, NewRows, Published, Reached, Session};

/// What has changed between two versions.
pub(super) struct Changes<'a> {
    pub(super) connections: &'a mut Connections,
    pub(super) since: i64,
    pub(super) to: Watermark,
    /// Whether they are the last that the run copies.
    pub(super) last: bool,
}

impl TableJob {
    /// The changes since the place must all be known still.
    pub(super) async fn check_tracked(&self, connection: &mut Connection, described: &DescribedTable, place: &Place) -> Result<()> {
        let table = &self.config.sql_table;
        let least = self.run.stop.or_done(connection.least_change(described)).await?;
        let Some(least) = least else {
            return Err(SyncError::new(
                ErrorKind::SourceSchema,
                format!("Change Tracking is off for {table}, or the login may not see it"),
            )
            .with_remedy(format!("Run ALTER TABLE {table} ENABLE CHANGE_TRACKING, and grant the login VIEW CHANGE TRACKING on it")));
        };
        match place.begins_at().map(|reached| reached.watermark) {
            Some(since @ Watermark::Change(version)) if version < least => {
                let sentence = format!(
                    "Change Tracking of {table} knows the changes since version {least} only, and the table is copied up to {since}"
                );
                let name = &self.config.name;
                Err(SyncError::new(ErrorKind::SourceRead, sentence).with_remedy(format!(
                    "Refresh it: begin anew with --reset {name}; run more often than CHANGE_RETENTION lasts, or let it last longer"
                )))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Copies what has changed since a version, and deletes what is gone.
    pub(super) async fn copy_changes(
        &self,
        session: &mut Session,
        so_far: &mut SoFar,
        course: &mut Course<'_>,
        changes: Changes<'_>,
    ) -> Result<Published> {
        let Changes { connections, since, to, last } = changes;
        so_far.advance = Some(course.place.advance(Reached::up_to(to)));
        let connection = self.still_open(connections.any()).await?;
        let (patience, publication) = (session.patience(), &course.plan.publication);
        let staging = self.run.stop.or_done(patience.wait(session.create_staging(publication))).await?;
        so_far.staging = Some(staging.clone());
        failpoint::reached("staging_made");
        let options = read_options(&self.config, so_far.text_as_bytes);
        let read = |connection, selection| Reading { connection, described: course.described.clone(), selection, options: options.clone() };
        let mut changed = selection(&self.config, &course.plan);
        let deleted = keys_of(changed.clone(), Some(Window::Gone { since, key: course.key.clone() }));
        changed.window = Some(Window::Changed { since, key: course.key.clone() });
        let read_changed = read(connection, changed);
        let connection = self.copy(session.load_staging(&staging, publication), read_changed, so_far).await?;
        // What is gone is asked after what has changed: a row that went meanwhile is deleted once it was written.
        let (keys, mut connection) = self.load_keys(session, publication, read(connection, deleted)).await?;
        let gone = Gone::These(keys);
        // It may have been cleaned up under the reader's hands.
        self.check_tracked(&mut connection, &course.described, &course.place).await?;
        let on_conflict = course.sync.on_conflict;
        let new = NewRows { publication, staging: &staging, on_conflict, gone: Some(&gone), before: so_far.committed, last };
        let published = self.publish_new(session, so_far, new).await?;
        so_far.step_done(published.rows);
        self.stepped(so_far, course);
        Ok(Published { rows: so_far.committed, ..published })
    }
}
