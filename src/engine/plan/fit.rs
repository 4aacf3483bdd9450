//! Which form a source column's values take in a target column, and which columns do not fit.

use super::PlannedColumn;
use crate::config::TableConfig;
use crate::copy::Encoding;
use crate::error::{ErrorKind, Result, SyncError};
use crate::table::{PgType, SourceColumn, ValueKind};
use crate::target::TargetDescription;

/// Pairs each chosen column with the target's column of its name; all that do not fit are named at once.
pub(super) fn fit_columns(
    config: &TableConfig,
    chosen: &[&SourceColumn],
    names: &[String],
    target: &TargetDescription,
) -> Result<Vec<PlannedColumn>> {
    let mut columns = Vec::with_capacity(chosen.len());
    let mut refusals = Vec::new();
    for (source, name) in chosen.iter().zip(names) {
        match fit_column(source, name, target) {
            Ok(column) => columns.push(column),
            Err(refusal) => refusals.push(refusal),
        }
    }
    refuse(config, ErrorKind::TargetSchema, refusals)?;
    Ok(columns)
}

fn fit_column(source: &SourceColumn, name: &str, target: &TargetDescription) -> Result<PlannedColumn, String> {
    let kind = source.kind.clone().map_err(|reason| format!("{} ({}): {reason}", source.name, source.declared))?;
    let Some(column) = target.columns.iter().find(|column| column.name == name) else {
        return Err(format!("{}: the target table has no column {name}", source.name));
    };
    if column.generated {
        return Err(format!("{name}: the target computes it from other columns"));
    }
    let encoding = encoding(kind, &column.pg_type)
        .ok_or_else(|| format!("{} ({}) does not fit the target's {name} ({})", source.name, source.declared, column.pg_type))?;
    Ok(PlannedColumn {
        source: source.name.clone(),
        target: name.to_owned(),
        encoding,
        pg_type: column.pg_type.clone(),
        not_null: !column.nullable,
    })
}

/// The columns of a table that is to be made.
pub(super) fn new_columns(config: &TableConfig, chosen: &[&SourceColumn], names: &[String]) -> Result<Vec<PlannedColumn>> {
    let mut columns = Vec::with_capacity(chosen.len());
    let mut refusals = Vec::new();
    for (source, name) in chosen.iter().zip(names) {
        let planned = source.kind.clone().and_then(|kind| {
            let pg_type = kind.natural_type();
            let encoding = encoding(kind, &pg_type).ok_or_else(|| format!("no form for {pg_type}"))?;
            Ok(PlannedColumn { source: source.name.clone(), target: name.clone(), encoding, pg_type, not_null: !source.nullable })
        });
        match planned {
            Ok(column) => columns.push(column),
            Err(reason) => refusals.push(format!("{} ({}): {reason}", source.name, source.declared)),
        }
    }
    refuse(config, ErrorKind::SourceSchema, refusals)?;
    Ok(columns)
}

fn refuse(config: &TableConfig, kind: ErrorKind, refusals: Vec<String>) -> Result<()> {
    if refusals.is_empty() {
        return Ok(());
    }
    let sentence = format!("columns of {} cannot be brought into {}: {}", config.sql_table, config.pg_table, refusals.join("; "));
    Err(SyncError::new(kind, sentence).with_remedy("Change the target's columns, or name the columns to sync in \"columns\""))
}

/// The form in which values of `kind` are written into a column of `pg_type`: the natural one or a widening that loses nothing; none is a refusal.
/// Narrower text, numeric and fractional seconds are checked value by value.
fn encoding(kind: ValueKind, pg_type: &PgType) -> Option<Encoding> {
    let seconds = |digits: &Option<u8>| digits.unwrap_or(6);
    // How many decimal digits every value of an integer type holds; a decimal without a scale fits where it has no more.
    let whole = |digits: u8| matches!(kind, ValueKind::Decimal { precision, scale: 0 } if precision <= digits);
    Some(match (kind, pg_type) {
        (ValueKind::Bool, PgType::Bool) => Encoding::Bool,
        (ValueKind::Bool | ValueKind::UInt8 | ValueKind::Int16, PgType::Int2) => Encoding::Int2,
        (ValueKind::Bool | ValueKind::UInt8 | ValueKind::Int16 | ValueKind::Int32, PgType::Int4) => Encoding::Int4,
        (ValueKind::Bool | ValueKind::UInt8 | ValueKind::Int16 | ValueKind::Int32 | ValueKind::Int64, PgType::Int8) => Encoding::Int8,
        (ValueKind::Decimal { .. }, PgType::Int2) if whole(4) => Encoding::Int2,
        (ValueKind::Decimal { .. }, PgType::Int4) if whole(9) => Encoding::Int4,
        (ValueKind::Decimal { .. }, PgType::Int8) if whole(18) => Encoding::Int8,
        (
            ValueKind::Bool | ValueKind::UInt8 | ValueKind::Int16 | ValueKind::Int32 | ValueKind::Int64 | ValueKind::Decimal { .. },
            PgType::Numeric(limits),
        ) => Encoding::Numeric { limits: *limits },
        // Integers that the mantissa holds.
        (ValueKind::Float32 | ValueKind::UInt8 | ValueKind::Int16, PgType::Float4) => Encoding::Float4,
        (ValueKind::Float32 | ValueKind::Float64 | ValueKind::UInt8 | ValueKind::Int16 | ValueKind::Int32, PgType::Float8) => {
            Encoding::Float8
        }
        (ValueKind::Date, PgType::Date) => Encoding::Date,
        (ValueKind::Date, PgType::Timestamp(digits)) => Encoding::Timestamp { digits: seconds(digits) },
        (ValueKind::Time, PgType::Time(digits)) => Encoding::Time { digits: seconds(digits) },
        (ValueKind::Timestamp { .. }, PgType::Timestamp(digits)) => Encoding::Timestamp { digits: seconds(digits) },
        (ValueKind::TimestampTz, PgType::TimestampTz(digits)) => Encoding::TimestampTz { digits: seconds(digits) },
        (ValueKind::Text { chars_max }, PgType::Varchar(limit)) => {
            // Where the source cannot exceed the limit, no value need be counted.
            Encoding::Text { chars_max: limit.filter(|limit| chars_max.is_none_or(|chars| chars > *limit)) }
        }
        (ValueKind::Text { .. }, PgType::Text) => Encoding::Text { chars_max: None },
        (ValueKind::Text { .. }, PgType::Char(chars)) => Encoding::Char { chars_max: *chars },
        (ValueKind::Xml, PgType::Xml | PgType::Text | PgType::Varchar(None)) => Encoding::Text { chars_max: None },
        (ValueKind::Uuid, PgType::Uuid) => Encoding::Uuid,
        (ValueKind::Uuid, PgType::Text | PgType::Varchar(None)) => Encoding::Text { chars_max: None },
        (ValueKind::Uuid, PgType::Varchar(Some(limit))) => Encoding::Text { chars_max: Some(*limit) },
        (ValueKind::Bytes, PgType::Bytea) => Encoding::Bytea,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_loses_nothing_is_accepted() {
        let accepted = [
            (ValueKind::Bool, PgType::Int2),
            (ValueKind::UInt8, PgType::Int8),
            (ValueKind::Int64, PgType::Numeric(None)),
            (ValueKind::Float32, PgType::Float8),
            (ValueKind::Bool, PgType::Numeric(None)),
            (ValueKind::Int32, PgType::Float8),
            (ValueKind::Int16, PgType::Float4),
            (ValueKind::Decimal { precision: 9, scale: 0 }, PgType::Int4),
            (ValueKind::Decimal { precision: 18, scale: 0 }, PgType::Int8),
            (ValueKind::Uuid, PgType::Text),
            (ValueKind::Date, PgType::Timestamp(None)),
        ];
        for (kind, pg_type) in accepted {
            assert!(encoding(kind, &pg_type).is_some(), "{kind:?} into {pg_type}");
        }
        let refused = [
            (ValueKind::Int64, PgType::Int4),
            (ValueKind::Float64, PgType::Float4),
            (ValueKind::Decimal { precision: 19, scale: 0 }, PgType::Int8),
            (ValueKind::Decimal { precision: 9, scale: 2 }, PgType::Int8),
            (ValueKind::Int32, PgType::Float4),
            (ValueKind::Int64, PgType::Float8),
            (ValueKind::Timestamp { digits: Some(3) }, PgType::TimestampTz(None)),
            (ValueKind::TimestampTz, PgType::Timestamp(None)),
            (ValueKind::Text { chars_max: Some(1) }, PgType::Bool),
            (ValueKind::Bytes, PgType::Text),
        ];
        for (kind, pg_type) in refused {
            assert!(encoding(kind, &pg_type).is_none(), "{kind:?} into {pg_type}");
        }
    }

    #[test]
    fn characters_are_counted_only_where_the_source_can_exceed_the_column() {
        let text = |chars_max| ValueKind::Text { chars_max };
        let varchar = PgType::Varchar(Some(20));
        assert_eq!(encoding(text(Some(20)), &varchar), Some(Encoding::Text { chars_max: None }));
        assert_eq!(encoding(text(Some(21)), &varchar), Some(Encoding::Text { chars_max: Some(20) }));
        assert_eq!(encoding(text(None), &varchar), Some(Encoding::Text { chars_max: Some(20) }));
    }
}
