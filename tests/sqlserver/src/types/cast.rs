//! CAST and CONVERT between scalar types, with SQL Server's overflows and refusals.

use super::collation::{self, Collation};
use super::date::{
    DAY_OF_300THS, DAYS_TO_1753, DAYS_TO_1900, LAST_DAY, TICKS_PER_DAY, TICKS_PER_SECOND, exact_ticks, round_ticks, ticks_to_300ths,
};
use super::parse::{self, Moment};
use super::value::{Value, variant_base};
use super::{Length, SqlType, format, hierarchy};
use crate::sql::error::SqlError;

/// What a value is converted from and to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conversion {
    pub(crate) from: SqlType,
    pub(crate) from_collation: &'static Collation,
    pub(crate) to: SqlType,
    pub(crate) to_collation: &'static Collation,
    pub(crate) style: Option<i32>,
}

/// Converts one value.
pub(crate) fn cast(value: &Value, how: &Conversion) -> Result<Value, SqlError> {
    if let Value::Variant(base, inner) = value {
        if how.to == SqlType::Variant {
            return Ok(value.clone());
        }
        let (from, from_collation) = variant_base(base).unwrap_or((SqlType::Int, how.from_collation));
        return cast(inner, &Conversion { from, from_collation, ..*how });
    }
    if value.is_null() {
        return Ok(Value::Null);
    }
    if how.from == how.to && how.from_collation == how.to_collation {
        return Ok(value.clone());
    }
    let to = how.to;
    match to {
        SqlType::Variant => to_variant(value, how),
        SqlType::HierarchyId => to_hierarchy(value, how),
        SqlType::Geography | SqlType::Geometry => match value {
            Value::Spatial(_) if how.from == to => Ok(value.clone()),
            _ => Err(SqlError::not_allowed(how.from.name(), to.name())),
        },
        // The CLR types become text or bytes, documents text alone.
        _ if how.from.is_document() && !to.has_collation() && !to.is_document() => Err(SqlError::not_allowed(how.from.name(), to.name())),
        _ if how.from.is_clr() && !to.has_collation() && !to.is_binary() => Err(SqlError::not_allowed(how.from.name(), to.name())),
        _ if matches!(value, Value::Spatial(_)) && !to.is_binary() => Err(SqlError::not_allowed(how.from.name(), to.name())),
        _ if to.is_wide() => fit_wide(format::text_units(value, how.from, how.from_collation, how.style)?, how),
        _ if to.is_narrow() => {
            if let (Value::Binary(bytes), None | Some(0)) = (value, how.style) {
                return fit_bytes(bytes.clone(), how, b' ').map(Value::Narrow);
            }
            if let (Value::Narrow(bytes), true) = (value, how.from_collation.code_page == how.to_collation.code_page) {
                return fit_bytes(bytes.clone(), how, b' ').map(Value::Narrow);
            }
            let units = format::text_units(value, how.from, how.from_collation, how.style)?;
            fit_bytes(how.to_collation.encode(&units), how, b' ').map(Value::Narrow)
        }
        _ if to.is_binary() => to_binary(value, how),
        _ if to.number_rank().is_some() => to_number(value, how),
        SqlType::UniqueIdentifier => to_guid(value, how),
        _ => to_time(value, how),
    }
}

/// Text keeps its collation: nothing else would say what its bytes mean.
fn to_variant(value: &Value, how: &Conversion) -> Result<Value, SqlError> {
    if how.from.sizes().0 < 0
        || how.from.is_clr()
        || matches!(how.from, SqlType::Text | SqlType::NText | SqlType::Image | SqlType::RowVersion)
    {
        return Err(SqlError::new(206, 16, format!("Operand type clash: {} is incompatible with sql_variant", how.from)));
    }
    let collation = if how.from.has_collation() && how.from_collation != collation::DEFAULT {
        format!(" COLLATE {}", how.from_collation.name)
    } else {
        String::new()
    };
    Ok(Value::Variant(format!("{}{collation}", how.from), Box::new(value.clone())))
}

fn to_hierarchy(value: &Value, how: &Conversion) -> Result<Value, SqlError> {
    let bytes = match value {
        Value::Binary(bytes) => Some(bytes.clone()),
        _ => text_of(value, how).and_then(|text| hierarchy::bytes(&text)),
    };
    bytes.map(Value::Binary).ok_or_else(|| SqlError::new(6522, 16, "A .NET Framework error occurred: the hierarchyid is not valid."))
}

fn text_of(value: &Value, how: &Conversion) -> Option<String> {
    match value {
        Value::Wide(units) => Some(String::from_utf16_lossy(units)),
        Value::Narrow(bytes) => Some(String::from_utf16_lossy(&how.from_collation.decode(bytes))),
        _ => None,
    }
}

fn fit_wide(mut units: Vec<u16>, how: &Conversion) -> Result<Value, SqlError> {
    match how.to {
        SqlType::NChar(n) => {
            truncation(units.len(), n, how)?;
            units.resize(n.into(), 0x20);
        }
        SqlType::NVarChar(Length::Up(n)) => {
            truncation(units.len(), n, how)?;
            units.truncate(n.into());
        }
        SqlType::SysName => units.truncate(128),
        _ => {}
    }
    Ok(Value::Wide(units))
}

fn fit_bytes(mut bytes: Vec<u8>, how: &Conversion, pad: u8) -> Result<Vec<u8>, SqlError> {
    match how.to {
        SqlType::Char(n) | SqlType::Binary(n) => {
            truncation(bytes.len(), n, how)?;
            bytes.resize(n.into(), pad);
        }
        SqlType::VarChar(Length::Up(n)) | SqlType::VarBinary(Length::Up(n)) => {
            truncation(bytes.len(), n, how)?;
            bytes.truncate(n.into());
        }
        SqlType::RowVersion => bytes.resize(8, 0),
        _ => {}
    }
    Ok(bytes)
}

/// Text that is too short for a number is an error, not cut.
fn truncation(length: usize, limit: u16, how: &Conversion) -> Result<(), SqlError> {
    if length > usize::from(limit) && how.from.number_rank().is_some() {
        return Err(SqlError::overflow(how.to.name()));
    }
    Ok(())
}

fn to_binary(value: &Value, how: &Conversion) -> Result<Value, SqlError> {
    let width = usize::from(how.from.sizes().0.unsigned_abs().min(8));
    let bytes = match value {
        Value::Binary(bytes) => bytes.clone(),
        Value::Spatial(shape) => shape.raw.clone(),
        Value::Wide(_) if how.to == SqlType::RowVersion => return Err(SqlError::not_allowed(how.from.name(), how.to.name())),
        Value::Narrow(_) | Value::Wide(_) if matches!(how.style, Some(1 | 2)) => {
            let text = text_of(value, how).unwrap_or_default();
            let digits = if how.style == Some(1) { text.strip_prefix("0x").unwrap_or("?") } else { &text };
            parse::hex(digits).ok_or_else(|| SqlError::new(8114, 16, "Error converting data type varchar to varbinary."))?
        }
        Value::Narrow(bytes) => bytes.clone(),
        Value::Wide(units) => units.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
        Value::Int(number) | Value::Money(number) => number.to_be_bytes()[8 - width..].to_vec(),
        Value::Bit(bit) => vec![u8::from(*bit)],
        Value::Guid(bytes) => crate::wire::encode::guid_to_wire(*bytes).to_vec(),
        Value::DateTime(days, ticks) => [days.to_be_bytes(), ticks.to_be_bytes()].concat(),
        _ => return Err(SqlError::not_allowed(how.from.name(), how.to.name())),
    };
    // A number into a longer binary is padded on the left.
    let fixed = if how.to == SqlType::RowVersion { SqlType::Binary(8) } else { how.to };
    if let (SqlType::Binary(n), Value::Int(_)) = (fixed, value) {
        let mut padded = vec![0; usize::from(n).saturating_sub(bytes.len())];
        padded.extend_from_slice(&bytes[bytes.len().saturating_sub(n.into())..]);
        return Ok(Value::Binary(padded));
    }
    fit_bytes(bytes, how, 0).map(Value::Binary)
}

fn to_guid(value: &Value, how: &Conversion) -> Result<Value, SqlError> {
    match value {
        Value::Binary(bytes) => {
            let mut wire = [0; 16];
            wire.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
            Ok(Value::Guid(crate::wire::encode::guid_to_wire(wire)))
        }
        _ => text_of(value, how).ok_or_else(|| SqlError::not_allowed(how.from.name(), how.to.name())).and_then(|text| {
            parse::guid(&text)
                .ok_or_else(|| SqlError::new(8169, 16, "Conversion failed when converting from a character string to uniqueidentifier."))
        }),
    }
}

fn to_number(value: &Value, how: &Conversion) -> Result<Value, SqlError> {
    let to = how.to;
    let failed = || match text_of(value, how) {
        Some(text) if matches!(to, SqlType::Decimal(..) | SqlType::Numeric(..) | SqlType::Float | SqlType::Real) => {
            let _ = text;
            SqlError::new(8114, 16, format!("Error converting data type {} to {}.", how.from.name(), to.name()))
        }
        Some(text) => SqlError::conversion(how.from.name(), &text, to.name()),
        None => SqlError::not_allowed(how.from.name(), to.name()),
    };
    let text = text_of(value, how);
    if to == SqlType::Bit && text.as_deref().is_some_and(|t| t.eq_ignore_ascii_case("true") || t.eq_ignore_ascii_case("false")) {
        return Ok(Value::Bit(text.is_some_and(|t| t.eq_ignore_ascii_case("true"))));
    }
    if matches!(to, SqlType::Float | SqlType::Real) {
        let number = as_float(value, text.as_deref()).ok_or_else(failed)?;
        return Ok(if to == SqlType::Real { Value::Real(number as f32) } else { Value::Float(number) });
    }
    if let Value::Float(number) = value {
        return from_float(*number, to);
    }
    if let Value::Real(number) = value {
        return from_float(f64::from(*number), to);
    }
    let (unscaled, scale) = as_decimal(value, text.as_deref()).ok_or_else(failed)?;
    match to {
        SqlType::Bit => Ok(Value::Bit(unscaled != 0)),
        SqlType::Decimal(p, s) | SqlType::Numeric(p, s) => rescale(unscaled, scale, s)
            .filter(|number| number.unsigned_abs() < 10u128.pow(u32::from(p)))
            .map(|number| Value::Decimal(number, s))
            .ok_or_else(|| SqlError::overflow(to.name())),
        SqlType::Money | SqlType::SmallMoney => rescale(unscaled, scale, 4)
            .filter(|number| parse::fits(*number, to))
            .map(|number| Value::Money(number as i64))
            .ok_or_else(|| SqlError::overflow(to.name())),
        _ if text.is_some() && scale > 0 => Err(failed()),
        // Into an integer a decimal is cut, money is rounded.
        _ => {
            let unit = 10i128.pow(u32::from(scale));
            let number = if matches!(value, Value::Money(_)) { rescale(unscaled, scale, 0).unwrap_or(0) } else { unscaled / unit };
            if !parse::fits(number, to) {
                return Err(SqlError::overflow(to.name()));
            }
            Ok(Value::Int(number as i64))
        }
    }
}

fn as_decimal(value: &Value, text: Option<&str>) -> Option<(i128, u8)> {
    Some(match value {
        Value::Bit(bit) => (i128::from(*bit), 0),
        Value::Int(number) => (i128::from(*number), 0),
        Value::Money(number) => (i128::from(*number), 4),
        Value::Decimal(unscaled, scale) => (*unscaled, *scale),
        Value::Binary(bytes) => (bytes.iter().rev().take(8).rev().fold(0i64, |n, b| n << 8 | i64::from(*b)).into(), 0),
        Value::DateTime(days, _) => (i128::from(*days), 0),
        _ => {
            let text = text?.trim();
            if text.is_empty() { (0, 0) } else { parse::decimal(text)? }
        }
    })
}

fn as_float(value: &Value, text: Option<&str>) -> Option<f64> {
    Some(match value {
        Value::Float(number) => *number,
        Value::Real(number) => f64::from(*number),
        _ => match text {
            Some(text) => text.trim().parse().ok()?,
            None => {
                let (unscaled, scale) = as_decimal(value, None)?;
                format::decimal(unscaled, scale).parse().ok()?
            }
        },
    })
}

fn from_float(number: f64, to: SqlType) -> Result<Value, SqlError> {
    let overflow = || SqlError::overflow(to.name());
    let scaled = |digits: u8| {
        let text = format!("{number:.*}", usize::from(digits));
        parse::decimal(&text).map(|(unscaled, _)| unscaled).ok_or_else(overflow)
    };
    match to {
        SqlType::Bit => Ok(Value::Bit(number != 0.0)),
        SqlType::Decimal(p, s) | SqlType::Numeric(p, s) => {
            scaled(s).ok().filter(|n| n.unsigned_abs() < 10u128.pow(u32::from(p))).map(|n| Value::Decimal(n, s)).ok_or_else(overflow)
        }
        SqlType::Money | SqlType::SmallMoney => {
            scaled(4).ok().filter(|n| parse::fits(*n, to)).map(|n| Value::Money(n as i64)).ok_or_else(overflow)
        }
        _ => {
            let whole = number.trunc() as i128;
            if parse::fits(whole, to) { Ok(Value::Int(whole as i64)) } else { Err(overflow()) }
        }
    }
}

/// Moves the point, rounding half away from zero; `None` on overflow.
pub(crate) fn rescale(unscaled: i128, from: u8, to: u8) -> Option<i128> {
    if to >= from {
        return unscaled.checked_mul(10i128.checked_pow(u32::from(to - from))?);
    }
    let unit = 10i128.pow(u32::from(from - to));
    Some((unscaled + unscaled.signum() * (unit / 2)) / unit)
}

fn to_time(value: &Value, how: &Conversion) -> Result<Value, SqlError> {
    let (days, ticks, offset) = moment_of(value, how)?;
    let out_of_range = || {
        SqlError::new(
            242,
            16,
            format!(
                "The conversion of a {} data type to a {} data type resulted in an out-of-range value.",
                how.from.name(),
                how.to.name()
            ),
        )
    };
    let day = days.unwrap_or(DAYS_TO_1900);
    let minutes = offset.unwrap_or(0);
    match how.to {
        SqlType::Date => Ok(Value::Date(day)),
        SqlType::Time(s) => Ok(Value::Time(round_ticks(ticks, s) % TICKS_PER_DAY)),
        SqlType::DateTime2(s) => {
            let (day, ticks) = parse::utc(day, round_ticks(ticks, s), 0);
            if day > LAST_DAY { Err(out_of_range()) } else { Ok(Value::DateTime2(day, ticks)) }
        }
        SqlType::DateTimeOffset(s) => {
            let (day, ticks) = parse::utc(day, round_ticks(ticks, s), minutes);
            Ok(Value::DateTimeOffset(day, ticks, minutes))
        }
        SqlType::DateTime => {
            let rounded = ticks_to_300ths(ticks);
            let (day, rounded) = if rounded >= DAY_OF_300THS { (day + 1, 0) } else { (day, rounded) };
            if !(DAYS_TO_1753..=LAST_DAY).contains(&day) {
                return Err(out_of_range());
            }
            Ok(Value::DateTime(day - DAYS_TO_1900, rounded))
        }
        SqlType::SmallDateTime => {
            let minutes = (ticks + 30 * TICKS_PER_SECOND) / (60 * TICKS_PER_SECOND);
            let day = day - DAYS_TO_1900 + (minutes / 1440) as i32;
            let day = u16::try_from(day).map_err(|_| out_of_range())?;
            Ok(Value::SmallDateTime(day, (minutes % 1440) as u16))
        }
        _ => Err(SqlError::not_allowed(how.from.name(), how.to.name())),
    }
}

fn moment_of(value: &Value, how: &Conversion) -> Result<Moment, SqlError> {
    Ok(match value {
        Value::Date(days) => (Some(*days), 0, None),
        Value::Time(ticks) => (None, *ticks, None),
        // Under compatibility level 130 the thirds of a datetime are not rounded to milliseconds first.
        Value::DateTime(days, ticks) => (Some(days + DAYS_TO_1900), exact_ticks(*ticks), None),
        Value::SmallDateTime(days, minutes) => (Some(i32::from(*days) + DAYS_TO_1900), u64::from(*minutes) * 60 * TICKS_PER_SECOND, None),
        Value::DateTime2(days, ticks) => (Some(*days), *ticks, None),
        Value::DateTimeOffset(days, ticks, minutes) => {
            let (day, local) = parse::utc(*days, *ticks, -*minutes);
            (Some(day), local, Some(*minutes))
        }
        Value::Int(days) if is_old(how.to) => (Some(*days as i32 + DAYS_TO_1900), 0, None),
        _ => {
            let text = text_of(value, how).ok_or_else(|| SqlError::not_allowed(how.from.name(), how.to.name()))?;
            let moment = parse::moment(&text).ok_or_else(SqlError::date_conversion)?;
            if is_old(how.to) && !fits_old(&text, &moment) {
                return Err(SqlError::date_conversion());
            }
            moment
        }
    })
}

/// datetime and smalldatetime, which are stricter about text and laxer about numbers than the types that came later.
fn is_old(ty: SqlType) -> bool {
    matches!(ty, SqlType::DateTime | SqlType::SmallDateTime)
}

/// Three digits after the point at most, and no offset.
fn fits_old(text: &str, (_, _, offset): &Moment) -> bool {
    let digits = text.rsplit_once('.').map_or(0, |(_, rest)| rest.bytes().take_while(u8::is_ascii_digit).count());
    digits <= 3 && (offset.is_none() || text.trim_end().ends_with('Z'))
}
