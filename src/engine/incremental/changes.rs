//! By Change Tracking: what has changed since a version, and what is gone. The first run brings all rows.

use super::checks::{check_tracked_key, sync_column};
use super::gone::keys_of;
use super::{Course, Outset};
use crate::engine::full_refresh::TableJob;
use crate::engine::full_refresh::so_far::SoFar;
use crate::engine::reading::{Reading, read_options, selection};
use crate::error::{ErrorKind, Result, SyncError};
use crate::failpoint;
use crate::report::{IncrementalReport, Phase};
use crate::sources::{Connection, DescribedTable};
use crate::table::{Watermark, Window};
use crate::target::{Gone, NewRows, Published, Reached, Session};

impl TableJob {
    /// Brings what has changed since the last run; all rows in a first one.
    pub(super) async fn follow_changes(&self, session: &mut Session, so_far: &mut SoFar, outset: Outset<'_>) -> Result<Published> {
        let Outset { sync, mut connection, described, place } = outset;
        let column = sync_column(&self.config, sync, described.description())?;
        let newest = self.newest(&mut connection, &column, &described, so_far).await?;
        let begins = place.begins_at().cloned();
        let from = begins.as_ref().map(|reached| reached.watermark.to_string());
        let report = IncrementalReport { from, to: Some(newest.to_string()), foreseen: None };
        self.check_tracked(&mut connection, &described, (begins.as_ref(), newest)).await?;
        let Some(Reached { watermark: Watermark::Change(since), .. }) = begins else {
            so_far.advance = Some(place.advance(Reached::up_to(newest)));
            drop(connection);
            let published = self.load_and_publish(session, so_far).await?;
            so_far.incremental = Some(report);
            so_far.began_anew = self.begins_anew();
            return Ok(published);
        };
        let (connection, mut course) = self.course(session, so_far, Outset { sync, connection, described, place }).await?;
        check_tracked_key(&self.config, course.described.description(), &course.key)?;
        so_far.incremental = Some(report);
        so_far.refresh_reason = Some("sync says so: by Change Tracking".to_owned());
        failpoint::reached("planned");
        if newest == Watermark::Change(since) {
            return self.publish_nothing(session, so_far, &mut course, Reached::up_to(newest)).await;
        }
        so_far.advance = Some(course.place.advance(Reached::up_to(newest)));
        self.copy_changes(session, so_far, &course, (connection, since)).await
    }

    /// The changes since the last run must all be known still.
    pub(super) async fn check_tracked(
        &self,
        connection: &mut Connection,
        described: &DescribedTable,
        (begins, newest): (Option<&Reached>, Watermark),
    ) -> Result<()> {
        let table = &self.config.sql_table;
        let least = self.run.stop.or_done(connection.least_change(described)).await?;
        let Some(least) = least else {
            return Err(SyncError::new(
                ErrorKind::SourceSchema,
                format!("Change Tracking is off for {table}, or the login may not see it"),
            )
            .with_remedy(format!("Run ALTER TABLE {table} ENABLE CHANGE_TRACKING, and grant the login VIEW CHANGE TRACKING on it")));
        };
        let anew = format!("Refresh it: begin anew with --reset {}", self.config.name);
        match begins.map(|reached| reached.watermark) {
            Some(since @ Watermark::Change(version)) if version < least => {
                let sentence = format!(
                    "Change Tracking of {table} knows the changes since version {least} only, and the table is copied up to {since}"
                );
                Err(SyncError::new(ErrorKind::SourceRead, sentence)
                    .with_remedy(format!("{anew}; run more often than CHANGE_RETENTION lasts, or let it last longer")))
            }
            Some(since) if since.is_after(&newest) => {
                let sentence =
                    format!("{} is copied up to version {since} of Change Tracking, and the source is only at {newest}", self.config.name);
                Err(SyncError::new(ErrorKind::SourceRead, sentence).with_remedy(format!("Was the source restored? {anew}")))
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn copy_changes(
        &self,
        session: &mut Session,
        so_far: &mut SoFar,
        course: &Course<'_>,
        (connection, since): (Connection, i64),
    ) -> Result<Published> {
        self.reached(Phase::Copying, None);
        let (patience, publication) = (session.patience(), &course.plan.publication);
        let staging = self.run.stop.or_done(patience.wait(session.create_staging(publication))).await?;
        so_far.staging = Some(staging.clone());
        failpoint::reached("staging_made");
        let mut rows = selection(&self.config, &course.plan);
        let keys = keys_of(rows.clone(), Some(Window::Gone { since, key: course.key.clone() }));
        rows.window = Some(Window::Changed { since, key: course.key.clone() });
        let options = read_options(&self.config, so_far.text_as_bytes);
        let read = Reading { connection, described: course.described.clone(), selection: rows, options };
        let (summary, loaded) = self.run.stop.or_done(self.pump(session.load_staging(&staging, publication), read)).await?;
        failpoint::reached("copy_done");
        so_far.note(&self.config, loaded, summary);
        self.check_unchanged(so_far).await?;
        // What is gone is asked after what has changed: a row that went meanwhile is deleted once it was written.
        let (connection, described) = self.run.stop.or_done(self.describe_source()).await?;
        let gone = Gone::These(self.load_keys(session, so_far, publication, (connection, described, keys)).await?);
        // It may have been cleaned up under the reader's hands.
        let (mut connection, described) = self.run.stop.or_done(self.describe_source()).await?;
        let since = Reached::up_to(Watermark::Change(since));
        self.check_tracked(&mut connection, &described, (Some(&since), Watermark::Change(i64::MAX))).await?;
        let on_conflict = course.sync.on_conflict;
        let new = NewRows { publication, staging: &staging, on_conflict, gone: Some(&gone), before: so_far.committed, last: true };
        let published = self.publish_new(session, so_far, new).await?;
        let dropping = async { session.drop_helpers(&staging, Some(&gone)).await };
        if let Err(error) = self.run.stop.or_done(patience.wait(dropping)).await {
            so_far.warnings.push(error.to_string());
        }
        failpoint::reached("staging_removed");
        Ok(published)
    }
}
