//! Where the next step ends: looked for over one connection while another one reads.

use super::Course;
use crate::engine::full_refresh::TableJob;
use crate::error::Result;
use crate::sources::{Connection, DescribedTable};
use crate::table::{Position, SyncRange};

/// A step has so many times the rows between two progress reports.
const STEP_BATCHES: u64 = 100;
/// So many where each step scans the whole source.
const SCANNED_STEP_BATCHES: u64 = 10_000;
/// The most that both servers can count.
const ROWS_MAX: u64 = i64::MAX.cast_unsigned();

/// The two connections of a run: while one reads a step, the other one looks where the next step ends.
pub(super) struct Connections {
    pub(super) looking: Option<Connection>,
    pub(super) reading: Option<Connection>,
}

impl Connections {
    /// One more is opened where it is needed.
    pub(super) fn new(looking: Connection) -> Self {
        Self { looking: Some(looking), reading: None }
    }

    /// What a step reads over; where none comes behind it, nothing has to be looked for any more.
    pub(super) fn for_step(&mut self, is_the_last: bool) -> Option<Connection> {
        let looking = &mut self.looking;
        self.reading.take().or_else(|| if is_the_last { looking.take() } else { None })
    }

    /// What is still to be had, for whatever is asked next.
    pub(super) fn any(&mut self) -> Option<Connection> {
        self.reading.take().or_else(|| self.looking.take())
    }
}

impl TableJob {
    /// How many rows a step has.
    pub(super) fn step_rows(&self, course: &Course<'_>) -> u64 {
        let batches = if course.is_sought { STEP_BATCHES } else { SCANNED_STEP_BATCHES };
        self.config.batch_size.saturating_mul(batches).min(ROWS_MAX)
    }

    /// Whether a range has no row; false where that cannot be told at once.
    pub(super) async fn is_empty(&self, looking: &mut Option<Connection>, course: &Course<'_>, range: &SyncRange) -> Result<bool> {
        // What has no place among others is counted by reading it.
        let counting = async {
            match looking {
                Some(connection) if connection.has_places(&course.described, range) => {
                    Ok(connection.nth_row(&self.config.sql_table, range, &course.described, 1).await?.is_none())
                }
                Some(_) | None => Ok(false),
            }
        };
        self.run.stop.or_done(counting).await
    }

    /// The place of the last of the first `rows` rows of a range; none where there are fewer.
    pub(super) async fn nth_row(
        &self,
        looking: &mut Option<Connection>,
        described: &DescribedTable,
        range: &SyncRange,
        rows: u64,
    ) -> Result<Option<Position>> {
        let mut connection = self.still_open(looking.take()).await?;
        let asking = async {
            let found = connection.nth_row(&self.config.sql_table, range, described, rows).await?;
            if found.is_some() {
                // It is asked again when a whole step is done.
                connection.let_go().await?;
            }
            Ok(found)
        };
        let found = self.run.stop.or_done(asking).await?;
        *looking = Some(connection);
        Ok(found)
    }
}
