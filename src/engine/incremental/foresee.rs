//! A dry run: what is new, and what would become of it. Nothing is written.

use super::checks::{check_key, check_key_digits, check_place, check_tracked_key, sync_column};
use super::gone::{INCREMENTAL, WITH_KEYS, keys_of};
use super::stretch::Stretch;
use super::{Course, order, reason};
use crate::engine::full_refresh::TableJob;
use crate::engine::full_refresh::so_far::SoFar;
use crate::engine::plan::SyncPlan;
use crate::engine::reading::{Reading, read_options, selection};
use crate::error::Result;
use crate::report::{ForeseenRows, IncrementalReport};
use crate::sources::{Connection, DescribedTable, Selection};
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
    /// What a run would read, in order, each with whether keys are compared at its end.
    pub(super) ahead: Vec<(Stretch, bool)>,
    /// How far the table would be copied.
    pub(super) to: Watermark,
}

impl Outlook<'_> {
    /// Whether the run would compare keys.
    pub(super) fn keys_due(&self) -> bool {
        self.ahead.iter().any(|(_, keys_due)| *keys_due)
    }

    /// The rows of a stretch.
    pub(super) fn window(&self, stretch: &Stretch) -> Window {
        let (column, key) = (self.course.column.clone(), self.course.key.clone());
        match stretch.changes_since() {
            Some(since) => Window::Changed { since, key },
            None => Window::Range(SyncRange { column, key, from: stretch.from.clone(), to: Edge::After(stretch.to) }),
        }
    }
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
        so_far.refresh = Some(if outlook.keys_due() { WITH_KEYS } else { INCREMENTAL });
        so_far.refresh_reason = Some(reason(&outlook.course));
        let from = outlook.course.place.begins_at().map(|reached| reached.watermark.to_string());
        let foreseen = self.foresee_rows(&mut session, so_far, &outlook, connection).await?;
        so_far.incremental = Some(IncrementalReport { from, to: Some(outlook.to.to_string()), foreseen: Some(foreseen) });
        Ok(())
    }

    /// Where a table stands, how far its source is, and what a run would read between.
    pub(super) async fn look_ahead<'a>(
        &self,
        session: &Session,
        so_far: &mut SoFar,
        connection: &mut Connection,
        (sync, known): (&'a Incremental, Known),
    ) -> Result<Outlook<'a>> {
        let Known { described, standing, plan } = known;
        let mut place = self.place(session, so_far, sync).await?;
        so_far.warnings.extend(self.outlived(&place));
        let column = sync_column(&self.config, sync, described.description())?;
        if sync.kind == WatermarkKind::ChangeTracking {
            self.check_tracked(connection, &described, &place).await?;
        }
        if let Some(standing) = &standing {
            check_key(&self.config, &plan, standing)?;
        }
        let is_sought = self.look_at_column(connection, so_far, &described, &column).await?;
        let key: Vec<String> = plan.key.iter().map(|&position| plan.columns[position].source.clone()).collect();
        check_key_digits(&self.config, described.description(), &key)?;
        place.order = order(&column, &key);
        check_place(&self.config, &place)?;
        if sync.kind == WatermarkKind::ChangeTracking {
            check_tracked_key(&self.config, described.description(), &key)?;
        }
        let empty = standing.as_ref().is_none_or(|standing| standing.empty);
        let enforced = standing.as_ref().is_none_or(|standing| standing.enforces_key(&plan.publication.key));
        let course = Course { sync, plan, described, column, key, place, empty, enforced, is_sought };
        so_far.warnings.extend(self.look_for_emptied(connection, &course).await?);
        let newest = self.newest(connection, &course.column, &course.described, so_far).await?;
        let ahead = self.ahead(session, &course, newest).await?;
        let to = ahead.last().map_or(newest, |(stretch, _)| stretch.to);
        Ok(Outlook { course, ahead, to })
    }

    async fn foresee_rows(
        &self,
        session: &mut Session,
        so_far: &mut SoFar,
        outlook: &Outlook<'_>,
        mut connection: Connection,
    ) -> Result<ForeseenRows> {
        let course = &outlook.course;
        if let [(stretch, _)] = outlook.ahead.as_slice()
            && course.empty
            && let Window::Range(range) = outlook.window(stretch)
        {
            let counting = connection.count_range(&self.config.sql_table, &range, &course.described);
            let rows = self.run.stop.or_done(counting).await?;
            return Ok(ForeseenRows { in_window: rows, would_insert: rows, ..ForeseenRows::default() });
        }
        if outlook.ahead.is_empty() {
            return Ok(ForeseenRows::default());
        }
        let patience = session.patience();
        let foresight = self.run.stop.or_done(patience.wait(session.begin_foresight(&course.plan.publication))).await?;
        let options = read_options(&self.config, so_far.text_as_bytes);
        let read = |connection, selection| Reading { connection, described: course.described.clone(), selection, options: options.clone() };
        let rows = selection(&self.config, &course.plan);
        let mut in_window = 0;
        for (stretch, _) in &outlook.ahead {
            let rows = Selection { window: Some(outlook.window(stretch)), ..rows.clone() };
            let ((summary, again), _) = self.run.stop.or_done(self.pump(foresight.rows(), read(connection, rows))).await?;
            in_window += summary.rows;
            connection = again;
        }
        let mut gone = None;
        if let Some((window, is_gone)) = outlook.gone() {
            // As in a run, keys are read after the rows.
            let keys = self.run.stop.or_done(foresight.keys()).await?;
            self.run.stop.or_done(self.pump(keys, read(connection, keys_of(rows, window)))).await?;
            gone = Some(is_gone);
        }
        let comparing = foresight.foresee_new(course.sync.on_conflict, gone.as_ref());
        let Foreseen { inserted, updated, deleted, warnings } = self.run.stop.or_done(patience.wait(comparing)).await?;
        so_far.warnings.extend(warnings);
        Ok(ForeseenRows { in_window, would_insert: inserted, would_update: updated, would_delete: deleted })
    }
}

impl Outlook<'_> {
    /// Which keys tell what is gone; none where the run would not look.
    fn gone(&self) -> Option<(Option<Window>, Gone)> {
        let keys = Foresight::table_of_keys();
        if self.keys_due() {
            // What Change Tracking tells besides is not among them either.
            return Some((None, Gone::AllBut(keys)));
        }
        let since = self.ahead.iter().find_map(|(stretch, _)| stretch.changes_since())?;
        Some((Some(Window::Gone { since, key: self.course.key.clone() }), Gone::These(keys)))
    }
}
