//! Text as values.

use super::SqlType;
use super::date::{TICKS_PER_DAY, TICKS_PER_SECOND, days_from_date};
use super::value::Value;

/// Day, ticks, and the offset where there was one.
pub(crate) type Moment = (Option<i32>, u64, Option<i16>);

/// `12.345` as an unscaled integer and its scale.
pub(crate) fn decimal(text: &str) -> Option<(i128, u8)> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let unscaled: i128 = all.parse().ok()?;
    Some((if negative { -unscaled } else { unscaled }, fraction.len() as u8))
}

/// A date, a time or both, in the ISO forms (`2026-02-05`, `20260205`, `T` or blank, offset, `Z`).
pub(crate) fn moment(text: &str) -> Option<Moment> {
    let text = text.trim();
    if text.is_empty() {
        return Some((None, 0, None));
    }
    let (date, rest) = match text.find(['T', ' ']) {
        Some(at) if !text[..at].contains(':') => (&text[..at], text[at + 1..].trim()),
        None if !text.contains(':') => (text, ""),
        _ => ("", text),
    };
    let days = if date.is_empty() { None } else { Some(parse_date(date)?) };
    let (clock, offset) = split_offset(rest)?;
    Some((days, if clock.is_empty() { 0 } else { parse_clock(clock)? }, offset))
}

fn parse_date(text: &str) -> Option<i32> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let separated = text.len() == 10 && matches!(text.as_bytes()[4], b'-' | b'/');
    if digits.len() != 8 || !(text.len() == 8 || separated) {
        return None;
    }
    days_from_date(digits[..4].parse().ok()?, digits[4..6].parse().ok()?, digits[6..].parse().ok()?)
}

fn split_offset(text: &str) -> Option<(&str, Option<i16>)> {
    if let Some(clock) = text.strip_suffix('Z') {
        return Some((clock, Some(0)));
    }
    let Some(at) = text.rfind(['+', '-']) else {
        return Some((text, None));
    };
    let (hours, minutes) = text[at + 1..].split_once(':')?;
    let total: i16 = hours.parse::<i16>().ok()? * 60 + minutes.parse::<i16>().ok()?;
    Some((text[..at].trim_end(), Some(if text.as_bytes()[at] == b'-' { -total } else { total })))
}

fn parse_clock(text: &str) -> Option<u64> {
    let mut parts = text.split(':');
    let hour: u64 = parts.next()?.parse().ok()?;
    let minute: u64 = parts.next()?.parse().ok()?;
    let (second, fraction) = match parts.next() {
        Some(seconds) => seconds.split_once('.').unwrap_or((seconds, "")),
        None => ("0", ""),
    };
    let second: u64 = second.parse().ok()?;
    if hour > 23 || minute > 59 || second > 59 || fraction.len() > 7 {
        return None;
    }
    let fraction = format!("{fraction:0<7}").parse::<u64>().ok()?;
    Some(((hour * 60 + minute) * 60 + second) * TICKS_PER_SECOND + fraction)
}

/// A moment as days and ticks in UTC; the time may have rounded up to the next day.
pub(crate) fn utc(days: i32, ticks: u64, minutes: i16) -> (i32, u64) {
    let total = i64::from(days) * TICKS_PER_DAY as i64 + ticks as i64 - i64::from(minutes) * 600_000_000;
    (total.div_euclid(TICKS_PER_DAY as i64) as i32, total.rem_euclid(TICKS_PER_DAY as i64) as u64)
}

/// A uniqueidentifier with or without braces.
pub(crate) fn guid(text: &str) -> Option<Value> {
    let text = text.trim().trim_start_matches('{').trim_end_matches('}');
    let bytes = hex(&text.replace('-', ""))?;
    (text.len() == 36).then_some(())?;
    Some(Value::Guid(bytes.try_into().ok()?))
}

/// Hexadecimal digits as bytes.
pub(crate) fn hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// Whether an integer is in a type's range.
pub(crate) fn fits(number: i128, ty: SqlType) -> bool {
    let range = match ty {
        SqlType::TinyInt => 0..=255,
        SqlType::SmallInt => i16::MIN.into()..=i16::MAX.into(),
        SqlType::Int => i32::MIN.into()..=i32::MAX.into(),
        SqlType::SmallMoney => i32::MIN.into()..=i32::MAX.into(),
        _ => i64::MIN.into()..=i64::MAX.into(),
    };
    range.contains(&number)
}
