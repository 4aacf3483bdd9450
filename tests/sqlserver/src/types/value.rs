//! One value, held so that nothing of it is lost.

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
    /// binary, varbinary, image, rowversion and the CLR types
    Binary(Vec<u8>),
    /// uniqueidentifier, in the order in which it is written as text
    Guid([u8; 16]),
    /// sql_variant: the base type's declaration and the value
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

    /// The text of a `Wide`, lossy.
    pub(crate) fn wide_text(&self) -> Option<String> {
        match self {
            Value::Wide(units) => Some(String::from_utf16_lossy(units)),
            _ => None,
        }
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
