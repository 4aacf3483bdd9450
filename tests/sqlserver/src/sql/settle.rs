//! What type an expression has: literals, arithmetic, and the common type of two.

use sqlparser::ast::Value as Literal;

use super::error::SqlError;
use super::expr::{Expr, Kind, Node, Operator};
use crate::types::collation::Collation;
use crate::types::value::Value;
use crate::types::{Length, NVARCHAR_MAX, SqlType};

/// The type of a bare NULL until something beside it gives it one: the lowest precedence.
pub(super) const UNTYPED: SqlType = SqlType::Binary(1);

pub(super) fn literal(value: &Literal, database: &'static Collation) -> Result<Expr, SqlError> {
    let length = |count: usize| {
        if count > 4000 { Length::Max } else { Length::Up(count.max(1) as u16) }
    };
    Ok(match value {
        Literal::Null => Expr::constant(Value::Null, UNTYPED),
        Literal::NationalStringLiteral(text) => {
            let value = Value::text(text);
            Expr::constant(value, SqlType::NVarChar(length(text.encode_utf16().count())))
        }
        Literal::SingleQuotedString(text) | Literal::DoubleQuotedString(text) => {
            let bytes = database.encode(&text.encode_utf16().collect::<Vec<_>>());
            let ty = SqlType::VarChar(length(bytes.len()));
            let mut text = Expr::constant(Value::Narrow(bytes), ty);
            text.kind.collation = database;
            text
        }
        Literal::HexStringLiteral(text) => {
            let padded = if text.len() % 2 == 1 { format!("0{text}") } else { text.clone() };
            let bytes = crate::types::parse::hex(&padded).ok_or_else(|| SqlError::syntax(text))?;
            let ty = SqlType::VarBinary(length(bytes.len()));
            Expr::constant(Value::Binary(bytes), ty)
        }
        Literal::Number(text, _) => number(text)?,
        other => return Err(SqlError::syntax(&other.to_string())),
    })
}

fn number(text: &str) -> Result<Expr, SqlError> {
    if text.contains(['e', 'E']) {
        let number = text.parse().map_err(|_| SqlError::syntax(text))?;
        return Ok(Expr::constant(Value::Float(number), SqlType::Float));
    }
    if let Ok(number) = text.parse::<i32>() {
        return Ok(Expr::constant(Value::Int(number.into()), SqlType::Int));
    }
    let (unscaled, scale) = crate::types::parse::decimal(text).ok_or_else(|| SqlError::syntax(text))?;
    let digits = unscaled.to_string().len() as u8;
    Ok(Expr::constant(Value::Decimal(unscaled, scale), SqlType::Numeric(digits.max(scale).max(1), scale)))
}

pub(super) fn combine(operator: Operator, left: Expr, right: Expr) -> Result<Expr, SqlError> {
    let ty = match common_type(left.kind.ty, right.kind.ty) {
        SqlType::Bit | SqlType::TinyInt | SqlType::SmallInt => SqlType::Int,
        SqlType::Decimal(_, s) | SqlType::Numeric(_, s) => {
            let widest = left.kind.ty.sizes().2.max(right.kind.ty.sizes().2).max(s);
            SqlType::Decimal(38, if operator == Operator::Divide { widest.max(6) } else { widest })
        }
        SqlType::Money | SqlType::SmallMoney => SqlType::Decimal(38, 4),
        SqlType::Real => SqlType::Float,
        SqlType::Char(_) | SqlType::VarChar(_) => SqlType::VarChar(Length::Max),
        SqlType::NChar(_) | SqlType::NVarChar(_) | SqlType::SysName => NVARCHAR_MAX,
        SqlType::Binary(_) | SqlType::VarBinary(_) if operator == Operator::Add => SqlType::VarBinary(Length::Max),
        other if other.number_rank().is_some() => other,
        other => {
            let message = format!("Operand data type {} is invalid for {operator:?} operator.", other.name());
            return Err(SqlError::new(8117, 16, message.to_lowercase().replacen('o', "O", 1)));
        }
    };
    let kind = Kind { collation: left.kind.collation, nullable: left.kind.nullable || right.kind.nullable, ..Kind::of(ty) };
    Ok(Expr { node: Node::Arithmetic(operator, Box::new(left.into_type(ty)?), Box::new(right.into_type(ty)?)), kind })
}

/// The type of a mixed expression: the higher precedence, wide enough for both.
pub(super) fn common_type(left: SqlType, right: SqlType) -> SqlType {
    let (high, low) = if left.precedence() >= right.precedence() { (left, right) } else { (right, left) };
    match (high, low) {
        (SqlType::NVarChar(_) | SqlType::NChar(_) | SqlType::SysName, _) if low.has_collation() => {
            let units = |ty: SqlType| {
                let bytes = ty.sizes().0;
                if ty.is_wide() && bytes > 0 { bytes / 2 } else { bytes }
            };
            if units(high) < 0 || units(low) < 0 { NVARCHAR_MAX } else { SqlType::NVarChar(Length::Up(units(high).max(units(low)) as u16)) }
        }
        (SqlType::VarChar(_), _) if low.is_narrow() => {
            let (a, b) = (high.sizes().0, low.sizes().0);
            if a < 0 || b < 0 { SqlType::VarChar(Length::Max) } else { SqlType::VarChar(Length::Up(a.max(b) as u16)) }
        }
        (SqlType::VarBinary(_) | SqlType::Binary(_), SqlType::VarBinary(_) | SqlType::Binary(_)) => {
            let (a, b) = (high.sizes().0, low.sizes().0);
            match (high, a < 0 || b < 0) {
                (_, true) => SqlType::VarBinary(Length::Max),
                (SqlType::Binary(_), false) => SqlType::Binary(a.max(b) as u16),
                _ => SqlType::VarBinary(Length::Up(a.max(b) as u16)),
            }
        }
        (SqlType::DateTime2(s), SqlType::DateTime2(t)) => SqlType::DateTime2(s.max(t)),
        (SqlType::DateTimeOffset(s), SqlType::DateTimeOffset(t)) => SqlType::DateTimeOffset(s.max(t)),
        (SqlType::Time(s), SqlType::Time(t)) => SqlType::Time(s.max(t)),
        (SqlType::Decimal(p, s) | SqlType::Numeric(p, s), SqlType::Decimal(q, t) | SqlType::Numeric(q, t)) => {
            let scale = s.max(t);
            SqlType::Decimal(((p - s).max(q - t) + scale).min(38), scale)
        }
        _ => high,
    }
}

/// The type in which two values are compared, without losing any of them.
pub(super) fn comparable_type(left: SqlType, right: SqlType) -> SqlType {
    let common = common_type(left, right);
    match common {
        SqlType::NVarChar(_) | SqlType::NChar(_) | SqlType::SysName => NVARCHAR_MAX,
        SqlType::VarChar(_) | SqlType::Char(_) => SqlType::VarChar(Length::Max),
        SqlType::VarBinary(_) | SqlType::Binary(_) => SqlType::VarBinary(Length::Max),
        SqlType::Bit | SqlType::TinyInt | SqlType::SmallInt | SqlType::Int => SqlType::BigInt,
        SqlType::Decimal(_, s) | SqlType::Numeric(_, s) => SqlType::Decimal(38, s),
        // Whatever is compared with a moment keeps its digits.
        SqlType::DateTime2(_) => SqlType::DateTime2(7),
        SqlType::DateTimeOffset(_) => SqlType::DateTimeOffset(7),
        SqlType::Time(_) => SqlType::Time(7),
        other => other,
    }
}
