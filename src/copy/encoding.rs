//! Which binary form a column's values take, and what is checked on the way.

/// The binary form of a target column, with the limits that PostgreSQL would otherwise apply by rounding or by an error without a row key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `bool`
    Bool,
    /// `int2`
    Int2,
    /// `int4`
    Int4,
    /// `int8`
    Int8,
    /// `float4`
    Float4,
    /// `float8`
    Float8,
    /// `numeric`; `limits` are the column's precision and scale.
    Numeric {
        /// Digits in all and after the point, where declared.
        limits: Option<(u16, u16)>,
    },
    /// `date`
    Date,
    /// `time`
    Time {
        /// Fractional digits that the column keeps.
        digits: u8,
    },
    /// `timestamp`
    Timestamp {
        /// Fractional digits that the column keeps.
        digits: u8,
    },
    /// `timestamptz`
    TimestampTz {
        /// Fractional digits that the column keeps.
        digits: u8,
    },
    /// `text` and `varchar`
    Text {
        /// The most characters, where the column limits it and the source does not stay below.
        chars_max: Option<u32>,
    },
    /// `char(n)`: blanks at the end do not count.
    Char {
        /// The column's characters.
        chars_max: u32,
    },
    /// `bytea`
    Bytea,
    /// `uuid`
    Uuid,
    /// `xml`, or XML in a text column: without the encoding that a declaration names.
    Xml {
        /// The most characters, where the column limits it.
        chars_max: Option<u32>,
    },
    /// `json`, checked.
    Json,
    /// `jsonb`, checked.
    Jsonb,
    /// `uuid`, from text.
    UuidOfText,
    /// `date`, from text.
    DateOfText,
    /// `timestamptz`, from a time in the source's own zone.
    TimestampTzOfLocal {
        /// Fractional digits that the column keeps.
        digits: u8,
    },
    /// `int8`, from the eight bytes of a row's version.
    Int8OfBytes,
    /// `bytea`, from the well-known binary of a shape.
    Wkb,
    /// PostGIS's `geometry` and `geography`, from an SRID and the well-known binary of a shape.
    Ewkb,
    /// A PostgreSQL type's own, as PostgreSQL sent it.
    Native,
    /// The same of an array, which names its elements' type by the number that it has in one database.
    NativeArray,
}

impl Encoding {
    /// The type's name, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Bool => "boolean",
            Encoding::Int2 => "smallint",
            Encoding::Int4 => "integer",
            Encoding::Int8 => "bigint",
            Encoding::Float4 => "real",
            Encoding::Float8 => "double precision",
            Encoding::Numeric { .. } => "numeric",
            Encoding::Date => "date",
            Encoding::Time { .. } => "time",
            Encoding::Timestamp { .. } => "timestamp",
            Encoding::TimestampTz { .. } => "timestamptz",
            Encoding::Text { .. } => "text",
            Encoding::Char { .. } => "char",
            Encoding::Bytea => "bytea",
            Encoding::Uuid | Encoding::UuidOfText => "uuid",
            Encoding::Xml { .. } => "xml",
            Encoding::Json => "json",
            Encoding::Jsonb => "jsonb",
            Encoding::DateOfText => "date",
            Encoding::TimestampTzOfLocal { .. } => "timestamptz",
            Encoding::Int8OfBytes => "bigint",
            Encoding::Wkb => "bytea",
            Encoding::Ewkb => "geometry",
            Encoding::Native | Encoding::NativeArray => "PostgreSQL's own form",
        }
    }
}
