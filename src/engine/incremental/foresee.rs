//! A dry run: what is new, and what would become of it. Nothing is written.

use super::checks::{check_key, check_key_digits, check_tracked_key, sync_column};
use super::gone::{INCREMENTAL, WITH_KEYS, keys_of};
use super::stretch::Stretch;
use super::{Course, reason};
use crate::engine::full_refresh::TableJob;
use crate::engine::full_refresh::so_far::SoFar;
use crate::engine::plan::SyncPlan;
use crate::engine::reading::{Reading, read_options, selection};
use crate::error::Result;
use crate::report::{ForeseenRows, IncrementalReport};
use crate::sources::{Connection, DescribedTable};
use crate::table::{Edge, Incremental, SyncRange, Watermark, WatermarkKind, Window};
use crate::target::{Foreseen, Foresight, Gone, Session, TargetDescription};

/// What both sides' catalogues say, and what follows from it.
pub(in crate::engine) struct Known {
    pub(in crate::engine) described: DescribedTable,
    /// The target; none where the table does not exist.
    pub(in crate::engine) standing: Option<TargetDescription>,
    pub(in crate::engine) plan: SyncPlan,
}

/// What is ahead of a table.
pub(super) struct Outlook<'a> {
    pub(super) course: Course<'a>,
    pub(super) ahead: Ahead,
    /// How far the table would be copied.
    pub(super) to: Watermark,
    /// Whether the first rows would go straight into a target that is empty.
    pub(super) into_empty: bool,
    /// Whether the run would compare keys.
    pub(super) keys_due: bool,
}

/// Which rows a run would read.
pub(super) enum Ahead {
    Nothing,
    /// A first run by Change Tracking is a full refresh.
    All,
    Within(Window),
}

impl TableJob {
    /// Says what a run would do.
    pub(in crate::engine) async fn foresee(&self, so_far: &mut SoFar, sync: &Incremental) -> Result<()> {
        let mut session = self.run.stop.or_done(Session::open(&self.target, &self.application())).await?;
        let (mut connection, mut described) = self.run.stop.or_done(self.describe_source()).await?;
        let standing = self.standing(&session).await?;
        self.define(&mut connection, &mut described, standing.is_none()).await?;
        let plan = self.plan(&session, described.description(), standing.as_ref(), so_far).await?;
        so_far.warnings.extend(plan.warnings.iter().cloned());
        let known = Known { described, standing, plan };
        let outlook = self.look_ahead(&session, so_far, &mut connection, (sync, known)).await?;
        so_far.refresh = Some(if outlook.keys_due { WITH_KEYS } else { INCREMENTAL });
        so_far.refresh_reason = Some(reason(&outlook.course));
        let from = outlook.course.place.begins_at().map(|reached| reached.watermark.to_string());
        let foreseen = self.foresee_rows(&mut session, so_far, &outlook, connection).await?;
        so_far.incremental = Some(IncrementalReport { from, to: Some(outlook.to.to_string()), foreseen: Some(foreseen) });
        Ok(())
    }

    /// Where a table stands, how far its source is, and what a run would do between.
    pub(super) async fn look_ahead<'a>(
        &self,
        session: &Session,
        so_far: &mut SoFar,
        connection: &mut Connection,
        (sync, known): (&'a Incremental, Known),
    ) -> Result<Outlook<'a>> {
        let Known { described, standing, plan } = known;
        let place = self.place(session, so_far, sync).await?;
        let column = sync_column(&self.config, sync, described.description())?;
        if let Some(standing) = &standing {
            check_key(&self.config, &plan, standing)?;
        }
        let key: Vec<String> = plan.key.iter().map(|&position| plan.columns[position].source.clone()).collect();
        check_key_digits(&self.config, described.description(), &key)?;
        let empty = standing.as_ref().is_none_or(|standing| standing.empty);
        let course = Course { sync, plan, described, column, key, place, empty };
        let newest = self.newest(connection, &course.column, &course.described, so_far).await?;
        if sync.kind == WatermarkKind::ChangeTracking {
            self.check_tracked(connection, &course.described, (course.place.begins_at(), newest)).await?;
            return self.changes_ahead(course, newest);
        }
        so_far.warnings.extend(self.look_at_column(connection, &course.described, &course.column).await?);
        let keys_due = self.keys_are_due(session, &course).await?;
        let stretches = self.stretches(&course, newest, keys_due)?;
        let Some(Stretch { from, into_empty, .. }) = stretches.first() else {
            return Ok(Outlook { course, ahead: Ahead::Nothing, to: newest, into_empty: false, keys_due });
        };
        let to = stretches.last().map_or(newest, |stretch| stretch.to);
        let range = SyncRange { column: course.column.clone(), key: course.key.clone(), from: from.clone(), to: Edge::After(to) };
        Ok(Outlook { course, ahead: Ahead::Within(Window::Range(range)), to, into_empty: *into_empty, keys_due })
    }

    /// What Change Tracking would tell.
    fn changes_ahead<'a>(&self, course: Course<'a>, newest: Watermark) -> Result<Outlook<'a>> {
        let ahead = match course.place.begins_at().map(|reached| reached.watermark) {
            Some(stands @ Watermark::Change(since)) => {
                check_tracked_key(&self.config, course.described.description(), &course.key)?;
                let changed = Window::Changed { since, key: course.key.clone() };
                if stands == newest { Ahead::Nothing } else { Ahead::Within(changed) }
            }
            Some(_) | None => Ahead::All,
        };
        Ok(Outlook { course, ahead, to: newest, into_empty: false, keys_due: false })
    }

    async fn foresee_rows(
        &self,
        session: &mut Session,
        so_far: &mut SoFar,
        outlook: &Outlook<'_>,
        mut connection: Connection,
    ) -> Result<ForeseenRows> {
        let (course, table) = (&outlook.course, &self.config.sql_table);
        let publication = &course.plan.publication;
        let mut selection = selection(&self.config, &course.plan);
        match &outlook.ahead {
            Ahead::Nothing => return Ok(ForeseenRows::default()),
            Ahead::All if course.empty => {
                let rows = self.run.stop.or_done(connection.count(table)).await?;
                let foreseen = Foreseen::into_empty(publication, rows);
                so_far.warnings.extend(foreseen.warnings);
                return Ok(ForeseenRows { in_window: rows, would_insert: rows, ..ForeseenRows::default() });
            }
            Ahead::Within(Window::Range(range)) if course.empty => {
                let rows = self.run.stop.or_done(connection.count_range(table, range, &course.described)).await?;
                return Ok(ForeseenRows { in_window: rows, would_insert: rows, ..ForeseenRows::default() });
            }
            Ahead::All => {}
            Ahead::Within(window) => selection.window = Some(window.clone()),
        }
        let patience = session.patience();
        let foresight = self.run.stop.or_done(patience.wait(session.begin_foresight(publication))).await?;
        let options = read_options(&self.config, so_far.text_as_bytes);
        let read = Reading { connection, described: course.described.clone(), selection, options };
        let (summary, _) = self.run.stop.or_done(self.pump(foresight.rows(), read)).await?;
        let gone = self.foresee_gone(&foresight, so_far, outlook).await?;
        let comparing = async {
            match &outlook.ahead {
                Ahead::All => foresight.foresee_all().await,
                Ahead::Nothing | Ahead::Within(_) => foresight.foresee_new(course.sync.on_conflict, gone.as_ref()).await,
            }
        };
        let foreseen = self.run.stop.or_done(patience.wait(comparing)).await?;
        so_far.warnings.extend(foreseen.warnings);
        let Foreseen { inserted, updated, deleted, .. } = foreseen;
        Ok(ForeseenRows { in_window: summary.rows, would_insert: inserted, would_update: updated, would_delete: deleted })
    }

    /// Brings the keys by which the run would tell what is gone; as in a run, they are read after the rows.
    async fn foresee_gone(&self, foresight: &Foresight<'_>, so_far: &SoFar, outlook: &Outlook<'_>) -> Result<Option<Gone>> {
        let course = &outlook.course;
        let keys = Foresight::table_of_keys();
        let (window, gone) = match &outlook.ahead {
            Ahead::Within(Window::Changed { since, key }) => (Some(Window::Gone { since: *since, key: key.clone() }), Gone::These(keys)),
            Ahead::Within(Window::Range(_)) if outlook.keys_due => (None, Gone::AllBut(keys)),
            Ahead::Within(_) | Ahead::All | Ahead::Nothing => return Ok(None),
        };
        let connection = self.run.stop.or_done(self.open_source()).await?;
        let selection = keys_of(selection(&self.config, &course.plan), window);
        let options = read_options(&self.config, so_far.text_as_bytes);
        let read = Reading { connection, described: course.described.clone(), selection, options };
        let load = self.run.stop.or_done(foresight.keys()).await?;
        self.run.stop.or_done(self.pump(load, read)).await?;
        Ok(Some(gone))
    }
}
