//! How far the source is: its clock, its row versions, its Change Tracking; and where in a table a number of rows ends.

use super::catalog::{get, unexpected};
use super::client::Connection;
use super::types::SqlServerTable;
use super::window;
use crate::error::{ErrorKind, Result, SyncError};
use crate::sources::progress::{Clock, position};
use crate::table::{Moment, Position, SourceTable, SyncRange};

/// In UTC, and where the server is.
const CLOCK: &str = "SELECT CONVERT(nvarchar(60), SYSUTCDATETIME(), 121), CONVERT(nvarchar(60), SYSDATETIME(), 121)";

impl Connection {
    /// What the clock shows.
    pub(in crate::sources) async fn clock(&mut self) -> Result<Clock> {
        let rows = self.rows(CLOCK, &[], "read the source's clock").await?;
        let shows = |index| -> Result<Moment> {
            let text = rows.first().map(|row| get::<&str>(row, index)).transpose()?.flatten().unwrap_or_default();
            Moment::parse(text).ok_or_else(|| unexpected("its clock shows no moment"))
        };
        Ok(Clock { utc: shows(0)?.in_utc(), local: shows(1)? })
    }

    /// Row versions and those of Change Tracking belong to a database, and are those of the one that the login chose.
    ///
    /// # Errors
    /// [`ErrorKind::SourceSchema`] where the table is in another one.
    pub(in crate::sources) async fn check_database(&mut self, table: &SourceTable) -> Result<()> {
        let Some(database) = &table.database else { return Ok(()) };
        let rows = self.rows("SELECT DB_NAME()", &[], "ask for the database").await?;
        let current = rows.first().map(|row| get::<&str>(row, 0)).transpose()?.flatten().unwrap_or_default().to_owned();
        if current.to_lowercase() == database.to_lowercase() {
            return Ok(());
        }
        let sentence = format!("{table} is in database {database}, and the login chose {current}: versions belong to a database");
        Err(SyncError::new(ErrorKind::SourceSchema, sentence).with_remedy(format!(
            "Let the login choose {database}: set SQL_SERVER_<DB_TYPE>_DB to it or leave it unset, or give the table a db_type of its own"
        )))
    }

    /// The greatest row version behind which none can appear any more.
    pub(in crate::sources) async fn settled_rowversion(&mut self) -> Result<u64> {
        // https://learn.microsoft.com/sql/t-sql/functions/min-active-rowversion-transact-sql
        let rows = self.rows("SELECT CAST(MIN_ACTIVE_ROWVERSION() AS bigint)", &[], "ask for the row versions in use").await?;
        let least = rows.first().map(|row| get::<i64>(row, 0)).transpose()?.flatten();
        let least = least.ok_or_else(|| unexpected("MIN_ACTIVE_ROWVERSION() returned no number"))?;
        Ok(least.cast_unsigned().saturating_sub(1))
    }

    /// The version of Change Tracking.
    pub(in crate::sources) async fn last_change(&mut self, table: &SourceTable) -> Result<i64> {
        // https://learn.microsoft.com/sql/relational-databases/system-functions/change-tracking-current-version-transact-sql
        let rows = self.rows("SELECT CHANGE_TRACKING_CURRENT_VERSION()", &[], "ask for the version of Change Tracking").await?;
        let current = rows.first().map(|row| get::<i64>(row, 0)).transpose()?.flatten();
        current.ok_or_else(|| {
            SyncError::new(ErrorKind::SourceSchema, format!("Change Tracking is off in the database of {table}"))
                .with_remedy("Run ALTER DATABASE ... SET CHANGE_TRACKING = ON there, and ALTER TABLE ... ENABLE CHANGE_TRACKING")
        })
    }

    /// The least version that Change Tracking still knows the changes since; none where the table is not tracked.
    ///
    /// # Errors
    /// As the server answers.
    pub(in crate::sources) async fn least_change(&mut self, described: &SqlServerTable) -> Result<Option<i64>> {
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
    pub(in crate::sources) async fn nth_row(
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
        position(table, range, text).map(Some)
    }

    /// Counts the rows of a range.
    ///
    /// # Errors
    /// As the server answers.
    pub(in crate::sources) async fn count_range(
        &mut self,
        table: &SourceTable,
        range: &SyncRange,
        described: &SqlServerTable,
    ) -> Result<u64> {
        let rows = window::filter(range, described);
        self.count_of(&format!("SELECT COUNT_BIG(*) FROM {table}{rows}"), &format!("count what is new in {table}")).await
    }
}
