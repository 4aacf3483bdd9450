//! What is asked of a source that only what is new is read from: how far it is, and where a number of rows ends.

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::{Connection, DescribedTable};
use crate::error::{ErrorKind, Result, SyncError};
use crate::table::{Edge, Moment, PgType, Position, SourceTable, Step, SyncColumn, SyncRange, ValueKind, Watermark, WatermarkKind};

/// Clocks that show so different times are in different zones.
const ZONES_APART: SignedDuration = SignedDuration::from_mins(10);

/// What a source's clock shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    pub(super) utc: Moment,
    pub(super) local: Moment,
}

/// How far a source is with a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// Whatever lies behind this is for the next run.
    pub watermark: Watermark,
    /// What the reader should know.
    pub note: Option<String>,
}

impl DescribedTable {
    /// How fine the moments of a column are, and whether they are instants.
    fn moments_of(&self, name: &str) -> (Step, bool) {
        let column = self.description().columns.iter().find(|column| column.name == name);
        let instant = |kind: &ValueKind| matches!(kind, ValueKind::TimestampTz | ValueKind::Postgres(PgType::TimestampTz(_)));
        let instants = column.is_some_and(|column| column.kind.as_ref().is_ok_and(instant));
        let step = match self {
            Self::SqlServer(table) => table.step(name),
            Self::Postgres(_) => Step::Digits(column.and_then(|column| column.second_digits).unwrap_or(6)),
        };
        (step, instants)
    }
}

/// A connection and a table of different servers.
fn mismatched() -> SyncError {
    SyncError::new(ErrorKind::Internal, "a table was asked for at another kind of server than it was described at")
}

/// A row's place, from its texts: the sync column's, where there is one, then the key's.
pub(in crate::sources) fn position(table: &SourceTable, range: &SyncRange, text: impl Fn(usize) -> Result<String>) -> Result<Position> {
    let watermark = match range.sync_column() {
        // Whichever row it is, it is one of the copy up to that version.
        None => range.to.watermark(),
        Some(name) => Watermark::parse(range.column.kind, &text(0)?)
            .map_err(|sentence| SyncError::new(ErrorKind::SourceRead, format!("column {name} of {table}: {sentence}")))?,
    };
    let first = usize::from(range.sync_column().is_some());
    let key = (first..first + range.key.len()).map(text).collect::<Result<_>>()?;
    Ok(Position { watermark, key })
}

/// What only SQL Server has.
fn only_sql_server(table: &SourceTable, what: &str) -> SyncError {
    SyncError::new(ErrorKind::SourceSchema, format!("{table} is at PostgreSQL, which has no {what}"))
        .with_remedy("Choose kind \"timestamp\", and name the \"column\"")
}

impl Connection {
    /// How far the source is; taken before the rows are read. `zone` is where times without a zone were written.
    ///
    /// # Errors
    /// As the server answers, and [`ErrorKind::SourceSchema`] where it has no such watermark.
    pub async fn newest(
        &mut self,
        table: &SourceTable,
        column: &SyncColumn,
        described: &DescribedTable,
        zone: Option<&TimeZone>,
    ) -> Result<Newest> {
        if let (WatermarkKind::Rowversion | WatermarkKind::ChangeTracking, Self::SqlServer(connection)) = (column.kind, &mut *self) {
            connection.check_database(table).await?;
        }
        let watermark = match (column.kind, &mut *self) {
            (WatermarkKind::Timestamp, _) => return self.newest_moment(table, column, described, zone).await,
            (WatermarkKind::Rowversion, Self::SqlServer(connection)) => Watermark::Rowversion(connection.settled_rowversion().await?),
            (WatermarkKind::ChangeTracking, Self::SqlServer(connection)) => Watermark::Change(connection.last_change(table).await?),
            (WatermarkKind::Rowversion, Self::Postgres(_)) => return Err(only_sql_server(table, "rowversion")),
            (WatermarkKind::ChangeTracking, Self::Postgres(_)) => return Err(only_sql_server(table, "Change Tracking")),
        };
        Ok(Newest { watermark, note: None })
    }

    /// The clock as a column of this type would have it. A column without a zone may hold the server's time or UTC, and nothing says which: without a
    /// configured zone it is the earlier of both, which never leaves a row behind.
    async fn newest_moment(
        &mut self,
        table: &SourceTable,
        column: &SyncColumn,
        described: &DescribedTable,
        zone: Option<&TimeZone>,
    ) -> Result<Newest> {
        let Clock { utc, local } = match self {
            Self::SqlServer(connection) => connection.clock().await?,
            Self::Postgres(connection) => connection.clock().await?,
        };
        let (step, instants) = described.moments_of(&column.name);
        let known = if instants { Some(utc) } else { zone.map(|zone| utc.on_clocks_of(zone)) };
        if let Some(known) = known {
            return Ok(Newest { watermark: Watermark::Timestamp(known.floor(step)), note: None });
        }
        let utc = utc.without_zone();
        let (earlier, later) = if local.civil() < utc.civil() { (local, utc) } else { (utc, local) };
        let watermark = Watermark::Timestamp(earlier.floor(step));
        if earlier.apart_from(later) < ZONES_APART {
            return Ok(Newest { watermark, note: None });
        }
        let behind = SyncRange {
            column: column.clone(),
            key: Vec::new(),
            from: Some(Edge::After(watermark.before(-ZONES_APART))),
            to: Edge::After(Watermark::Timestamp(later.before(-ZONES_APART).floor(step))),
        };
        let ahead = self.count_range(table, &behind, described).await?;
        let note = (ahead > 0).then(|| {
            format!(
                "{ahead} rows have a {} after {watermark}, which is what the source's clock shows in UTC or locally, whichever is less: they wait until it has come to them; \
                 say in \"source_time_zone\" on which clock the column is written",
                column.name
            )
        });
        Ok(Newest { watermark, note })
    }

    /// The least version that Change Tracking still knows the changes since; none where the table is not tracked.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn least_change(&mut self, described: &DescribedTable) -> Result<Option<i64>> {
        match (self, described) {
            (Self::SqlServer(connection), DescribedTable::SqlServer(described)) => connection.least_change(described).await,
            (Self::Postgres(_), _) => Ok(None),
            (Self::SqlServer(_), DescribedTable::Postgres(_)) => Err(mismatched()),
        }
    }

    /// Whether rows can be told apart by their place: whether sync column and key have a text form.
    pub fn has_places(&self, described: &DescribedTable, range: &SyncRange) -> bool {
        match described {
            DescribedTable::SqlServer(described) => described.has_places(range),
            DescribedTable::Postgres(_) => true,
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
            (Self::Postgres(connection), DescribedTable::Postgres(described)) => connection.nth_row(table, range, described, rows).await,
            (Self::SqlServer(_), DescribedTable::Postgres(_)) | (Self::Postgres(_), DescribedTable::SqlServer(_)) => Err(mismatched()),
        }
    }

    /// Whether the server is known to have ended it, as PostgreSQL may a session that waits.
    pub fn is_closed(&self) -> bool {
        match self {
            Self::SqlServer(_) => false,
            Self::Postgres(connection) => connection.is_closed(),
        }
    }

    /// Ends the transaction in which it was asked, if one stands: its snapshot would keep a server from cleaning up.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn let_go(&mut self) -> Result<()> {
        match self {
            Self::SqlServer(_) => Ok(()),
            Self::Postgres(connection) => connection.let_go().await,
        }
    }

    /// Counts the rows of a range.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn count_range(&mut self, table: &SourceTable, range: &SyncRange, described: &DescribedTable) -> Result<u64> {
        match (self, described) {
            (Self::SqlServer(connection), DescribedTable::SqlServer(described)) => connection.count_range(table, range, described).await,
            (Self::Postgres(connection), DescribedTable::Postgres(described)) => connection.count_range(table, range, described).await,
            (Self::SqlServer(_), DescribedTable::Postgres(_)) | (Self::Postgres(_), DescribedTable::SqlServer(_)) => Err(mismatched()),
        }
    }

    /// Counts the rows of `table` that have no moment in `column`, or none that ever comes.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn count_timeless(&mut self, table: &SourceTable, column: &str, nullable: bool) -> Result<u64> {
        match self {
            Self::SqlServer(_) if !nullable => Ok(0),
            Self::SqlServer(connection) => connection.count_nulls(table, column).await,
            Self::Postgres(connection) => connection.count_timeless(table, column, nullable).await,
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
            Self::Postgres(connection) => connection.leads_an_index(table, column).await,
        }
    }
}
