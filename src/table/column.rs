//! Columns as both ends describe them, free of any driver.

use super::{PgType, SourceDefinition};

/// What a source column's values are, whatever the source calls its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind {
    /// True or false.
    Bool,
    /// 0 to 255.
    UInt8,
    /// 16-bit signed.
    Int16,
    /// 32-bit signed.
    Int32,
    /// 64-bit signed.
    Int64,
    /// 32-bit binary floating point.
    Float32,
    /// 64-bit binary floating point.
    Float64,
    /// Decimal digits, exact.
    Decimal {
        /// Digits in all.
        precision: u8,
        /// Digits after the point.
        scale: u8,
    },
    /// A day.
    Date,
    /// A time of day.
    Time,
    /// Day and time without a zone.
    Timestamp {
        /// Fractional digits of a second that a created column keeps, where not all six.
        digits: Option<u8>,
    },
    /// An instant.
    TimestampTz,
    /// Characters.
    Text {
        /// The most characters that a value can have, where the source limits it.
        chars_max: Option<u32>,
    },
    /// Bytes.
    Bytes,
    /// 16 bytes.
    Uuid,
    /// An XML document or fragment, as text.
    Xml,
}

impl ValueKind {
    /// The type that a created target column gets.
    pub fn natural_type(self) -> PgType {
        match self {
            ValueKind::Bool => PgType::Bool,
            ValueKind::UInt8 | ValueKind::Int16 => PgType::Int2,
            ValueKind::Int32 => PgType::Int4,
            ValueKind::Int64 => PgType::Int8,
            ValueKind::Float32 => PgType::Float4,
            ValueKind::Float64 => PgType::Float8,
            ValueKind::Decimal { precision, scale } => PgType::Numeric(Some((precision.into(), scale.into()))),
            ValueKind::Date => PgType::Date,
            ValueKind::Time => PgType::Time(None),
            ValueKind::Timestamp { digits } => PgType::Timestamp(digits),
            ValueKind::TimestampTz => PgType::TimestampTz(None),
            ValueKind::Text { chars_max: Some(chars) } => PgType::Varchar(Some(chars)),
            ValueKind::Text { chars_max: None } => PgType::Text,
            ValueKind::Bytes => PgType::Bytea,
            ValueKind::Uuid => PgType::Uuid,
            ValueKind::Xml => PgType::Xml,
        }
    }
}

/// One column of a source table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceColumn {
    /// The number that it keeps when it is renamed.
    pub column_id: i32,
    /// Its name, as the catalogue spells it.
    pub name: String,
    /// Its type as the source would declare it (`nvarchar(20)`), for messages.
    pub declared: String,
    /// What its values are, or why it cannot be brought over.
    pub kind: Result<ValueKind, String>,
    /// Whether it may hold NULL.
    pub nullable: bool,
    /// The collation by which the source compares its text.
    pub collation: Option<String>,
}

/// A source table as understood from the catalogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceDescription {
    /// All columns, in catalogue order.
    pub columns: Vec<SourceColumn>,
    /// The primary key's columns, in key order; empty without one.
    pub primary_key: Vec<String>,
    /// The catalogue's row count, an estimate.
    pub rows_estimate: Option<u64>,
    /// What a target that is to be made takes over; read only when one is.
    pub definition: SourceDefinition,
}

/// One column of a target table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    pub pg_type: PgType,
    /// Whether it may hold NULL.
    pub nullable: bool,
    /// Whether a row can be inserted without naming it.
    pub has_default: bool,
    /// Whether its value is computed from others.
    pub generated: bool,
    /// Whether it is `GENERATED ALWAYS AS IDENTITY`.
    pub identity_always: bool,
}
