//! From the driver's rows to COPY rows, and what a row is called that cannot be written.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use tiberius::{ColumnData, Row};

use super::cell::write_cell;
use super::shown::{display, json};
use super::text::{TextForm, without_nul};
use crate::copy::{CellError, Encoding, RowWriter};
use crate::error::{ErrorKind, SyncError};
use crate::sources::ReadOptions;
use crate::sources::row_key::{key_text, row_name};
use crate::table::{BadRow, BadText, Change, SubMicrosecond};

/// How one column's values are written, and what was changed in them so far.
#[derive(Debug, Clone)]
pub(super) struct ColumnDecoder {
    /// The column's name, for messages.
    pub name: String,
    /// The form it is written in.
    pub encoding: Encoding,
    /// Whether NULL is refused.
    pub required: bool,
    /// Where times without a zone were written, for [`Encoding::TimestampTzOfLocal`].
    pub zone: Option<TimeZone>,
    /// What the bytes of its text are at the source, where it is text.
    pub(super) text: Option<TextForm>,
    /// Values changed so far, by [`Change`].
    pub(super) changed: [u64; Change::ALL.len()],
    /// Which changes the last value had, one bit each.
    pub(super) last_change: u8,
}

/// What becomes of values that the target cannot hold as they are.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Policies {
    pub(super) on_submicrosecond: SubMicrosecond,
    pub(super) on_nul: BadText,
    pub(super) on_bad_unicode: BadText,
}

/// A row that could not be written: which column, and why.
#[derive(Debug)]
pub(super) struct BadCell {
    pub(super) column: usize,
    pub(super) error: CellError,
}

/// Built once per table; writes every row.
#[derive(Debug, Clone)]
pub(super) struct RowDecoder {
    columns: Vec<ColumnDecoder>,
    key: Vec<usize>,
    policies: Policies,
    /// Whether text arrives as its bytes.
    text_as_bytes: bool,
    hash_keys: bool,
    fields: i16,
    /// For text on its way from bytes.
    scratch: String,
}

/// A column's bytes as they were read again.
pub(super) type ReadAgain = (usize, Vec<u8>);

impl RowDecoder {
    /// A decoder of rows with these columns, of which those at the positions `key` identify a row.
    pub(super) fn new(columns: Vec<ColumnDecoder>, key: Vec<usize>, options: &ReadOptions, text_as_bytes: bool) -> Self {
        // PostgreSQL has at most 1,600 columns in a table.
        let fields = i16::try_from(columns.len()).unwrap_or(i16::MAX);
        let policies =
            Policies { on_submicrosecond: options.on_submicrosecond, on_nul: options.on_nul, on_bad_unicode: options.on_bad_unicode };
        Self { columns, key, policies, text_as_bytes, hash_keys: options.hash_keys, fields, scratch: String::new() }
    }

    /// Appends the row to `out`; a row that fails leaves nothing there and changes no count.
    pub(super) fn encode(&mut self, row: &Row, out: &mut Vec<u8>) -> Result<(), BadCell> {
        if self.text_as_bytes {
            return self.encode_mended(row, &[], out);
        }
        let mut writer = RowWriter::begin_row(out, self.fields);
        for (position, (column, (_, data))) in self.columns.iter_mut().zip(row.cells()).enumerate() {
            match write_cell(&mut writer, column, data, self.policies.on_submicrosecond) {
                Ok(changed) => column.note(u8::from(changed)),
                Err(error) => {
                    writer.undo_row();
                    self.columns[..position].iter_mut().for_each(ColumnDecoder::take_back);
                    return Err(BadCell { column: position, error });
                }
            }
        }
        Ok(())
    }

    /// Appends the row to `out` with its text as configured: decoded here where its bytes are known, without what PostgreSQL cannot hold.
    ///
    /// U+FFFD that is left in text is the source's own.
    pub(super) fn encode_mended(&mut self, row: &Row, again: &[ReadAgain], out: &mut Vec<u8>) -> Result<(), BadCell> {
        let mut writer = RowWriter::begin_row(out, self.fields);
        writer.take_replacement_as_genuine();
        for (position, (column, (_, data))) in self.columns.iter_mut().zip(row.cells()).enumerate() {
            let bytes = again.iter().find(|(other, _)| *other == position).map(|(_, bytes)| bytes.as_slice());
            match mended_cell(&mut writer, column, (data, bytes), self.policies, &mut self.scratch) {
                Ok(changes) => column.note(changes),
                Err(error) => {
                    writer.undo_row();
                    self.columns[..position].iter_mut().for_each(ColumnDecoder::take_back);
                    return Err(BadCell { column: position, error });
                }
            }
        }
        Ok(())
    }

    /// The positions of text in which the driver may have put U+FFFD for what it could not decode.
    pub(super) fn doubtful(&self, row: &Row) -> Vec<usize> {
        let may_be_replaced = |(column, (_, data)): (&ColumnDecoder, (_, &ColumnData<'static>))| {
            column.text.is_some_and(TextForm::may_be_replaced)
                && matches!(data, ColumnData::String(Some(value)) if value.contains(char::REPLACEMENT_CHARACTER))
        };
        let cells = self.columns.iter().zip(row.cells());
        cells.enumerate().filter(|(_, cell)| may_be_replaced((cell.0, cell.1))).map(|(position, _)| position).collect()
    }

    /// Columns whose values were changed on the way, how, and how many.
    pub(super) fn changed(&self) -> impl Iterator<Item = (String, Change, u64)> {
        self.columns.iter().flat_map(|column| {
            let of = |(change, values): (Change, u64)| (column.name.clone(), change, values);
            Change::ALL.into_iter().zip(column.changed).filter(|(_, values)| *values > 0).map(of)
        })
    }

    /// The failure of the table that has this row.
    pub(super) fn bad_value(&self, row: &Row, bad: &BadCell) -> SyncError {
        let row_name = row_name(self.key_text(row).as_deref());
        let kind = if bad.is_the_rows_fault() { ErrorKind::BadValue } else { ErrorKind::Internal };
        SyncError::new(kind, format!("column {}, {row_name}: {}", self.columns[bad.column].name, bad.error)).with_remedy(remedy(&bad.error))
    }

    /// The row as it is put aside.
    pub(super) fn bad_row(&mut self, row: &Row, bad: &BadCell) -> BadRow {
        let cells = self.columns.iter().zip(row.cells());
        BadRow {
            key: self.key_text(row),
            column: self.columns[bad.column].name.clone(),
            reason: bad.error.to_string(),
            row: json(cells.map(|(column, (_, data))| (column.name.as_str(), data, column.text))),
            key_fields: self.key_fields(row),
        }
    }

    /// The row's key as one row of COPY; none where the target cannot hold it: then no row can stand there under it either.
    fn key_fields(&mut self, row: &Row) -> Option<Vec<u8>> {
        let mut fields = Vec::new();
        let mut writer = RowWriter::begin_row(&mut fields, i16::try_from(self.key.len()).ok()?);
        writer.take_replacement_as_genuine();
        for &position in &self.key {
            let column = self.columns.get(position)?;
            let (_, data) = row.cells().nth(position)?;
            mended_cell(&mut writer, column, (data, None), self.policies, &mut self.scratch).ok()?;
        }
        (!self.key.is_empty()).then_some(fields)
    }

    /// The row's key as messages show it.
    fn key_text(&self, row: &Row) -> Option<String> {
        let part = |&position: &usize| {
            let (column, (_, data)) = (self.columns.get(position)?, row.cells().nth(position)?);
            Some((column.name.as_str(), display(data, column.text)))
        };
        let parts: Vec<_> = self.key.iter().filter_map(part).collect();
        key_text(&parts, self.hash_keys)
    }
}

/// Writes one field with its text as configured; returns what was changed, one bit for each [`Change`].
fn mended_cell(
    writer: &mut RowWriter<'_>,
    column: &ColumnDecoder,
    (data, again): (&ColumnData<'_>, Option<&[u8]>),
    policies: Policies,
    scratch: &mut String,
) -> Result<u8, CellError> {
    scratch.clear();
    let mut broken = false;
    match (column.text, data, again) {
        (Some(form), _, Some(bytes)) => broken = form.decode(bytes, policies.on_bad_unicode, scratch)?,
        (Some(form), ColumnData::Binary(Some(bytes)), None) => broken = form.decode(bytes, policies.on_bad_unicode, scratch)?,
        (Some(_), ColumnData::String(Some(text)), None) => scratch.push_str(text),
        _ => return write_cell(writer, column, data, policies.on_submicrosecond).map(u8::from),
    }
    let nul = without_nul(scratch, policies.on_nul)?;
    let text = ColumnData::String(Some(Cow::Borrowed(scratch)));
    let changed = write_cell(writer, column, &text, policies.on_submicrosecond)?;
    Ok(u8::from(changed) | u8::from(nul) << 1 | u8::from(broken) << 2)
}

impl ColumnDecoder {
    #[inline]
    fn note(&mut self, changes: u8) {
        self.last_change = changes;
        if changes != 0 {
            self.count(changes, 1);
        }
    }

    /// Uncounts what the last value had, of a row that came to nothing.
    fn take_back(&mut self) {
        self.count(self.last_change, u64::MAX);
    }

    fn count(&mut self, changes: u8, by: u64) {
        for (bit, count) in self.changed.iter_mut().enumerate() {
            if changes & 1 << bit != 0 {
                *count = count.wrapping_add(by);
            }
        }
    }
}

impl BadCell {
    /// Whether the row holds what the target cannot, and not the product or its driver is at fault.
    pub(super) fn is_the_rows_fault(&self) -> bool {
        !matches!(self.error, CellError::Unexpected { .. })
    }
}

fn remedy(error: &CellError) -> &'static str {
    match error {
        CellError::Null => "Correct the value at the source, or drop the target column's NOT NULL",
        CellError::TooLarge(_) => "Correct the value at the source, or leave the column out of \"columns\"",
        CellError::Nul(_) => "Correct the value at the source, or choose on_nul \"strip\" or \"replace\"",
        CellError::Doubtful(_) | CellError::LoneSurrogate(_) | CellError::BrokenBytes { .. } => {
            "Correct the value at the source, or choose on_bad_unicode \"strip\" or \"replace\""
        }
        CellError::RowVersion => "Leave as_bigint out: the column then is one of bytea",
        CellError::SubMicrosecond | CellError::RoundedOut(_) => "Choose another on_submicrosecond",
        CellError::Gap(_) => "Correct the value at the source, or source_time_zone",
        CellError::Json(_) | CellError::NotUuid | CellError::NotDate => {
            "Correct the value at the source, or make the target column one of text"
        }
        CellError::Spatial(_) => "Correct the value at the source, or leave the column out of \"columns\"",
        CellError::Unexpected { .. } => "Please report it, with the column's type",
        CellError::TooLong { .. } | CellError::Scale(_) | CellError::Precision(..) | CellError::SecondDigits(_) => {
            "Correct the value at the source, or widen the target column"
        }
    }
}
