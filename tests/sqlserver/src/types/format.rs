//! Values as text, by the styles of CONVERT.

use super::SqlType;
use super::collation::Collation;
use super::date::{DAYS_TO_1900, TICKS_PER_DAY, TICKS_PER_SECOND, date_from_days, ticks_from_300ths};
use super::value::Value;

/// The text of a value, as UTF-16. NULL and `sql_variant` are the caller's.
pub(crate) fn text_units(value: &Value, ty: SqlType, collation: &Collation, style: Option<i32>) -> Vec<u16> {
    match value {
        Value::Wide(units) => units.clone(),
        Value::Narrow(bytes) => collation.decode(bytes),
        Value::Binary(bytes) if style.unwrap_or(0) == 0 => collation.decode(bytes),
        other => plain(other, ty, style).encode_utf16().collect(),
    }
}

fn plain(value: &Value, ty: SqlType, style: Option<i32>) -> String {
    let (_, _, digits) = ty.sizes();
    match value {
        Value::Bit(bit) => u8::from(*bit).to_string(),
        Value::Int(number) => number.to_string(),
        Value::Real(number) => float(f64::from(*number), Some(*number), style.unwrap_or(0)),
        Value::Float(number) => float(*number, None, style.unwrap_or(0)),
        Value::Decimal(unscaled, scale) => decimal(*unscaled, *scale),
        Value::Money(number) => money(*number, style.unwrap_or(0)),
        Value::Date(days) => date_time(*days, None, 0, style.unwrap_or(121)),
        Value::Time(ticks) => clock(*ticks, digits),
        Value::DateTime(days, ticks) => date_time(days + DAYS_TO_1900, Some(ticks_from_300ths(*ticks)), 3, style.unwrap_or(0)),
        Value::SmallDateTime(days, minutes) => {
            let ticks = u64::from(*minutes) * 60 * TICKS_PER_SECOND;
            date_time(i32::from(*days) + DAYS_TO_1900, Some(ticks), 0, style.unwrap_or(0))
        }
        Value::DateTime2(days, ticks) => date_time(*days, Some(*ticks), digits, style.unwrap_or(121)),
        Value::DateTimeOffset(days, ticks, minutes) => offset_time((*days, *ticks, *minutes), digits, style.unwrap_or(121)),
        Value::Binary(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            if style == Some(1) { format!("0x{hex}") } else { hex }
        }
        Value::Guid(bytes) => guid(bytes),
        Value::Null | Value::Wide(_) | Value::Narrow(_) | Value::Variant(..) => String::new(),
    }
}

/// A decimal with all digits of its scale.
pub(crate) fn decimal(unscaled: i128, scale: u8) -> String {
    let scale = usize::from(scale);
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

fn money(number: i64, style: i32) -> String {
    if style == 2 {
        return decimal(number.into(), 4);
    }
    let cents = (i128::from(number).abs() + 50) / 100 * i128::from(number.signum());
    let text = decimal(cents, 2);
    if style != 1 {
        return text;
    }
    let (whole, cents) = text.split_once('.').unwrap_or((&text, "00"));
    let digits = whole.trim_start_matches('-');
    let grouped: Vec<String> = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group).into_owned()).collect();
    format!("{}{}.{cents}", if number < 0 { "-" } else { "" }, grouped.join(","))
}

fn float(number: f64, real: Option<f32>, style: i32) -> String {
    let scientific = |digits: usize| {
        let text = format!("{number:.digits$e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        (mantissa.to_owned(), exponent)
    };
    let joined = |(mantissa, exponent): (String, i32)| format!("{mantissa}e{}{:03}", if exponent < 0 { '-' } else { '+' }, exponent.abs());
    match style {
        1 => joined(scientific(7)),
        2 => joined(scientific(15)),
        3 => joined(scientific(if real.is_some() { 8 } else { 16 })),
        _ => {
            let (mantissa, exponent) = scientific(5);
            if (-5..15).contains(&exponent) && exponent < 6 {
                let text = format!("{number:.*}", (5 - exponent).max(0) as usize);
                if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
            } else {
                joined((mantissa.trim_end_matches('0').trim_end_matches('.').to_owned(), exponent))
            }
        }
    }
}

fn clock(ticks: u64, digits: u8) -> String {
    let seconds = ticks / TICKS_PER_SECOND;
    let whole = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if digits == 0 {
        return whole;
    }
    let fraction = format!("{:07}", ticks % TICKS_PER_SECOND);
    format!("{whole}.{}", &fraction[..usize::from(digits)])
}

fn date_time(days: i32, ticks: Option<u64>, digits: u8, style: i32) -> String {
    let (year, month, day) = date_from_days(days);
    let date = format!("{year:04}-{month:02}-{day:02}");
    let Some(ticks) = ticks else {
        return if style == 112 { format!("{year:04}{month:02}{day:02}") } else { date };
    };
    match style {
        112 => format!("{year:04}{month:02}{day:02}"),
        120 | 20 => format!("{date} {}", clock(ticks, 0)),
        23 => date,
        // Style 126 leaves a zero fraction of a datetime away.
        126 | 127 if ticks % TICKS_PER_SECOND == 0 && digits == 3 => {
            format!("{date}T{}", clock(ticks, 0))
        }
        126 | 127 => format!("{date}T{}", clock(ticks, digits)),
        0 | 100 => {
            const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
            let minutes = ticks / TICKS_PER_SECOND / 60;
            let hour = (minutes / 60 + 11) % 12 + 1;
            let half = if minutes < 720 { "AM" } else { "PM" };
            format!("{} {day:2} {year} {hour:2}:{:02}{half}", MONTHS[month as usize - 1], minutes % 60)
        }
        // smalldatetime in style 121 shows milliseconds too.
        _ => format!("{date} {}", clock(ticks, if digits == 0 && style == 121 { 0 } else { digits })),
    }
}

fn offset_time((days, ticks, minutes): (i32, u64, i16), digits: u8, style: i32) -> String {
    let local = i64::from(days) * TICKS_PER_DAY as i64 + ticks as i64 + i64::from(minutes) * 600_000_000;
    let day = local.div_euclid(TICKS_PER_DAY as i64) as i32;
    let text = date_time(day, Some(local.rem_euclid(TICKS_PER_DAY as i64) as u64), digits, style);
    let sign = if minutes < 0 { '-' } else { '+' };
    let blank = if matches!(style, 126 | 127) { "" } else { " " };
    format!("{text}{blank}{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

fn guid(g: &[u8; 16]) -> String {
    let hex: String = g.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
