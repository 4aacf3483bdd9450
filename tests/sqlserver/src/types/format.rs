//! Values as text, by the styles of CONVERT.

use super::collation::Collation;
use super::value::Value;
use super::{SqlType, hierarchy, moments};
use crate::sql::error::SqlError;

/// The text of a value, as UTF-16. NULL and `sql_variant` are the caller's.
pub(crate) fn text_units(value: &Value, ty: SqlType, collation: &Collation, style: Option<i32>) -> Result<Vec<u16>, SqlError> {
    Ok(match value {
        Value::Wide(units) => units.clone(),
        Value::Narrow(bytes) => collation.decode(bytes),
        // What comes back from a hierarchyid is its path; from other bytes, the bytes themselves.
        Value::Binary(bytes) if ty == SqlType::HierarchyId => {
            let broken = || SqlError::new(6522, 16, "A .NET Framework error occurred: the hierarchyid is not valid.");
            hierarchy::path(bytes).ok_or_else(broken)?.encode_utf16().collect()
        }
        Value::Binary(bytes) if style.unwrap_or(0) == 0 => {
            bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair.get(1).copied().unwrap_or(0)])).collect()
        }
        other => match moments::text(other, ty, style) {
            Some(text) => text?.encode_utf16().collect(),
            None => plain(other, style).encode_utf16().collect(),
        },
    })
}

fn plain(value: &Value, style: Option<i32>) -> String {
    match value {
        Value::Bit(bit) => u8::from(*bit).to_string(),
        Value::Int(number) => number.to_string(),
        Value::Real(number) => float(f64::from(*number), style.unwrap_or(0)),
        Value::Float(number) => float(*number, style.unwrap_or(0)),
        Value::Decimal(unscaled, scale) => decimal(*unscaled, *scale),
        Value::Money(number) => money(*number, style.unwrap_or(0)),
        Value::Binary(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
            if style == Some(1) { format!("0x{hex}") } else { hex }
        }
        Value::Guid(bytes) => guid(bytes),
        _ => String::new(),
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

fn float(number: f64, style: i32) -> String {
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
        3 => joined(scientific(16)),
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

fn guid(g: &[u8; 16]) -> String {
    let hex: String = g.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
