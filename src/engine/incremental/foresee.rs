//! A dry run: what is new, and what would become of it. Nothing is written.

use super::Course;
use super::checks::{check_key, check_key_digits, check_place, sync_column};
use super::stretch::Stretch;
use crate::engine::full_refresh::TableJob;
use crate::engine::full_refresh::so_far::SoFar;
use crate::engine::reading::{Reading, read_options, selection};
use crate::error::Result;
use crate::report::{ForeseenRows, IncrementalReport};
use crate::sources::Connection;
use crate::table::{Edge, Incremental, OnConflict, SyncRange, Watermark, Window};
use crate::target::{Foreseen, Load, Session};

impl TableJob {
    /// Says what a run would do.
    pub(in crate::engine) async fn foresee(&self, so_far: &mut SoFar, sync: &Incremental) -> Result<()> {
        let mut session = self.run.stop.or_done(Session::open(&self.target, &self.application())).await?;
        let (mut connection, mut described) = self.run.stop.or_done(self.describe_source()).await?;
        let place = self.place(&session, so_far, sync).await?;
        let column = sync_column(&self.config, sync, described.description())?;
        let standing = self.standing(&session).await?;
        self.define(&mut connection, &mut described, standing.is_none()).await?;
        let plan = self.plan(&session, described.description(), standing.as_ref(), so_far).await?;
        if let Some(standing) = &standing {
            check_key(&self.config, &plan, standing)?;
        }
        so_far.refresh = Some("incremental");
        so_far.warnings.extend(plan.warnings.iter().cloned());
        let key: Vec<String> = plan.key.iter().map(|&position| plan.columns[position].source.clone()).collect();
        check_key_digits(&self.config, described.description(), &key)?;
        check_place(&self.config, &place, &column, &key)?;
        let empty = standing.as_ref().is_none_or(|standing| standing.empty);
        let course = Course { sync, plan, described, column, key, place, empty, enforced: true, is_sought: true };
        let newest = self.newest(&mut connection, &course.column, &course.described, so_far).await?;
        let from = course.place.begins_at().map(|reached| reached.watermark.to_string());
        let (ahead, to) = self.rows_ahead(&course, newest)?;
        so_far.refresh_reason = Some(super::reason(&course));
        let foreseen = self.foresee_rows(&mut session, so_far, &course, (connection, ahead)).await?;
        so_far.incremental = Some(IncrementalReport { from, to: Some(to.to_string()), foreseen: Some(foreseen) });
        Ok(())
    }

    async fn foresee_rows(
        &self,
        session: &mut Session,
        so_far: &SoFar,
        course: &Course<'_>,
        (mut connection, ahead): (Connection, Ahead),
    ) -> Result<ForeseenRows> {
        let table = &self.config.sql_table;
        let mut selection = selection(&self.config, &course.plan);
        let on_conflict = match ahead {
            Ahead::Nothing => return Ok(ForeseenRows::default()),
            Ahead::All if course.empty => {
                let rows = self.run.stop.or_done(connection.count(table)).await?;
                return Ok(ForeseenRows { in_window: rows, would_insert: rows, would_update: 0 });
            }
            Ahead::Within(Window::Range(range)) if course.empty => {
                let in_window = self.run.stop.or_done(connection.count_range(table, &range, &course.described)).await?;
                return Ok(ForeseenRows { in_window, would_insert: in_window, would_update: 0 });
            }
            Ahead::All => OnConflict::Update,
            Ahead::Within(window) => {
                selection.window = Some(window);
                course.sync.on_conflict
            }
        };
        let options = read_options(&self.config, so_far.text_as_bytes);
        let read = Reading { connection, described: course.described.clone(), selection, options };
        let load = async |load: Load<'_>| self.pump(load, read).await;
        let foreseeing = session.foresee_new(&course.plan.publication, on_conflict, load);
        let (((summary, _), _), Foreseen { inserted, updated }) = self.run.stop.or_done(foreseeing).await?;
        Ok(ForeseenRows { in_window: summary.rows, would_insert: inserted, would_update: updated })
    }

    /// What the run would read, and how far the table would then be.
    fn rows_ahead(&self, course: &Course<'_>, newest: Watermark) -> Result<(Ahead, Watermark)> {
        if matches!(newest, Watermark::Change(_)) {
            let ahead = match course.place.begins_at().map(|reached| reached.watermark) {
                Some(Watermark::Change(since)) => Ahead::Within(Window::Changed { since, key: course.key.clone() }),
                Some(_) | None => Ahead::All,
            };
            return Ok((ahead, newest));
        }
        let stretches = self.stretches(course, newest)?;
        let Some(Stretch { from, .. }) = stretches.first() else { return Ok((Ahead::Nothing, newest)) };
        let to = stretches.last().map_or(newest, |stretch| stretch.to);
        let range = SyncRange { column: course.column.clone(), key: course.key.clone(), from: from.clone(), to: Edge::After(to) };
        Ok((Ahead::Within(Window::Range(range)), to))
    }
}

/// Which rows a run would read.
enum Ahead {
    Nothing,
    /// A first run by Change Tracking is a full refresh.
    All,
    Within(Window),
}
