//! Whether a value in PostgreSQL's own form keeps within what its column takes: PostgreSQL would round or cut some that do not, and names no row of the others.

use super::{CellError, Encoding};

/// The microseconds that the sixth, fifth, ... fractional digit of a second stands for.
const MICROS_A_SECOND: i64 = 1_000_000;

/// Checks a field that is not NULL against the limits of its form; infinite and special values have none.
///
/// # Errors
/// What the column would have to cut, round or refuse.
pub fn check_limits(encoding: Encoding, field: &[u8]) -> Result<(), CellError> {
    match encoding {
        Encoding::Text { chars_max: Some(most) } | Encoding::Xml { chars_max: Some(most) } => characters(field, most),
        Encoding::Char { chars_max } => {
            let blanks = field.iter().rev().take_while(|byte| **byte == b' ').count();
            characters(&field[..field.len() - blanks], chars_max)
        }
        Encoding::Numeric { limits: Some(limits) } => numeric(field, limits),
        Encoding::Time { digits } | Encoding::Timestamp { digits } | Encoding::TimestampTz { digits } if digits < 6 => {
            seconds(field, digits)
        }
        Encoding::TimestampTzOfLocal { digits } if digits < 6 => seconds(field, digits),
        Encoding::Bool | Encoding::Int2 | Encoding::Int4 | Encoding::Int8 | Encoding::Float4 | Encoding::Float8 => Ok(()),
        Encoding::Numeric { limits: None } | Encoding::Date | Encoding::Time { .. } | Encoding::Timestamp { .. } => Ok(()),
        Encoding::TimestampTz { .. } | Encoding::TimestampTzOfLocal { .. } | Encoding::DateOfText => Ok(()),
        Encoding::Text { chars_max: None } | Encoding::Xml { chars_max: None } | Encoding::Json | Encoding::Jsonb => Ok(()),
        Encoding::Bytea | Encoding::Uuid | Encoding::UuidOfText | Encoding::Int8OfBytes => Ok(()),
        Encoding::Wkb | Encoding::Ewkb | Encoding::Native | Encoding::NativeArray => Ok(()),
    }
}

/// Whether any value of this form may exceed what its column takes.
pub fn has_limits(encoding: Encoding) -> bool {
    match encoding {
        Encoding::Text { chars_max } | Encoding::Xml { chars_max } => chars_max.is_some(),
        Encoding::Char { .. } => true,
        Encoding::Numeric { limits } => limits.is_some(),
        Encoding::Time { digits }
        | Encoding::Timestamp { digits }
        | Encoding::TimestampTz { digits }
        | Encoding::TimestampTzOfLocal { digits } => digits < 6,
        Encoding::Bool | Encoding::Int2 | Encoding::Int4 | Encoding::Int8 | Encoding::Float4 | Encoding::Float8 => false,
        Encoding::Date | Encoding::DateOfText | Encoding::Json | Encoding::Jsonb | Encoding::Bytea => false,
        Encoding::Uuid
        | Encoding::UuidOfText
        | Encoding::Int8OfBytes
        | Encoding::Wkb
        | Encoding::Ewkb
        | Encoding::Native
        | Encoding::NativeArray => false,
    }
}

fn characters(text: &[u8], most: u32) -> Result<(), CellError> {
    let fits = |chars: usize| u32::try_from(chars).is_ok_and(|chars| chars <= most);
    if fits(text.len()) {
        return Ok(());
    }
    // Every byte but those that continue a character begins one.
    let chars = text.iter().filter(|byte| **byte & 0xC0 != 0x80).count();
    if fits(chars) { Ok(()) } else { Err(CellError::TooLong { chars, chars_max: most }) }
}

/// Groups of four digits: the first stands for `weight` times four digits before the point.
fn numeric(field: &[u8], (precision, scale): (u16, u16)) -> Result<(), CellError> {
    let Some((head, groups)) = field.split_first_chunk::<8>() else { return Ok(()) };
    let weight = i32::from(i16::from_be_bytes([head[2], head[3]]));
    if u16::from_be_bytes([head[4], head[5]]) >= 0xC000 {
        return Ok(());
    }
    let groups: Vec<u16> = groups.chunks_exact(2).map(|group| u16::from_be_bytes([group[0], group[1]])).collect();
    let (Some(first), Some(last)) = (groups.iter().position(|group| *group != 0), groups.iter().rposition(|group| *group != 0)) else {
        return Ok(());
    };
    // The places of the first and the last digit that is not zero, the point between 0 and -1.
    let power = |at: usize| (weight - i32::try_from(at).unwrap_or(i32::MAX)) * 4;
    let highest = power(first) + i32::try_from(groups[first].ilog10()).unwrap_or(0);
    let zeros = (1..4).take_while(|digits| groups[last].is_multiple_of(10_u16.pow(*digits))).count();
    let lowest = power(last) + i32::try_from(zeros).unwrap_or(0);
    if lowest < -i32::from(scale) {
        return Err(CellError::Scale(scale));
    }
    if highest >= i32::from(precision) - i32::from(scale) { Err(CellError::Precision(precision, scale)) } else { Ok(()) }
}

fn seconds(field: &[u8], digits: u8) -> Result<(), CellError> {
    let Ok(micros) = field.try_into().map(i64::from_be_bytes) else { return Ok(()) };
    let infinite = micros == i64::MAX || micros == i64::MIN;
    let kept = MICROS_A_SECOND / 10_i64.pow(digits.into());
    if infinite || micros % kept == 0 { Ok(()) } else { Err(CellError::SecondDigits(digits)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy::RowWriter;

    #[test]
    fn characters_are_counted_and_not_bytes() {
        let text = |text: &str, most| check_limits(Encoding::Text { chars_max: Some(most) }, text.as_bytes());
        assert_eq!((text("\u{e9}\u{1F600}x", 3), text("", 0)), (Ok(()), Ok(())));
        assert_eq!(text("\u{e9}\u{1F600}xy", 3), Err(CellError::TooLong { chars: 4, chars_max: 3 }));
        assert_eq!(text("ab ", 2), Err(CellError::TooLong { chars: 3, chars_max: 2 }));
        assert_eq!(check_limits(Encoding::Char { chars_max: 2 }, b"ab   "), Ok(()));
        assert!(check_limits(Encoding::Char { chars_max: 2 }, b"abc").is_err());
    }

    #[test]
    fn digits_are_counted_without_zeros_at_either_end() {
        let check = |value: i128, scale: u8, limits| {
            let mut out = Vec::new();
            RowWriter::begin_row(&mut out, 1).numeric(value, scale, None).unwrap();
            check_limits(Encoding::Numeric { limits: Some(limits) }, &out[6..])
        };
        for (value, scale, limits) in
            [(0, 3, (1, 1)), (12_345, 2, (5, 2)), (12_300, 4, (3, 2)), (-99_999_999, 4, (8, 4)), (1, 6, (6, 6)), (10_000, 0, (5, 0))]
        {
            assert_eq!(check(value, scale, limits), Ok(()), "{value} {scale} {limits:?}");
        }
        for (value, scale, limits, error) in [
            (12_345, 3, (9, 2), CellError::Scale(2)),
            (1, 6, (9, 5), CellError::Scale(5)),
            (12_345, 2, (4, 2), CellError::Precision(4, 2)),
            (10_000, 0, (4, 0), CellError::Precision(4, 0)),
            (1, 0, (2, 2), CellError::Precision(2, 2)),
        ] {
            assert_eq!(check(value, scale, limits), Err(error), "{value} {scale} {limits:?}");
        }
        // NaN.
        assert_eq!(check_limits(Encoding::Numeric { limits: Some((1, 0)) }, &[0, 0, 0, 0, 0xC0, 0, 0, 0]), Ok(()));
    }

    #[test]
    fn fractions_of_a_second_beyond_the_columns_are_found() {
        let check = |micros: i64, digits| check_limits(Encoding::Timestamp { digits }, &micros.to_be_bytes());
        assert_eq!([check(1_500_000, 1), check(-1_000_000, 0), check(i64::MAX, 0), check(1, 6)], [Ok(()), Ok(()), Ok(()), Ok(())]);
        assert_eq!(check(1_001, 3), Err(CellError::SecondDigits(3)));
        assert_eq!(check(-1, 0), Err(CellError::SecondDigits(0)));
    }
}
