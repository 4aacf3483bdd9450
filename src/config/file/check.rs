//! The meaning of `table_configs.json`: defaults filled in, and everything checked that needs no database.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::super::{TableConfig, TableConfigs, TableOptions};
use super::problem::{Problems, Step};
use super::raw;
use crate::table::{
    IDENTIFIER_BYTES_MAX, IdentifierPolicy, Isolation, Refresh, SourceTable, TargetTable, WatermarkKind, did_you_mean, fold_identifiers,
};

const BATCH_SIZE: u64 = 10_000;

/// Turns the file's form into its meaning, or lists everything that is wrong with it.
pub(super) fn check(file: raw::File) -> Result<TableConfigs, Problems> {
    let mut problems = Problems::default();
    let raw::File { default_sync_order, defaults: raw::Object(defaults), tables: raw_tables } = file;
    check_shares(&mut problems, &|field| vec![name("defaults"), name(field)], defaults.batch_size, defaults.max_shrink);
    if raw_tables.is_empty() {
        problems.add(vec![name("tables")], "has no table");
    }
    let mut tables = IndexMap::with_capacity(raw_tables.len());
    for (table_name, raw) in raw_tables {
        if let Some(table) = check_table(&mut problems, &table_name, raw, &defaults) {
            tables.insert(table_name, table);
        }
    }
    check_targets(&mut problems, &tables);
    let order = default_sync_order.unwrap_or_else(|| tables.keys().cloned().collect());
    // While tables are missing because they are wrong, their absence from the order would be a false alarm.
    if problems.is_empty() {
        check_order(&mut problems, &order, &tables);
    }
    if problems.is_empty() { Ok(TableConfigs { default_sync_order: order, tables }) } else { Err(problems) }
}

pub(super) fn name(field: &str) -> Step {
    Step::Field(field.to_owned())
}

fn check_shares(problems: &mut Problems, at: &dyn Fn(&str) -> Vec<Step>, batch_size: Option<u64>, max_shrink: Option<f64>) {
    if batch_size == Some(0) {
        problems.add(at("batch_size"), "is 0, expected a number of rows from 1");
    }
    if let Some(share) = max_shrink.filter(|share| !(0.0..=1.0).contains(share)) {
        problems.add(at("max_shrink"), format!("is {share}, expected a share from 0 to 1"));
    }
}

fn check_table(problems: &mut Problems, table: &str, mut raw: raw::Table, defaults: &raw::Defaults) -> Option<TableConfig> {
    let at = |field: &str| vec![name("tables"), name(table), name(field)];
    if table.trim() != table || table.is_empty() || table.contains(',') {
        problems
            .add(vec![name("tables"), name(table)], "a table's name has no comma and no blanks around it, so that requests can name it");
    }
    if !is_db_type(&raw.db_type) {
        problems.add(at("db_type"), format!("is {:?}, expected a letter, then letters, digits and underscores", raw.db_type));
    }
    check_shares(problems, &at, raw.batch_size, raw.max_shrink);
    let sql_table = parsed::<SourceTable>(problems, at("sql_table"), &raw.sql_table);
    let pg_table = parsed::<TargetTable>(problems, at("pg_table"), &raw.pg_table);
    let mut options = options(&raw, defaults);
    let at_sync = |field: &str| [at("sync"), vec![name(field)]].concat();
    options.incremental = raw.sync.take().and_then(|raw::Object(sync)| sync.check(problems, &at_sync));
    if let Some(incremental) = &options.incremental {
        check_incremental(problems, &at, raw.refresh, options.isolation);
        options.refresh = match incremental.kind {
            // Its first run brings all rows.
            WatermarkKind::ChangeTracking => Refresh::Auto,
            WatermarkKind::Timestamp | WatermarkKind::Rowversion => Refresh::Merge,
        };
    }
    let pg_columns = check_columns(problems, &at, &raw, options.identifiers);
    Some(TableConfig {
        name: table.to_owned(),
        sql_server_db: raw.sql_server_db.or_else(|| sql_table.as_ref().and_then(|source| source.database.clone())),
        sql_table: sql_table?,
        sql_table_text: raw.sql_table,
        pg_table: pg_table?,
        pg_table_text: raw.pg_table,
        batch_size: raw.batch_size.or(defaults.batch_size).unwrap_or(BATCH_SIZE),
        order_by: raw.order_by.or_else(|| raw.primary_key.clone()),
        db_type: raw.db_type,
        columns: raw.columns,
        pg_columns,
        primary_key: raw.primary_key,
        description: raw.description,
        options,
    })
}

/// What cannot be said of a table that only gets what is new.
fn check_incremental(problems: &mut Problems, at: &dyn Fn(&str) -> Vec<Step>, refresh: Option<Refresh>, isolation: Isolation) {
    if refresh.is_some_and(|refresh| refresh != Refresh::Auto && refresh != Refresh::Merge) {
        problems.add(at("refresh"), "is not for an incremental table, whose rows are merged");
    }
    if isolation == Isolation::NoLock {
        problems.add(at("sync"), "is not for isolation \"nolock\": a row that was read and then undone would stay in the target");
    }
}

fn options(raw: &raw::Table, defaults: &raw::Defaults) -> TableOptions {
    TableOptions {
        refresh: raw.refresh.or(defaults.refresh).unwrap_or_default(),
        create_tables: raw.create_tables.or(defaults.create_tables).unwrap_or_default(),
        isolation: raw.isolation.or(defaults.isolation).unwrap_or_default(),
        min_rows: raw.min_rows.or(defaults.min_rows),
        max_shrink: raw.max_shrink.or(defaults.max_shrink),
        identifiers: raw.identifiers.or(defaults.identifiers).unwrap_or_default(),
        on_submicrosecond: raw.on_submicrosecond.or(defaults.on_submicrosecond).unwrap_or_default(),
        on_nul: raw.on_nul.or(defaults.on_nul).unwrap_or_default(),
        on_bad_unicode: raw.on_bad_unicode.or(defaults.on_bad_unicode).unwrap_or_default(),
        keep_offset: raw.keep_offset.or(defaults.keep_offset).unwrap_or_default(),
        as_bigint: raw.as_bigint.or(defaults.as_bigint).unwrap_or_default(),
        source_time_zone: raw.source_time_zone.clone().or_else(|| defaults.source_time_zone.clone()),
        create_indexes: raw.create_indexes.or(defaults.create_indexes).unwrap_or_default(),
        create_foreign_keys: raw.create_foreign_keys.or(defaults.create_foreign_keys).unwrap_or_default(),
        on_drift: raw.on_drift.or(defaults.on_drift).unwrap_or_default(),
        on_bad_row: raw.on_bad_row.or(defaults.on_bad_row).unwrap_or_default(),
        quarantine_limit: raw.quarantine_limit.or(defaults.quarantine_limit),
        hash_keys: !raw.log_keys.or(defaults.log_keys).unwrap_or(true),
        incremental: None,
    }
}

/// The first character is a letter, the others letters, digits and underscores: it becomes part of variables' names.
fn is_db_type(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn parsed<T: std::str::FromStr<Err = String>>(problems: &mut Problems, at: Vec<Step>, text: &str) -> Option<T> {
    text.parse().map_err(|error: String| problems.add(at, error)).ok()
}

/// Checks the lists of columns, alone and against each other; gives the target's columns.
fn check_columns(
    problems: &mut Problems,
    at: &dyn Fn(&str) -> Vec<Step>,
    raw: &raw::Table,
    policy: IdentifierPolicy,
) -> Option<Vec<String>> {
    let lists =
        [("columns", &raw.columns), ("pg_columns", &raw.pg_columns), ("primary_key", &raw.primary_key), ("order_by", &raw.order_by)];
    for (field, list) in lists {
        if let Some(list) = list {
            check_list(problems, &at(field), list);
        }
    }
    for (i, column) in raw.pg_columns.iter().flatten().enumerate().filter(|(_, column)| column.len() > IDENTIFIER_BYTES_MAX) {
        let message = format!("{column:?} is longer than the {IDENTIFIER_BYTES_MAX} bytes that PostgreSQL keeps");
        problems.add([at("pg_columns"), vec![Step::Item(i)]].concat(), message);
    }
    // Without columns, the catalogue says what pg_columns pairs up with.
    let Some(columns) = &raw.columns else { return raw.pg_columns.clone() };
    for key in raw.primary_key.iter().flatten().filter(|key| !contains(columns, key)) {
        let hint = did_you_mean(key, columns.iter().map(String::as_str));
        problems.add(at("primary_key"), format!("{key:?} is not in columns{hint}; a key column has to be copied"));
    }
    for column in raw.order_by.iter().flatten().filter(|column| !contains(columns, column)) {
        let hint = did_you_mean(column, columns.iter().map(String::as_str));
        problems.add(at("order_by"), format!("{column:?} is not in columns{hint}"));
    }
    match &raw.pg_columns {
        Some(pg_columns) if pg_columns.len() != columns.len() => {
            let (here, there) = (pg_columns.len(), columns.len());
            problems.add(at("pg_columns"), format!("has {here} names and columns has {there}; they pair up by position"));
            None
        }
        Some(pg_columns) => Some(pg_columns.clone()),
        None => fold_identifiers(columns, policy)
            .map_err(|error| problems.add(at("columns"), format!("{error}; give pg_columns, or another identifiers")))
            .ok(),
    }
}

/// As source columns match: by exact name, else by case-insensitive name if that is unique.
fn contains(columns: &[String], key: &str) -> bool {
    let folded = key.to_lowercase();
    columns.iter().any(|column| column == key) || columns.iter().filter(|column| column.to_lowercase() == folded).count() == 1
}

fn check_list(problems: &mut Problems, at: &[Step], list: &[String]) {
    if list.is_empty() {
        problems.add(at.to_vec(), "is empty; leave it out for its default");
    }
    for (i, column) in list.iter().enumerate() {
        let here = || [at, &[Step::Item(i)]].concat();
        if column.is_empty() || column.contains('\0') {
            problems.add(here(), format!("is {column:?}, expected a column's name"));
        } else if list[..i].contains(column) {
            problems.add(here(), format!("{column:?} stands there twice"));
        }
    }
}

pub(super) fn check_targets(problems: &mut Problems, tables: &IndexMap<String, TableConfig>) {
    let mut owners: HashMap<&TargetTable, &str> = HashMap::new();
    for (table, config) in tables {
        if let Some(owner) = owners.insert(&config.pg_table, table) {
            let message = format!("{:?} is the target of {owner:?} already", config.pg_table_text);
            problems.add(vec![name("tables"), name(table), name("pg_table")], message);
        }
    }
}

pub(super) fn check_order(problems: &mut Problems, order: &[String], tables: &IndexMap<String, TableConfig>) {
    let at = vec![name("default_sync_order")];
    check_list(problems, &at, order);
    for (i, table) in order.iter().enumerate().filter(|(_, table)| !tables.contains_key(*table)) {
        let hint = did_you_mean(table, tables.keys().map(String::as_str));
        problems.add([at.clone(), vec![Step::Item(i)]].concat(), format!("{table:?} is not in tables{hint}"));
    }
}
