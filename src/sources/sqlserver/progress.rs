//! How far the source is: its clock, its row versions, its Change Tracking; and where in a table a number of rows ends.

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::catalog::{get, unexpected};
use super::client::Connection;
use super::types::SqlServerTable;
use super::window;
use crate::error::{ErrorKind, Result, SyncError};
use crate::sources::Newest;
use crate::table::{Edge, Moment, Position, SourceTable, Step, SyncColumn, SyncRange, ValueKind, Watermark, WatermarkKind};

/// Clocks that show so different times are in different zones.
const ZONES_APART: SignedDuration = SignedDuration::from_mins(10);

impl Connection {
    /// How far the source is; taken before the rows are read. `zone` is where times without a zone were written.
    ///
    /// # Errors
    /// As the server answers, and [`ErrorKind::SourceSchema`] where Change Tracking is off.
    pub async fn newest(
        &mut self,
        table: &SourceTable,
        column: &SyncColumn,
        described: &SqlServerTable,
        zone: Option<&TimeZone>,
    ) -> Result<Newest> {
        match column.kind {
            WatermarkKind::Timestamp => self.newest_moment(table, column, described, zone).await,
            WatermarkKind::Rowversion => {
                // https://learn.microsoft.com/sql/t-sql/functions/min-active-rowversion-transact-sql
                let rows = self.rows("SELECT CAST(MIN_ACTIVE_ROWVERSION() AS bigint)", &[], "ask for the row versions in use").await?;
                let least = rows.first().map(|row| get::<i64>(row, 0)).transpose()?.flatten();
                let least = least.ok_or_else(|| unexpected("MIN_ACTIVE_ROWVERSION() returned no number"))?;
                Ok(Newest::plain(Watermark::Rowversion(least.cast_unsigned().saturating_sub(1))))
            }
            WatermarkKind::ChangeTracking => {
                // https://learn.microsoft.com/sql/relational-databases/system-functions/change-tracking-current-version-transact-sql
                let rows = self.rows("SELECT CHANGE_TRACKING_CURRENT_VERSION()", &[], "ask for the version of Change Tracking").await?;
                let current = rows.first().map(|row| get::<i64>(row, 0)).transpose()?.flatten();
                let off = || {
                    SyncError::new(ErrorKind::SourceSchema, format!("Change Tracking is off in the database of {table}"))
                        .with_remedy("Run ALTER DATABASE ... SET CHANGE_TRACKING = ON there, and ALTER TABLE ... ENABLE CHANGE_TRACKING")
                };
                current.map(|version| Newest::plain(Watermark::Change(version))).ok_or_else(off)
            }
        }
    }

    /// The clock as a column of this type would have it. A column without a zone may hold the server's time or UTC, and nothing says which: without a
    /// configured zone it is the earlier of both, which never leaves a row behind.
    async fn newest_moment(
        &mut self,
        table: &SourceTable,
        column: &SyncColumn,
        described: &SqlServerTable,
        zone: Option<&TimeZone>,
    ) -> Result<Newest> {
        const CLOCK: &str = "SELECT CONVERT(nvarchar(60), SYSUTCDATETIME(), 121), CONVERT(nvarchar(60), SYSDATETIME(), 121)";
        let rows = self.rows(CLOCK, &[], "read the source's clock").await?;
        let clock = |index| -> Result<Moment> {
            let text = rows.first().map(|row| get::<&str>(row, index)).transpose()?.flatten().unwrap_or_default();
            Moment::parse(text).ok_or_else(|| unexpected("its clock shows no moment"))
        };
        let (utc, local) = (clock(0)?, clock(1)?);
        let (source, base) = described.column(&column.name).ok_or_else(|| unexpected("the sync column is not described"))?;
        let step = match base {
            "datetime" => Step::ThreeHundredths,
            "smalldatetime" => Step::Minutes,
            _ => Step::Digits(source.second_digits.unwrap_or(7)),
        };
        if source.kind == Ok(ValueKind::TimestampTz) {
            return Ok(Newest::plain(Watermark::Timestamp(utc.in_utc().floor(step))));
        }
        if let Some(zone) = zone {
            return Ok(Newest::plain(Watermark::Timestamp(utc.on_clocks_of(zone).floor(step))));
        }
        let (earlier, later) = if local.civil() < utc.civil() { (local, utc) } else { (utc, local) };
        let watermark = Watermark::Timestamp(earlier.floor(step));
        if earlier.apart_from(later) < ZONES_APART {
            return Ok(Newest::plain(watermark));
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
    pub async fn least_change(&mut self, described: &SqlServerTable) -> Result<Option<i64>> {
        // https://learn.microsoft.com/sql/relational-databases/system-functions/change-tracking-min-valid-version-transact-sql
        let object = described.description.object_id;
        let rows =
            self.rows("SELECT CHANGE_TRACKING_MIN_VALID_VERSION(@P1)", &[&object], "ask for the oldest version of Change Tracking").await?;
        Ok(rows.first().map(|row| get::<i64>(row, 0)).transpose()?.flatten())
    }

    /// The place of the last of the first `rows` rows of a range; none where there are fewer, or where the key's values have no text.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn nth_row(
        &mut self,
        table: &SourceTable,
        range: &SyncRange,
        described: &SqlServerTable,
        rows: u64,
    ) -> Result<Option<Position>> {
        let Some(sql) = window::nth_row(table, range, described, rows) else { return Ok(None) };
        let found = self.rows(&sql, &[], &format!("find where {rows} rows of {table} end")).await?;
        let Some(row) = found.first() else { return Ok(None) };
        let text = |index| get::<&str>(row, index)?.map(str::to_owned).ok_or_else(|| unexpected("a key is NULL"));
        let watermark = Watermark::parse(range.column.kind, &text(0)?)
            .map_err(|sentence| SyncError::new(ErrorKind::SourceRead, format!("column {} of {table}: {sentence}", range.column.name)))?;
        let key = (1..=range.key.len()).map(text).collect::<Result<_>>()?;
        Ok(Some(Position { watermark, key }))
    }

    /// Counts the rows of a range.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn count_range(&mut self, table: &SourceTable, range: &SyncRange, described: &SqlServerTable) -> Result<u64> {
        let rows = window::filter(range, described);
        self.count_of(&format!("SELECT COUNT_BIG(*) FROM {table}{rows}"), &format!("count what is new in {table}")).await
    }
}
