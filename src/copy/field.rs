//! A field as a person would write its value: for keys in messages.

use jiff::civil::{Date, DateTime, Time, date};
use jiff::{SignedDuration, ToSpan};

use super::Encoding;

/// The day that PostgreSQL counts from.
const EPOCH: Date = date(2000, 1, 1);
const MICROS_A_DAY: i64 = 86_400_000_000;

/// The value of a field in this form; bytes that are none are shown in hexadecimal.
pub fn shown(encoding: Encoding, field: Option<&[u8]>) -> String {
    let Some(field) = field else { return "NULL".to_owned() };
    let text = match encoding {
        Encoding::Bool => field.first().map(|byte| (*byte != 0).to_string()),
        Encoding::Int2 => fixed(field, i16::from_be_bytes).map(|value| value.to_string()),
        Encoding::Int4 => fixed(field, i32::from_be_bytes).map(|value| value.to_string()),
        Encoding::Int8 | Encoding::Int8OfBytes => fixed(field, i64::from_be_bytes).map(|value| value.to_string()),
        Encoding::Float4 => fixed(field, f32::from_be_bytes).map(|value| value.to_string()),
        Encoding::Float8 => fixed(field, f64::from_be_bytes).map(|value| value.to_string()),
        Encoding::Numeric { .. } => numeric(field),
        Encoding::Date | Encoding::DateOfText => fixed(field, i32::from_be_bytes).and_then(day),
        Encoding::Time { .. } => fixed(field, i64::from_be_bytes).and_then(time_of_day),
        Encoding::Timestamp { .. } => fixed(field, i64::from_be_bytes).and_then(moment),
        Encoding::TimestampTz { .. } | Encoding::TimestampTzOfLocal { .. } => {
            fixed(field, i64::from_be_bytes).and_then(moment).map(|text| text + "Z")
        }
        Encoding::Text { .. } | Encoding::Char { .. } | Encoding::Xml { .. } | Encoding::Json => text(field),
        Encoding::Jsonb => field.get(1..).and_then(text),
        Encoding::Uuid | Encoding::UuidOfText => uuid::Uuid::from_slice(field).ok().map(|uuid| uuid.to_string()),
        Encoding::Bytea | Encoding::Wkb | Encoding::Ewkb | Encoding::Native | Encoding::NativeArray => None,
    };
    text.unwrap_or_else(|| hexadecimal(field))
}

/// Where a value stands among the values of an ordered column: a number's whole part, a moment's days since 2000-01-01; far ones stand at the end.
/// None for NULL, for what is no number, and for columns that source and target may order differently.
pub fn ordinal(encoding: Encoding, field: Option<&[u8]>) -> Option<i64> {
    let field = field?;
    match encoding {
        Encoding::Int2 => fixed(field, i16::from_be_bytes).map(i64::from),
        Encoding::Int4 | Encoding::Date => fixed(field, i32::from_be_bytes).map(i64::from),
        Encoding::Int8 => fixed(field, i64::from_be_bytes),
        Encoding::Timestamp { .. } => fixed(field, i64::from_be_bytes).map(|micros| micros.div_euclid(MICROS_A_DAY)),
        Encoding::Numeric { .. } => whole_part(field),
        Encoding::Bool | Encoding::Float4 | Encoding::Float8 | Encoding::Time { .. } | Encoding::TimestampTz { .. } => None,
        Encoding::Text { .. } | Encoding::Char { .. } | Encoding::Xml { .. } | Encoding::Json | Encoding::Jsonb => None,
        Encoding::Bytea | Encoding::Uuid | Encoding::UuidOfText | Encoding::DateOfText | Encoding::TimestampTzOfLocal { .. } => None,
        Encoding::Int8OfBytes | Encoding::Wkb | Encoding::Ewkb | Encoding::Native | Encoding::NativeArray => None,
    }
}

/// The largest whole number that is not above a `numeric`.
fn whole_part(field: &[u8]) -> Option<i64> {
    let (head, groups) = field.split_first_chunk::<8>()?;
    let (weight, sign) = (i16::from_be_bytes([head[2], head[3]]), u16::from_be_bytes([head[4], head[5]]));
    if sign >= 0xC000 {
        return None;
    }
    let mut groups = groups.chunks_exact(2).map(|group| i128::from(u16::from_be_bytes([group[0], group[1]])));
    let mut whole = 0_i128;
    for _ in 0..=weight {
        whole = whole.saturating_mul(10_000).saturating_add(groups.next().unwrap_or(0));
    }
    let fraction = groups.any(|group| group != 0);
    let whole = if sign == 0 { whole } else { -whole - i128::from(fraction) };
    Some(i64::try_from(whole).unwrap_or(if whole < 0 { i64::MIN } else { i64::MAX }))
}

fn fixed<const N: usize, T>(field: &[u8], read: fn([u8; N]) -> T) -> Option<T> {
    field.try_into().ok().map(read)
}

fn text(field: &[u8]) -> Option<String> {
    std::str::from_utf8(field).ok().map(str::to_owned)
}

fn hexadecimal(field: &[u8]) -> String {
    use std::fmt::Write;
    field.iter().fold("0x".to_owned(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02X}");
        text
    })
}

fn day(days: i32) -> Option<String> {
    EPOCH.checked_add(days.days()).ok().map(|day| day.to_string())
}

fn time_of_day(micros: i64) -> Option<String> {
    Time::midnight().checked_add(SignedDuration::from_micros(micros)).ok().map(|time| time.to_string())
}

fn moment(micros: i64) -> Option<String> {
    let epoch: DateTime = EPOCH.to_datetime(Time::midnight());
    epoch.checked_add(SignedDuration::from_micros(micros)).ok().map(|moment| moment.to_string())
}

fn numeric(field: &[u8]) -> Option<String> {
    let (head, groups) = field.split_first_chunk::<8>()?;
    let number = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let (weight, sign, scale) = (i64::from(number(2).cast_signed()), number(4), usize::from(number(6)));
    if sign >= 0xC000 {
        return Some(match sign {
            0xD000 => "Infinity".to_owned(),
            0xF000 => "-Infinity".to_owned(),
            _ => "NaN".to_owned(),
        });
    }
    let groups: Vec<u16> = groups.chunks_exact(2).map(|group| u16::from_be_bytes([group[0], group[1]])).collect();
    let group = |power: i64| usize::try_from(weight - power).ok().and_then(|at| groups.get(at)).copied().unwrap_or(0);
    let whole: String = (0..=weight).rev().map(|power| format!("{:04}", group(power))).collect();
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let fraction: String = (1..).map(|power| format!("{:04}", group(-power))).take(scale.div_ceil(4)).collect();
    let sign = if sign == 0x4000 { "-" } else { "" };
    let point = if scale > 0 { "." } else { "" };
    Some(format!("{sign}{whole}{point}{}", fraction.get(..scale).unwrap_or(&fraction)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy::RowWriter;

    #[test]
    fn values_are_shown_as_a_person_writes_them() {
        let cases = [
            (Encoding::Int4, 7_i32.to_be_bytes().to_vec(), "7"),
            (Encoding::Text { chars_max: None }, "a\n".into(), "a\n"),
            (Encoding::Date, 1_i32.to_be_bytes().to_vec(), "2000-01-02"),
            (Encoding::Timestamp { digits: 6 }, 1_500_000_i64.to_be_bytes().to_vec(), "2000-01-01T00:00:01.5"),
            (Encoding::TimestampTz { digits: 6 }, (-1_000_000_i64).to_be_bytes().to_vec(), "1999-12-31T23:59:59Z"),
            (Encoding::Time { digits: 6 }, 3_600_000_000_i64.to_be_bytes().to_vec(), "01:00:00"),
            (Encoding::Bytea, vec![0, 255], "0x00FF"),
            (Encoding::Bool, vec![1], "true"),
            (Encoding::Int8, vec![1], "0x01"),
        ];
        for (encoding, field, expected) in cases {
            assert_eq!(shown(encoding, Some(&field)), expected);
        }
        assert_eq!(shown(Encoding::Int4, None), "NULL");
    }

    #[test]
    fn decimals_are_shown_with_all_their_digits() {
        for (value, scale, expected) in [
            (-1_234_567, 2, "-12345.67"),
            (0, 3, "0.000"),
            (1, 6, "0.000001"),
            (100_000_000, 0, "100000000"),
            (10_000_000_001, 0, "10000000001"),
        ] {
            let mut out = Vec::new();
            RowWriter::begin_row(&mut out, 1).numeric(value, scale, None).unwrap();
            assert_eq!(shown(Encoding::Numeric { limits: None }, Some(&out[6..])), expected);
        }
    }

    #[test]
    fn whole_numbers_and_days_are_in_the_order_of_their_values() {
        let numeric = |value: i128, scale: u8| {
            let mut out = Vec::new();
            RowWriter::begin_row(&mut out, 1).numeric(value, scale, None).unwrap();
            ordinal(Encoding::Numeric { limits: None }, Some(&out[6..]))
        };
        let cases = [(0, 0, 0), (15, 1, 1), (-15, 1, -2), (-20, 1, -2), (1, 6, 0), (-1, 6, -1), (123_456_789, 0, 123_456_789)];
        for (value, scale, expected) in cases {
            assert_eq!(numeric(value, scale), Some(expected), "{value} {scale}");
        }
        assert_eq!((numeric(i128::MAX / 10, 0), numeric(i128::MIN / 10, 0)), (Some(i64::MAX), Some(i64::MIN)));
        assert_eq!(ordinal(Encoding::Timestamp { digits: 6 }, Some(&(-1_i64).to_be_bytes())), Some(-1));
        assert_eq!(ordinal(Encoding::Int4, None), None);
    }
}
