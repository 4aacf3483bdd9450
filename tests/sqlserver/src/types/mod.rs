//! SQL Server's type system: types, exact values, collations, conversions.

pub(crate) mod cast;
pub(crate) mod collation;
pub(crate) mod compare;
pub(crate) mod date;
pub(crate) mod format;
pub(crate) mod hierarchy;
mod moments;
pub(crate) mod parse;
pub(crate) mod spatial;
pub(crate) mod value;

use std::fmt;

/// The length of a variable-length type: bytes, or UTF-16 units for the n-types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    /// At most this many.
    Up(u16),
    /// `(max)`.
    Max,
}

/// A scalar type as SQL Server declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SqlType {
    Bit,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Real,
    Float,
    Decimal(u8, u8),
    Numeric(u8, u8),
    Money,
    SmallMoney,
    Date,
    Time(u8),
    DateTime,
    SmallDateTime,
    DateTime2(u8),
    DateTimeOffset(u8),
    Char(u16),
    VarChar(Length),
    NChar(u16),
    NVarChar(Length),
    Text,
    NText,
    Binary(u16),
    VarBinary(Length),
    Image,
    RowVersion,
    UniqueIdentifier,
    Xml,
    Variant,
    HierarchyId,
    Geography,
    Geometry,
    SysName,
    Json,
    /// Of this many dimensions.
    Vector(u16),
}

/// `nvarchar(max)`, the type of long text.
pub(crate) const NVARCHAR_MAX: SqlType = SqlType::NVarChar(Length::Max);

impl SqlType {
    /// Reads `nvarchar(20)`, `decimal(9, 3)`, `varchar(max)`, `datetime2` and the like.
    pub(crate) fn parse(text: &str) -> Option<SqlType> {
        let lower = text.trim().to_ascii_lowercase();
        let (name, arguments) = match lower.split_once('(') {
            Some((name, rest)) => (name.trim(), rest.strip_suffix(')')?.trim()),
            None => (lower.as_str(), ""),
        };
        let name = name.trim_matches(|c| c == '[' || c == ']');
        let mut numbers = arguments.split(',').map(|part| part.trim().parse::<u16>());
        let first = numbers.next().and_then(Result::ok);
        let second = numbers.next().and_then(Result::ok);
        let length = if arguments == "max" { Length::Max } else { Length::Up(first.unwrap_or(1)) };
        let scale = first.unwrap_or(7).min(7) as u8;
        let exact = (first.unwrap_or(18) as u8, second.unwrap_or(0) as u8);
        Some(match name {
            "bit" => SqlType::Bit,
            "tinyint" => SqlType::TinyInt,
            "smallint" => SqlType::SmallInt,
            "int" | "integer" => SqlType::Int,
            "bigint" => SqlType::BigInt,
            "real" => SqlType::Real,
            "float" if first.is_some_and(|n| n <= 24) => SqlType::Real,
            "float" | "double precision" => SqlType::Float,
            "decimal" | "dec" => SqlType::Decimal(exact.0, exact.1),
            "numeric" => SqlType::Numeric(exact.0, exact.1),
            "money" => SqlType::Money,
            "smallmoney" => SqlType::SmallMoney,
            "date" => SqlType::Date,
            "time" => SqlType::Time(scale),
            "datetime" => SqlType::DateTime,
            "smalldatetime" => SqlType::SmallDateTime,
            "datetime2" => SqlType::DateTime2(scale),
            "datetimeoffset" => SqlType::DateTimeOffset(scale),
            "char" | "character" => SqlType::Char(first.unwrap_or(1)),
            "varchar" => SqlType::VarChar(length),
            "nchar" => SqlType::NChar(first.unwrap_or(1)),
            "nvarchar" => SqlType::NVarChar(length),
            "text" => SqlType::Text,
            "ntext" => SqlType::NText,
            "binary" => SqlType::Binary(first.unwrap_or(1)),
            "varbinary" => SqlType::VarBinary(length),
            "image" => SqlType::Image,
            "rowversion" | "timestamp" => SqlType::RowVersion,
            "uniqueidentifier" => SqlType::UniqueIdentifier,
            "xml" => SqlType::Xml,
            "sql_variant" => SqlType::Variant,
            "hierarchyid" => SqlType::HierarchyId,
            "geography" => SqlType::Geography,
            "geometry" => SqlType::Geometry,
            "sysname" => SqlType::SysName,
            "json" => SqlType::Json,
            "vector" => SqlType::Vector(first?),
            _ => return None,
        })
    }

    /// As [`SqlType::parse`], with the default lengths of CAST: 30 instead of 1.
    pub(crate) fn parse_for_cast(text: &str) -> Option<SqlType> {
        let bare = !text.contains('(');
        Some(match SqlType::parse(text)? {
            SqlType::Char(_) if bare => SqlType::Char(30),
            SqlType::VarChar(_) if bare => SqlType::VarChar(Length::Up(30)),
            SqlType::NChar(_) if bare => SqlType::NChar(30),
            SqlType::NVarChar(_) if bare => SqlType::NVarChar(Length::Up(30)),
            SqlType::Binary(_) if bare => SqlType::Binary(30),
            SqlType::VarBinary(_) if bare => SqlType::VarBinary(Length::Up(30)),
            other => other,
        })
    }

    /// The name in `sys.types`.
    pub(crate) fn name(self) -> &'static str {
        self.facts().0
    }

    /// `system_type_id` in the catalogue.
    pub(crate) fn system_type_id(self) -> u8 {
        self.facts().1
    }

    /// `user_type_id` in the catalogue.
    pub(crate) fn user_type_id(self) -> i32 {
        match self {
            SqlType::HierarchyId => 128,
            SqlType::Geometry => 129,
            SqlType::Geography => 130,
            SqlType::SysName => 256,
            SqlType::Vector(_) => 255,
            other => i32::from(other.system_type_id()),
        }
    }

    fn facts(self) -> (&'static str, u8) {
        match self {
            SqlType::Bit => ("bit", 104),
            SqlType::TinyInt => ("tinyint", 48),
            SqlType::SmallInt => ("smallint", 52),
            SqlType::Int => ("int", 56),
            SqlType::BigInt => ("bigint", 127),
            SqlType::Real => ("real", 59),
            SqlType::Float => ("float", 62),
            SqlType::Decimal(..) => ("decimal", 106),
            SqlType::Numeric(..) => ("numeric", 108),
            SqlType::Money => ("money", 60),
            SqlType::SmallMoney => ("smallmoney", 122),
            SqlType::Date => ("date", 40),
            SqlType::Time(_) => ("time", 41),
            SqlType::DateTime => ("datetime", 61),
            SqlType::SmallDateTime => ("smalldatetime", 58),
            SqlType::DateTime2(_) => ("datetime2", 42),
            SqlType::DateTimeOffset(_) => ("datetimeoffset", 43),
            SqlType::Char(_) => ("char", 175),
            SqlType::VarChar(_) => ("varchar", 167),
            SqlType::NChar(_) => ("nchar", 239),
            SqlType::NVarChar(_) => ("nvarchar", 231),
            SqlType::Text => ("text", 35),
            SqlType::NText => ("ntext", 99),
            SqlType::Binary(_) => ("binary", 173),
            SqlType::VarBinary(_) => ("varbinary", 165),
            SqlType::Image => ("image", 34),
            SqlType::RowVersion => ("timestamp", 189),
            SqlType::UniqueIdentifier => ("uniqueidentifier", 36),
            SqlType::Xml => ("xml", 241),
            SqlType::Variant => ("sql_variant", 98),
            SqlType::HierarchyId => ("hierarchyid", 240),
            SqlType::Geography => ("geography", 240),
            SqlType::Geometry => ("geometry", 240),
            SqlType::SysName => ("sysname", 231),
            SqlType::Json => ("json", 244),
            SqlType::Vector(_) => ("vector", 165),
        }
    }

    /// `max_length`, `precision` and `scale` as the catalogue gives them.
    pub(crate) fn sizes(self) -> (i16, u8, u8) {
        match self {
            SqlType::Bit => (1, 1, 0),
            SqlType::TinyInt => (1, 3, 0),
            SqlType::SmallInt => (2, 5, 0),
            SqlType::Int => (4, 10, 0),
            SqlType::BigInt => (8, 19, 0),
            SqlType::Real => (4, 24, 0),
            SqlType::Float => (8, 53, 0),
            SqlType::Decimal(p, s) | SqlType::Numeric(p, s) => (i16::from(decimal_bytes(p)) + 1, p, s),
            SqlType::Money => (8, 19, 4),
            SqlType::SmallMoney => (4, 10, 4),
            SqlType::Date => (3, 10, 0),
            SqlType::Time(s) => (i16::from(time_bytes(s)), if s == 0 { 8 } else { 9 + s }, s),
            SqlType::DateTime => (8, 23, 3),
            SqlType::SmallDateTime => (4, 16, 0),
            SqlType::DateTime2(s) => (i16::from(time_bytes(s)) + 3, if s == 0 { 19 } else { 20 + s }, s),
            SqlType::DateTimeOffset(s) => (i16::from(time_bytes(s)) + 5, if s == 0 { 26 } else { 27 + s }, s),
            SqlType::Char(n) | SqlType::Binary(n) => (n as i16, 0, 0),
            SqlType::NChar(n) => ((n * 2) as i16, 0, 0),
            SqlType::VarChar(Length::Up(n)) | SqlType::VarBinary(Length::Up(n)) => (n as i16, 0, 0),
            SqlType::NVarChar(Length::Up(n)) => ((n * 2) as i16, 0, 0),
            SqlType::VarChar(Length::Max) | SqlType::VarBinary(Length::Max) => (-1, 0, 0),
            SqlType::NVarChar(Length::Max) | SqlType::Xml | SqlType::Json | SqlType::Geography | SqlType::Geometry => (-1, 0, 0),
            SqlType::Vector(n) => ((8 + n * 4) as i16, 0, 0),
            SqlType::Text | SqlType::NText | SqlType::Image | SqlType::UniqueIdentifier => (16, 0, 0),
            SqlType::RowVersion => (8, 0, 0),
            SqlType::Variant => (8016, 0, 0),
            SqlType::HierarchyId => (892, 0, 0),
            SqlType::SysName => (256, 0, 0),
        }
    }

    /// Whether values are text in a code page.
    pub(crate) fn is_narrow(self) -> bool {
        matches!(self, SqlType::Char(_) | SqlType::VarChar(_) | SqlType::Text)
    }

    /// Whether values are UTF-16 text.
    pub(crate) fn is_wide(self) -> bool {
        matches!(self, SqlType::NChar(_) | SqlType::NVarChar(_) | SqlType::NText | SqlType::SysName) || self.is_document()
    }

    /// Whether values are text without a collation.
    pub(crate) fn is_document(self) -> bool {
        matches!(self, SqlType::Xml | SqlType::Json | SqlType::Vector(_))
    }

    /// Whether values have methods.
    pub(crate) fn is_clr(self) -> bool {
        matches!(self, SqlType::HierarchyId | SqlType::Geography | SqlType::Geometry)
    }

    /// Whether the catalogue gives the column a collation.
    pub(crate) fn has_collation(self) -> bool {
        self.is_narrow() || (self.is_wide() && !self.is_document())
    }

    /// Whether values are raw bytes.
    pub(crate) fn is_binary(self) -> bool {
        matches!(
            self,
            SqlType::Binary(_)
                | SqlType::VarBinary(_)
                | SqlType::Image
                | SqlType::RowVersion
                | SqlType::HierarchyId
                | SqlType::Geography
                | SqlType::Geometry
        )
    }

    /// The rank among numbers, for finding a common type; `None` for anything else.
    pub(crate) fn number_rank(self) -> Option<u8> {
        Some(match self {
            SqlType::Bit => 1,
            SqlType::TinyInt => 2,
            SqlType::SmallInt => 3,
            SqlType::Int => 4,
            SqlType::BigInt => 5,
            SqlType::SmallMoney => 6,
            SqlType::Money => 7,
            SqlType::Decimal(..) | SqlType::Numeric(..) => 8,
            SqlType::Real => 9,
            SqlType::Float => 10,
            _ => return None,
        })
    }

    /// SQL Server's data type precedence: the higher wins in a mixed expression.
    pub(crate) fn precedence(self) -> u8 {
        match self {
            SqlType::HierarchyId | SqlType::Geography | SqlType::Geometry => 60,
            SqlType::Variant => 50,
            SqlType::Xml | SqlType::Json | SqlType::Vector(_) => 49,
            SqlType::DateTimeOffset(_) => 48,
            SqlType::DateTime2(_) => 47,
            SqlType::DateTime => 46,
            SqlType::SmallDateTime => 45,
            SqlType::Date => 44,
            SqlType::Time(_) => 43,
            SqlType::NText => 29,
            SqlType::Text => 28,
            SqlType::Image => 27,
            SqlType::RowVersion => 26,
            SqlType::UniqueIdentifier => 25,
            SqlType::NVarChar(_) | SqlType::SysName => 24,
            SqlType::NChar(_) => 23,
            SqlType::VarChar(_) => 22,
            SqlType::Char(_) => 21,
            SqlType::VarBinary(_) => 20,
            SqlType::Binary(_) => 19,
            number => 30 + number.number_rank().unwrap_or(0),
        }
    }
}

/// Bytes of a time value with this many fractional digits.
pub(crate) fn time_bytes(scale: u8) -> u8 {
    match scale {
        0..=2 => 3,
        3 | 4 => 4,
        _ => 5,
    }
}

/// Bytes of a decimal's magnitude on the wire.
pub(crate) fn decimal_bytes(precision: u8) -> u8 {
    match precision {
        0..=9 => 4,
        10..=19 => 8,
        20..=28 => 12,
        _ => 16,
    }
}

impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match *self {
            SqlType::Decimal(p, s) | SqlType::Numeric(p, s) => write!(f, "({p},{s})"),
            SqlType::Time(s) | SqlType::DateTime2(s) | SqlType::DateTimeOffset(s) => {
                write!(f, "({s})")
            }
            SqlType::Char(n) | SqlType::NChar(n) | SqlType::Binary(n) | SqlType::Vector(n) => write!(f, "({n})"),
            SqlType::VarChar(length) | SqlType::NVarChar(length) | SqlType::VarBinary(length) => match length {
                Length::Up(n) => write!(f, "({n})"),
                Length::Max => f.write_str("(max)"),
            },
            _ => Ok(()),
        }
    }
}
