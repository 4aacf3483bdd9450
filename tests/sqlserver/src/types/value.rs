//! One value, held so that nothing of it is lost.

use super::collation::{self, Collation};
use super::spatial::Spatial;
use super::{Length, SqlType};

/// A value of a SQL Server type. The column's type says how to read it: an
/// `Int` is a `tinyint` in one column and a `bigint` in another.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// NULL of any type.
    Null,
    /// bit
    Bit(bool),
    /// tinyint, smallint, int, bigint
    Int(i64),
    /// real
    Real(f32),
    /// float
    Float(f64),
    /// decimal and numeric: the unscaled integer and the digits after the point
    Decimal(i128, u8),
    /// money and smallmoney, in ten-thousandths
    Money(i64),
    /// date: days since 0001-01-01
    Date(i32),
    /// time: 100 ns since midnight
    Time(u64),
    /// datetime: days since 1900-01-01 and 1/300 s since midnight
    DateTime(i32, u32),
    /// smalldatetime: days since 1900-01-01 and minutes since midnight
    SmallDateTime(u16, u16),
    /// datetime2: days since 0001-01-01 and 100 ns since midnight
    DateTime2(i32, u64),
    /// datetimeoffset: as datetime2, in UTC, and the offset in minutes
    DateTimeOffset(i32, u64, i16),
    /// nchar, nvarchar, ntext, xml: UTF-16 units, lone surrogates allowed
    Wide(Vec<u16>),
    /// char, varchar, text: bytes in the column's code page, invalid ones allowed
    Narrow(Vec<u8>),
    /// binary, varbinary, image, rowversion and hierarchyid
    Binary(Vec<u8>),
    /// geography and geometry
    Spatial(Box<Spatial>),
    /// uniqueidentifier, in the order in which it is written as text
    Guid([u8; 16]),
    /// sql_variant: the base type's declaration (text may name its collation, `varchar(9) COLLATE Japanese_CI_AS`) and the value
    Variant(String, Box<Value>),
}

impl Value {
    /// Text from a Rust string.
    pub fn text(text: &str) -> Value {
        Value::Wide(text.encode_utf16().collect())
    }

    /// Whether this is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// A value in a sql_variant.
    pub fn variant(base: &str, value: Value) -> Value {
        Value::Variant(base.to_owned(), Box::new(value))
    }

    /// The declaration of a type that holds this value, as a sql_variant's base type; `None` where nothing says it.
    pub(crate) fn natural_type(&self) -> Option<SqlType> {
        Some(match self {
            Value::Null | Value::Variant(..) => return None,
            Value::Bit(_) => SqlType::Bit,
            Value::Int(number) if i32::try_from(*number).is_ok() => SqlType::Int,
            Value::Int(_) => SqlType::BigInt,
            Value::Real(_) => SqlType::Real,
            Value::Float(_) => SqlType::Float,
            Value::Decimal(_, scale) => SqlType::Decimal(38, *scale),
            Value::Money(_) => SqlType::Money,
            Value::Date(_) => SqlType::Date,
            Value::Time(_) => SqlType::Time(7),
            Value::DateTime(..) => SqlType::DateTime,
            Value::SmallDateTime(..) => SqlType::SmallDateTime,
            Value::DateTime2(..) => SqlType::DateTime2(7),
            Value::DateTimeOffset(..) => SqlType::DateTimeOffset(7),
            Value::Wide(units) => SqlType::NVarChar(Length::Up(units.len().clamp(1, 4000) as u16)),
            Value::Narrow(bytes) => SqlType::VarChar(Length::Up(bytes.len().clamp(1, 8000) as u16)),
            Value::Binary(bytes) => SqlType::VarBinary(Length::Up(bytes.len().clamp(1, 8000) as u16)),
            Value::Spatial(_) => SqlType::Geometry,
            Value::Guid(_) => SqlType::UniqueIdentifier,
        })
    }

    /// The text of a `Wide`, lossy.
    pub(crate) fn wide_text(&self) -> Option<String> {
        match self {
            Value::Wide(units) => Some(String::from_utf16_lossy(units)),
            _ => None,
        }
    }
}

/// The type and collation of a sql_variant's base declaration.
pub(crate) fn variant_base(declaration: &str) -> Option<(SqlType, &'static Collation)> {
    match declaration.to_ascii_lowercase().split_once(" collate ") {
        Some((ty, name)) => Some((SqlType::parse(ty)?, collation::find(name.trim())?)),
        None => Some((SqlType::parse(declaration)?, collation::DEFAULT)),
    }
}

impl From<Spatial> for Value {
    fn from(shape: Spatial) -> Value {
        Value::Spatial(Box::new(shape))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Int(number)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Value {
        Value::Int(number.into())
    }
}

impl From<bool> for Value {
    fn from(bit: bool) -> Value {
        Value::Bit(bit)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::Float(number)
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Value {
        Value::Binary(bytes.to_vec())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}
