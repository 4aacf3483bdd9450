//! Which form a source column's values take in a target column: the natural one, a widening that loses nothing, or a narrower one that every value is
//! held to. Anything else is refused.

use super::passage::passage;
use crate::copy::Encoding;
use crate::table::{PgType, SourceColumn, SubMicrosecond, ValueKind};

/// What is said of a form: how values change on the way, or to what each is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Note {
    /// No value is lost or refused for it.
    Converted(String),
    /// The column is narrower than its source, so that a value may be refused.
    Checked(String),
}

/// The form in which values of `kind` are written into a column of `pg_type`; none is a refusal. `zoned` says whether it is known where times without a
/// zone were written.
pub(super) fn encoding(kind: &ValueKind, pg_type: &PgType, zoned: bool) -> Option<Encoding> {
    match *kind {
        ValueKind::Bool | ValueKind::UInt8 | ValueKind::Int16 | ValueKind::Int32 | ValueKind::Int64 => number(kind, pg_type),
        ValueKind::Float32 | ValueKind::Float64 | ValueKind::Decimal { .. } => number(kind, pg_type),
        ValueKind::Date | ValueKind::Time | ValueKind::Timestamp { .. } | ValueKind::TimestampTz => moment(kind, pg_type, zoned),
        ValueKind::Text { chars_max } => text(chars_max, pg_type),
        ValueKind::Json => document(pg_type),
        ValueKind::Xml => match pg_type {
            PgType::Xml | PgType::Text | PgType::Varchar(None) => Some(Encoding::Xml { chars_max: None }),
            PgType::Varchar(limit) => Some(Encoding::Xml { chars_max: *limit }),
            _ => None,
        },
        ValueKind::Uuid => uuid(pg_type),
        ValueKind::Bytes => (*pg_type == PgType::Bytea).then_some(Encoding::Bytea),
        ValueKind::RowVersion { as_bigint } => match pg_type {
            PgType::Bytea => Some(Encoding::Bytea),
            PgType::Int8 if as_bigint => Some(Encoding::Int8OfBytes),
            _ => None,
        },
        ValueKind::Spatial => match pg_type {
            PgType::Bytea => Some(Encoding::Wkb),
            PgType::Spatial(_) => Some(Encoding::Ewkb),
            _ => None,
        },
        ValueKind::Postgres(ref from) => passage(from, pg_type, zoned).map(|way| way.encoding),
    }
}

fn number(kind: &ValueKind, pg_type: &PgType) -> Option<Encoding> {
    // How many decimal digits every value of an integer type holds; a decimal without a scale fits where it has no more.
    let whole = |digits: u8| matches!(kind, ValueKind::Decimal { precision, scale: 0 } if *precision <= digits);
    let small = matches!(kind, ValueKind::UInt8 | ValueKind::Int16);
    let float = matches!(kind, ValueKind::Float32 | ValueKind::Float64);
    let integer = small || matches!(kind, ValueKind::Bool | ValueKind::Int32 | ValueKind::Int64);
    match pg_type {
        PgType::Bool if *kind == ValueKind::Bool => Some(Encoding::Bool),
        PgType::Int2 if small || *kind == ValueKind::Bool || whole(4) => Some(Encoding::Int2),
        PgType::Int4 if integer && *kind != ValueKind::Int64 || whole(9) => Some(Encoding::Int4),
        PgType::Int8 if integer || whole(18) => Some(Encoding::Int8),
        PgType::Numeric(limits) if !float => Some(Encoding::Numeric { limits: *limits }),
        // Integers that the mantissa holds.
        PgType::Float4 if small || *kind == ValueKind::Float32 => Some(Encoding::Float4),
        PgType::Float8 if small || float || *kind == ValueKind::Int32 => Some(Encoding::Float8),
        _ => None,
    }
}

fn moment(kind: &ValueKind, pg_type: &PgType, zoned: bool) -> Option<Encoding> {
    let seconds = |digits: &Option<u8>| digits.unwrap_or(6);
    match (kind, pg_type) {
        (ValueKind::Date, PgType::Date) => Some(Encoding::Date),
        (ValueKind::Date | ValueKind::Timestamp { .. }, PgType::Timestamp(digits)) => Some(Encoding::Timestamp { digits: seconds(digits) }),
        (ValueKind::Timestamp { .. }, PgType::TimestampTz(digits)) if zoned => {
            Some(Encoding::TimestampTzOfLocal { digits: seconds(digits) })
        }
        (ValueKind::Time, PgType::Time(digits)) => Some(Encoding::Time { digits: seconds(digits) }),
        (ValueKind::TimestampTz, PgType::TimestampTz(digits)) => Some(Encoding::TimestampTz { digits: seconds(digits) }),
        _ => None,
    }
}

fn text(chars_max: Option<u32>, pg_type: &PgType) -> Option<Encoding> {
    match pg_type {
        PgType::Text => Some(Encoding::Text { chars_max: None }),
        // Where the source cannot exceed the limit, no value need be counted.
        PgType::Varchar(limit) => Some(Encoding::Text { chars_max: limit.filter(|limit| chars_max.is_none_or(|chars| chars > *limit)) }),
        PgType::Char(chars) => Some(Encoding::Char { chars_max: *chars }),
        PgType::Uuid => Some(Encoding::UuidOfText),
        PgType::Date => Some(Encoding::DateOfText),
        PgType::Json | PgType::Jsonb => document(pg_type),
        _ => None,
    }
}

fn document(pg_type: &PgType) -> Option<Encoding> {
    match pg_type {
        PgType::Jsonb => Some(Encoding::Jsonb),
        PgType::Json => Some(Encoding::Json),
        PgType::Text | PgType::Varchar(None) => Some(Encoding::Text { chars_max: None }),
        PgType::Varchar(limit) => Some(Encoding::Text { chars_max: *limit }),
        _ => None,
    }
}

fn uuid(pg_type: &PgType) -> Option<Encoding> {
    match pg_type {
        PgType::Uuid => Some(Encoding::Uuid),
        PgType::Text | PgType::Varchar(None) => Some(Encoding::Text { chars_max: None }),
        PgType::Varchar(Some(36..)) => Some(Encoding::Text { chars_max: None }),
        PgType::Char(chars @ 36..) => Some(Encoding::Char { chars_max: *chars }),
        _ => None,
    }
}

/// What would make a pair fit that does not, as a sentence's end.
pub(super) fn hint(kind: &ValueKind, pg_type: &PgType) -> &'static str {
    match (kind, pg_type) {
        (ValueKind::Timestamp { .. } | ValueKind::Postgres(PgType::Timestamp(_)), PgType::TimestampTz(_)) => {
            ", unless source_time_zone says where it was written"
        }
        (ValueKind::RowVersion { .. }, PgType::Int8) => ", unless as_bigint is true",
        _ => "",
    }
}

/// What is to be said of a form.
pub(super) fn note(source: &SourceColumn, kind: &ValueKind, encoding: Encoding, policy: SubMicrosecond) -> Option<Note> {
    let converted = |sentence: &str| Some(Note::Converted(sentence.to_owned()));
    let checked = |sentence: String| Some(Note::Checked(sentence));
    let length = |chars: u32| checked(format!("at most {chars} characters"));
    if matches!(kind, ValueKind::Postgres(_)) {
        // What is to be said of its passage is said there.
        return None;
    }
    match encoding {
        Encoding::Text { chars_max: Some(chars) } | Encoding::Xml { chars_max: Some(chars) } => length(chars),
        Encoding::Char { chars_max: chars } => match kind {
            ValueKind::Text { chars_max: Some(most) } if *most <= chars => {
                converted("without the blanks at its end, which char does not count")
            }
            ValueKind::Uuid => converted("as text in lower case"),
            _ => checked(format!("at most {chars} characters, blanks at the end not counted")),
        },
        Encoding::Text { chars_max: None } if *kind == ValueKind::Uuid => converted("as text in lower case"),
        Encoding::Numeric { limits: Some((precision, scale)) } if exceeds(kind, precision, scale) => {
            checked(format!("at most {precision} digits, {scale} of them after the point"))
        }
        Encoding::Time { digits } | Encoding::Timestamp { digits } | Encoding::TimestampTz { digits } => seconds(source, digits, policy),
        Encoding::TimestampTzOfLocal { digits } => match seconds(source, digits, policy) {
            Some(Note::Checked(sentence)) => checked(sentence),
            _ => converted("as the instant that clocks in source_time_zone showed it at"),
        },
        Encoding::Json | Encoding::Jsonb if *kind != ValueKind::Json => checked("JSON".to_owned()),
        Encoding::UuidOfText => checked("the text of a uuid".to_owned()),
        Encoding::DateOfText => checked("a date, written YYYY-MM-DD".to_owned()),
        Encoding::Xml { chars_max: None } => converted("without an encoding in its declaration"),
        Encoding::Int8OfBytes => converted("its eight bytes as a number"),
        Encoding::Ewkb => converted("with its SRID, as EWKB"),
        Encoding::Bool | Encoding::Int2 | Encoding::Int4 | Encoding::Int8 | Encoding::Float4 | Encoding::Float8 => None,
        Encoding::Numeric { .. } | Encoding::Date | Encoding::Text { .. } | Encoding::Bytea | Encoding::Uuid => None,
        Encoding::Json | Encoding::Jsonb | Encoding::Wkb | Encoding::Native | Encoding::NativeArray => None,
    }
}

/// Whether a value can have more digits before or after the point than the column.
fn exceeds(kind: &ValueKind, precision: u16, scale: u16) -> bool {
    let (digits, after_point) = match kind {
        ValueKind::Decimal { precision, scale } => (u16::from(*precision), u16::from(*scale)),
        ValueKind::Bool => (1, 0),
        ValueKind::UInt8 => (3, 0),
        ValueKind::Int16 => (5, 0),
        ValueKind::Int32 => (10, 0),
        _ => (19, 0),
    };
    after_point > scale || digits - after_point > precision.saturating_sub(scale)
}

fn seconds(source: &SourceColumn, digits: u8, policy: SubMicrosecond) -> Option<Note> {
    let has = source.second_digits.unwrap_or(0);
    let seventh = match policy {
        SubMicrosecond::Truncate => "its seventh fractional digit cut",
        SubMicrosecond::Round => "rounded to six fractional digits",
        SubMicrosecond::Fail => return (has > digits).then(|| Note::Checked(format!("at most {digits} fractional digits of a second"))),
    };
    match has {
        7 if digits == 6 => Some(Note::Converted(seventh.to_owned())),
        has if has > digits => Some(Note::Checked(format!("at most {digits} fractional digits of a second"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_loses_nothing_is_accepted() {
        let accepted = [
            (ValueKind::Bool, PgType::Int2),
            (ValueKind::UInt8, PgType::Int8),
            (ValueKind::Int64, PgType::Numeric(None)),
            (ValueKind::Float32, PgType::Float8),
            (ValueKind::Bool, PgType::Numeric(None)),
            (ValueKind::Int32, PgType::Float8),
            (ValueKind::Int16, PgType::Float4),
            (ValueKind::Decimal { precision: 9, scale: 0 }, PgType::Int4),
            (ValueKind::Decimal { precision: 18, scale: 0 }, PgType::Int8),
            (ValueKind::Uuid, PgType::Text),
            (ValueKind::Uuid, PgType::Char(36)),
            (ValueKind::Date, PgType::Timestamp(None)),
            (ValueKind::Xml, PgType::Varchar(Some(20))),
            (ValueKind::Json, PgType::Text),
            (ValueKind::RowVersion { as_bigint: true }, PgType::Bytea),
            (ValueKind::Spatial, PgType::Spatial("geometry(Point,4326)".to_owned())),
        ];
        for (kind, pg_type) in accepted {
            assert!(encoding(&kind, &pg_type, false).is_some(), "{kind:?} into {pg_type}");
        }
        let refused = [
            (ValueKind::Int64, PgType::Int4),
            (ValueKind::Int32, PgType::Int2),
            (ValueKind::Int16, PgType::Bool),
            (ValueKind::Float64, PgType::Float4),
            (ValueKind::Float32, PgType::Numeric(None)),
            (ValueKind::Decimal { precision: 19, scale: 0 }, PgType::Int8),
            (ValueKind::Decimal { precision: 9, scale: 2 }, PgType::Int8),
            (ValueKind::Int32, PgType::Float4),
            (ValueKind::Int64, PgType::Float8),
            (ValueKind::Bool, PgType::Float8),
            (ValueKind::Timestamp { digits: Some(3) }, PgType::TimestampTz(None)),
            (ValueKind::TimestampTz, PgType::Timestamp(None)),
            (ValueKind::Text { chars_max: Some(1) }, PgType::Bool),
            (ValueKind::Text { chars_max: None }, PgType::Int4),
            (ValueKind::Text { chars_max: None }, PgType::Xml),
            (ValueKind::Uuid, PgType::Varchar(Some(35))),
            (ValueKind::Uuid, PgType::Char(35)),
            (ValueKind::Bytes, PgType::Text),
            (ValueKind::RowVersion { as_bigint: false }, PgType::Int8),
            (ValueKind::Spatial, PgType::Text),
        ];
        for (kind, pg_type) in refused {
            assert!(encoding(&kind, &pg_type, false).is_none(), "{kind:?} into {pg_type}");
        }
        assert_eq!(
            encoding(&ValueKind::Timestamp { digits: None }, &PgType::TimestampTz(Some(3)), true),
            Some(Encoding::TimestampTzOfLocal { digits: 3 })
        );
        assert_eq!(encoding(&ValueKind::Date, &PgType::TimestampTz(None), true), None);
    }

    #[test]
    fn characters_are_counted_only_where_the_source_can_exceed_the_column() {
        let text = |chars_max| ValueKind::Text { chars_max };
        let varchar = PgType::Varchar(Some(20));
        assert_eq!(encoding(&text(Some(20)), &varchar, false), Some(Encoding::Text { chars_max: None }));
        assert_eq!(encoding(&text(Some(21)), &varchar, false), Some(Encoding::Text { chars_max: Some(20) }));
        assert_eq!(encoding(&text(None), &varchar, false), Some(Encoding::Text { chars_max: Some(20) }));
    }

    #[test]
    fn a_narrower_column_is_said_to_be_checked_and_an_equal_one_is_not() {
        let decimal = |precision, scale| ValueKind::Decimal { precision, scale };
        let said = |kind: ValueKind, pg_type: &PgType, second_digits| {
            let source = SourceColumn {
                column_id: 1,
                name: "c".to_owned(),
                declared: String::new(),
                kind: Ok(kind.clone()),
                nullable: true,
                collation: None,
                converted: None,
                second_digits,
            };
            note(&source, &kind, encoding(&kind, pg_type, true).unwrap(), SubMicrosecond::Truncate)
        };
        let checked = |sentence: &str| Some(Note::Checked(sentence.to_owned()));
        let narrow = PgType::Numeric(Some((5, 2)));
        assert_eq!(said(decimal(9, 3), &narrow, None), checked("at most 5 digits, 2 of them after the point"));
        assert_eq!(said(decimal(5, 2), &narrow, None), None);
        assert_eq!(said(decimal(5, 1), &narrow, None), checked("at most 5 digits, 2 of them after the point"));
        assert_eq!(said(ValueKind::Int16, &narrow, None), checked("at most 5 digits, 2 of them after the point"));
        assert_eq!(said(ValueKind::UInt8, &narrow, None), None);
        assert_eq!(said(ValueKind::Text { chars_max: Some(9) }, &PgType::Varchar(Some(5)), None), checked("at most 5 characters"));
        let moment = ValueKind::Timestamp { digits: None };
        assert_eq!(said(moment.clone(), &PgType::Timestamp(Some(3)), Some(3)), None);
        assert_eq!(said(moment.clone(), &PgType::Timestamp(Some(3)), Some(7)), checked("at most 3 fractional digits of a second"));
        assert_eq!(
            said(moment.clone(), &PgType::Timestamp(None), Some(7)),
            Some(Note::Converted("its seventh fractional digit cut".to_owned()))
        );
        assert_eq!(said(moment, &PgType::Timestamp(None), Some(6)), None);
    }
}
