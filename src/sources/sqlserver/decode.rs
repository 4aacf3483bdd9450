//! From the driver's rows to COPY rows, and what a row is called that cannot be written.

use jiff::tz::TimeZone;
use tiberius::{ColumnData, Row};

use super::cell::{integer, is_null, write_cell};
use crate::copy::{CellError, Encoding, RowWriter};
use crate::error::{ErrorKind, SyncError};
use crate::table::SubMicrosecond;

/// A row key in a message is cut at this many characters.
const KEY_CHARS_MAX: usize = 200;

/// How one column's values are written, and what was cut from them so far.
#[derive(Debug, Clone)]
pub struct ColumnDecoder {
    /// The column's name, for messages.
    pub name: String,
    /// The form it is written in.
    pub encoding: Encoding,
    /// Whether NULL is refused.
    pub required: bool,
    /// Where times without a zone were written, for [`Encoding::TimestampTzOfLocal`].
    pub zone: Option<TimeZone>,
    /// Values whose seventh fractional digit was cut or rounded.
    pub submicrosecond_changed: u64,
}

/// Built once per table; writes every row.
#[derive(Debug, Clone)]
pub struct RowDecoder {
    columns: Vec<ColumnDecoder>,
    key: Vec<usize>,
    policy: SubMicrosecond,
    fields: i16,
}

impl RowDecoder {
    /// A decoder of rows with these columns, of which those at the positions `key` identify a row.
    pub fn new(columns: Vec<ColumnDecoder>, key: Vec<usize>, policy: SubMicrosecond) -> Self {
        // PostgreSQL has at most 1,600 columns in a table.
        let fields = i16::try_from(columns.len()).unwrap_or(i16::MAX);
        Self { columns, key, policy, fields }
    }

    /// Appends the row to `out`; a row that fails leaves nothing there.
    ///
    /// # Errors
    /// [`ErrorKind::BadValue`] with column, row key and reason.
    pub fn encode(&mut self, row: &Row, out: &mut Vec<u8>) -> Result<(), SyncError> {
        let mut writer = RowWriter::begin_row(out, self.fields);
        for (column, (_, data)) in self.columns.iter_mut().zip(row.cells()) {
            match write_cell(&mut writer, column, data, self.policy) {
                Ok(changed) => column.submicrosecond_changed += u64::from(changed),
                Err(error) => {
                    writer.undo_row();
                    let name = column.name.clone();
                    return Err(self.bad_value(row, &name, &error));
                }
            }
        }
        Ok(())
    }

    /// Columns whose values were changed on the way, and how many.
    pub fn changed(&self) -> impl Iterator<Item = (&str, u64)> {
        self.columns.iter().filter(|column| column.submicrosecond_changed > 0).map(|column| (&*column.name, column.submicrosecond_changed))
    }

    fn bad_value(&self, row: &Row, column: &str, error: &CellError) -> SyncError {
        let row_name = match self.key_text(row) {
            Some(key) => format!("row {key}"),
            None => "a row of a table without a key".to_owned(),
        };
        let kind = match error {
            CellError::Unexpected { .. } => ErrorKind::Internal,
            _ => ErrorKind::BadValue,
        };
        let remedy = match error {
            CellError::Null => "Correct the value at the source, or drop the target column's NOT NULL",
            CellError::Nul(_) | CellError::TooLarge(_) => "Correct the value at the source, or leave the column out of \"columns\"",
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
        };
        SyncError::new(kind, format!("column {column}, {row_name}: {error}")).with_remedy(remedy)
    }

    /// The row's key as `Id=7, Name=x`, cut at 200 characters.
    pub fn key_text(&self, row: &Row) -> Option<String> {
        let parts: Vec<_> = self
            .key
            .iter()
            .filter_map(|&position| Some((self.columns.get(position)?, row.cells().nth(position)?.1)))
            .map(|(column, data)| format!("{}={}", column.name, display(data)))
            .collect();
        if parts.is_empty() { None } else { Some(parts.join(", ").chars().take(KEY_CHARS_MAX).collect()) }
    }
}

/// A key's value as a person would write it.
fn display(data: &ColumnData<'_>) -> String {
    match data {
        data if is_null(data) => "NULL".to_owned(),
        ColumnData::String(Some(value)) => value.escape_debug().to_string(),
        ColumnData::Guid(Some(value)) => value.to_string(),
        ColumnData::Numeric(Some(value)) => value.to_string(),
        ColumnData::Binary(Some(value)) => {
            use std::fmt::Write;
            value.iter().take(KEY_CHARS_MAX / 2).fold("0x".to_owned(), |mut text, byte| {
                // Writing to a String cannot fail.
                let _ = write!(text, "{byte:02X}");
                text
            })
        }
        data => integer(data).map_or_else(|| format!("{data:?}"), |value| value.to_string()),
    }
}
