//! What is asked of a value by a name after a dot: the methods of the CLR types. And DATEPART, whose first argument is a word.

use std::sync::Arc;

use super::error::SqlError;
use super::expr::{Apply, Expr, Kind, Node};
use crate::types::cast::{Conversion, cast};
use crate::types::date::{TICKS_PER_DAY, TICKS_PER_SECOND, date_from_days, days_from_date};
use crate::types::spatial::Spatial;
use crate::types::value::Value;
use crate::types::{Length, NVARCHAR_MAX, SqlType, collation};

/// A method's call, `[c].ToString()`. Names are case-sensitive, as the CLR's are.
pub(super) fn call(object: Expr, name: &str) -> Result<Expr, SqlError> {
    let spatial = matches!(object.kind.ty, SqlType::Geography | SqlType::Geometry);
    match name {
        "ToString" if object.kind.ty == SqlType::HierarchyId => {
            let mut text = object.into_type(NVARCHAR_MAX)?;
            text.kind = Kind { ty: SqlType::NVarChar(Length::Up(4000)), collation: collation::DEFAULT, ..text.kind };
            Ok(text)
        }
        "ToString" if spatial => Ok(of_shape(object, NVARCHAR_MAX, |shape| Value::text(&shape.text))),
        "STGeometryType" if spatial => Ok(of_shape(object, SqlType::NVarChar(Length::Up(4000)), |shape| Value::text(&shape.shape))),
        "AsBinaryZM" if spatial => Ok(of_shape(object, SqlType::VarBinary(Length::Max), |shape| Value::Binary(shape.wkb.clone()))),
        _ => Err(missing(&object, "method", name)),
    }
}

/// A property, `[c].STSrid`.
pub(super) fn property(object: Expr, name: &str) -> Result<Expr, SqlError> {
    match name {
        "STSrid" if object.kind.ty != SqlType::HierarchyId => Ok(of_shape(object, SqlType::Int, |shape| Value::Int(shape.srid.into()))),
        _ => Err(missing(&object, "property or field", name)),
    }
}

fn of_shape(object: Expr, ty: SqlType, apply: fn(&Spatial) -> Value) -> Expr {
    let apply: Apply = Arc::new(move |values| Ok(if let Value::Spatial(shape) = &values[0] { apply(shape) } else { Value::Null }));
    Expr { node: Node::Call(apply, vec![object]), kind: Kind::of(ty) }
}

fn missing(object: &Expr, what: &str, name: &str) -> SqlError {
    let class = match object.kind.ty {
        SqlType::HierarchyId => "SqlHierarchyId",
        SqlType::Geography => "SqlGeography",
        SqlType::Geometry => "SqlGeometry",
        other => return SqlError::new(258, 15, format!("Cannot call methods on {other}.")),
    };
    let message =
        format!("Could not find {what} '{name}' for type 'Microsoft.SqlServer.Types.{class}' in assembly 'Microsoft.SqlServer.Types'.");
    SqlError::new(6506, 10 + 6, message)
}

/// `DATEPART(word, value)`, an int.
pub(super) fn date_part(word: &str, value: Expr) -> Result<Expr, SqlError> {
    let ty = value.kind.ty;
    let part: fn(i32, u64, i16) -> i64 = match word.to_ascii_lowercase().as_str() {
        "year" | "yy" | "yyyy" => |days, _, _| date_from_days(days).0.into(),
        "month" | "mm" | "m" => |days, _, _| date_from_days(days).1.into(),
        "day" | "dd" | "d" => |days, _, _| date_from_days(days).2.into(),
        "dayofyear" | "dy" | "y" => |days, _, _| i64::from(days - days_from_date(date_from_days(days).0, 1, 1).unwrap_or(0)) + 1,
        "hour" | "hh" => |_, ticks, _| (ticks / TICKS_PER_SECOND / 3600) as i64,
        "minute" | "mi" | "n" => |_, ticks, _| (ticks / TICKS_PER_SECOND / 60 % 60) as i64,
        "second" | "ss" | "s" => |_, ticks, _| (ticks / TICKS_PER_SECOND % 60) as i64,
        "millisecond" | "ms" => |_, ticks, _| (ticks % TICKS_PER_SECOND / 10_000) as i64,
        "microsecond" | "mcs" => |_, ticks, _| (ticks % TICKS_PER_SECOND / 10) as i64,
        "nanosecond" | "ns" => |_, ticks, _| (ticks % TICKS_PER_SECOND * 100) as i64,
        "tzoffset" | "tz" if matches!(ty, SqlType::DateTimeOffset(_) | SqlType::DateTime2(_)) || ty.has_collation() => {
            |_, _, minutes| minutes.into()
        }
        "tzoffset" | "tz" => {
            let message = format!("The datepart tzoffset is not supported by date function datepart for data type {}.", ty.name());
            return Err(SqlError::new(9810, 16, message));
        }
        _ => return Err(SqlError::new(155, 15, format!("'{word}' is not a recognized datepart option."))),
    };
    let apply: Apply = Arc::new(move |values| {
        let to = SqlType::DateTimeOffset(7);
        let how = Conversion { from: ty, from_collation: collation::DEFAULT, to, to_collation: collation::DEFAULT, style: None };
        let Value::DateTimeOffset(days, ticks, minutes) = cast(&values[0], &how)? else {
            return Ok(Value::Null);
        };
        let local = i64::from(days) * TICKS_PER_DAY as i64 + ticks as i64 + i64::from(minutes) * 600_000_000;
        let (days, ticks) = (local.div_euclid(TICKS_PER_DAY as i64) as i32, local.rem_euclid(TICKS_PER_DAY as i64) as u64);
        Ok(Value::Int(part(days, ticks, minutes)))
    });
    Ok(Expr { node: Node::Call(apply, vec![value]), kind: Kind::of(SqlType::Int) })
}
