//! Typed parameters as a client sends them.

use super::encode::guid_to_wire;
use super::{Cursor, Malformed, utf16_units};
use crate::types::collation::{Collation, DEFAULT};
use crate::types::value::Value;
use crate::types::{Length, SqlType};

/// A parameter of a remote procedure call.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) ty: SqlType,
    pub(crate) collation: &'static Collation,
    pub(crate) value: Value,
}

/// Reads one parameter: name, status, type, value.
pub(crate) fn parameter(from: &mut Cursor<'_>) -> Result<Parameter, Malformed> {
    let length = from.u8()?;
    let name = from.text(length.into())?;
    from.u8()?;
    let (ty, collation, value) = typed_value(from)?;
    Ok(Parameter { name, ty, collation, value })
}

fn typed_value(from: &mut Cursor<'_>) -> Result<(SqlType, &'static Collation, Value), Malformed> {
    let token = from.u8()?;
    let mut collation = DEFAULT;
    let (ty, bytes) = match token {
        0x1F => (SqlType::Int, None),
        0x30 | 0x32 | 0x34 | 0x38 | 0x7F | 0x3B | 0x3E | 0x3C | 0x7A | 0x3D | 0x3A => {
            let ty = fixed_type(token)?;
            (ty, Some(from.take(ty.sizes().0 as usize)?))
        }
        0x26 | 0x68 | 0x6D | 0x6E | 0x6F | 0x24 => {
            let ty = sized_type(token, from.u8()?)?;
            (ty, short_bytes(from)?)
        }
        0x6A | 0x6C => {
            let [_, precision, scale] = from.array()?;
            let ty = if token == 0x6A { SqlType::Decimal(precision, scale) } else { SqlType::Numeric(precision, scale) };
            (ty, short_bytes(from)?)
        }
        0x28 => (SqlType::Date, short_bytes(from)?),
        0x29 => (SqlType::Time(from.u8()?), short_bytes(from)?),
        0x2A => (SqlType::DateTime2(from.u8()?), short_bytes(from)?),
        0x2B => (SqlType::DateTimeOffset(from.u8()?), short_bytes(from)?),
        0xA5 | 0xA7 | 0xAD | 0xAF | 0xE7 | 0xEF => {
            let size = from.u16()?;
            if !matches!(token, 0xA5 | 0xAD) {
                collation = Collation::from_wire(from.array()?);
            }
            let ty = counted_type(token, size);
            if size == u16::MAX {
                return Ok((ty, collation, chunked_value(from, ty)?));
            }
            let length = from.u16()?;
            (ty, if length == u16::MAX { None } else { Some(from.take(length.into())?) })
        }
        0x22 | 0x23 | 0x63 => {
            from.u32()?;
            if token != 0x22 {
                collation = Collation::from_wire(from.array()?);
            }
            let ty = [SqlType::Image, SqlType::Text, SqlType::NText][usize::from(token.min(0x24) - 0x22)];
            let length = from.u32()?;
            (ty, if length == u32::MAX { None } else { Some(from.take(length as usize)?) })
        }
        0xF1 => {
            from.u8()?;
            return Ok((SqlType::Xml, collation, chunked_value(from, SqlType::Xml)?));
        }
        _ => return Err(Malformed),
    };
    let value = bytes.map_or(Ok(Value::Null), |bytes| value(ty, bytes))?;
    Ok((ty, collation, value))
}

fn fixed_type(token: u8) -> Result<SqlType, Malformed> {
    Ok(match token {
        0x30 => SqlType::TinyInt,
        0x32 => SqlType::Bit,
        0x34 => SqlType::SmallInt,
        0x38 => SqlType::Int,
        0x7F => SqlType::BigInt,
        0x3B => SqlType::Real,
        0x3E => SqlType::Float,
        0x3C => SqlType::Money,
        0x7A => SqlType::SmallMoney,
        0x3D => SqlType::DateTime,
        0x3A => SqlType::SmallDateTime,
        _ => return Err(Malformed),
    })
}

fn sized_type(token: u8, size: u8) -> Result<SqlType, Malformed> {
    Ok(match (token, size) {
        (0x68, _) => SqlType::Bit,
        (0x26, 1) => SqlType::TinyInt,
        (0x26, 2) => SqlType::SmallInt,
        (0x26, 4) => SqlType::Int,
        (0x26, 8) => SqlType::BigInt,
        (0x6D, 4) => SqlType::Real,
        (0x6D, 8) => SqlType::Float,
        (0x6E, 4) => SqlType::SmallMoney,
        (0x6E, 8) => SqlType::Money,
        (0x6F, 4) => SqlType::SmallDateTime,
        (0x6F, 8) => SqlType::DateTime,
        (0x24, _) => SqlType::UniqueIdentifier,
        _ => return Err(Malformed),
    })
}

fn counted_type(token: u8, size: u16) -> SqlType {
    let bytes = if size == u16::MAX { Length::Max } else { Length::Up(size) };
    let units = if size == u16::MAX { Length::Max } else { Length::Up(size / 2) };
    match token {
        0xA5 => SqlType::VarBinary(bytes),
        0xA7 => SqlType::VarChar(bytes),
        0xAD => SqlType::Binary(size),
        0xAF => SqlType::Char(size),
        0xEF => SqlType::NChar(size / 2),
        _ => SqlType::NVarChar(units),
    }
}

fn short_bytes<'a>(from: &mut Cursor<'a>) -> Result<Option<&'a [u8]>, Malformed> {
    match from.u8()? {
        0 => Ok(None),
        length => from.take(length.into()).map(Some),
    }
}

fn chunked_value(from: &mut Cursor<'_>, ty: SqlType) -> Result<Value, Malformed> {
    if from.u64()? == u64::MAX {
        return Ok(Value::Null);
    }
    let mut body = Vec::new();
    loop {
        match from.u32()? {
            0 => return value(ty, &body),
            length => body.extend_from_slice(from.take(length as usize)?),
        }
    }
}

fn value(ty: SqlType, bytes: &[u8]) -> Result<Value, Malformed> {
    let mut from = Cursor::new(bytes);
    Ok(match ty {
        SqlType::Bit => Value::Bit(from.u8()? != 0),
        SqlType::TinyInt => Value::Int(from.u8()?.into()),
        SqlType::SmallInt => Value::Int((from.u16()? as i16).into()),
        SqlType::Int => Value::Int((from.u32()? as i32).into()),
        SqlType::BigInt => Value::Int(from.u64()? as i64),
        SqlType::Real => Value::Real(f32::from_bits(from.u32()?)),
        SqlType::Float => Value::Float(f64::from_bits(from.u64()?)),
        SqlType::Money => Value::Money((from.u32()? as i32 as i64) << 32 | i64::from(from.u32()?)),
        SqlType::SmallMoney => Value::Money((from.u32()? as i32).into()),
        SqlType::Decimal(_, scale) | SqlType::Numeric(_, scale) => {
            let sign = from.u8()?;
            let magnitude = little_endian(&bytes[1..]) as i128;
            Value::Decimal(if sign == 0 { -magnitude } else { magnitude }, scale)
        }
        SqlType::DateTime => Value::DateTime(from.u32()? as i32, from.u32()?),
        SqlType::SmallDateTime => Value::SmallDateTime(from.u16()?, from.u16()?),
        SqlType::Date => Value::Date(little_endian(bytes) as i32),
        SqlType::Time(scale) => Value::Time(ticks(bytes, scale)),
        SqlType::DateTime2(scale) => {
            let (time, date) = bytes.split_at_checked(bytes.len().wrapping_sub(3)).ok_or(Malformed)?;
            Value::DateTime2(little_endian(date) as i32, ticks(time, scale))
        }
        SqlType::DateTimeOffset(scale) => {
            let (time, rest) = bytes.split_at_checked(bytes.len().wrapping_sub(5)).ok_or(Malformed)?;
            let minutes = i16::from_le_bytes([rest[3], rest[4]]);
            Value::DateTimeOffset(little_endian(&rest[..3]) as i32, ticks(time, scale), minutes)
        }
        SqlType::UniqueIdentifier => Value::Guid(guid_to_wire(from.array()?)),
        _ if ty.is_wide() => Value::Wide(utf16_units(bytes)),
        _ if ty.is_narrow() => Value::Narrow(bytes.to_vec()),
        _ => Value::Binary(bytes.to_vec()),
    })
}

fn little_endian(bytes: &[u8]) -> u128 {
    bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | u128::from(byte))
}

fn ticks(bytes: &[u8], scale: u8) -> u64 {
    little_endian(bytes) as u64 * 10u64.pow(u32::from(7 - scale.min(7)))
}
