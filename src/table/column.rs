//! Columns as both ends describe them, free of any driver.

use super::{PgType, SourceDefinition};

/// What a source column's values are, whatever the source calls its type.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// The eight bytes of a row's version.
    RowVersion {
        /// Whether a created column holds them as a number.
        as_bigint: bool,
    },
    /// 16 bytes.
    Uuid,
    /// An XML document or fragment, as text.
    Xml,
    /// A JSON document, as text.
    Json,
    /// A shape in a plane or on the globe, as well-known binary.
    Spatial,
    /// Whatever a PostgreSQL type holds, in its own binary form.
    Postgres(PgType),
}

impl ValueKind {
    /// The type that a created target column gets.
    pub fn natural_type(&self) -> PgType {
        match *self {
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
            ValueKind::Bytes | ValueKind::RowVersion { as_bigint: false } | ValueKind::Spatial => PgType::Bytea,
            ValueKind::RowVersion { as_bigint: true } => PgType::Int8,
            ValueKind::Uuid => PgType::Uuid,
            ValueKind::Xml => PgType::Xml,
            ValueKind::Json => PgType::Jsonb,
            ValueKind::Postgres(ref pg_type) => pg_type.clone(),
        }
    }
}

/// What of a source column a target column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColumnPart {
    /// Its value.
    #[default]
    Value,
    /// The offset from UTC that an instant was written with, in minutes.
    Offset,
    /// The number of the reference system that a shape's coordinates are in.
    Srid,
}

impl ColumnPart {
    /// What the name of a column for this part ends in.
    pub fn suffix(self) -> &'static str {
        match self {
            ColumnPart::Value => "",
            ColumnPart::Offset => "_offset",
            ColumnPart::Srid => "_srid",
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
    /// What the source does to a value before it sends it, as a sentence's part; none where it is sent as it is.
    pub converted: Option<String>,
    /// The fractional digits of a second that its values may have; none where they have no seconds.
    pub second_digits: Option<u8>,
}

/// A source table as understood from the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceDescription {
    /// The number of the table, under which columns keep theirs; none for a view, whose columns are numbered anew with each change.
    pub object_id: Option<i32>,
    /// All columns, in catalogue order.
    pub columns: Vec<SourceColumn>,
    /// The primary key's columns, in key order; empty without one.
    pub primary_key: Vec<String>,
    /// The catalogue's row count, an estimate.
    pub rows_estimate: Option<u64>,
    /// Columns that the source computes from others, by name, where it says so.
    pub computed: Vec<String>,
    /// How many decimal digits the source's `money` has, where a column of it is there.
    pub money_digits: Option<i32>,
    /// Columns whose values the login sees masked, by name.
    pub masked: Vec<String>,
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
