//! The streaming read: one statement, rows encoded as they arrive, full buffers handed over.

use futures_util::TryStreamExt;
use tiberius::{QueryItem, QueryStream};

use super::client::Connection;
use super::decode::{ColumnDecoder, RowDecoder};
use super::error::source_error;
use super::select::Selection;
use super::types::SqlServerTable;
use crate::copy::{BUFFER_BYTES, Batch, BatchSink};
use crate::error::{ErrorKind, Result, SyncError};
use crate::table::SubMicrosecond;

/// What a read came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadSummary {
    /// Rows, confirmed by the server's own count.
    pub rows: u64,
    /// Columns whose seventh fractional digit was cut or rounded, and in how many values.
    pub submicrosecond_changed: Vec<(String, u64)>,
}

impl Connection {
    /// Reads the selection to its end, handing rows to `sink` as COPY buffers. Consumes the connection: after an error it is out of step.
    ///
    /// # Errors
    /// [`ErrorKind::SourceRead`] when the stream ends early or the server reports an error, [`ErrorKind::BadValue`] for a value that its
    /// column cannot hold, [`ErrorKind::Stopped`] when nobody takes the buffers any more.
    pub async fn read(
        mut self,
        selection: &Selection,
        described: &SqlServerTable,
        policy: SubMicrosecond,
        mut sink: BatchSink,
    ) -> Result<ReadSummary> {
        let decoders = selection
            .columns
            .iter()
            .map(|column| ColumnDecoder {
                name: column.label(),
                encoding: column.encoding,
                required: column.required,
                zone: selection.time_zone.clone(),
                submicrosecond_changed: 0,
            })
            .collect();
        let mut decoder = RowDecoder::new(decoders, selection.key.clone(), policy);
        let server = self.server.clone();
        let failed = |error| source_error(&format!("read {}", selection.table), &server, error);

        let mut stream = self.client.simple_query(selection.sql(described)).await.map_err(failed)?;
        let mut rows = 0_u64;
        let mut counted = None;
        let mut bytes = sink.take().await;
        let mut first_in_buffer = 0_u64;
        while let Some(item) = next(&mut stream, rows).await.map_err(failed)? {
            match item {
                QueryItem::Row(row) if row.result_index() == 0 => {
                    decoder.encode(&row, &mut bytes)?;
                    rows += 1;
                    if bytes.len() >= BUFFER_BYTES {
                        sink.hand_over(Batch { bytes, rows: rows - first_in_buffer }).await.map_err(|_| nobody_listens())?;
                        first_in_buffer = rows;
                        bytes = sink.take().await;
                    }
                }
                QueryItem::Row(row) => counted = row.try_get::<i64, _>(0).map_err(failed)?,
                QueryItem::Metadata(_) => {}
            }
        }
        confirm(rows, counted, &server)?;
        if rows > first_in_buffer {
            sink.hand_over(Batch { bytes, rows: rows - first_in_buffer }).await.map_err(|_| nobody_listens())?;
        }
        let submicrosecond_changed = decoder.changed().map(|(name, count)| (name.to_owned(), count)).collect();
        Ok(ReadSummary { rows, submicrosecond_changed })
    }
}

/// The next item. A driver that always finds bytes waiting never yields, so the loop does now and then: a stop must be noticed.
async fn next(stream: &mut QueryStream<'_>, rows: u64) -> Result<Option<QueryItem>, tiberius::error::Error> {
    if rows.is_multiple_of(1_024) {
        tokio::task::yield_now().await;
    }
    stream.try_next().await
}

/// A stream without the server's count behind it is not the end of the rows.
fn confirm(rows: u64, counted: Option<i64>, server: &str) -> Result<()> {
    let counted = counted.and_then(|count| u64::try_from(count).ok());
    if counted == Some(rows) {
        return Ok(());
    }
    let counted = counted.map_or_else(|| "no count".to_owned(), |count| format!("{count} rows"));
    Err(SyncError::new(
        ErrorKind::SourceRead,
        format!("the stream from SQL Server {server} ended after {rows} rows, and the server reports {counted}"),
    ))
}

fn nobody_listens() -> SyncError {
    SyncError::new(ErrorKind::Stopped, "the target takes no more rows")
}
