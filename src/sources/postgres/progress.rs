//! How far the source is: its clock; and where in a table a number of rows ends.

use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::client::Connection;
use super::window;
use crate::error::{ErrorKind, Result, SyncError};
use crate::postgres::code_of;
use crate::sources::progress::{Clock, position};
use crate::table::{Moment, Position, SourceDescription, SourceTable, SyncRange};

/// When the transaction began: whatever had been committed by then is seen by it.
const CLOCK: &str = "SELECT (now() AT TIME ZONE 'UTC')::text, now()::timestamp::text, pg_is_in_recovery()";

/// The same of a standby, which may be behind for longer than any lag: when the last transaction was committed that it knows of, or the checkpoint that it
/// began with. <https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-RECOVERY-CONTROL>
const REPLAYED: &str = "SELECT (r.at AT TIME ZONE 'UTC')::text, r.at::timestamp::text FROM (SELECT least(now(), \
     coalesce(pg_last_xact_replay_timestamp(), (SELECT c.checkpoint_time FROM pg_control_checkpoint() AS c))) AS at) AS r";

/// Whether an index of all rows begins with a column.
const LEADS_AN_INDEX: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a \
     ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] WHERE i.indrelid = $1 AND a.attname = $2 AND i.indisvalid AND i.indpred IS NULL)";

fn is_not_offered(error: &SyncError) -> bool {
    let codes = [SqlState::FEATURE_NOT_SUPPORTED, SqlState::UNDEFINED_FUNCTION, SqlState::INSUFFICIENT_PRIVILEGE];
    code_of(error).is_some_and(|code| codes.contains(code))
}

impl Connection {
    /// What the clock shows.
    pub(in crate::sources) async fn clock(&mut self) -> Result<Clock> {
        let mut rows = self.rows(CLOCK, &[], "read the source's clock").await?;
        if rows.first().is_some_and(|row| row.get(2)) {
            match self.rows(REPLAYED, &[], "read how far the standby is").await {
                Ok(replayed) => rows = replayed,
                // Where standbys share the primary's storage there is nothing to replay, and no such function.
                Err(error) if is_not_offered(&error) => {}
                Err(error) => return Err(error),
            }
        }
        let shows = |index: usize| {
            let text = rows.first().map(|row| row.get::<_, String>(index)).unwrap_or_default();
            Moment::parse(&text)
                .ok_or_else(|| SyncError::new(ErrorKind::Internal, format!("PostgreSQL's clock shows {text:?}, which is no moment")))
        };
        Ok(Clock { utc: shows(0)?.in_utc(), local: shows(1)? })
    }

    pub(in crate::sources) async fn nth_row(
        &mut self,
        table: &SourceTable,
        range: &SyncRange,
        described: &SourceDescription,
        rows: u64,
    ) -> Result<Option<Position>> {
        let found =
            self.rows(&window::nth_row(table, range, described, rows), &[], &format!("find where {rows} rows of {table} end")).await?;
        let Some(row) = found.first() else { return Ok(None) };
        let null = || {
            SyncError::new(ErrorKind::SourceRead, format!("{table} has rows without a key ({})", range.key.join(", ")))
                .with_remedy("Correct the rows, or choose another key")
        };
        let text = |index: usize| row.get::<_, Option<String>>(index).ok_or_else(null);
        position(table, range, text).map(Some)
    }

    pub(in crate::sources) async fn count_range(
        &mut self,
        table: &SourceTable,
        range: &SyncRange,
        described: &SourceDescription,
    ) -> Result<u64> {
        let rows = window::filter(range, described);
        self.count_of(&format!("SELECT count(*) FROM {table}{rows}"), &format!("count what is new in {table}")).await
    }

    pub(in crate::sources) async fn count_timeless(&mut self, table: &SourceTable, column: &str, nullable: bool) -> Result<u64> {
        let column = crate::table::PgIdent(column);
        let null = if nullable { format!("{column} IS NULL OR ") } else { String::new() };
        let sql = format!("SELECT count(*) FROM {table} WHERE {null}{column} = 'infinity'");
        self.count_of(&sql, &format!("count the rows of {table} without {column}")).await
    }

    async fn count_of(&mut self, sql: &str, doing: &str) -> Result<u64> {
        let rows = self.rows(sql, &[], doing).await?;
        Ok(rows.first().map_or(0, |row| row.get::<_, i64>(0).cast_unsigned()))
    }

    pub(in crate::sources) async fn leads_an_index(&mut self, table: &SourceTable, column: &str) -> Result<bool> {
        let oid = self.relation(table).await?.oid;
        let rows =
            self.rows(LEADS_AN_INDEX, &[(&oid, Type::OID), (&column, Type::TEXT)], &format!("read the catalogue for {table}")).await?;
        Ok(rows.first().is_some_and(|row| row.get(0)))
    }
}
