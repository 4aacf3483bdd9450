//! One form for values that PostgreSQL holds equal and that have several: what source and target are compared in.
//!
//! Everything else is compared by its bytes, as the merge does: floating point bit by bit, so that 0 and -0 differ.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::Encoding;

/// Objects and arrays nested deeper than this are compared as they are written.
const DEPTH_MAX: usize = 256;

/// What is done to a column's fields before they are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canonical {
    /// Nothing: equal values have equal bytes.
    AsIs,
    /// `numeric`: how many zeros are shown does not count.
    Numeric,
    /// `char(n)`: blanks at the end do not count.
    Blanks,
    /// `jsonb`: nor do the order of keys, white space and how a number is spelled.
    Jsonb,
    /// An array: nor does the number of its elements' type.
    Array,
    /// `xml`: nor does a declaration that says nothing.
    Xml,
}

impl Canonical {
    /// What fields of this form need; `xml` is whether the column is of the type, and not of text.
    pub fn of(encoding: Encoding, xml: bool) -> Self {
        match encoding {
            Encoding::Numeric { .. } => Canonical::Numeric,
            Encoding::Char { .. } => Canonical::Blanks,
            Encoding::Jsonb => Canonical::Jsonb,
            Encoding::NativeArray => Canonical::Array,
            Encoding::Xml { .. } if xml => Canonical::Xml,
            Encoding::Bool | Encoding::Int2 | Encoding::Int4 | Encoding::Int8 | Encoding::Float4 | Encoding::Float8 => Canonical::AsIs,
            Encoding::Date | Encoding::Time { .. } | Encoding::Timestamp { .. } | Encoding::TimestampTz { .. } => Canonical::AsIs,
            Encoding::Text { .. } | Encoding::Bytea | Encoding::Uuid | Encoding::Xml { .. } | Encoding::Json => Canonical::AsIs,
            Encoding::UuidOfText | Encoding::DateOfText | Encoding::TimestampTzOfLocal { .. } | Encoding::Int8OfBytes => Canonical::AsIs,
            Encoding::Wkb | Encoding::Ewkb | Encoding::Native => Canonical::AsIs,
        }
    }

    /// Appends the field in its one form.
    pub fn write(self, field: &[u8], out: &mut Vec<u8>) {
        match self {
            Canonical::AsIs => out.extend_from_slice(field),
            Canonical::Numeric => numeric(field, out),
            Canonical::Blanks => out.extend_from_slice(without_blanks(field)),
            Canonical::Jsonb => match field.split_first().and_then(|(_, text)| std::str::from_utf8(text).ok()) {
                Some(text) => json(text.trim(), 0, out),
                None => out.extend_from_slice(field),
            },
            Canonical::Xml => xml(field, out),
            Canonical::Array => array(field, out),
        }
    }
}

fn without_blanks(field: &[u8]) -> &[u8] {
    let kept = field.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    &field[..kept]
}

/// The number of dimensions, whether there may be NULLs (which show by themselves), the type, and then all else.
fn array(field: &[u8], out: &mut Vec<u8>) {
    let (head, elements) = field.split_at(field.len().min(12));
    out.extend_from_slice(&head[..head.len().min(4)]);
    out.extend_from_slice(elements);
}

/// Weight, sign and groups without zeros at either end; the display scale is left out.
fn numeric(field: &[u8], out: &mut Vec<u8>) {
    let Some((head, groups)) = field.split_first_chunk::<8>() else { return out.extend_from_slice(field) };
    let weight = i16::from_be_bytes([head[2], head[3]]);
    let sign = [head[4], head[5]];
    let zero = |group: &&[u8]| **group == [0, 0];
    let leading = groups.chunks(2).take_while(zero).count();
    let groups = &groups[leading * 2..];
    let trailing = groups.chunks(2).rev().take_while(zero).count();
    let groups = &groups[..groups.len() - trailing * 2];
    // Not a number and the infinities have no groups, and a sign of their own.
    let special = u16::from_be_bytes(sign) >= 0xC000;
    if groups.is_empty() && !special {
        return;
    }
    let weight = if special { 0 } else { i64::from(weight) - i64::try_from(leading).unwrap_or(i64::MAX) };
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(&sign);
    out.extend_from_slice(groups);
}

/// A value of JSON: of keys that stand twice the last counts, keys in the order of their bytes.
fn json(text: &str, depth: usize, out: &mut Vec<u8>) {
    let raw = |out: &mut Vec<u8>| out.extend_from_slice(text.as_bytes());
    match text.as_bytes().first() {
        Some(b'{' | b'[') if depth >= DEPTH_MAX => raw(out),
        Some(b'{') => match serde_json::from_str::<BTreeMap<String, &RawValue>>(text) {
            Ok(members) => {
                out.push(b'{');
                for (key, value) in members {
                    sized(key.as_bytes(), out);
                    json(value.get(), depth + 1, out);
                }
                out.push(b'}');
            }
            Err(_) => raw(out),
        },
        Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(items) => {
                out.push(b'[');
                items.into_iter().for_each(|item| json(item.get(), depth + 1, out));
                out.push(b']');
            }
            Err(_) => raw(out),
        },
        Some(b'"') => match serde_json::from_str::<String>(text) {
            Ok(string) => sized(string.as_bytes(), out),
            Err(_) => raw(out),
        },
        Some(b'-' | b'0'..=b'9') => json_number(text, out),
        _ => raw(out),
    }
}

fn sized(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(&bytes.len().to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Sign, digits without zeros at either end, and the power of ten of the last of them.
fn json_number(text: &str, out: &mut Vec<u8>) {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    let start = all.iter().position(|digit| *digit != b'0').unwrap_or(all.len());
    let end = all.iter().rposition(|digit| *digit != b'0').map_or(start, |last| last + 1);
    let length = |digits: usize| i64::try_from(digits).unwrap_or(i64::MAX);
    let power = exponent.parse::<i64>().unwrap_or(0) - length(fraction.len()) + length(all.len() - end);
    out.push(b'#');
    if start == end {
        return out.push(b'0');
    }
    out.push(if negative { b'-' } else { b'+' });
    out.extend_from_slice(&all[start..end]);
    out.push(b'e');
    out.extend_from_slice(&power.to_be_bytes());
}

/// PostgreSQL gives a declaration back only where it says more than the version 1.0, never its encoding, and eats a line feed behind one that it drops
/// (`xml_out_internal` in PostgreSQL's `src/backend/utils/adt/xml.c`).
fn xml(field: &[u8], out: &mut Vec<u8>) {
    let declared = field.strip_prefix(b"<?xml").filter(|rest| rest.first().is_some_and(u8::is_ascii_whitespace));
    let end = declared.and_then(|rest| memchr::memmem::find(rest, b"?>"));
    let (Some(declared), Some(end)) = (declared, end) else { return without_line_feed(field, out) };
    let (attributes, body) = (&declared[..end], &declared[end + 2..]);
    let value_of = |name: &str| {
        let at = memchr::memmem::find(attributes, name.as_bytes())? + name.len();
        let rest = attributes[at..].trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
        let (quote, rest) = rest.split_first()?;
        rest.get(..memchr::memchr(*quote, rest)?)
    };
    let (version, standalone) = (value_of("version"), value_of("standalone"));
    if version.is_none_or(|version| version == b"1.0") && standalone.is_none() {
        return without_line_feed(body, out);
    }
    for value in [version.unwrap_or(b"1.0"), standalone.unwrap_or_default()] {
        sized(value, out);
    }
    out.extend_from_slice(body);
}

fn without_line_feed(body: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(body.strip_prefix(b"\n").unwrap_or(body));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_are_compared_without_the_number_of_their_elements_type() {
        let canonical = |flags: u8, of_type: u8, element: u8| {
            let field = [0, 0, 0, 1, 0, 0, 0, flags, 0, 0, 64, of_type, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, element];
            let mut out = Vec::new();
            Canonical::Array.write(&field, &mut out);
            out
        };
        assert_eq!(canonical(0, 7, b'x'), canonical(1, 9, b'x'));
        assert_ne!(canonical(0, 7, b'x'), canonical(0, 7, b'y'));
        let mut out = Vec::new();
        Canonical::Array.write(&[0, 0], &mut out);
        assert_eq!(out, [0, 0]);
    }
    use crate::copy::RowWriter;

    fn canonical(how: Canonical, field: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        how.write(field, &mut out);
        out
    }

    fn numeric_of(value: i128, scale: u8) -> Vec<u8> {
        let mut out = Vec::new();
        RowWriter::begin_row(&mut out, 1).numeric(value, scale, None).unwrap();
        canonical(Canonical::Numeric, &out[6..])
    }

    fn jsonb_of(text: &str) -> Vec<u8> {
        canonical(Canonical::Jsonb, &[b"\x01", text.as_bytes()].concat())
    }

    fn xml_of(text: &str) -> Vec<u8> {
        canonical(Canonical::Xml, text.as_bytes())
    }

    #[test]
    fn numbers_are_equal_whatever_zeros_they_show() {
        for (one, other) in [((1, 0), (1_000, 3)), ((0, 0), (0, 7)), ((-25, 1), (-2_500, 3)), ((10_000, 0), (100_000_000, 4))] {
            assert_eq!(numeric_of(one.0, one.1), numeric_of(other.0, other.1), "{one:?} {other:?}");
        }
        for (one, other) in [((1, 0), (10, 0)), ((1, 0), (-1, 0)), ((1, 0), (1, 4)), ((1, 0), (0, 0)), ((10_000, 0), (1, 0))] {
            assert_ne!(numeric_of(one.0, one.1), numeric_of(other.0, other.1), "{one:?} {other:?}");
        }
        let not_a_number = [0, 0, 0, 0, 0xC0, 0, 0, 0];
        assert_ne!(canonical(Canonical::Numeric, &not_a_number), numeric_of(0, 0));
    }

    #[test]
    fn documents_are_equal_whatever_their_spelling() {
        let equal = [
            (r#"{"b":1,"a":[1, 2]}"#, r#"{"a": [1,2], "b": 1}"#),
            (r#"{"a":1,"a":2}"#, r#"{"a": 2}"#),
            ("1e2", "100"),
            ("1.50", "1.5"),
            ("-0.0", "0"),
            (" [] ", "[]"),
            (r#""\u00e9""#, "\"é\""),
        ];
        for (one, other) in equal {
            assert_eq!(jsonb_of(one), jsonb_of(other), "{one} {other}");
        }
        for (one, other) in [("1", "\"1\""), ("[1,2]", "[2,1]"), ("[]", "{}"), ("1", "10"), ("null", "false"), ("[[1],2]", "[[1,2]]")] {
            assert_ne!(jsonb_of(one), jsonb_of(other), "{one} {other}");
        }
    }

    #[test]
    fn a_declaration_that_says_nothing_does_not_count() {
        for same in ["<?xml version=\"1.0\"?><a/>", "<?xml version='1.0' encoding='utf-8' ?>\n<a/>", "\n<a/>"] {
            assert_eq!(xml_of(same), xml_of("<a/>"), "{same}");
        }
        assert_ne!(xml_of("<?xml version=\"1.0\" standalone=\"yes\"?><a/>"), xml_of("<a/>"));
        assert_ne!(xml_of("<?xml-stylesheet href='a'?><a/>"), xml_of("<a/>"));
    }

    #[test]
    fn blanks_at_the_end_of_char_do_not_count() {
        assert_eq!(canonical(Canonical::Blanks, b"a b  "), b"a b");
        assert_eq!(canonical(Canonical::AsIs, b"a b  "), b"a b  ");
    }
}
