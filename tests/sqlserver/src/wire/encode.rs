//! Column descriptions and values as the server sends them.

use super::{put_long_text, put_short_text};
use crate::types::collation::{self, Collation};
use crate::types::date::TICKS_PER_DAY;
use crate::types::value::{Value, variant_base};
use crate::types::{Length, SqlType, decimal_bytes, time_bytes};

/// A column of a result.
#[derive(Clone, Debug)]
pub(crate) struct ResultColumn {
    pub(crate) name: String,
    pub(crate) ty: SqlType,
    pub(crate) collation: &'static Collation,
    pub(crate) nullable: bool,
    pub(crate) identity: bool,
}

const PLP_CHUNK: usize = 8000;

/// Appends a COLMETADATA token.
pub(crate) fn put_columns(out: &mut Vec<u8>, columns: &[ResultColumn]) {
    out.push(0x81);
    out.extend((columns.len() as u16).to_le_bytes());
    for column in columns {
        let user_type: u32 = if column.ty == SqlType::RowVersion { 80 } else { 0 };
        out.extend(user_type.to_le_bytes());
        let flags = u16::from(column.nullable) | u16::from(!column.identity) << 3 | u16::from(column.identity) << 4;
        out.extend(flags.to_le_bytes());
        put_type(out, column.ty, column.collation, column.nullable);
        if matches!(column.ty, SqlType::Text | SqlType::NText | SqlType::Image) {
            out.push(1);
            put_long_text(out, "t");
        }
        put_short_text(out, &column.name);
    }
}

fn put_type(out: &mut Vec<u8>, ty: SqlType, collation: &Collation, nullable: bool) {
    let [size, ..] = ty.sizes().0.to_le_bytes();
    match ty {
        SqlType::Bit
        | SqlType::TinyInt
        | SqlType::SmallInt
        | SqlType::Int
        | SqlType::BigInt
        | SqlType::Real
        | SqlType::Float
        | SqlType::Money
        | SqlType::SmallMoney
        | SqlType::DateTime
        | SqlType::SmallDateTime => match (fixed_token(ty), nullable) {
            ((fixed, _), false) => out.push(fixed),
            ((_, variable), true) => out.extend([variable, size]),
        },
        SqlType::UniqueIdentifier => out.extend([0x24, 16]),
        SqlType::Decimal(p, s) => out.extend([0x6A, decimal_bytes(p) + 1, p, s]),
        SqlType::Numeric(p, s) => out.extend([0x6C, decimal_bytes(p) + 1, p, s]),
        SqlType::Date => out.push(0x28),
        SqlType::Time(s) => out.extend([0x29, s]),
        SqlType::DateTime2(s) => out.extend([0x2A, s]),
        SqlType::DateTimeOffset(s) => out.extend([0x2B, s]),
        SqlType::Char(n) => put_sized(out, 0xAF, n, Some(collation)),
        SqlType::VarChar(n) => put_sized(out, 0xA7, bytes_of(n, 1), Some(collation)),
        SqlType::NChar(n) => put_sized(out, 0xEF, n * 2, Some(collation)),
        SqlType::NVarChar(n) => put_sized(out, 0xE7, bytes_of(n, 2), Some(collation)),
        SqlType::SysName => put_sized(out, 0xE7, 256, Some(collation)),
        SqlType::Binary(n) => put_sized(out, 0xAD, n, None),
        SqlType::RowVersion => put_sized(out, 0xAD, 8, None),
        SqlType::VarBinary(n) => put_sized(out, 0xA5, bytes_of(n, 1), None),
        SqlType::Text => put_huge(out, 0x23, i32::MAX, Some(collation)),
        SqlType::NText => put_huge(out, 0x63, i32::MAX - 1, Some(collation)),
        SqlType::Image => put_huge(out, 0x22, i32::MAX, None),
        SqlType::Variant => put_huge(out, 0x62, 8009, None),
        SqlType::Xml => out.extend([0xF1, 0]),
        // To clients that know neither type, both are varchar(max) in UTF-8.
        SqlType::Json | SqlType::Vector(_) => put_sized(out, 0xA7, u16::MAX, Some(collation::UTF8_BIN2)),
        SqlType::HierarchyId | SqlType::Geography | SqlType::Geometry => put_clr_type(out, ty),
    }
}

fn bytes_of(length: Length, unit: u16) -> u16 {
    match length {
        Length::Up(n) => n * unit,
        Length::Max => u16::MAX,
    }
}

fn put_sized(out: &mut Vec<u8>, token: u8, bytes: u16, collation: Option<&Collation>) {
    out.push(token);
    out.extend(bytes.to_le_bytes());
    out.extend(collation.map(Collation::wire).into_iter().flatten());
}

fn put_huge(out: &mut Vec<u8>, token: u8, bytes: i32, collation: Option<&Collation>) {
    out.push(token);
    out.extend(bytes.to_le_bytes());
    out.extend(collation.map(Collation::wire).into_iter().flatten());
}

fn put_clr_type(out: &mut Vec<u8>, ty: SqlType) {
    let size: u16 = if ty == SqlType::HierarchyId { 892 } else { u16::MAX };
    let class = match ty {
        SqlType::HierarchyId => "SqlHierarchyId",
        SqlType::Geography => "SqlGeography",
        _ => "SqlGeometry",
    };
    out.push(0xF0);
    out.extend(size.to_le_bytes());
    put_short_text(out, "master");
    put_short_text(out, "sys");
    put_short_text(out, ty.name());
    put_long_text(
        out,
        &format!(
            "Microsoft.SqlServer.Types.{class}, Microsoft.SqlServer.Types, Version=14.0.0.0, Culture=neutral, PublicKeyToken=89845dcd8080cc91"
        ),
    );
}

/// The token of a NOT NULL column and of a nullable one.
fn fixed_token(ty: SqlType) -> (u8, u8) {
    match ty {
        SqlType::Bit => (0x32, 0x68),
        SqlType::TinyInt => (0x30, 0x26),
        SqlType::SmallInt => (0x34, 0x26),
        SqlType::Int => (0x38, 0x26),
        SqlType::BigInt => (0x7F, 0x26),
        SqlType::Real => (0x3B, 0x6D),
        SqlType::Float => (0x3E, 0x6D),
        SqlType::Money => (0x3C, 0x6E),
        SqlType::SmallMoney => (0x7A, 0x6E),
        SqlType::DateTime => (0x3D, 0x6F),
        _ => (0x3A, 0x6F),
    }
}

/// Appends one row, as NBCROW where it holds a NULL.
pub(crate) fn put_row(out: &mut Vec<u8>, columns: &[ResultColumn], row: &[Value]) {
    let has_null = row.iter().any(Value::is_null);
    if has_null {
        out.push(0xD2);
        let at = out.len();
        out.resize(at + columns.len().div_ceil(8), 0);
        for (index, _) in row.iter().enumerate().filter(|(_, value)| value.is_null()) {
            out[at + index / 8] |= 1 << (index % 8);
        }
    } else {
        out.push(0xD1);
    }
    for (column, value) in columns.iter().zip(row).filter(|(_, value)| !value.is_null()) {
        put_value(out, column.ty, column.nullable, value);
    }
}

/// Appends a value that is not NULL as a row holds it.
pub(crate) fn put_value(out: &mut Vec<u8>, ty: SqlType, nullable: bool, value: &Value) {
    match ty {
        SqlType::Bit
        | SqlType::TinyInt
        | SqlType::SmallInt
        | SqlType::Int
        | SqlType::BigInt
        | SqlType::Real
        | SqlType::Float
        | SqlType::Money
        | SqlType::SmallMoney
        | SqlType::DateTime
        | SqlType::SmallDateTime => {
            if nullable {
                out.push(ty.sizes().0 as u8);
            }
            put_bare(out, ty, value);
        }
        SqlType::Text | SqlType::NText | SqlType::Image => {
            out.push(16);
            out.extend(*b"dummy textptr\0\0\0dummyTS\0");
            put_counted::<4>(out, ty, value);
        }
        SqlType::VarChar(Length::Max)
        | SqlType::NVarChar(Length::Max)
        | SqlType::VarBinary(Length::Max)
        | SqlType::Xml
        | SqlType::Json
        | SqlType::Vector(_)
        | SqlType::HierarchyId
        | SqlType::Geography
        | SqlType::Geometry => put_chunks(out, ty, value),
        SqlType::Char(_)
        | SqlType::VarChar(_)
        | SqlType::NChar(_)
        | SqlType::NVarChar(_)
        | SqlType::SysName
        | SqlType::Binary(_)
        | SqlType::VarBinary(_)
        | SqlType::RowVersion => put_counted::<2>(out, ty, value),
        SqlType::Variant => put_variant(out, value),
        SqlType::Decimal(..)
        | SqlType::Numeric(..)
        | SqlType::Date
        | SqlType::Time(_)
        | SqlType::DateTime2(_)
        | SqlType::DateTimeOffset(_)
        | SqlType::UniqueIdentifier => put_counted::<1>(out, ty, value),
    }
}

fn put_counted<const N: usize>(out: &mut Vec<u8>, ty: SqlType, value: &Value) {
    let at = out.len();
    out.extend([0; N]);
    put_bare(out, ty, value);
    let length = (out.len() - at - N) as u32;
    out[at..at + N].copy_from_slice(&length.to_le_bytes()[..N]);
}

fn put_chunks(out: &mut Vec<u8>, ty: SqlType, value: &Value) {
    let mut body = Vec::new();
    put_bare(&mut body, ty, value);
    out.extend((body.len() as u64).to_le_bytes());
    for chunk in body.chunks(PLP_CHUNK) {
        out.extend((chunk.len() as u32).to_le_bytes());
        out.extend_from_slice(chunk);
    }
    out.extend([0; 4]);
}

/// Appends the value's bytes alone.
fn put_bare(out: &mut Vec<u8>, ty: SqlType, value: &Value) {
    match value {
        Value::Null => {}
        Value::Bit(bit) => out.push(u8::from(*bit)),
        Value::Int(number) => out.extend_from_slice(&number.to_le_bytes()[..usize::from(ty.sizes().0.unsigned_abs().min(8))]),
        Value::Real(number) => out.extend(number.to_le_bytes()),
        Value::Float(number) => out.extend(number.to_le_bytes()),
        Value::Decimal(unscaled, _) => {
            let (_, precision, _) = ty.sizes();
            out.push(u8::from(*unscaled >= 0));
            out.extend_from_slice(&unscaled.unsigned_abs().to_le_bytes()[..usize::from(decimal_bytes(precision))]);
        }
        Value::Money(number) if ty == SqlType::SmallMoney => {
            out.extend((*number as i32).to_le_bytes());
        }
        Value::Money(number) => {
            out.extend(((*number >> 32) as i32).to_le_bytes());
            out.extend((*number as u32).to_le_bytes());
        }
        Value::Date(days) => put_days(out, *days),
        Value::Time(ticks) => put_ticks(out, ty, *ticks),
        Value::DateTime(days, ticks) => {
            out.extend(days.to_le_bytes());
            out.extend(ticks.to_le_bytes());
        }
        Value::SmallDateTime(days, minutes) => {
            out.extend(days.to_le_bytes());
            out.extend(minutes.to_le_bytes());
        }
        Value::DateTime2(days, ticks) => {
            put_ticks(out, ty, *ticks);
            put_days(out, *days);
        }
        Value::DateTimeOffset(days, ticks, minutes) => {
            put_ticks(out, ty, *ticks);
            put_days(out, *days);
            out.extend(minutes.to_le_bytes());
        }
        Value::Wide(units) if matches!(ty, SqlType::Json | SqlType::Vector(_)) => out.extend(collation::UTF8_BIN2.encode(units)),
        Value::Wide(units) => out.extend(units.iter().flat_map(|unit| unit.to_le_bytes())),
        Value::Narrow(bytes) | Value::Binary(bytes) => out.extend_from_slice(bytes),
        Value::Spatial(shape) => out.extend_from_slice(&shape.raw),
        Value::Guid(bytes) => out.extend(guid_to_wire(*bytes)),
        Value::Variant(..) => {}
    }
}

fn put_days(out: &mut Vec<u8>, days: i32) {
    out.extend_from_slice(&days.to_le_bytes()[..3]);
}

fn put_ticks(out: &mut Vec<u8>, ty: SqlType, ticks: u64) {
    let (_, _, scale) = ty.sizes();
    let units = ticks.min(TICKS_PER_DAY - 1) / 10u64.pow(u32::from(7 - scale));
    out.extend_from_slice(&units.to_le_bytes()[..usize::from(time_bytes(scale))]);
}

fn put_variant(out: &mut Vec<u8>, value: &Value) {
    let Value::Variant(base, inner) = value else {
        return out.extend([0; 4]);
    };
    let (ty, collation) = variant_base(base).unwrap_or((SqlType::Int, collation::DEFAULT));
    let at = out.len();
    out.extend([0; 4]);
    let (size, precision, scale) = ty.sizes();
    let [low, high] = size.to_le_bytes();
    match ty {
        SqlType::Decimal(..) | SqlType::Numeric(..) => {
            out.extend([ty.system_type_id(), 2, precision, scale]);
        }
        SqlType::Time(_) | SqlType::DateTime2(_) | SqlType::DateTimeOffset(_) => {
            out.extend([ty.system_type_id(), 1, scale]);
        }
        SqlType::Binary(_) | SqlType::VarBinary(_) => {
            out.extend([ty.system_type_id(), 2, low, high]);
        }
        _ if ty.has_collation() => {
            out.extend([ty.system_type_id(), 7]);
            out.extend(collation.wire());
            out.extend([low, high]);
        }
        SqlType::Bit => out.extend([0x32, 0]),
        _ => out.extend([ty.system_type_id(), 0]),
    }
    put_bare(out, ty, inner);
    let length = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&length.to_le_bytes());
}

/// The wire turns the first three groups of a uniqueidentifier around; so does the way back.
pub(crate) fn guid_to_wire(g: [u8; 16]) -> [u8; 16] {
    [g[3], g[2], g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]]
}
