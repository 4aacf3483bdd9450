//! Which of the source's indexes a new table gets, and under which names.

use sha2::{Digest, Sha256};

use super::{filter, shown};
use crate::config::TableConfig;
use crate::engine::plan::PlannedColumn;
use crate::table::{
    ColumnPart, IDENTIFIER_BYTES_MAX, IdentifierPolicy, IndexForm, PgType, SourceDescription, SourceIndex, fold_identifiers,
};
use crate::target::NewIndex;

/// The most columns that a PostgreSQL index has, those that it carries along included (`INDEX_MAX_KEYS`).
const COLUMNS_MAX: usize = 32;

/// The indexes beside the primary key; what is left out is added to `warnings`.
pub(super) fn new_indexes(
    config: &TableConfig,
    source: &SourceDescription,
    columns: &[PlannedColumn],
    key: &[usize],
    warnings: &mut Vec<String>,
) -> Vec<NewIndex> {
    let primary: Vec<_> = key.iter().map(|&position| columns[position].source.as_str()).collect();
    let mut taken = vec![format!("{}_pkey", config.pg_table.table)];
    let mut indexes = Vec::new();
    for index in &source.definition.indexes {
        if index.primary && same_columns(index, &primary) {
            continue;
        }
        match new_index(index, columns, key, warnings) {
            Ok(mut new) => {
                let plain = index_name(config, &index.name);
                new.other_name = hashed_name(&plain, &format!("{}.{}", config.pg_table, index.name));
                new.name = if taken.contains(&plain) { new.other_name.clone() } else { plain };
                taken.push(new.name.clone());
                indexes.push(new);
            }
            Err(reason) => warnings.push(format!("index {} is not taken over: {reason}", index.name)),
        }
    }
    indexes
}

fn same_columns(index: &SourceIndex, primary: &[&str]) -> bool {
    index.key.len() == primary.len() && index.key.iter().all(|(column, _)| primary.contains(&column.as_str()))
}

/// The index, still without names.
fn new_index(index: &SourceIndex, columns: &[PlannedColumn], key: &[usize], warnings: &mut Vec<String>) -> Result<NewIndex, String> {
    match index.form {
        IndexForm::Rows => {}
        IndexForm::Columnstore => return Err("PostgreSQL has no columnstore".to_owned()),
        IndexForm::Xml => return Err("PostgreSQL has no indexes of XML".to_owned()),
        IndexForm::Spatial => return Err("spatial columns become bytes, which have no such index".to_owned()),
        IndexForm::Other => return Err("its kind is not known".to_owned()),
    }
    if index.inactive {
        return Err("it is disabled or hypothetical".to_owned());
    }
    let position = |name: &str| columns.iter().position(|column| column.source == name && column.part == ColumnPart::Value);
    let mut new_key = Vec::new();
    let mut nullable = false;
    for (name, descends) in &index.key {
        let at = position(name).ok_or_else(|| format!("its column {name} is not among those that are synced"))?;
        let column = &columns[at];
        if matches!(column.pg_type, PgType::Xml | PgType::Json | PgType::Spatial(_) | PgType::Other(_)) {
            return Err(format!("PostgreSQL does not order its column {name} ({})", column.pg_type));
        }
        nullable |= !column.not_null && !key.contains(&at);
        new_key.push((column.target.clone(), *descends));
    }
    let predicate = match &index.filter {
        Some(filter) if filter.is_empty() => {
            return Err("the source does not show its filter (grant the login VIEW DEFINITION on the table)".to_owned());
        }
        Some(filter) => Some(filter::translate(filter, columns).ok_or_else(|| format!("its filter {} is not translated", shown(filter)))?),
        None => None,
    };
    let mut included = Vec::new();
    for name in &index.included {
        let reason = match position(name) {
            Some(at) if new_key.len() + included.len() < COLUMNS_MAX => {
                included.push(columns[at].target.clone());
                continue;
            }
            Some(_) => format!("an index has at most {COLUMNS_MAX} columns"),
            None => "the column is not synced".to_owned(),
        };
        warnings.push(format!("index {} does not carry {name} along: {reason}", index.name));
    }
    Ok(NewIndex {
        name: String::new(),
        other_name: String::new(),
        unique: index.unique,
        constraint: index.constraint && predicate.is_none(),
        key: new_key,
        nullable: nullable && index.nulls_equal,
        included,
        predicate,
    })
}

/// Names of indexes are the schema's, not the table's: the table's name stands before the index's own.
fn index_name(config: &TableConfig, index: &str) -> String {
    let whole = format!("{}_{}", config.pg_table.table, folded(index, config.options.identifiers));
    if whole.len() <= IDENTIFIER_BYTES_MAX { whole } else { hashed_name(&whole, &whole) }
}

fn folded(name: &str, policy: IdentifierPolicy) -> String {
    // A name that is too long is cut afterwards.
    fold_identifiers(&[name], policy).ok().and_then(|mut names| names.pop()).unwrap_or_else(|| name.to_lowercase())
}

/// A name's beginning and a hash of what makes it the only one.
fn hashed_name(name: &str, only: &str) -> String {
    let digest = Sha256::digest(only);
    let hash: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let room = IDENTIFIER_BYTES_MAX - hash.len() - 1;
    let end = (0..=room.min(name.len())).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    format!("{}_{hash}", &name[..end])
}
