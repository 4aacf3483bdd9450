//! The streaming read: one statement, rows encoded as they arrive, full buffers handed over.

use std::error::Error as _;

use futures_util::TryStreamExt;
use tiberius::{QueryItem, QueryStream, Row};

use super::aside::Aside;
use super::client::Connection;
use super::decode::{BadCell, ColumnDecoder, RowDecoder};
use super::error::{source_error, undecodable};
use super::read_again::{ReadingAgain, Unsure};
use super::text::TextForm;
use super::types::SqlServerTable;
use crate::copy::{BUFFER_BYTES, Batch, BatchSink, CellError};
use crate::error::{ErrorKind, Passing, Result, SyncError};
use crate::sources::reading::nobody_listens;
use crate::sources::{ReadOptions, ReadSummary, SelectColumn, Selection};
use crate::table::BadText;

impl Connection {
    /// Reads the selection to its end, handing rows to `sink` as COPY buffers. Gives the connection back; after an error it is out of step.
    ///
    /// # Errors
    /// [`ErrorKind::SourceRead`] when the stream ends early or the server reports an error, [`ErrorKind::BadValue`] for a value that its
    /// column cannot hold or for more such rows than may be put aside, [`ErrorKind::Stopped`] when nobody takes the buffers any more. One that
    /// [`wants_text_as_bytes`] asks for another read from the beginning.
    pub async fn read(
        self,
        selection: &Selection,
        described: &SqlServerTable,
        options: &ReadOptions,
        mut sink: BatchSink,
    ) -> Result<(ReadSummary, Self)> {
        let Self { mut client, server, origin } = self;
        let text_as_bytes = options.text_as_bytes || described.is_decoded_here(selection, options.on_bad_unicode);
        let decoder = RowDecoder::new(decoders(selection, described), selection.key.clone(), options, text_as_bytes);
        let aside = Aside::new(options.on_bad_row, options.quarantine_limit);
        let mut rows = Rows { decoder, aside, again: ReadingAgain::new(&origin, selection, described), read: 0 };
        let failed = |error| {
            if undecodable(&error) && !text_as_bytes {
                return unsure(&Unsure(error.to_string()));
            }
            source_error(&format!("read {}", selection.table), &server, error)
        };

        let mut stream = client.simple_query(selection.sql(described, text_as_bytes)).await.map_err(failed)?;
        let mut counted = None;
        let mut batch = Batch { bytes: sink.take().await, rows: 0 };
        while let Some(item) = next(&mut stream, rows.read).await.map_err(failed)? {
            match item {
                QueryItem::Row(row) if row.result_index() == 0 => {
                    rows.read += 1;
                    match rows.decoder.encode(&row, &mut batch.bytes) {
                        Ok(()) => batch.rows += 1,
                        Err(bad) => batch.rows += u64::from(Box::pin(rows.settle(&row, bad, &mut batch.bytes)).await?),
                    }
                    if batch.bytes.len() >= BUFFER_BYTES {
                        sink.hand_over(batch).await.map_err(|_| nobody_listens())?;
                        batch = Batch { bytes: sink.take().await, rows: 0 };
                    }
                }
                QueryItem::Row(row) => counted = row.try_get::<i64, _>(0).map_err(failed)?,
                QueryItem::Metadata(_) => {}
            }
        }
        confirm(rows.read, counted, &server)?;
        if batch.rows > 0 {
            sink.hand_over(batch).await.map_err(|_| nobody_listens())?;
        }
        drop(stream);
        let summary = ReadSummary { rows: rows.read, changed: rows.decoder.changed().collect(), bad_rows: rows.aside.into_rows() };
        Ok((summary, Self { client, server, origin }))
    }
}

/// The rows of one read, and where those go that are not simply written.
struct Rows<'a> {
    decoder: RowDecoder,
    aside: Aside,
    again: ReadingAgain<'a>,
    read: u64,
}

impl Rows<'_> {
    /// A row that could not be written at once: as configured it is mended, put aside, or the end. True when it was written.
    #[cold]
    async fn settle(&mut self, row: &Row, bad: BadCell, out: &mut Vec<u8>) -> Result<bool> {
        let bad = match bad.error {
            CellError::Nul(_) | CellError::Doubtful(_) => {
                let doubtful = self.decoder.doubtful(row);
                let again = match doubtful.is_empty() {
                    true => Vec::new(),
                    false => self.again.bytes_of(row, doubtful).await.map_err(|reason| unsure(&reason))?,
                };
                match self.decoder.encode_mended(row, &again, out) {
                    Ok(()) => return Ok(true),
                    Err(bad) => bad,
                }
            }
            _ => bad,
        };
        if !self.aside.takes_rows() || !bad.is_the_rows_fault() {
            return Err(self.decoder.bad_value(row, &bad));
        }
        self.aside.put(self.decoder.bad_row(row, &bad))?;
        Ok(false)
    }
}

fn decoders(selection: &Selection, described: &SqlServerTable) -> Vec<ColumnDecoder> {
    let decoder = |column: &SelectColumn| ColumnDecoder {
        name: column.label(),
        encoding: column.encoding,
        required: column.required,
        zone: selection.time_zone.clone(),
        text: described.text(column).map(|text| text.form),
        changed: Default::default(),
        last_change: 0,
    };
    selection.columns.iter().map(decoder).collect()
}

impl SqlServerTable {
    /// Whether the text is better decoded here from the start: the driver ends the stream at a broken character of a code page, and some are expected.
    fn is_decoded_here(&self, selection: &Selection, on_bad_unicode: BadText) -> bool {
        let in_code_page = |column: &SelectColumn| self.text(column).is_some_and(|text| matches!(text.form, TextForm::CodePage(_)));
        match on_bad_unicode {
            BadText::Fail => false,
            BadText::Strip | BadText::Replace => selection.columns.iter().any(in_code_page),
        }
    }
}

/// The cause of an error after which the table is read once more, with its text as bytes.
#[derive(Debug, thiserror::Error)]
#[error("all text has to be read as its bytes: {0}")]
struct WantsTextAsBytes(String);

fn unsure(reason: &Unsure) -> SyncError {
    SyncError::new(ErrorKind::BadValue, format!("a text value was not decoded for certain: {}", reason.0))
        .with_cause(WantsTextAsBytes(reason.0.clone()))
}

/// Whether a read failed because the driver's text could not be relied on: with [`ReadOptions::text_as_bytes`] a second one will say what is in it.
pub fn wants_text_as_bytes(error: &SyncError) -> bool {
    error.source().is_some_and(|cause| cause.is::<WantsTextAsBytes>())
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
    let reported = counted.map_or_else(|| "no count".to_owned(), |count| format!("{count} rows"));
    let sentence = format!("the stream from SQL Server {server} ended after {rows} rows, and the server reports {reported}");
    let short = if counted.is_none() { Some(Passing::ConnectionLost) } else { None };
    Err(SyncError::new(ErrorKind::SourceRead, sentence).with_passing(short))
}
