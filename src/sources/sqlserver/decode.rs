//! From the driver's values straight into COPY fields: the hot loop's inside.

use tiberius::{ColumnData, Row};

use crate::copy::{CellError, Encoding, RowWriter, temporal};
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
            CellError::SubMicrosecond => "Choose on_submicrosecond \"truncate\" or \"round\"",
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

/// Writes one field; true when a seventh fractional digit was lost.
///
/// A NULL may arrive as another variant than the column's values, so it is matched before the type.
#[inline]
fn write_cell(out: &mut RowWriter<'_>, column: &ColumnDecoder, data: &ColumnData<'_>, policy: SubMicrosecond) -> Result<bool, CellError> {
    let encoding = column.encoding;
    if is_null(data) {
        if column.required {
            return Err(CellError::Null);
        }
        out.null();
        return Ok(false);
    }
    match (encoding, data) {
        (Encoding::Text { chars_max }, ColumnData::String(Some(value))) => out.text(value, chars_max)?,
        (Encoding::Char { chars_max }, ColumnData::String(Some(value))) => out.char(value, chars_max)?,
        (Encoding::Text { chars_max }, ColumnData::Guid(Some(value))) => {
            out.text(value.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()), chars_max)?;
        }
        (Encoding::Bytea, ColumnData::Binary(Some(value))) => out.bytes(value)?,
        (Encoding::Uuid, ColumnData::Guid(Some(value))) => out.uuid(value.as_bytes()),
        (Encoding::Bool, ColumnData::Bit(Some(value))) => out.bool(*value),
        (Encoding::Int2 | Encoding::Int4 | Encoding::Int8, _) => write_integer(out, encoding, data)?,
        (Encoding::Numeric { limits }, _) => write_numeric(out, limits, data)?,
        (Encoding::Float4, ColumnData::F32(Some(value))) => out.float4(*value),
        (Encoding::Float8, ColumnData::F32(Some(value))) => out.float8(f64::from(*value)),
        (Encoding::Float8, ColumnData::F64(Some(value))) => out.float8(*value),
        (Encoding::Float4 | Encoding::Float8, _) => write_float_of_integer(out, encoding, data)?,
        (Encoding::Date | Encoding::Time { .. } | Encoding::Timestamp { .. } | Encoding::TimestampTz { .. }, _) => {
            return write_temporal(out, encoding, data, policy);
        }
        _ => return Err(unexpected(encoding, data)),
    }
    Ok(false)
}

fn write_integer(out: &mut RowWriter<'_>, encoding: Encoding, data: &ColumnData<'_>) -> Result<(), CellError> {
    let value = integer(data).ok_or_else(|| unexpected(encoding, data))?;
    let narrow = |_| unexpected(encoding, data);
    match encoding {
        Encoding::Int2 => out.int2(i16::try_from(value).map_err(narrow)?),
        Encoding::Int4 => out.int4(i32::try_from(value).map_err(narrow)?),
        _ => out.int8(value),
    }
    Ok(())
}

fn write_float_of_integer(out: &mut RowWriter<'_>, encoding: Encoding, data: &ColumnData<'_>) -> Result<(), CellError> {
    let value = integer(data).ok_or_else(|| unexpected(encoding, data))?;
    let narrow = |_| unexpected(encoding, data);
    match encoding {
        Encoding::Float4 => out.float4(f32::from(i16::try_from(value).map_err(narrow)?)),
        _ => out.float8(f64::from(i32::try_from(value).map_err(narrow)?)),
    }
    Ok(())
}

fn write_numeric(out: &mut RowWriter<'_>, limits: Option<(u16, u16)>, data: &ColumnData<'_>) -> Result<(), CellError> {
    match data {
        ColumnData::Numeric(Some(value)) => out.numeric(value.value(), value.scale(), limits),
        _ => match integer(data) {
            Some(value) => out.numeric(value.into(), 0, limits),
            None => Err(unexpected(Encoding::Numeric { limits }, data)),
        },
    }
}

fn write_temporal(out: &mut RowWriter<'_>, encoding: Encoding, data: &ColumnData<'_>, policy: SubMicrosecond) -> Result<bool, CellError> {
    let micros_of = |time: tiberius::time::Time| temporal::micros_of_day(time.increments(), time.scale(), policy);
    let moment_of = |moment: tiberius::time::DateTime2| {
        let (micros, changed) = micros_of(moment.time())?;
        Ok::<_, CellError>((temporal::timestamp_from_0001(moment.date().days(), micros), changed))
    };
    let (digits, (micros, changed)) = match (encoding, data) {
        (Encoding::Date, ColumnData::Date(Some(date))) => {
            out.int4(temporal::date_from_0001(date.days()));
            return Ok(false);
        }
        (Encoding::Timestamp { digits }, ColumnData::Date(Some(date))) => (digits, (temporal::timestamp_from_0001(date.days(), 0), false)),
        (Encoding::Timestamp { digits }, ColumnData::DateTime(Some(moment))) => {
            (digits, (temporal::timestamp_from_datetime(moment.days(), moment.seconds_fragments()), false))
        }
        (Encoding::Timestamp { digits }, ColumnData::SmallDateTime(Some(moment))) => {
            (digits, (temporal::timestamp_from_smalldatetime(moment.days(), moment.seconds_fragments()), false))
        }
        (Encoding::Timestamp { digits }, ColumnData::DateTime2(Some(moment))) => (digits, moment_of(*moment)?),
        // On the wire the instant is in UTC already; the offset only says how it was written.
        (Encoding::TimestampTz { digits }, ColumnData::DateTimeOffset(Some(moment))) => (digits, moment_of(moment.datetime2())?),
        (Encoding::Time { digits }, ColumnData::Time(Some(time))) => (digits, micros_of(*time)?),
        _ => return Err(unexpected(encoding, data)),
    };
    out.int8(temporal::check_digits(micros, digits)?);
    Ok(changed)
}

fn integer(data: &ColumnData<'_>) -> Option<i64> {
    match data {
        ColumnData::U8(Some(value)) => Some((*value).into()),
        ColumnData::I16(Some(value)) => Some((*value).into()),
        ColumnData::I32(Some(value)) => Some((*value).into()),
        ColumnData::I64(Some(value)) => Some(*value),
        ColumnData::Bit(Some(value)) => Some((*value).into()),
        ColumnData::Numeric(Some(value)) if value.scale() == 0 => value.value().try_into().ok(),
        _ => None,
    }
}

fn is_null(data: &ColumnData<'_>) -> bool {
    matches!(
        data,
        ColumnData::U8(None)
            | ColumnData::I16(None)
            | ColumnData::I32(None)
            | ColumnData::I64(None)
            | ColumnData::F32(None)
            | ColumnData::F64(None)
            | ColumnData::Bit(None)
            | ColumnData::String(None)
            | ColumnData::Guid(None)
            | ColumnData::Binary(None)
            | ColumnData::Numeric(None)
            | ColumnData::Xml(None)
            | ColumnData::DateTime(None)
            | ColumnData::SmallDateTime(None)
            | ColumnData::Time(None)
            | ColumnData::Date(None)
            | ColumnData::DateTime2(None)
            | ColumnData::DateTimeOffset(None)
    )
}

fn unexpected(encoding: Encoding, data: &ColumnData<'_>) -> CellError {
    let delivered = match data {
        ColumnData::U8(_) => "tinyint",
        ColumnData::I16(_) => "smallint",
        ColumnData::I32(_) => "int",
        ColumnData::I64(_) => "bigint",
        ColumnData::F32(_) => "real",
        ColumnData::F64(_) => "float",
        ColumnData::Bit(_) => "bit",
        ColumnData::String(_) => "text",
        ColumnData::Guid(_) => "uniqueidentifier",
        ColumnData::Binary(_) => "binary",
        ColumnData::Numeric(_) => "decimal",
        ColumnData::Xml(_) => "xml",
        ColumnData::DateTime(_) => "datetime",
        ColumnData::SmallDateTime(_) => "smalldatetime",
        ColumnData::Time(_) => "time",
        ColumnData::Date(_) => "date",
        ColumnData::DateTime2(_) => "datetime2",
        ColumnData::DateTimeOffset(_) => "datetimeoffset",
    };
    CellError::Unexpected { delivered, expected: encoding.name() }
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
