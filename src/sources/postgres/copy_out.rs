//! The streaming read: one COPY, whose rows are handed on byte for byte.
//!
//! A stream ends early only in an error. The server closes it with a trailer behind the last row, and what it is asked then in the same transaction it
//! answers only if nothing went wrong: rows without the two are not all rows.

use std::pin::{Pin, pin};

use bytes::Bytes;
use futures_util::{FutureExt, TryStreamExt};
use tokio_postgres::CopyOutStream;

use super::client::{Connection, Patience};
use super::error::source_error;
use super::limits::Limits;
use super::select::copy;
use crate::copy::{BUFFER_BYTES, Batch, BatchSink, CopyRow, StreamReader};
use crate::error::{ErrorKind, Passing, Result, SyncError};
use crate::postgres::code_of;
use crate::sources::reading::nobody_listens;
use crate::sources::{ReadOptions, ReadSummary, Selection};
use crate::table::SourceDescription;

/// A stream that always finds rows waiting would never let anybody else have a turn.
const PIECES_A_TURN: u64 = 1_024;

impl Connection {
    /// Reads the selection to its end, handing rows to `sink` as COPY buffers. Gives the connection back, with no transaction open.
    ///
    /// # Errors
    /// [`ErrorKind::SourceRead`] when the stream ends early or the server reports an error, [`ErrorKind::BadValue`] for a value that cannot be cast or
    /// that its column cannot hold,
    /// [`ErrorKind::Stopped`] when nobody takes the buffers any more.
    pub async fn read(
        mut self,
        selection: &Selection,
        described: &SourceDescription,
        options: &ReadOptions,
        sink: BatchSink,
    ) -> Result<(ReadSummary, Self)> {
        self.go_on().await?;
        let limits = Limits::new(selection, described, options.hash_keys);
        let mut rows = Rows { reader: StreamReader::new(selection.columns.len()), limits, read: 0, bad: None };
        match self.copy_out(selection, described, &mut rows, sink).await {
            Ok(()) => {
                self.begun = false;
                Ok((ReadSummary { rows: rows.read, ..ReadSummary::default() }, self))
            }
            Err(failed) if failed.kind() == ErrorKind::BadValue && code_of(&failed).is_some() => {
                Err(self.name_bad_cast(selection, described, (rows.read, options.hash_keys), failed).await)
            }
            Err(failed) => Err(failed),
        }
    }

    async fn copy_out(&self, selection: &Selection, described: &SourceDescription, rows: &mut Rows<'_>, mut sink: BatchSink) -> Result<()> {
        let Self { client, server, patience, .. } = self;
        let failed = |error| source_error(&format!("read {}", selection.table), server, error);
        let opening = async { client.copy_out(&copy(selection, described)).await.map_err(failed) };
        let mut stream = pin!(patience.wait(server, opening).await?);
        let mut batch = Batch { bytes: sink.take().await, rows: 0 };
        let mut pieces = 0_u64;
        while let Some(piece) = next(&mut stream, *patience, server, failed).await? {
            rows.take(&piece, &mut batch).map_err(|error| broken(selection, server, error))?;
            if let Some(bad) = rows.bad.take() {
                return Err(bad);
            }
            if batch.bytes.len() >= BUFFER_BYTES {
                sink.hand_over(batch).await.map_err(|_| nobody_listens())?;
                batch = Batch { bytes: sink.take().await, rows: 0 };
            }
            pieces += 1;
            if pieces.is_multiple_of(PIECES_A_TURN) {
                tokio::task::yield_now().await;
            }
        }
        rows.reader.finish().map_err(|_| cut_short(rows.read, server))?;
        let ending = async { client.batch_execute("SELECT; COMMIT").await.map_err(failed) };
        patience.wait(server, ending).await?;
        if batch.rows > 0 {
            sink.hand_over(batch).await.map_err(|_| nobody_listens())?;
        }
        Ok(())
    }
}

/// The rows of one read.
struct Rows<'a> {
    reader: StreamReader,
    limits: Limits<'a>,
    read: u64,
    /// The first that the target cannot hold.
    bad: Option<SyncError>,
}

impl Rows<'_> {
    /// Adds the rows that are whole with this piece to the batch.
    fn take(&mut self, piece: &[u8], batch: &mut Batch) -> Result<(), crate::copy::RowError> {
        let before = batch.rows;
        let Self { reader, limits, bad, .. } = self;
        reader.push(piece, |row: CopyRow<'_>| {
            if let Err(error) = limits.check(&row) {
                bad.get_or_insert(error);
            }
            batch.bytes.extend_from_slice(&row.count().to_be_bytes());
            batch.bytes.extend_from_slice(row.bytes());
            batch.rows += 1;
        })?;
        self.read += batch.rows - before;
        Ok(())
    }
}

/// The next piece of a stream, as long as the server may take for it.
async fn next(
    stream: &mut Pin<&mut CopyOutStream>,
    patience: Patience,
    server: &str,
    failed: impl Fn(tokio_postgres::Error) -> SyncError,
) -> Result<Option<Bytes>> {
    // As a rule there is one already: each row is a piece.
    match stream.try_next().now_or_never() {
        Some(piece) => piece.map_err(failed),
        None => patience.wait(server, async { stream.try_next().await.map_err(failed) }).await,
    }
}

fn broken(selection: &Selection, server: &str, error: crate::copy::RowError) -> SyncError {
    let sentence = format!("could not read {} at PostgreSQL {server}: the stream is not understood: {error}", selection.table);
    SyncError::new(ErrorKind::SourceRead, sentence)
}

fn cut_short(rows: u64, server: &str) -> SyncError {
    SyncError::new(ErrorKind::SourceRead, format!("the stream from PostgreSQL {server} ended after {rows} rows, without its trailer"))
        .with_passing(Passing::ConnectionLost)
}
