//! What is asked of a source that only what is new is read from: how far it is, and where a number of rows ends.

use jiff::tz::TimeZone;

use super::{Connection, DescribedTable};
use crate::error::Result;
use crate::table::{Position, SourceTable, SyncColumn, SyncRange, Watermark};

/// How far a source is with a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// Whatever lies behind this is for the next run.
    pub watermark: Watermark,
    /// What the reader should know.
    pub note: Option<String>,
}

impl Newest {
    pub(super) fn plain(watermark: Watermark) -> Self {
        Self { watermark, note: None }
    }
}

impl Connection {
    /// How far the source is; taken before the rows are read. `zone` is where times without a zone were written.
    ///
    /// # Errors
    /// As the server answers, and [`ErrorKind::SourceSchema`](crate::error::ErrorKind::SourceSchema) where Change Tracking is off.
    pub async fn newest(
        &mut self,
        table: &SourceTable,
        column: &SyncColumn,
        described: &DescribedTable,
        zone: Option<&TimeZone>,
    ) -> Result<Newest> {
        match (self, described) {
            (Self::SqlServer(connection), DescribedTable::SqlServer(described)) => connection.newest(table, column, described, zone).await,
        }
    }

    /// The least version that Change Tracking still knows the changes since; none where the table is not tracked.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn least_change(&mut self, described: &DescribedTable) -> Result<Option<i64>> {
        match (self, described) {
            (Self::SqlServer(connection), DescribedTable::SqlServer(described)) => connection.least_change(described).await,
        }
    }

    /// Whether rows can be told apart by their place: whether sync column and key have a text form.
    pub fn has_places(&self, described: &DescribedTable, range: &SyncRange) -> bool {
        match (self, described) {
            (Self::SqlServer(_), DescribedTable::SqlServer(described)) => described.has_places(range),
        }
    }

    /// The place of the last of the first `rows` rows of a range; none where there are fewer, or where the key's values have no text.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn nth_row(
        &mut self,
        table: &SourceTable,
        range: &SyncRange,
        described: &DescribedTable,
        rows: u64,
    ) -> Result<Option<Position>> {
        match (self, described) {
            (Self::SqlServer(connection), DescribedTable::SqlServer(described)) => connection.nth_row(table, range, described, rows).await,
        }
    }

    /// Counts the rows of a range.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn count_range(&mut self, table: &SourceTable, range: &SyncRange, described: &DescribedTable) -> Result<u64> {
        match (self, described) {
            (Self::SqlServer(connection), DescribedTable::SqlServer(described)) => connection.count_range(table, range, described).await,
        }
    }

    /// Counts the rows of `table` that have no value in `column`.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn count_nulls(&mut self, table: &SourceTable, column: &str) -> Result<u64> {
        match self {
            Self::SqlServer(connection) => connection.count_nulls(table, column).await,
        }
    }

    /// Whether an index of all rows begins with `column`.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn leads_an_index(&mut self, table: &SourceTable, described: &DescribedTable, column: &str) -> Result<bool> {
        let object = described.description().object_id;
        match self {
            Self::SqlServer(connection) => connection.leads_an_index(table, object, column).await,
        }
    }
}
