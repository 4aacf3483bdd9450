//! A plan that knows what the last run saw: what changed at the source is answered before a row moves.

use super::drift::{Drift, compare, judge};
use super::plan::{SyncPlan, added_columns, plan};
use crate::config::TableConfig;
use crate::error::Result;
use crate::table::{ColumnPart, SeenColumn, SeenTable, SeenTarget, SourceDescription};
use crate::target::{PublishWay, TargetDescription};

/// What a plan is made from.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) config: &'a TableConfig,
    pub(super) source: &'a SourceDescription,
    /// The target; none where the table does not exist.
    pub(super) target: Option<&'a TargetDescription>,
    /// The source as the last successful run saw it; none where there was none.
    pub(super) seen: Option<&'a SeenTable>,
}

/// What the caller allows for this one run.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Allowed {
    pub(super) shrink: bool,
    pub(super) drift: bool,
}

/// Plans a refresh, and says what the run leaves as seen.
///
/// # Errors
/// As [`plan`], and for changes at the source that nobody has answered.
pub(super) fn plan_refresh(known: Known<'_>, allowed: Allowed) -> Result<(SyncPlan, SeenTable)> {
    let drift = find_drift(known, allowed.drift);
    drift.check(known.config)?;
    let plan = plan_through(known, &drift, allowed.shrink)?;
    let seen = see(known, &plan);
    Ok((plan, seen))
}

/// What changed since the last successful run, and what becomes of it.
pub(super) fn find_drift(known: Known<'_>, accepted: bool) -> Drift {
    let seen = known.seen.filter(|seen| seen.source == source_name(known.config));
    let changes = seen.map(|seen| compare(seen, known.source)).unwrap_or_default();
    judge(known.config, &changes, known.target, accepted)
}

/// The plan with the columns that the target is to get.
pub(super) fn plan_through(known: Known<'_>, drift: &Drift, allow_shrink: bool) -> Result<SyncPlan> {
    let Known { config, source, target, .. } = known;
    let mut target = target.cloned();
    let mut added = Vec::new();
    if let Some(target) = &mut target {
        added = added_columns(config, source, target, &drift.add)?;
        target.columns.extend(added.iter().cloned());
    }
    let mut plan = plan(config, source, target.as_ref(), allow_shrink)?;
    plan.publication.added = added.into_iter().map(|column| (column.name, column.pg_type)).collect();
    plan.warnings.extend(drift.notes.iter().cloned());
    Ok(plan)
}

/// The source as this run sees it.
fn see(known: Known<'_>, plan: &SyncPlan) -> SeenTable {
    let made = matches!(plan.publication.way, PublishWay::Straight { create: Some(_) });
    let target_of = |name: &str| {
        let (position, column) =
            plan.columns.iter().enumerate().find(|(_, column)| column.source == name && column.part == ColumnPart::Value)?;
        // The key of a table that is made takes no NULL once its primary key is there.
        let nullable = !(column.not_null || (made && plan.key.contains(&position)));
        Some(SeenTarget { name: column.target.clone(), declared: column.pg_type.declared(nullable) })
    };
    let columns = known.source.columns.iter().map(|column| SeenColumn {
        column_id: column.column_id,
        name: column.name.clone(),
        declared: column.declared.clone(),
        nullable: column.nullable,
        target: target_of(&column.name),
    });
    SeenTable { source: source_name(known.config), object_id: known.source.object_id, columns: columns.collect() }
}

/// Which table at which source.
fn source_name(config: &TableConfig) -> String {
    format!("{} {}", config.db_type, config.sql_table)
}
