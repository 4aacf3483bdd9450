//! Any values as a COPY row: what is written reads back as the value by PostgreSQL's rules, and what is refused really does not fit.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use tablesync::copy::{CellError, RowWriter};

#[derive(Arbitrary, Debug)]
enum Field {
    Null,
    Bool(bool),
    Int2(i16),
    Int4(i32),
    Int8(i64),
    Float4(f32),
    Float8(f64),
    Uuid([u8; 16]),
    Bytes(Vec<u8>),
    Text(String, Option<u16>),
    Char(String, u16),
    Numeric(i128, u8, Option<(u16, u16)>),
    Xml(String),
    Json(String),
    Jsonb(String),
    UuidOfText(String),
    DateOfText(String),
    Wkb(Vec<u8>),
    Ewkb(Vec<u8>),
}

fuzz_target!(|fields: Vec<Field>| {
    let mut out = b"before".to_vec();
    let mut row = RowWriter::begin_row(&mut out, i16::try_from(fields.len()).unwrap_or(0));
    for field in &fields {
        if let Err(error) = write(&mut row, field) {
            assert!(is_right(&error, field), "{error} for {field:?}");
            row.undo_row();
            assert_eq!(out, b"before", "a refused row leaves nothing");
            return;
        }
    }
    let mut rest = &out[b"before".len() + 2..];
    for field in &fields {
        let (length, after) = rest.split_first_chunk::<4>().expect("a length");
        let length = i32::from_be_bytes(*length);
        let (bytes, after) = after.split_at(usize::try_from(length).unwrap_or(0));
        check(field, (length >= 0).then_some(bytes));
        rest = after;
    }
    assert!(rest.is_empty(), "nothing follows the last field");
});

fn write(row: &mut RowWriter<'_>, field: &Field) -> Result<(), CellError> {
    match field {
        Field::Null => row.null(),
        Field::Bool(value) => row.bool(*value),
        Field::Int2(value) => row.int2(*value),
        Field::Int4(value) => row.int4(*value),
        Field::Int8(value) => row.int8(*value),
        Field::Float4(value) => row.float4(*value),
        Field::Float8(value) => row.float8(*value),
        Field::Uuid(value) => row.uuid(value),
        Field::Bytes(value) => row.bytes(value)?,
        Field::Text(value, limit) => row.text(value, limit.map(u32::from))?,
        Field::Char(value, limit) => row.char(value, u32::from(*limit))?,
        Field::Xml(value) => row.xml(value, None)?,
        Field::Json(value) => row.json(value)?,
        Field::Jsonb(value) => row.jsonb(value)?,
        Field::UuidOfText(value) => row.uuid_of_text(value)?,
        Field::DateOfText(value) => row.date_of_text(value)?,
        Field::Wkb(value) => row.wkb(value)?,
        Field::Ewkb(value) => row.ewkb(value)?,
        Field::Numeric(value, scale, limits) => row.numeric(value % 10_i128.pow(38), scale % 39, sane(*limits))?,
    }
    Ok(())
}

/// A declared `numeric(p,s)`: PostgreSQL has 1 to 1000 digits, and up to 1000 of them after the point.
fn sane(limits: Option<(u16, u16)>) -> Option<(u16, u16)> {
    limits.map(|(precision, scale)| (precision % 1_000 + 1, scale % 1_001))
}

fn check(field: &Field, bytes: Option<&[u8]>) {
    let Some(bytes) = bytes else { return assert!(matches!(field, Field::Null), "NULL for {field:?}") };
    let same = match field {
        Field::Null => false,
        Field::Bool(value) => bytes == [u8::from(*value)],
        Field::Int2(value) => bytes == value.to_be_bytes(),
        Field::Int4(value) => bytes == value.to_be_bytes(),
        Field::Int8(value) => bytes == value.to_be_bytes(),
        Field::Float4(value) => bytes == value.to_bits().to_be_bytes(),
        Field::Float8(value) => bytes == value.to_bits().to_be_bytes(),
        Field::Uuid(value) => bytes == value,
        Field::Bytes(value) => bytes == value,
        Field::Text(value, limit) => bytes == value.as_bytes() && limit.is_none_or(|limit| value.chars().count() <= limit.into()),
        Field::Char(value, limit) => {
            let kept = std::str::from_utf8(bytes).expect("text");
            value.strip_prefix(kept).is_some_and(|blanks| blanks.bytes().all(|byte| byte == b' '))
                && kept.chars().count() <= (*limit).into()
        }
        // All that may go is the name of the encoding.
        Field::Xml(value) => is_subsequence(bytes, value.as_bytes()) && (bytes == value.as_bytes() || value.starts_with("<?xml")),
        Field::Json(value) => bytes == value.as_bytes() && serde_json::from_slice::<IgnoredAny>(bytes).is_ok(),
        Field::Jsonb(value) => bytes.split_first() == Some((&1, value.as_bytes())) && serde_json::from_str::<IgnoredAny>(value).is_ok(),
        Field::UuidOfText(value) => {
            let digits: String = value.trim_end_matches(' ').chars().filter(char::is_ascii_hexdigit).collect();
            // `urn:uuid:` has a digit of its own.
            digits.to_lowercase().ends_with(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        }
        Field::DateOfText(value) => {
            let days = i32::from_be_bytes(bytes.try_into().expect("four bytes"));
            value.trim_end_matches(' ') == date(days)
        }
        Field::Wkb(value) => bytes == value,
        Field::Ewkb(value) => bytes.len() <= value.len() && bytes.len() + 4 >= value.len(),
        Field::Numeric(value, scale, limits) => {
            let planted = decimal(value % 10_i128.pow(38), (scale % 39).into());
            let (read, digits) = numeric(bytes);
            let fits = sane(*limits).is_none_or(|(precision, scale)| fits(&planted, precision, scale) && digits <= scale);
            trimmed(&read) == trimmed(&planted) && fits && (limits.is_some() || read == planted)
        }
    };
    assert!(same, "{field:?} was written as {bytes:02x?}");
}

/// Whether a field is really refused for this reason.
fn is_right(error: &CellError, field: &Field) -> bool {
    match (error, field) {
        (CellError::Nul(at), Field::Text(value, _) | Field::Char(value, _) | Field::Json(value) | Field::Jsonb(value)) => {
            value.as_bytes().get(*at) == Some(&0)
        }
        (CellError::TooLong { chars, .. }, Field::Text(value, Some(limit))) => *chars == value.chars().count() && *chars > (*limit).into(),
        (CellError::TooLong { .. }, Field::Char(value, limit)) => value.trim_end_matches(' ').chars().count() > (*limit).into(),
        (CellError::Scale(_) | CellError::Precision(..), Field::Numeric(value, scale, limits)) => {
            let planted = decimal(value % 10_i128.pow(38), (scale % 39).into());
            sane(*limits).is_some_and(|(precision, scale)| !fits(&planted, precision, scale))
        }
        (CellError::Nul(at), Field::Xml(value)) => value.as_bytes().get(*at..).is_some_and(|rest| rest.contains(&0)),
        (CellError::Json(_), Field::Json(value)) => serde_json::from_str::<IgnoredAny>(value).is_err() || value.len() > 12_800,
        (CellError::Json(_), Field::Jsonb(value)) => {
            serde_json::from_str::<IgnoredAny>(value).is_err()
                || value.contains("\\u")
                || value.contains(['e', 'E'])
                || value.len() > 12_800
        }
        (CellError::NotUuid, Field::UuidOfText(value)) => value.chars().filter(char::is_ascii_hexdigit).count() != 32 || value.len() > 32,
        (CellError::NotDate, Field::DateOfText(_)) => true,
        (CellError::Spatial(_), Field::Wkb(_) | Field::Ewkb(_)) => true,
        _ => false,
    }
}

/// Whether `part` is left of `whole` when bytes are taken out.
fn is_subsequence(part: &[u8], whole: &[u8]) -> bool {
    let mut whole = whole.iter();
    part.iter().all(|byte| whole.any(|other| other == byte))
}

/// Days since 2000-01-01 as a date, counted out year by year.
fn date(days: i32) -> String {
    let is_leap = |year: i32| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (mut year, mut left) = (2000, days);
    while left < 0 {
        year -= 1;
        left += 365 + i32::from(is_leap(year));
    }
    while left >= 365 + i32::from(is_leap(year)) {
        left -= 365 + i32::from(is_leap(year));
        year += 1;
    }
    let months = [31, 28 + i32::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while left >= months[month] {
        left -= months[month];
        month += 1;
    }
    format!("{year:04}-{:02}-{:02}", month + 1, left + 1)
}

/// A binary `numeric` as PostgreSQL would print it, and its display scale.
fn numeric(bytes: &[u8]) -> (String, u16) {
    let words: Vec<u16> = bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    let [count, weight, sign, scale, groups @ ..] = words.as_slice() else { panic!("a numeric has a head: {bytes:02x?}") };
    assert_eq!(usize::from(*count), groups.len(), "as many groups as announced");
    assert!(groups.iter().all(|group| *group < 10_000) && groups.first() != Some(&0) && groups.last() != Some(&0), "{groups:?}");
    let weight = i32::from(weight.cast_signed());
    // The group of 10000^power; missing ones are zero.
    let group = |power: i32| usize::try_from(weight - power).ok().and_then(|at| groups.get(at)).copied().unwrap_or(0);
    let whole: String = (0..=weight.max(0)).rev().map(|power| format!("{:04}", group(power))).collect();
    let powers = i32::from(scale.div_ceil(4));
    let fraction: String = (1..=powers).map(|power| format!("{:04}", group(-power))).collect();
    assert!(fraction[usize::from(*scale)..].bytes().all(|digit| digit == b'0'), "no digit hides behind the display scale");
    let whole = whole.trim_start_matches('0');
    let mut text = if *sign == 0x4000 { "-" } else { "" }.to_owned() + if whole.is_empty() { "0" } else { whole };
    if *scale > 0 {
        text = text + "." + &fraction[..usize::from(*scale)];
    }
    (text, *scale)
}

/// `value / 10^scale` in decimal.
fn decimal(value: i128, scale: usize) -> String {
    let digits = format!("{:0>width$}", value.unsigned_abs().to_string(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if value < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// Without zeros that only display.
fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// Whether a decimal text is in the range of `numeric(precision, scale)` without rounding.
fn fits(text: &str, precision: u16, scale: u16) -> bool {
    let text = trimmed(text).trim_start_matches('-');
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let whole = whole.trim_start_matches('0');
    if fraction.len() > scale.into() {
        return false;
    }
    // Where the scale is larger than the precision, the first digits after the point must be zero.
    match precision.checked_sub(scale) {
        Some(room) => whole.len() <= room.into(),
        None => whole.is_empty() && fraction.bytes().take((scale - precision).into()).all(|digit| digit == b'0'),
    }
}
