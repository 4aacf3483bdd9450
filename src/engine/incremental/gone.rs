//! Rows that are gone from the source, found by comparing keys.

use super::Course;
use super::stretch::Stretch;
use crate::engine::full_refresh::TableJob;
use crate::engine::full_refresh::so_far::SoFar;
use crate::engine::reading::{Reading, read_options, selection};
use crate::error::Result;
use crate::failpoint;
use crate::sources::{Connection, Selection};
use crate::table::{Deletes, TargetTable, WatermarkKind, Window};
use crate::target::{Gone, Publication, Session};

/// What a run is called in the history.
pub(in crate::engine) const INCREMENTAL: &str = "incremental";
/// What one that compares keys is called there.
pub(in crate::engine) const WITH_KEYS: &str = "incremental_keys";

impl TableJob {
    /// Whether keys are compared at the end of a stretch.
    pub(super) async fn keys_are_due(&self, session: &Session, course: &Course<'_>, stretch: &Stretch, last: bool) -> Result<bool> {
        if course.sync.kind == WatermarkKind::ChangeTracking {
            // It tells what went since the copy began, and not what had gone before.
            return Ok(!stretch.into_empty);
        }
        if !last || course.sync.deletes == Deletes::Ignore {
            return Ok(false);
        }
        if course.sync.deletes_every <= 1 {
            return Ok(true);
        }
        let patience = session.patience();
        let counting = patience.wait(session.runs_since(&self.config.name, WITH_KEYS));
        Ok(self.run.stop.or_done(counting).await? + 1 >= course.sync.deletes_every)
    }

    /// Brings the keys of all rows that the source has now. Gives the connection back.
    pub(super) async fn all_keys(
        &self,
        session: &mut Session,
        so_far: &mut SoFar,
        course: &Course<'_>,
        connection: Connection,
    ) -> Result<(Gone, Connection)> {
        let selection = keys_of(selection(&self.config, &course.plan), None);
        so_far.refresh = Some(WITH_KEYS);
        let options = read_options(&self.config, so_far.text_as_bytes);
        let read = Reading { connection, described: course.described.clone(), selection, options };
        let (keys, connection) = self.load_keys(session, &course.plan.publication, read).await?;
        Ok((Gone::AllBut(keys), connection))
    }

    /// Brings keys into a table of their own. Gives the connection back.
    pub(super) async fn load_keys(
        &self,
        session: &mut Session,
        publication: &Publication,
        read: Reading,
    ) -> Result<(TargetTable, Connection)> {
        let patience = session.patience();
        let keys = self.run.stop.or_done(patience.wait(session.create_keys(publication))).await?;
        let ((_, connection), _) = self.run.stop.or_done(self.pump(session.load_keys(&keys, publication), read)).await?;
        failpoint::reached("keys_loaded");
        Ok((keys, connection))
    }
}

/// Of what a table's rows are read with, the key alone.
pub(in crate::engine) fn keys_of(mut selection: Selection, window: Option<Window>) -> Selection {
    selection.columns = selection.key.iter().map(|&position| selection.columns[position].clone()).collect();
    selection.key = (0..selection.columns.len()).collect();
    selection.window = window;
    selection
}
