//! PostgreSQL's types as far as values are written into them.

use std::fmt;

/// A column type of the target; type modifiers as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PgType {
    /// `boolean`
    Bool,
    /// `smallint`
    Int2,
    /// `integer`
    Int4,
    /// `bigint`
    Int8,
    /// `real`
    Float4,
    /// `double precision`
    Float8,
    /// `numeric`, with precision and scale where declared.
    Numeric(Option<(u16, u16)>),
    /// `date`
    Date,
    /// `time`, with fractional digits where declared.
    Time(Option<u8>),
    /// `timestamp`, with fractional digits where declared.
    Timestamp(Option<u8>),
    /// `timestamptz`, with fractional digits where declared.
    TimestampTz(Option<u8>),
    /// `varchar`, with its length where declared.
    Varchar(Option<u32>),
    /// `char(n)`
    Char(u32),
    /// `text`
    Text,
    /// `bytea`
    Bytea,
    /// `uuid`
    Uuid,
    /// `xml`
    Xml,
    /// `json`
    Json,
    /// `jsonb`
    Jsonb,
    /// PostGIS's `geometry` or `geography`, with its modifiers as `format_type` writes them.
    Spatial(String),
    /// Any other, by the name that `format_type` gives.
    Other(String),
}

impl PgType {
    /// Whether it is `money`, or an array of it: whole numbers of a currency's smallest part, and which part that is `lc_monetary` says.
    pub fn is_money(&self) -> bool {
        matches!(self, PgType::Other(name) if matches!(name.as_str(), "money" | "money[]"))
    }

    /// The type of a catalogue column: `typname` of its base type, `atttypmod`, and `format_type`'s text for types we do not write.
    ///
    /// The packing of the modifiers is PostgreSQL's own (`src/backend/utils/adt/numeric.c`, `varchar.c`, `timestamp.c`).
    pub fn from_catalog(typname: &str, typmod: i32, formatted: &str) -> Self {
        let modifier = u32::try_from(typmod).ok();
        let digits = modifier.and_then(|digits| u8::try_from(digits).ok());
        let chars = modifier.map(|length| length.saturating_sub(4));
        match typname {
            "bool" => PgType::Bool,
            "int2" => PgType::Int2,
            "int4" => PgType::Int4,
            "int8" => PgType::Int8,
            "float4" => PgType::Float4,
            "float8" => PgType::Float8,
            "numeric" => match chars.map(u32::to_be_bytes) {
                // A negative scale (PostgreSQL 15) does not fit the pair: such a column is not written.
                Some([_, _, high, _]) if high & 0b100 != 0 => PgType::Other(formatted.to_owned()),
                Some([p1, p0, s1, s0]) => PgType::Numeric(Some((u16::from_be_bytes([p1, p0]), u16::from_be_bytes([s1 & 0b111, s0])))),
                None => PgType::Numeric(None),
            },
            "date" => PgType::Date,
            "time" => PgType::Time(digits),
            "timestamp" => PgType::Timestamp(digits),
            "timestamptz" => PgType::TimestampTz(digits),
            "varchar" => PgType::Varchar(chars),
            "bpchar" => chars.map_or_else(|| PgType::Other(formatted.to_owned()), PgType::Char),
            "text" => PgType::Text,
            "bytea" => PgType::Bytea,
            "uuid" => PgType::Uuid,
            "xml" => PgType::Xml,
            "json" => PgType::Json,
            "jsonb" => PgType::Jsonb,
            "geometry" | "geography" => PgType::Spatial(formatted.to_owned()),
            _ => PgType::Other(formatted.to_owned()),
        }
    }
}

impl PgType {
    /// As DDL writes a column of it.
    pub fn declared(&self, nullable: bool) -> String {
        format!("{self}{}", if nullable { "" } else { " NOT NULL" })
    }
}

/// As DDL writes it.
impl fmt::Display for PgType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PgType::Bool => f.write_str("boolean"),
            PgType::Int2 => f.write_str("smallint"),
            PgType::Int4 => f.write_str("integer"),
            PgType::Int8 => f.write_str("bigint"),
            PgType::Float4 => f.write_str("real"),
            PgType::Float8 => f.write_str("double precision"),
            PgType::Numeric(None) => f.write_str("numeric"),
            PgType::Numeric(Some((precision, scale))) => write!(f, "numeric({precision},{scale})"),
            PgType::Date => f.write_str("date"),
            PgType::Time(None) => f.write_str("time"),
            PgType::Time(Some(digits)) => write!(f, "time({digits})"),
            PgType::Timestamp(None) => f.write_str("timestamp"),
            PgType::Timestamp(Some(digits)) => write!(f, "timestamp({digits})"),
            PgType::TimestampTz(None) => f.write_str("timestamptz"),
            PgType::TimestampTz(Some(digits)) => write!(f, "timestamptz({digits})"),
            PgType::Varchar(None) => f.write_str("varchar"),
            PgType::Varchar(Some(chars)) => write!(f, "varchar({chars})"),
            PgType::Char(chars) => write!(f, "char({chars})"),
            PgType::Text => f.write_str("text"),
            PgType::Bytea => f.write_str("bytea"),
            PgType::Uuid => f.write_str("uuid"),
            PgType::Xml => f.write_str("xml"),
            PgType::Json => f.write_str("json"),
            PgType::Jsonb => f.write_str("jsonb"),
            PgType::Spatial(name) | PgType::Other(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modifiers_are_unpacked_as_the_catalogue_packs_them() {
        let cases = [
            ("numeric", ((9 << 16) | 3) + 4, "numeric(9,3)"),
            ("numeric", ((38 << 16) | 38) + 4, "numeric(38,38)"),
            ("numeric", -1, "numeric"),
            ("varchar", 24, "varchar(20)"),
            ("varchar", -1, "varchar"),
            ("bpchar", 14, "char(10)"),
            ("timestamp", 3, "timestamp(3)"),
            ("timestamptz", -1, "timestamptz"),
            ("int8", -1, "bigint"),
            ("jsonb", -1, "jsonb"),
        ];
        for (typname, typmod, expected) in cases {
            assert_eq!(PgType::from_catalog(typname, typmod, "?").to_string(), expected);
        }
    }

    #[test]
    fn a_type_that_is_not_written_keeps_its_own_name() {
        assert_eq!(PgType::from_catalog("geometry", 1_107_460, "geometry(Point,4326)").to_string(), "geometry(Point,4326)");
        assert_eq!(PgType::from_catalog("_int4", -1, "integer[]").to_string(), "integer[]");
        assert_eq!(PgType::from_catalog("numeric", ((2 << 16) | (0x7ff - 2)) + 4, "numeric(2,-3)").to_string(), "numeric(2,-3)");
    }
}
