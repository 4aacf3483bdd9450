//! What must hold before a row moves, each with what to do about it. Pure.

use super::Place;
use crate::config::TableConfig;
use crate::engine::plan::{SyncPlan, find_column, no_key};
use crate::error::{ErrorKind, Result, SyncError};
use crate::table::{
    Incremental, PgType, SourceColumn, SourceDescription, SubMicrosecond, SyncColumn, ValueKind, WatermarkKind, did_you_mean, quoted_list,
};
use crate::target::{Reached, TargetDescription, Within};

/// The column that has the watermark.
///
/// # Errors
/// [`ErrorKind::SourceSchema`] where it is missing, or is something else than its kind.
pub(super) fn sync_column(config: &TableConfig, sync: &Incremental, source: &SourceDescription) -> Result<SyncColumn> {
    let refused = |sentence: String, remedy: &str| Err(SyncError::new(ErrorKind::SourceSchema, sentence).with_remedy(remedy.to_owned()));
    let named = |column: &SourceColumn| SyncColumn { name: column.name.clone(), kind: sync.kind };
    let version = |column: &&SourceColumn| matches!(column.kind, Ok(ValueKind::RowVersion { .. }));
    let table = &config.sql_table;
    let Some(name) = &sync.column else {
        return match (sync.kind, source.columns.iter().find(version)) {
            (WatermarkKind::ChangeTracking, _) => Ok(SyncColumn { name: String::new(), kind: sync.kind }),
            (WatermarkKind::Rowversion, Some(column)) => Ok(named(column)),
            (WatermarkKind::Rowversion | WatermarkKind::Timestamp, _) => refused(
                format!("the source table {table} has no rowversion column"),
                "Add one (ALTER TABLE ... ADD RowVer rowversion), or choose another \"kind\"",
            ),
        };
    };
    let Some(column) = find_column(source, name) else {
        let hint = did_you_mean(name, source.columns.iter().map(|column| column.name.as_str()));
        let moments: Vec<_> = source.columns.iter().filter(|column| is_moment(column)).map(|column| column.name.as_str()).collect();
        let there =
            if moments.is_empty() { "it has no timestamp at all".to_owned() } else { format!("its timestamps are {}", moments.join(", ")) };
        return refused(format!("the source table {table} has no sync column {name:?}{hint}; {there}"), "Correct the sync column's name");
    };
    if let Err(reason) = &column.kind {
        return refused(
            format!("the sync column {} of {table} cannot be read: {reason}", column.name),
            "Correct that, or name another column",
        );
    }
    match sync.kind {
        WatermarkKind::Timestamp if !is_moment(column) => refused(
            format!("the sync column {} of {table} is {}, not a timestamp", column.name, column.declared),
            "Name a column with the moment of a row's last change, or another \"kind\"",
        ),
        WatermarkKind::Rowversion if !version(&column) => refused(
            format!("the sync column {} of {table} is {}, not a rowversion", column.name, column.declared),
            "Leave \"column\" out, and the table's rowversion is taken",
        ),
        WatermarkKind::Timestamp | WatermarkKind::Rowversion | WatermarkKind::ChangeTracking => Ok(named(column)),
    }
}

fn is_moment(column: &SourceColumn) -> bool {
    let postgres = |kind: &ValueKind| matches!(kind, ValueKind::Postgres(PgType::Timestamp(_) | PgType::TimestampTz(_)));
    let moment = |kind: &ValueKind| matches!(kind, ValueKind::Timestamp { .. } | ValueKind::TimestampTz) || postgres(kind);
    column.kind.as_ref().is_ok_and(moment)
}

/// The target must keep the key unique: rows are found by it.
///
/// # Errors
/// [`ErrorKind::TargetSchema`] with the statement that would add the constraint.
pub(super) fn check_key(config: &TableConfig, plan: &SyncPlan, target: &TargetDescription) -> Result<()> {
    let key = &plan.publication.key;
    if key.is_empty() {
        return Err(no_key(config));
    }
    if target.has_unique_key(key) {
        return Ok(());
    }
    let list = quoted_list("", key.iter().map(String::as_str));
    Err(SyncError::new(ErrorKind::TargetSchema, format!("no unique constraint of {} holds its key ({})", config.pg_table, key.join(", ")))
        .with_remedy(format!("Add one: ALTER TABLE {} ADD UNIQUE ({list})", config.pg_table)))
}

/// Rows must not become one because the target's key has a digit less than the source's.
///
/// # Errors
/// [`ErrorKind::TargetSchema`] with the column.
pub(super) fn check_key_digits(config: &TableConfig, source: &SourceDescription, key: &[String]) -> Result<()> {
    let finer = |name: &String| source.columns.iter().find(|column| column.name == *name && column.second_digits == Some(7));
    let Some(column) = key.iter().find_map(finer).filter(|_| config.options.on_submicrosecond != SubMicrosecond::Fail) else {
        return Ok(());
    };
    let sentence = format!(
        "the key column {} ({}) of {} has a digit more than PostgreSQL keeps: two rows could become one",
        column.name, column.declared, config.sql_table
    );
    Err(SyncError::new(ErrorKind::TargetSchema, sentence)
        .with_remedy("Set \"on_submicrosecond\": \"fail\", which refuses values that have it"))
}

/// How far a table is copied is told by the column that its runs went by; the place at which one was ended, by the order that its rows then had.
///
/// # Errors
/// [`ErrorKind::TargetSchema`] where it is another column, or another order.
pub(super) fn check_place(config: &TableConfig, place: &Place) -> Result<()> {
    let Some(reached) = place.begins_at() else { return Ok(()) };
    let Reached { watermark, by, within } = reached;
    let (now, then) = (&place.order, by.as_ref().unwrap_or(&place.order));
    let sentence = match within {
        Some(Within { after, .. }) => {
            let texts = after.len() + usize::from(watermark.kind() != WatermarkKind::ChangeTracking);
            if then == now && texts == now.len() {
                return Ok(());
            }
            let then = if then == now { format!("{texts} columns") } else { then.join(", ") };
            format!(
                "a run before was ended at a row of {} that it knew by its place in the order of {then}, and the order now is that of {}",
                config.sql_table,
                now.join(", ")
            )
        }
        None if watermark.kind() == WatermarkKind::ChangeTracking || then.first() == now.first() => return Ok(()),
        None => {
            let [then, now] = [then, now].map(|order| order.first().map(String::as_str).unwrap_or_default());
            format!(
                "{} is copied up to {watermark} by {then}, and its sync column now is {now}, which may tell of rows before that",
                config.name
            )
        }
    };
    let name = &config.name;
    Err(SyncError::new(ErrorKind::TargetSchema, sentence)
        .with_remedy(format!("Configure it as it was, or begin anew with --reset {name}, which reads all rows once more")))
}

/// What Change Tracking knows rows by is the table's primary key, so the key must be that.
///
/// # Errors
/// [`ErrorKind::SourceSchema`].
pub(super) fn check_tracked_key(config: &TableConfig, source: &SourceDescription, key: &[String]) -> Result<()> {
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort();
        names
    };
    if sorted(&source.primary_key) == sorted(key) {
        return Ok(());
    }
    let sentence = format!(
        "Change Tracking knows the rows of {} by their primary key ({}), and the key is ({})",
        config.sql_table,
        source.primary_key.join(", "),
        key.join(", ")
    );
    Err(SyncError::new(ErrorKind::SourceSchema, sentence).with_remedy("Leave \"primary_key\" out"))
}
