//! Rows on their way out: what stands in a target table, from one snapshot, for comparing. Nothing is written.

use std::pin::{Pin, pin};

use bytes::Bytes;
use futures_util::{FutureExt, TryStreamExt};
use jiff::ToSpan;
use jiff::civil::date;
use tokio_postgres::{CopyOutStream, Error};

use super::error::target_error;
use super::patience::Patience;
use super::session::Session;
use crate::copy::{CopyRow, Encoding, StreamReader, ordinal};
use crate::error::{ErrorKind, Result, SyncError};
use crate::table::{KeyRanges, PgIdent, RangeKind, TargetTable, quoted_list};

/// A stream that always finds rows waiting would never let anybody else have a turn.
const ROWS_A_TURN: u64 = 1_024;

impl Session {
    /// Begins a transaction that writes nothing and in which every read sees the target as it is now.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn begin_snapshot(&mut self) -> Result<()> {
        // Its session has nothing to do while the source is still read, which may take longer than other transactions may be idle.
        let settings = "SET LOCAL idle_in_transaction_session_timeout = 0";
        self.begin_standing("ISOLATION LEVEL REPEATABLE READ, READ ONLY", settings)
            .await
            .map_err(|error| target_error("begin a snapshot", error))
    }

    /// Ends the transaction of [`Session::begin_snapshot`].
    ///
    /// # Errors
    /// As the server answers.
    pub async fn end_snapshot(&mut self) -> Result<()> {
        self.end_standing().await.map_err(|error| target_error("end the snapshot", error))
    }

    /// Shows `on_row` the `columns` of the rows of `table` that lie in `ranges`, of every row where there are none.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn read_out(
        &self,
        table: &TargetTable,
        columns: &[String],
        ranges: Option<&KeyRanges>,
        on_row: impl FnMut(CopyRow<'_>),
    ) -> Result<()> {
        let list = quoted_list("", columns.iter().map(String::as_str));
        let rows = ranges.map(filter).unwrap_or_default();
        self.copy_out(&format!("SELECT {list} FROM {table}{rows}"), columns.len(), &format!("read {table}"), on_row).await
    }

    /// Where the least and the greatest value of a column stand in its order; none where it has no value or no such order.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn ends(&self, table: &TargetTable, column: &str, encoding: Encoding) -> Result<Option<(i64, i64)>> {
        let name = PgIdent(column);
        let mut ends = None;
        let sql = format!("SELECT min({name}), max({name}) FROM {table}");
        let doing = format!("read the ends of {name} of {table}");
        self.copy_out(&sql, 2, &doing, |row| ends = ordinal(encoding, row.field(0)).zip(ordinal(encoding, row.field(1)))).await?;
        Ok(ends)
    }

    async fn copy_out(&self, query: &str, fields: usize, doing: &str, mut on_row: impl FnMut(CopyRow<'_>)) -> Result<()> {
        let failed = |error| target_error(doing, error);
        let sql = format!("COPY ({query}) TO STDOUT (FORMAT binary)");
        let patience = self.patience();
        let mut stream = pin!(patience.wait(async { self.stream_out(&sql).await.map_err(failed) }).await?);
        let mut reader = StreamReader::new(fields);
        let mut pieces = 0_u64;
        let broken = |error| {
            SyncError::new(ErrorKind::Internal, format!("could not {doing}: the stream from PostgreSQL is not understood: {error}"))
        };
        loop {
            let Some(piece) = next(&mut stream, &patience).await?.map_err(failed)? else { break };
            reader.push(&piece, &mut on_row).map_err(broken)?;
            pieces += 1;
            if pieces.is_multiple_of(ROWS_A_TURN) {
                tokio::task::yield_now().await;
            }
        }
        reader.finish().map_err(broken)
    }
}

/// The next piece of a stream, as long as the server may take for it.
async fn next(stream: &mut Pin<&mut CopyOutStream>, patience: &Patience) -> Result<Result<Option<Bytes>, Error>> {
    // As a rule there is one already: each row is a piece.
    match stream.try_next().now_or_never() {
        Some(piece) => Ok(piece),
        None => patience.wait(async { Ok(stream.try_next().await) }).await,
    }
}

/// ` WHERE ...`
fn filter(ranges: &KeyRanges) -> String {
    let bound = |bound: i64| match ranges.kind {
        RangeKind::Number(_) => bound.to_string(),
        // A text that becomes what the column is, in the form that means the same whatever DateStyle says.
        RangeKind::Day(_) => format!("'{}'", date(2000, 1, 1).saturating_add(bound.days())),
    };
    format!(" WHERE {}", ranges.condition(&PgIdent(&ranges.target).to_string(), bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_constants_that_take_the_columns_type() {
        let of = |kind, ranges| filter(&KeyRanges { source: "K".to_owned(), target: "k".to_owned(), kind, ranges });
        assert_eq!(
            of(RangeKind::Number("int".to_owned()), vec![(None, Some(-5)), (Some(7), Some(9))]),
            " WHERE \"k\" < -5 OR (\"k\" >= 7 AND \"k\" < 9)"
        );
        assert_eq!(of(RangeKind::Day("datetime"), vec![(Some(-730_119), None)]), " WHERE \"k\" >= '0001-01-01'");
    }
}
