//! How values of one type compare.

use std::cmp::Ordering;

use super::cast::{Conversion, cast};
use super::collation::Collation;
use super::value::{Value, variant_base};
use super::{Length, NVARCHAR_MAX, SqlType};

/// Compares two values of the same type, neither NULL. Text follows the
/// collation's rules for case, width and kana, then code points: the linguistic
/// order of accents and ideographs is not reproduced.
pub(crate) fn compare(left: &Value, right: &Value, collation: &Collation) -> Ordering {
    match (left, right) {
        (Value::Bit(a), Value::Bit(b)) => a.cmp(b),
        (Value::Int(a), Value::Int(b)) | (Value::Money(a), Value::Money(b)) => a.cmp(b),
        (Value::Real(a), Value::Real(b)) => a.total_cmp(b),
        (Value::Float(a), Value::Float(b)) => a.total_cmp(b),
        (Value::Decimal(a, s), Value::Decimal(b, t)) => compare_decimals((*a, *s), (*b, *t)),
        (Value::Date(a), Value::Date(b)) => a.cmp(b),
        (Value::Time(a), Value::Time(b)) => a.cmp(b),
        (Value::DateTime(a, t), Value::DateTime(b, u)) => (a, t).cmp(&(b, u)),
        (Value::SmallDateTime(a, t), Value::SmallDateTime(b, u)) => (a, t).cmp(&(b, u)),
        (Value::DateTime2(a, t), Value::DateTime2(b, u)) => (a, t).cmp(&(b, u)),
        (Value::DateTimeOffset(a, t, _), Value::DateTimeOffset(b, u, _)) => (a, t).cmp(&(b, u)),
        (Value::Wide(a), Value::Wide(b)) => compare_text(a, b, collation),
        (Value::Narrow(a), Value::Narrow(b)) => compare_text(&collation.decode(a), &collation.decode(b), collation),
        (Value::Binary(a), Value::Binary(b)) => a.cmp(b),
        (Value::Guid(a), Value::Guid(b)) => guid_order(a).cmp(&guid_order(b)),
        (Value::Variant(first, a), Value::Variant(second, b)) => compare_variants((first, a), (second, b)),
        (Value::Spatial(a), Value::Spatial(b)) => a.raw.cmp(&b.raw),
        _ => Ordering::Equal,
    }
}

/// Values of one family of types compare in its widest type; of two, the family decides.
fn compare_variants((first, a): (&str, &Value), (second, b): (&str, &Value)) -> Ordering {
    let (Some((first, first_collation)), Some((second, second_collation))) = (variant_base(first), variant_base(second)) else {
        return Ordering::Equal;
    };
    let widest = match (family(first), family(second)) {
        (one, other) if one != other => return one.cmp(&other),
        (0, _) => SqlType::UniqueIdentifier,
        (1, _) => SqlType::VarBinary(Length::Max),
        (2, _) => NVARCHAR_MAX,
        (3, _) => SqlType::Decimal(38, first.sizes().2.max(second.sizes().2)),
        (4, _) => SqlType::Float,
        _ => SqlType::DateTimeOffset(7),
    };
    let widened = |value: &Value, from, from_collation| {
        cast(value, &Conversion { from, from_collation, to: widest, to_collation: first_collation, style: None }).unwrap_or(Value::Null)
    };
    compare(&widened(a, first, first_collation), &widened(b, second, second_collation), first_collation)
}

/// The place of a type's family in the hierarchy of sql_variant.
fn family(ty: SqlType) -> u8 {
    match ty {
        SqlType::UniqueIdentifier => 0,
        SqlType::Float | SqlType::Real => 4,
        _ if ty.is_binary() => 1,
        _ if ty.has_collation() => 2,
        _ if ty.number_rank().is_some() => 3,
        _ => 5,
    }
}

fn compare_decimals((a, s): (i128, u8), (b, t): (i128, u8)) -> Ordering {
    let scale = s.max(t);
    let left = a.checked_mul(10i128.pow(u32::from(scale - s)));
    let right = b.checked_mul(10i128.pow(u32::from(scale - t)));
    match (left, right) {
        (Some(left), Some(right)) => left.cmp(&right),
        (None, _) => {
            if a > 0 {
                Ordering::Greater
            } else {
                Ordering::Less
            }
        }
        (_, None) => {
            if b > 0 {
                Ordering::Less
            } else {
                Ordering::Greater
            }
        }
    }
}

fn compare_text(left: &[u16], right: &[u16], collation: &Collation) -> Ordering {
    sort_key(left, collation).cmp(sort_key(right, collation))
}

/// Folded units without trailing blanks: equal keys are equal text.
pub(crate) fn sort_key<'a>(units: &'a [u16], collation: &'a Collation) -> impl Iterator<Item = u16> + 'a {
    let end = units.iter().rposition(|&unit| unit != 0x20).map_or(0, |at| at + 1);
    units[..end].iter().map(|&unit| fold(unit, collation))
}

fn fold(unit: u16, collation: &Collation) -> u16 {
    if collation.is_binary() {
        return unit;
    }
    let narrow = match unit {
        0xFF01..=0xFF5E => unit - 0xFEE0,
        0x3000 => 0x20,
        0x30A1..=0x30F6 => unit - 0x60,
        _ => unit,
    };
    if !collation.ignores_case() {
        return narrow;
    }
    let upper = char::from_u32(narrow.into()).and_then(|c| c.to_uppercase().next());
    upper.map_or(narrow, |c| u16::try_from(u32::from(c)).unwrap_or(narrow))
}

/// SQL Server orders uniqueidentifiers by their last six bytes first.
fn guid_order(g: &[u8; 16]) -> [u8; 16] {
    [g[10], g[11], g[12], g[13], g[14], g[15], g[8], g[9], g[7], g[6], g[5], g[4], g[3], g[2], g[1], g[0]]
}
