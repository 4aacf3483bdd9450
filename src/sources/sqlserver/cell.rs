//! From the driver's values straight into COPY fields: the hot loop's inside.

use tiberius::ColumnData;

use super::decode::ColumnDecoder;
use crate::copy::{CellError, Encoding, RowWriter, temporal};
use crate::table::SubMicrosecond;

/// Far more days to either side of 1900 than `datetime` has.
const DATETIME_DAYS_MAX: u32 = 100_000_000;

/// Writes one field; true when a seventh fractional digit was lost.
///
/// A NULL may arrive as another variant than the column's values, so it is matched before the type.
#[inline]
pub(super) fn write_cell(
    out: &mut RowWriter<'_>,
    column: &ColumnDecoder,
    data: &ColumnData<'_>,
    policy: SubMicrosecond,
) -> Result<bool, CellError> {
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
        _ => return write_converted(out, column, data, policy),
    }
    Ok(false)
}

/// The forms that fewer columns have: values that are parsed, checked or computed on the way. Kept out of the hot loop's own code.
#[inline(never)]
fn write_converted(
    out: &mut RowWriter<'_>,
    column: &ColumnDecoder,
    data: &ColumnData<'_>,
    policy: SubMicrosecond,
) -> Result<bool, CellError> {
    match (column.encoding, data) {
        (Encoding::Xml { chars_max }, ColumnData::String(Some(value))) => out.xml(value, chars_max)?,
        (Encoding::Json, ColumnData::String(Some(value))) => out.json(value)?,
        (Encoding::Jsonb, ColumnData::String(Some(value))) => out.jsonb(value)?,
        (Encoding::UuidOfText, ColumnData::String(Some(value))) => out.uuid_of_text(value)?,
        (Encoding::DateOfText, ColumnData::String(Some(value))) => out.date_of_text(value)?,
        (Encoding::Char { chars_max }, ColumnData::Guid(Some(value))) => {
            out.char(value.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()), chars_max)?;
        }
        (Encoding::Int8OfBytes, ColumnData::Binary(Some(value))) => {
            let value = u64::from_be_bytes(value.as_ref().try_into().map_err(|_| unexpected(column.encoding, data))?);
            // As a negative number it would come before those it follows.
            out.int8(value.try_into().map_err(|_| CellError::RowVersion)?);
        }
        (Encoding::Wkb, ColumnData::Binary(Some(value))) => out.wkb(value)?,
        (Encoding::Ewkb, ColumnData::Binary(Some(value))) => out.ewkb(value)?,
        (Encoding::TimestampTzOfLocal { digits }, _) => {
            let zone = column.zone.as_ref().ok_or_else(|| unexpected(column.encoding, data))?;
            let (local, changed) = local_time(data, policy)?.ok_or_else(|| unexpected(column.encoding, data))?;
            out.int8(temporal::instant_of_local(temporal::check_digits(local, digits)?, zone)?);
            return Ok(changed);
        }
        _ => return Err(unexpected(column.encoding, data)),
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
    let (digits, (micros, changed)) = match (encoding, data) {
        (Encoding::Date, ColumnData::Date(Some(date))) => {
            out.int4(temporal::date_from_0001(date.days()));
            return Ok(false);
        }
        (Encoding::Timestamp { digits }, ColumnData::Date(Some(date))) => (digits, (temporal::timestamp_from_0001(date.days(), 0), false)),
        (Encoding::Timestamp { digits }, _) => (digits, local_time(data, policy)?.ok_or_else(|| unexpected(encoding, data))?),
        // On the wire the instant is in UTC already; the offset only says how it was written.
        (Encoding::TimestampTz { digits }, ColumnData::DateTimeOffset(Some(moment))) => (digits, moment_of(moment.datetime2(), policy)?),
        (Encoding::Time { digits }, ColumnData::Time(Some(time))) => {
            (digits, temporal::micros_of_last_day(time.increments(), time.scale(), policy)?)
        }
        _ => return Err(unexpected(encoding, data)),
    };
    out.int8(temporal::check_digits(micros, digits)?);
    Ok(changed)
}

/// Microseconds since 2000-01-01 of a day and time without a zone, and whether a seventh digit was lost; none of anything else.
#[inline]
fn local_time(data: &ColumnData<'_>, policy: SubMicrosecond) -> Result<Option<(i64, bool)>, CellError> {
    Ok(Some(match data {
        // Four bytes of days are more than fit into 64 bits of microseconds; a server that sends so many is broken.
        ColumnData::DateTime(Some(moment)) if moment.days().unsigned_abs() > DATETIME_DAYS_MAX => return Ok(None),
        ColumnData::DateTime(Some(moment)) => (temporal::timestamp_from_datetime(moment.days(), moment.seconds_fragments()), false),
        ColumnData::SmallDateTime(Some(moment)) => {
            (temporal::timestamp_from_smalldatetime(moment.days(), moment.seconds_fragments()), false)
        }
        ColumnData::DateTime2(Some(moment)) => moment_of(*moment, policy)?,
        _ => return Ok(None),
    }))
}

#[inline]
fn moment_of(moment: tiberius::time::DateTime2, policy: SubMicrosecond) -> Result<(i64, bool), CellError> {
    let time = moment.time();
    temporal::timestamp_from_increments(moment.date().days(), time.increments(), time.scale(), policy)
}

pub(super) fn integer(data: &ColumnData<'_>) -> Option<i64> {
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

pub(super) fn is_null(data: &ColumnData<'_>) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_that_no_datetime_has_become_no_other_day() {
        let local = |days| local_time(&ColumnData::DateTime(Some(tiberius::time::DateTime::new(days, 0))), SubMicrosecond::Fail);
        assert_eq!(local(36_524), Ok(Some((0, false))));
        for days in [i32::MIN, i32::MAX] {
            assert_eq!(local(days), Ok(None));
        }
    }
}
