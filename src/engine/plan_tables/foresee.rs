//! From a plan and two catalogues to what is said about a run. Pure.

use super::effects::{adding_lock, dependents, publish_locks};
use super::expect::expect;
use super::only_new;
use crate::config::TableConfig;
use crate::engine::drift::Drift;
use crate::engine::incremental::{INCREMENTAL, Outline, WITH_KEYS};
use crate::engine::plan::{PlannedColumn, SyncPlan};
use crate::report::{Foreseen, ForeseenColumn, LastSuccess};
use crate::table::{ColumnPart, Isolation, SourceColumn, SourceDescription, ValueKind};
use crate::target::{Dependent, TargetDescription};

/// What was asked of both sides.
pub(super) struct Asked<'a> {
    pub(super) config: &'a TableConfig,
    pub(super) source: &'a SourceDescription,
    pub(super) target: Option<&'a TargetDescription>,
    pub(super) dependents: &'a [Dependent],
    pub(super) drift: &'a Drift,
    pub(super) last: Option<LastSuccess>,
    /// What is ahead, where only what is new is brought.
    pub(super) outline: Option<&'a Outline>,
}

/// What a run would do.
pub(super) fn foresee(asked: &Asked<'_>, plan: &SyncPlan) -> Foreseen {
    let (way, outline) = (&plan.publication.way, asked.outline);
    let rows = asked.source.rows_estimate;
    let (refresh, reason, publish) = match outline {
        Some(outline) => {
            let refresh = if outline.keys_due { WITH_KEYS } else { INCREMENTAL };
            (refresh, only_new::reason(outline, &plan.publication), only_new::locks(outline))
        }
        // What it would fail with is told beside.
        None if asked.config.options.incremental.is_some() => (INCREMENTAL, "sync says so".to_owned(), Vec::new()),
        None => (way.name(), plan.reason.clone(), publish_locks(way, rows)),
    };
    let made = outline.map(|outline| outline.ddl.clone()).unwrap_or_default();
    Foreseen {
        refresh,
        reason,
        target_exists: asked.target.is_some(),
        columns: plan.columns.iter().enumerate().map(|(position, column)| foresee_column(asked, plan, position, column)).collect(),
        ddl: made.into_iter().chain(plan.ddl()).collect(),
        locks: adding_lock(!plan.publication.added.is_empty()).into_iter().chain(publish).collect(),
        expected: expect(asked.source, &plan.columns, outline.map_or(rows, |outline| outline.rows), asked.last),
        dependents: outline
            .map_or_else(|| dependents(asked.dependents, way), |outline| only_new::dependents(asked.dependents, outline, way)),
        drift: asked.drift.changes.clone(),
        incremental: outline.map(only_new::report),
        warnings: warnings(asked, plan),
    }
}

fn foresee_column(asked: &Asked<'_>, plan: &SyncPlan, position: usize, column: &PlannedColumn) -> ForeseenColumn {
    let key = plan.key.contains(&position);
    // A new table's key takes no NULL once its primary key is added.
    let not_null = column.not_null || (key && asked.target.is_none());
    ForeseenColumn {
        source: column.source.clone(),
        source_type: source_column(asked.source, column).map(|source| source.declared.clone()).unwrap_or_default(),
        target: column.target.clone(),
        target_type: column.pg_type.to_string(),
        nullable: !not_null,
        key,
        conversion: column.conversion.clone(),
    }
}

fn source_column<'a>(source: &'a SourceDescription, column: &PlannedColumn) -> Option<&'a SourceColumn> {
    source.columns.iter().find(|described| described.name == column.source)
}

fn warnings(asked: &Asked<'_>, plan: &SyncPlan) -> Vec<String> {
    let mut warnings = plan.warnings.clone();
    warnings.extend(asked.outline.iter().flat_map(|outline| outline.warnings.iter().cloned()));
    if asked.target.is_none() && plan.key.is_empty() {
        warnings.push("neither the configuration nor the source names a key: the next run will replace all rows".to_owned());
    }
    let key_columns =
        plan.key.iter().filter_map(|&position| Some((&plan.columns[position], source_column(asked.source, &plan.columns[position])?)));
    for (planned, source) in key_columns {
        warnings.extend(key_warnings(planned, source));
    }
    if asked.config.options.isolation == Isolation::NoLock {
        warnings.push("isolation is \"nolock\": rows may come twice, not at all, or from transactions that are rolled back".to_owned());
    }
    let options = &asked.config.options;
    if let (Some(min_rows), Some(rows)) = (options.min_rows, asked.source.rows_estimate)
        // What is new is not measured by it.
        && options.incremental.is_none()
        && rows < min_rows
    {
        warnings.push(format!("min_rows is {min_rows} and the source holds about {rows} rows: the publish would be refused"));
    }
    warnings.extend(quoted_names(asked, plan));
    warnings
}

fn key_warnings(planned: &PlannedColumn, source: &SourceColumn) -> Vec<String> {
    let mut warnings = Vec::new();
    let name = &source.name;
    if source.nullable && planned.part == ColumnPart::Value {
        warnings.push(format!("the key column {name} may be NULL at the source: a row without a key fails the table"));
    }
    if matches!(source.kind, Ok(ValueKind::Text { .. })) {
        let collation = source.collation.as_deref().unwrap_or_default();
        if !collation.contains("_BIN") {
            warnings.push(format!(
                "the key column {name} is compared by {collation} at the source and byte by byte in the target: \
                 a key of which only the spelling changes (case, width) is a row that vanished and a new one"
            ));
        }
        warnings.push(format!(
            "the key column {name}: SQL Server takes no notice of blanks at the end of a text, PostgreSQL does (except in char)"
        ));
    }
    warnings
}

/// Names in a new table that everybody will have to quote.
fn quoted_names(asked: &Asked<'_>, plan: &SyncPlan) -> Option<String> {
    let plain = |name: &str| name.chars().enumerate().all(|(at, c)| c == '_' || c.is_ascii_lowercase() || (at > 0 && c.is_ascii_digit()));
    let table = &asked.config.pg_table.table;
    let names: Vec<_> =
        [table].into_iter().chain(&plan.publication.columns).filter(|name| !plain(name)).map(|name| format!("{name:?}")).collect();
    (asked.target.is_none() && !names.is_empty()).then(|| {
        format!("these names of the new table must be quoted in SQL: {} (see \"identifiers\" and \"pg_columns\")", names.join(", "))
    })
}
