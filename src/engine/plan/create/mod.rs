//! What a missing target table will be, from the source's definition; what cannot be taken over is a warning that names it. Pure.

mod default;
mod filter;
mod index;
mod tokens;

use super::PlannedColumn;
use crate::config::TableConfig;
use crate::table::{ColumnDefinition, ColumnPart, PgType, SourceColumn, SourceDescription, SourceIdentity, ValueKind};
use crate::target::{NewColumn, NewIdentity, NewTable};

/// How much of a source's expression a warning shows.
const SHOWN_CHARS: usize = 200;

/// The table that `columns` make, with the key `key` (positions in `columns`), and what the reader should know of what it is not.
pub(super) fn new_table(
    config: &TableConfig,
    source: &SourceDescription,
    columns: &[PlannedColumn],
    key: &[usize],
) -> (NewTable, Vec<String>) {
    let mut warnings = source.definition.withheld.clone();
    let mut new_columns = Vec::with_capacity(columns.len());
    for planned in columns {
        let mut column = NewColumn {
            name: planned.target.clone(),
            pg_type: planned.pg_type.clone(),
            not_null: planned.not_null,
            default: None,
            identity: None,
            comment: None,
        };
        let described = source.columns.iter().find(|column| column.name == planned.source && planned.part == ColumnPart::Value);
        if let (Some(described), Some(definition)) = (described, source.definition.column(&planned.source)) {
            column.comment.clone_from(&definition.comment);
            add_values(&mut column, described, definition, config, &mut warnings);
        }
        new_columns.push(column);
    }
    let indexes = if config.options.create_indexes { index::new_indexes(config, source, columns, key, &mut warnings) } else { Vec::new() };
    (NewTable { columns: new_columns, comment: source.definition.comment.clone(), indexes }, warnings)
}

/// Where the values of rows come from that do not name the column: a sequence, a default, or nowhere.
fn add_values(
    column: &mut NewColumn,
    source: &SourceColumn,
    definition: &ColumnDefinition,
    config: &TableConfig,
    warnings: &mut Vec<String>,
) {
    if let Some(identity) = &definition.identity {
        match new_identity(identity, &column.pg_type) {
            Ok(identity) => column.identity = Some(identity),
            Err(reason) => {
                let warning = format!("column {}: it does not number rows as the source's identity does: {reason}", source.name);
                warnings.push(warning);
            }
        }
    } else if let Some(expression) = &definition.computed {
        warnings.push(match shown(expression) {
            shown if shown.is_empty() => format!("column {}: the source computes it; the target holds its values", source.name),
            shown => format!("column {}: the source computes it as {shown}; the target holds its values", source.name),
        });
    } else if let (Some(default), Ok(ValueKind::Postgres(_))) = (&definition.default, &source.kind) {
        // The source names only those that need nothing of its database.
        column.default = Some(default.clone());
    } else if let Some(default) = &definition.default {
        match default::translate(default, source, &column.pg_type, config.options.source_time_zone.as_ref()) {
            Ok(default) => column.default = default,
            Err(reason) => warnings.push(format!("column {}: the default {} is not taken over: {reason}", source.name, shown(default))),
        }
    }
}

fn new_identity(identity: &SourceIdentity, pg_type: &PgType) -> Result<NewIdentity, String> {
    let range = match pg_type {
        PgType::Int2 => i64::from(i16::MIN)..=i64::from(i16::MAX),
        PgType::Int4 => i64::from(i32::MIN)..=i64::from(i32::MAX),
        PgType::Int8 => i64::MIN..=i64::MAX,
        // A sequence numbers these; it has 64 bits, however many digits the column has.
        PgType::Numeric(_) => i64::MIN..=i64::MAX,
        other => return Err(format!("PostgreSQL numbers no column of type {other}")),
    };
    let number = |number: i128| i64::try_from(number).ok().filter(|number| range.contains(number));
    let (Some(start), Some(increment)) = (number(identity.seed), number(identity.increment).filter(|step| *step != 0)) else {
        return Err(format!("it begins at {} in steps of {}", identity.seed, identity.increment));
    };
    let last = identity.last.and_then(number).filter(|last| if increment > 0 { *last >= start } else { *last <= start });
    Ok(NewIdentity { start, increment, last })
}

/// An expression as a message shows it.
fn shown(expression: &str) -> String {
    match expression.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}...", &expression[..end]),
        None => expression.to_owned(),
    }
}

#[cfg(test)]
mod tests;
