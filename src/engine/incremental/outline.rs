//! What a plan says of a table that gets only what is new: from where to where, and in which way. Nothing is read but counts.

use super::foresee::{Known, Outlook};
use super::reason;
use crate::engine::full_refresh::TableJob;
use crate::engine::full_refresh::so_far::SoFar;
use crate::error::Result;
use crate::sources::Connection;
use crate::table::{Deletes, Incremental, WatermarkKind, Window};
use crate::target::Session;

/// How a run's rows would come into the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Coming {
    /// There are none, and no keys are compared.
    Not,
    /// Straight, in steps of so many rows; `into_new` where the table is made first, `then_merged` where more come after those.
    Straight { step_rows: u64, into_new: bool, then_merged: bool },
    /// Staged and merged, in steps of so many rows.
    Merged { step_rows: u64 },
    /// All changes staged and merged at once.
    MergedAtOnce,
}

/// What a plan tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) struct Outline {
    pub(in crate::engine) reason: String,
    /// Behind which watermark the run would begin; none at the first row.
    pub(in crate::engine) from: Option<String>,
    pub(in crate::engine) to: String,
    /// Rows between; none where they were not counted.
    pub(in crate::engine) rows: Option<u64>,
    pub(in crate::engine) coming: Coming,
    /// Whether this run would compare keys.
    pub(in crate::engine) keys_due: bool,
    /// Whether any run would delete rows.
    pub(in crate::engine) deletes: bool,
    /// What makes the table of watermarks.
    pub(in crate::engine) ddl: Vec<String>,
    pub(in crate::engine) warnings: Vec<String>,
}

impl TableJob {
    /// What a run would do, as far as it can be told without reading rows.
    pub(in crate::engine) async fn outline(
        &self,
        session: &Session,
        connection: &mut Connection,
        (sync, known): (&Incremental, Known),
    ) -> Result<Outline> {
        let mut so_far = SoFar::new();
        let missing = known.standing.is_none();
        let outlook = self.look_ahead(session, &mut so_far, connection, (sync, known)).await?;
        let rows = self.count_ahead(connection, &outlook).await?;
        let course = &outlook.course;
        Ok(Outline {
            reason: reason(course),
            from: course.place.begins_at().map(|reached| reached.watermark.to_string()),
            to: outlook.to.to_string(),
            rows,
            coming: self.coming(&outlook, missing),
            keys_due: outlook.keys_due(),
            deletes: sync.deletes == Deletes::Keys || sync.kind == WatermarkKind::ChangeTracking,
            ddl: course.place.meta.ddl(),
            warnings: so_far.warnings,
        })
    }

    fn coming(&self, outlook: &Outlook<'_>, into_new: bool) -> Coming {
        let step_rows = self.step_rows(&outlook.course);
        match outlook.ahead.first() {
            None => Coming::Not,
            Some((stretch, _)) if stretch.changes_since().is_some() => Coming::MergedAtOnce,
            Some((stretch, _)) if stretch.into_empty => Coming::Straight { step_rows, into_new, then_merged: outlook.ahead.len() > 1 },
            Some(_) => Coming::Merged { step_rows },
        }
    }

    /// Counts the rows of ranges that an index finds; those of a first run are all that there are.
    async fn count_ahead(&self, connection: &mut Connection, outlook: &Outlook<'_>) -> Result<Option<u64>> {
        let (course, table) = (&outlook.course, &self.config.sql_table);
        let mut rows = 0;
        for (stretch, _) in &outlook.ahead {
            rows += match outlook.window(stretch) {
                Window::Range(range) if range.from.is_none() => match course.described.description().rows_estimate {
                    Some(rows) => rows,
                    None => return Ok(None),
                },
                Window::Range(range) if course.is_sought => {
                    self.run.stop.or_done(connection.count_range(table, &range, &course.described)).await?
                }
                Window::Range(_) | Window::Later { .. } | Window::Changed { .. } | Window::Gone { .. } => return Ok(None),
            };
        }
        Ok(Some(rows))
    }
}
