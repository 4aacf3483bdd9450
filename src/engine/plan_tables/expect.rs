//! How much a run would read: rows by the source's catalogue, bytes by the last run or by the columns' types. Pure.

use crate::engine::plan::PlannedColumn;
use crate::report::{Basis, Expected, LastSuccess};
use crate::table::{ColumnPart, PgType, SourceColumn, SourceDescription, ValueKind};

/// What a text or a run of bytes is taken to be long on average, where its type allows more.
const USUAL_BYTES: u64 = 32;
/// What a value without a limit (`nvarchar(max)`, `xml`) is taken to be long on average.
const USUAL_BYTES_UNLIMITED: u64 = 256;
/// COPY's own bytes: the row's number of fields, and each field's length.
const ROW_OVERHEAD: u64 = 2;
const FIELD_OVERHEAD: u64 = 4;

/// What is to be expected of a read of these columns, of so many rows.
pub(super) fn expect(source: &SourceDescription, columns: &[PlannedColumn], rows: Option<u64>, last: Option<LastSuccess>) -> Expected {
    match (rows, last.filter(|last| last.rows > 0)) {
        (Some(estimate), Some(measured)) => {
            let bytes = u128::from(estimate) * u128::from(measured.bytes) / u128::from(measured.rows);
            Expected { rows, bytes: u64::try_from(bytes).ok(), basis: Basis::LastRun, last }
        }
        (estimate, _) => {
            let row: u64 = ROW_OVERHEAD + columns.iter().map(|column| FIELD_OVERHEAD + usual_bytes(source, column)).sum::<u64>();
            Expected { rows, bytes: estimate.map(|rows| rows.saturating_mul(row)), basis: Basis::ColumnTypes, last }
        }
    }
}

fn usual_bytes(source: &SourceDescription, column: &PlannedColumn) -> u64 {
    let described: Option<&SourceColumn> = source.columns.iter().find(|described| described.name == column.source);
    match (column.part, described.map(|described| &described.kind)) {
        (ColumnPart::Offset, _) => 2,
        (ColumnPart::Srid, _) => 4,
        (ColumnPart::Value, Some(Ok(kind))) => of_kind(kind),
        (ColumnPart::Value, Some(Err(_)) | None) => USUAL_BYTES,
    }
}

fn of_kind(kind: &ValueKind) -> u64 {
    match *kind {
        ValueKind::Bool => 1,
        ValueKind::UInt8 | ValueKind::Int16 => 2,
        ValueKind::Int32 | ValueKind::Float32 | ValueKind::Date => 4,
        ValueKind::Int64
        | ValueKind::Float64
        | ValueKind::Time
        | ValueKind::Timestamp { .. }
        | ValueKind::TimestampTz
        | ValueKind::RowVersion { .. } => 8,
        ValueKind::Uuid => 16,
        // A header, and two bytes for four digits.
        ValueKind::Decimal { precision, .. } => 8 + u64::from(precision).div_ceil(4),
        ValueKind::Text { chars_max: Some(chars) } => u64::from(chars).min(USUAL_BYTES),
        ValueKind::Bytes => USUAL_BYTES,
        ValueKind::Text { chars_max: None } | ValueKind::Xml | ValueKind::Json | ValueKind::Spatial => USUAL_BYTES_UNLIMITED,
        ValueKind::Postgres(ref pg_type) => of_type(pg_type),
    }
}

fn of_type(pg_type: &PgType) -> u64 {
    match pg_type {
        PgType::Bool => 1,
        PgType::Int2 => 2,
        PgType::Int4 | PgType::Float4 | PgType::Date => 4,
        PgType::Int8 | PgType::Float8 | PgType::Time(_) | PgType::Timestamp(_) | PgType::TimestampTz(_) => 8,
        PgType::Uuid => 16,
        PgType::Numeric(Some((precision, _))) => 8 + u64::from(*precision).div_ceil(4).min(USUAL_BYTES),
        PgType::Varchar(Some(chars)) | PgType::Char(chars) => u64::from(*chars).min(USUAL_BYTES),
        PgType::Numeric(None) | PgType::Varchar(None) | PgType::Text | PgType::Bytea | PgType::Other(_) => USUAL_BYTES,
        PgType::Xml | PgType::Json | PgType::Jsonb | PgType::Spatial(_) => USUAL_BYTES_UNLIMITED,
    }
}
