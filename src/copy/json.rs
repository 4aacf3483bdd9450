//! What PostgreSQL's `json` and `jsonb` refuse, found before the COPY does, which names no row.

use serde::de::IgnoredAny;

use super::CellError;

/// The longest string, array or object of a `jsonb`, in bytes (`JENTRY_OFFLENMASK` in PostgreSQL's `jsonb.h`).
const JSONB_BYTES_MAX: usize = 0x0FFF_FFFF;
/// The most digits after the point of a `numeric`, which is what a number of a `jsonb` becomes (`NUMERIC_DSCALE_MASK` in `numeric.c`).
const DIGITS_AFTER_POINT_MAX: i64 = 0x3FFF;
/// The highest power of ten in a `numeric`: 32,768 groups of four digits before the point.
const POWER_MAX: i64 = 131_071;
/// A number that is shorter than this and has no exponent is a `numeric`.
const DOUBTFUL_DIGITS: usize = 16_000;

/// How deep arrays and objects may stand in each other. PostgreSQL's parser calls itself, and gives up above 10,000 where `max_stack_depth` is what it
/// is unless set.
const DEPTH_MAX: usize = 6_400;

/// Refuses text that is not JSON, or too deep for PostgreSQL's parser.
pub(super) fn check(text: &str) -> Result<(), CellError> {
    // The parser's errors say what it expected and where, never what it found.
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| CellError::Json(error.to_string()))?;
    // A shorter text cannot be deeper.
    if text.len() > 2 * DEPTH_MAX { check_depth(text.as_bytes()) } else { Ok(()) }
}

fn check_depth(bytes: &[u8]) -> Result<(), CellError> {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth -= 1,
            _ => {}
        }
        if depth > DEPTH_MAX {
            return Err(CellError::Json(format!("arrays and objects stand in each other more than {DEPTH_MAX} deep")));
        }
    }
    Ok(())
}

/// Refuses text that is not JSON, or not such as `jsonb` holds: no U+0000, no half of a surrogate pair, no number beyond `numeric`.
pub(super) fn check_jsonb(text: &str) -> Result<(), CellError> {
    check(text)?;
    if text.len() > JSONB_BYTES_MAX {
        return Err(CellError::Json(format!("it has {} bytes, and a jsonb at most {JSONB_BYTES_MAX}", text.len())));
    }
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at = match byte {
            b'"' => end_of_string(bytes, at + 1)?,
            b'-' | b'0'..=b'9' => end_of_number(bytes, at)?,
            _ => at + 1,
        };
    }
    Ok(())
}

/// The place behind the string whose inside begins at `at`; the text is known to be JSON.
fn end_of_string(bytes: &[u8], mut at: usize) -> Result<usize, CellError> {
    let refused = |what: &str, at: usize| Err(CellError::Json(format!("{what} at byte {at}")));
    while let Some(step) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += step;
        if bytes[at] == b'"' {
            return Ok(at + 1);
        }
        at = match escaped_unit(bytes, at) {
            None => at + 2,
            Some(0) => return refused(r"\u0000, which jsonb cannot hold,", at),
            Some(0xD800..=0xDBFF) if matches!(escaped_unit(bytes, at + 6), Some(0xDC00..=0xDFFF)) => at + 12,
            Some(0xD800..=0xDFFF) => return refused("half of a surrogate pair", at),
            Some(_) => at + 6,
        };
    }
    Ok(bytes.len())
}

/// The UTF-16 unit of an escape `\uXXXX` at `at`; none where something else stands there.
fn escaped_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let hex = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
}

/// The place behind the number at `at`.
fn end_of_number(bytes: &[u8], at: usize) -> Result<usize, CellError> {
    let rest = &bytes[at..];
    let length = rest.iter().position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')).unwrap_or(rest.len());
    let number = &rest[..length];
    let doubtful = length >= DOUBTFUL_DIGITS || memchr::memchr2(b'e', b'E', number).is_some();
    if doubtful && !is_numeric(number) {
        return Err(CellError::Json(format!("a number that PostgreSQL's numeric cannot hold at byte {at}")));
    }
    Ok(at + length)
}

/// Whether `numeric_in` takes a number, given as JSON writes it.
fn is_numeric(number: &[u8]) -> bool {
    let number = number.strip_prefix(b"-").unwrap_or(number);
    let (digits, exponent) = match memchr::memchr2(b'e', b'E', number) {
        Some(at) => (&number[..at], std::str::from_utf8(&number[at + 1..]).ok().and_then(|text| text.parse::<i32>().ok())),
        None => (number, Some(0)),
    };
    // An exponent beyond half of an i32 is refused unseen, of zero too.
    let Some(exponent) = exponent.filter(|exponent| exponent.abs() < i32::MAX / 2) else { return false };
    let exponent = i64::from(exponent);
    let before_point = memchr::memchr(b'.', digits).unwrap_or(digits.len());
    let count = |length: usize| i64::try_from(length).unwrap_or(i64::MAX);
    let after_point = count(digits.len().saturating_sub(before_point + 1)) - exponent;
    let significant = |byte: &u8| matches!(byte, b'1'..=b'9');
    let power = digits.iter().position(significant).map(|first| {
        let past_point = i64::from(first > before_point);
        count(before_point) - count(first) - 1 + past_point + exponent
    });
    after_point <= DIGITS_AFTER_POINT_MAX && power.is_none_or(|power| power <= POWER_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_what_the_grammar_says() {
        for text in ["null", " [1, -0.5e+3] ", r#"{"a": {"b": []}, "a": "\u00e9\ud83d\ude00\\u0000"}"#, "\"\"", "0", "\t{}\n\r"] {
            assert_eq!(check_jsonb(text), Ok(()), "{text}");
        }
        for text in
            ["", " ", "{", "[1,]", "{a:1}", "01", "1.", ".5", "+1", "NaN", "'a'", "[1] 2", "\u{feff}1", "\"\t\"", r#""\x41""#, r#""\u12""#]
        {
            assert!(matches!(check(text), Err(CellError::Json(_))), "{text}");
        }
    }

    #[test]
    fn depth_is_counted_outside_of_strings() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for text in [nested(DEPTH_MAX), format!("[{:?}]", "[\"{\\".repeat(DEPTH_MAX)), format!("[{}[]]", "[],".repeat(DEPTH_MAX))] {
            assert_eq!(check(&text), Ok(()), "{text:.20}");
        }
        assert!(matches!(check(&nested(DEPTH_MAX + 1)), Err(CellError::Json(_))));
        assert!(check_jsonb(&format!("{}1{}", "{\"a\":".repeat(DEPTH_MAX + 1), "}".repeat(DEPTH_MAX + 1))).is_err());
    }

    #[test]
    fn escapes_that_jsonb_cannot_hold_are_named_by_place() {
        for (text, place) in [
            (r#"{"a":"\u0000"}"#, "byte 6"),
            (r#"["\ud800"]"#, "byte 2"),
            (r#""\ud800\u0041""#, "byte 1"),
            (r#""\udc00\ud800""#, "byte 1"),
            (r#"{"\\\uDBFF": 1}"#, "byte 4"),
        ] {
            let error = check_jsonb(text).unwrap_err().to_string();
            assert!(error.contains(place), "{text}: {error}");
            assert_eq!(check(text), Ok(()), "json keeps it as text: {text}");
        }
    }

    #[test]
    fn numbers_are_held_to_the_range_of_numeric() {
        let (long, tiny) = ("9".repeat(131_072), format!("0.{}1", "0".repeat(16_382)));
        for text in ["1e131071", "-9.9E+131071", "0.001e131074", "1e-16383", "0e200000", "10e131070", &long, &tiny] {
            assert_eq!(check_jsonb(text), Ok(()), "{} bytes: {:.20}", text.len(), text);
        }
        let (longer, tinier, zeros) = ("9".repeat(131_073), format!("0.{}1", "0".repeat(16_383)), format!("0.{}", "0".repeat(16_384)));
        for text in ["1e131072", "[10e131071]", "1e-16384", "1.0e-16383", "0e1073741823", "1e99999999999", &longer, &tinier, &zeros] {
            assert!(check_jsonb(text).is_err(), "{} bytes: {:.20}", text.len(), text);
        }
    }
}
