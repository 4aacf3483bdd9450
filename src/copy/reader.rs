//! Rows of binary COPY, split into their fields: the counterpart of the writer.

use super::HEADER;

/// Why bytes are not the rows that were expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// A stream that begins with something else than a header of binary COPY.
    #[error("it does not begin as binary COPY does")]
    Header,
    /// A row with another number of fields than columns were asked for.
    #[error("a row has {0} fields and {1} were expected")]
    Fields(i16, usize),
    /// A field with a length below that of NULL.
    #[error("a field has the length {0}")]
    Length(i32),
    /// The stream ended in the middle of a row, or without its trailer.
    #[error("it ends before its trailer")]
    End,
}

/// One row: its fields, each with its length before it, and where they lie.
#[derive(Debug, Clone, Copy)]
pub struct CopyRow<'a> {
    bytes: &'a [u8],
    /// Where each field's length stands.
    starts: &'a [usize],
}

impl<'a> CopyRow<'a> {
    /// All fields, each with its length before it.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How many fields there are, as COPY writes it before them.
    pub fn count(&self) -> i16 {
        // COPY has no more columns than fit.
        i16::try_from(self.starts.len()).unwrap_or(i16::MAX)
    }

    /// A field's bytes with their length before them.
    pub fn with_length(&self, index: usize) -> &'a [u8] {
        let end = self.starts.get(index + 1).copied().unwrap_or(self.bytes.len());
        self.starts.get(index).map_or(&[], |start| &self.bytes[*start..end])
    }

    /// A field's bytes; none for NULL.
    pub fn field(&self, index: usize) -> Option<&'a [u8]> {
        let (length, bytes) = self.with_length(index).split_first_chunk::<4>()?;
        (i32::from_be_bytes(*length) >= 0).then_some(bytes)
    }
}

/// Splits bytes into rows of a known number of fields.
#[derive(Debug)]
pub struct RowReader {
    fields: usize,
    starts: Vec<usize>,
}

/// What stands at a place of a stream.
enum Next {
    /// A row that ends there.
    Row(usize),
    Trailer,
    /// The beginning of a row.
    Part,
}

impl RowReader {
    /// A reader of rows with so many fields.
    pub fn new(fields: usize) -> Self {
        Self { fields, starts: Vec::with_capacity(fields) }
    }

    /// Shows `on_row` each row of `bytes`, which are whole rows without header and trailer.
    ///
    /// # Errors
    /// [`RowError`] for what is no row.
    pub fn each(&mut self, bytes: &[u8], mut on_row: impl FnMut(CopyRow<'_>)) -> Result<(), RowError> {
        let mut at = 0;
        while at < bytes.len() {
            let Next::Row(end) = self.next(&bytes[at..])? else { return Err(RowError::End) };
            on_row(CopyRow { bytes: &bytes[at + 2..at + end], starts: &self.starts });
            at += end;
        }
        Ok(())
    }

    /// Finds the next row, and where its fields begin behind its count.
    fn next(&mut self, bytes: &[u8]) -> Result<Next, RowError> {
        let Some((count, rest)) = bytes.split_first_chunk::<2>() else { return Ok(Next::Part) };
        let count = i16::from_be_bytes(*count);
        if count == -1 {
            return Ok(Next::Trailer);
        }
        if usize::try_from(count) != Ok(self.fields) {
            return Err(RowError::Fields(count, self.fields));
        }
        self.starts.clear();
        let mut at = 0;
        for _ in 0..self.fields {
            let Some((length, _)) = rest.get(at..).and_then(|field| field.split_first_chunk::<4>()) else { return Ok(Next::Part) };
            self.starts.push(at);
            at += 4;
            match i32::from_be_bytes(*length) {
                -1 => {}
                length => at += usize::try_from(length).map_err(|_| RowError::Length(length))?,
            }
        }
        Ok(if at <= rest.len() { Next::Row(2 + at) } else { Next::Part })
    }
}

/// Splits a whole stream, header and trailer included, that comes in pieces of any size.
#[derive(Debug)]
pub struct StreamReader {
    rows: RowReader,
    /// What has come of a row that is not whole yet.
    pending: Vec<u8>,
    begun: bool,
    ended: bool,
}

impl StreamReader {
    /// A reader of rows with so many fields.
    pub fn new(fields: usize) -> Self {
        Self { rows: RowReader::new(fields), pending: Vec::new(), begun: false, ended: false }
    }

    /// Shows `on_row` each row that is whole with this piece.
    ///
    /// # Errors
    /// [`RowError`] for what is no stream of such rows.
    pub fn push(&mut self, piece: &[u8], on_row: impl FnMut(CopyRow<'_>)) -> Result<(), RowError> {
        if self.pending.is_empty() {
            let used = self.take(piece, on_row)?;
            self.pending.extend_from_slice(&piece[used..]);
            return Ok(());
        }
        let mut bytes = std::mem::take(&mut self.pending);
        bytes.extend_from_slice(piece);
        let used = self.take(&bytes, on_row)?;
        bytes.drain(..used);
        self.pending = bytes;
        Ok(())
    }

    /// Whether the stream was whole.
    ///
    /// # Errors
    /// [`RowError::End`] when it was not.
    pub fn finish(&self) -> Result<(), RowError> {
        if self.ended && self.pending.is_empty() { Ok(()) } else { Err(RowError::End) }
    }

    /// Takes what is whole; returns how many bytes that is.
    fn take(&mut self, bytes: &[u8], mut on_row: impl FnMut(CopyRow<'_>)) -> Result<usize, RowError> {
        let mut at = 0;
        if !self.begun {
            let Some(header) = bytes.get(..HEADER.len()) else { return Ok(0) };
            if header != HEADER {
                return Err(RowError::Header);
            }
            self.begun = true;
            at = HEADER.len();
        }
        while !self.ended {
            match self.rows.next(&bytes[at..])? {
                Next::Row(end) => {
                    on_row(CopyRow { bytes: &bytes[at + 2..at + end], starts: &self.rows.starts });
                    at += end;
                }
                Next::Trailer => {
                    self.ended = true;
                    at += 2;
                }
                Next::Part => break,
            }
        }
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy::{RowWriter, TRAILER};

    fn stream() -> Vec<u8> {
        let mut out = HEADER.to_vec();
        for id in 1..=3 {
            let mut row = RowWriter::begin_row(&mut out, 3);
            row.int4(id);
            row.null();
            row.text(&"x".repeat(usize::try_from(id).unwrap() - 1), None).unwrap();
        }
        out.extend_from_slice(TRAILER);
        out
    }

    fn seen(row: CopyRow<'_>) -> (Option<Vec<u8>>, bool, usize) {
        (row.field(0).map(<[u8]>::to_vec), row.field(1).is_none(), row.field(2).unwrap().len())
    }

    #[test]
    fn a_stream_is_split_alike_whatever_the_size_of_its_pieces() {
        let stream = stream();
        for size in 1..=stream.len() {
            let mut reader = StreamReader::new(3);
            let mut rows = Vec::new();
            for piece in stream.chunks(size) {
                reader.push(piece, |row| rows.push(seen(row))).unwrap();
            }
            reader.finish().unwrap();
            let row = |id: u8| (Some(vec![0, 0, 0, id]), true, usize::from(id) - 1);
            assert_eq!(rows, [row(1), row(2), row(3)], "{size}");
        }
    }

    #[test]
    fn a_stream_that_is_cut_or_is_none_is_refused() {
        let stream = stream();
        for end in 0..stream.len() {
            let mut reader = StreamReader::new(3);
            reader.push(&stream[..end], |_| {}).unwrap();
            assert_eq!(reader.finish(), Err(RowError::End), "{end}");
        }
        assert_eq!(StreamReader::new(2).push(&stream, |_| {}), Err(RowError::Fields(3, 2)));
        assert_eq!(StreamReader::new(3).push(&[0; 19], |_| {}), Err(RowError::Header));
    }

    #[test]
    fn whole_rows_without_a_header_are_read_as_they_were_written() {
        let stream = stream();
        let rows = &stream[HEADER.len()..stream.len() - TRAILER.len()];
        let mut lengths = Vec::new();
        RowReader::new(3).each(rows, |row| lengths.push((row.bytes().len(), row.with_length(1).len()))).unwrap();
        assert_eq!(lengths, [(16, 4), (17, 4), (18, 4)]);
        assert_eq!(RowReader::new(3).each(&rows[..rows.len() - 1], |_| {}), Err(RowError::End));
    }
}
