//! Rows on their way out: what stands in a target table, from one snapshot, for comparing. Nothing is written.

use std::pin::pin;

use futures_util::TryStreamExt;

use super::error::target_error;
use super::session::Session;
use crate::copy::{CopyRow, StreamReader};
use crate::error::{ErrorKind, Result, SyncError};
use crate::table::{TargetTable, quoted_list};

/// A stream that always finds rows waiting would never let anybody else have a turn.
const ROWS_A_TURN: u64 = 1_024;

impl Session {
    /// Begins a transaction that writes nothing and in which every read sees the target as it is now.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn begin_snapshot(&self) -> Result<()> {
        let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
        self.client.batch_execute(begin).await.map_err(|error| target_error("begin a snapshot", error))
    }

    /// Ends the transaction of [`Session::begin_snapshot`].
    ///
    /// # Errors
    /// As the server answers.
    pub async fn end_snapshot(&self) -> Result<()> {
        self.client.batch_execute("COMMIT").await.map_err(|error| target_error("end the snapshot", error))
    }

    /// Shows `on_row` the `columns` of every row of `table`.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn read_out(&self, table: &TargetTable, columns: &[String], mut on_row: impl FnMut(CopyRow<'_>)) -> Result<()> {
        let doing = format!("read {table}");
        let failed = |error| target_error(&doing, error);
        let list = quoted_list("", columns.iter().map(String::as_str));
        let sql = format!("COPY (SELECT {list} FROM {table}) TO STDOUT (FORMAT binary)");
        let mut stream = pin!(self.client.copy_out(&sql).await.map_err(failed)?);
        let mut reader = StreamReader::new(columns.len());
        let mut pieces = 0_u64;
        let broken = |error| {
            SyncError::new(ErrorKind::Internal, format!("could not {doing}: the stream from PostgreSQL is not understood: {error}"))
        };
        while let Some(piece) = stream.try_next().await.map_err(failed)? {
            reader.push(&piece, &mut on_row).map_err(broken)?;
            pieces += 1;
            if pieces.is_multiple_of(ROWS_A_TURN) {
                tokio::task::yield_now().await;
            }
        }
        reader.finish().map_err(broken)
    }
}
