//! What has changed at the source, and whether a run may go on all the same. Pure.
//!
//! A table's columns are told apart by their numbers, so that a renamed one is known again; those of a view, and of a table that was made anew, by their
//! names. A change is refused until the operator has answered it: by changing the target, by changing what the configuration names, or by accepting it once.

#[cfg(test)]
#[path = "drift_tests.rs"]
mod tests;

use crate::config::TableConfig;
use crate::error::{ErrorKind, Result, SyncError};
use crate::table::{OnDrift, SeenColumn, SeenTable, SourceColumn, SourceDescription, fold_identifiers};
use crate::target::TargetDescription;

/// One change of a source table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change<'a> {
    Added(&'a SourceColumn),
    Dropped(&'a SeenColumn),
    Renamed(&'a SeenColumn, &'a SourceColumn),
    /// Another type, or it may be NULL now.
    Retyped(&'a SeenColumn, &'a SourceColumn),
}

/// What a run makes of the changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Drift {
    /// Every change that matters, as a sentence.
    pub(super) changes: Vec<String>,
    /// Why the run must not go on, and what to do about it.
    pub(super) refused: Vec<(String, &'static str)>,
    /// What the reader should know.
    pub(super) notes: Vec<String>,
    /// Source columns that the target gets, by name.
    pub(super) add: Vec<String>,
}

/// What a table has become since it was seen, in the order of its columns; what was dropped comes last.
pub(super) fn compare<'a>(seen: &'a SeenTable, now: &'a SourceDescription) -> Vec<Change<'a>> {
    let found = recognize(seen, now);
    let mut changes = Vec::new();
    for (column, old) in now.columns.iter().zip(&found) {
        let Some(old) = old else {
            changes.push(Change::Added(column));
            continue;
        };
        if !alike(&old.name, &column.name) {
            changes.push(Change::Renamed(old, column));
        }
        if old.declared != column.declared || (column.nullable && !old.nullable) {
            changes.push(Change::Retyped(old, column));
        }
    }
    let dropped = seen.columns.iter().filter(|old| !found.iter().flatten().any(|found| found.column_id == old.column_id));
    changes.extend(dropped.map(Change::Dropped));
    changes
}

/// What each column was when it was seen: by its number where the table is the same, else by its name. So is a column that was dropped and made
/// anew, which has another number and brings the same values.
fn recognize<'a>(seen: &'a SeenTable, now: &SourceDescription) -> Vec<Option<&'a SeenColumn>> {
    let numbered = seen.object_id.is_some() && seen.object_id == now.object_id;
    let by_number = |column: &SourceColumn| seen.columns.iter().find(|old| numbered && old.column_id == column.column_id);
    let mut found: Vec<_> = now.columns.iter().map(by_number).collect();
    let same_name: [fn(&str, &str) -> bool; 2] = [|one, other| one == other, alike];
    for same in same_name {
        for (index, column) in now.columns.iter().enumerate() {
            let taken = |old: &SeenColumn| found.iter().flatten().any(|found| found.column_id == old.column_id);
            if found[index].is_none() {
                found[index] = seen.columns.iter().find(|old| same(&old.name, &column.name) && !taken(old));
            }
        }
    }
    found
}

/// Another spelling of a name is the same name: it is found all the same, and folded to the same target column.
fn alike(one: &str, other: &str) -> bool {
    one.to_lowercase() == other.to_lowercase()
}

/// What a run that is about to begin makes of what changed since the last successful one. `accepted` is the operator's word for this one run.
pub(super) fn judge(config: &TableConfig, changes: &[Change<'_>], target: Option<&TargetDescription>, accepted: bool) -> Drift {
    let mut drift = Drift::default();
    for change in changes.iter().filter(|change| matters(config, change)) {
        let sentence = change.sentence();
        drift.changes.push(sentence.clone());
        match verdict(config, change, target) {
            Verdict::Answered(how) => drift.notes.push(format!("{sentence}: {how}")),
            Verdict::Add(column) => {
                drift.notes.push(format!("{sentence}: the target gets it too (on_drift)"));
                drift.add.push(column.name.clone());
            }
            Verdict::Refused(_) if accepted => drift.notes.push(format!("{sentence}: accepted (accept_drift)")),
            Verdict::Refused(remedy) => drift.refused.push((sentence, remedy)),
        }
    }
    drift
}

/// Refuses to publish what was read while the table changed; what does not matter to the rows that were read is returned as notes.
pub(super) fn unchanged_by(config: &TableConfig, before: &SeenTable, after: &SourceDescription) -> Result<Vec<String>> {
    let changes = compare(before, after);
    // A column that the next run will add is none of this one's rows.
    let next_run = |change: &&Change<'_>| match change {
        Change::Added(_) => config.columns.is_some() || config.options.on_drift == OnDrift::AddColumns,
        Change::Dropped(_) | Change::Renamed(..) | Change::Retyped(..) => false,
    };
    let (later, now): (Vec<_>, Vec<_>) = changes.iter().filter(|change| matters(config, change)).partition(next_run);
    if now.is_empty() {
        return Ok(later.iter().map(|change| format!("{} while it was read: the next run sees to it", change.sentence())).collect());
    }
    let named: Vec<_> = now.iter().map(|change| change.sentence()).collect();
    let sentence = format!("the source table {} changed while it was read: {}", config.sql_table, named.join("; "));
    Err(SyncError::new(ErrorKind::SourceSchema, sentence).with_remedy("Run again: the next run says what to do about it"))
}

impl Drift {
    /// Refuses to go on where a change has not been answered.
    pub(super) fn check(&self, config: &TableConfig) -> Result<()> {
        if self.refused.is_empty() {
            return Ok(());
        }
        let named: Vec<_> = self.refused.iter().map(|(sentence, _)| sentence.as_str()).collect();
        let mut remedies: Vec<&str> = Vec::new();
        for (_, remedy) in &self.refused {
            if !remedies.contains(remedy) {
                remedies.push(remedy);
            }
        }
        let sentence = format!("the source table {} has changed since the last successful run: {}", config.sql_table, named.join("; "));
        let remedy = format!("{}. Or accept it for one run with --accept-drift or the event field accept_drift", remedies.join(". "));
        Err(SyncError::new(ErrorKind::SourceSchema, sentence).with_remedy(remedy))
    }
}

impl Change<'_> {
    /// The change in words.
    fn sentence(&self) -> String {
        match self {
            Change::Added(column) => format!("column {} ({}) was added", column.name, column.declared),
            Change::Dropped(seen) => format!("column {} ({}) was dropped", seen.name, seen.declared),
            Change::Renamed(seen, column) => format!("column {} was renamed to {}", seen.name, column.name),
            Change::Retyped(seen, column) if seen.declared == column.declared => {
                format!("column {} ({}) was NOT NULL and may be NULL now", column.name, column.declared)
            }
            Change::Retyped(seen, column) => {
                let null = if column.nullable && !seen.nullable { " and may be NULL" } else { "" };
                format!("column {} was {} and is {}{null} now", column.name, seen.declared, column.declared)
            }
        }
    }
}

/// Whether a change touches what is synced, or is worth a note.
fn matters(config: &TableConfig, change: &Change<'_>) -> bool {
    let Some(wanted) = &config.columns else {
        // What was not synced the last time is new to this run, whatever it was before.
        return match change {
            Change::Added(_) => true,
            Change::Dropped(seen) | Change::Renamed(seen, _) | Change::Retyped(seen, _) => seen.target.is_some(),
        };
    };
    let names = |name: &str| wanted.iter().any(|wanted| alike(wanted, name));
    match change {
        Change::Added(column) => !names(&column.name),
        Change::Dropped(seen) => names(&seen.name),
        // Where the configuration has followed, it names the new name.
        Change::Renamed(seen, column) => names(&seen.name) && !names(&column.name),
        Change::Retyped(seen, column) => names(&column.name) && seen.target.is_some(),
    }
}

/// What becomes of one change.
enum Verdict<'a> {
    /// The operator has seen to it, or need not.
    Answered(&'static str),
    /// The target gets the column.
    Add(&'a SourceColumn),
    /// Nobody has: what to do.
    Refused(&'static str),
}

fn verdict<'a>(config: &TableConfig, change: &Change<'a>, target: Option<&TargetDescription>) -> Verdict<'a> {
    let Some(target) = target else { return Verdict::Answered("the target table is made anew") };
    let has = |name: &str| target.columns.iter().any(|column| column.name == name);
    let held_by = |seen: &SeenColumn| seen.target.as_ref().is_some_and(|target| has(&target.name));
    match change {
        Change::Added(_) if config.columns.is_some() => Verdict::Answered("it is not among the configured columns"),
        Change::Added(column) => match target_name(config, column) {
            Some(name) if has(&name) => Verdict::Answered("the target has it"),
            Some(_) if config.options.on_drift == OnDrift::AddColumns => Verdict::Add(column),
            Some(_) => Verdict::Refused(
                "Add the new column to the target, or set \"on_drift\": \"add_columns\", or name the columns to sync in \"columns\"",
            ),
            None => Verdict::Refused("Give the new column its place in \"columns\" and \"pg_columns\""),
        },
        Change::Dropped(seen) if config.columns.is_none() && !held_by(seen) => Verdict::Answered("the target does not have it any more"),
        Change::Dropped(_) if config.columns.is_none() => {
            Verdict::Refused("Drop the column that the source has dropped from the target too")
        }
        Change::Dropped(_) => Verdict::Refused("Take the dropped column out of \"columns\" and \"pg_columns\""),
        Change::Renamed(seen, column) if config.columns.is_none() => match target_name(config, column) {
            Some(name) if has(&name) && !held_by(seen) => Verdict::Answered("the target's column has followed"),
            _ => Verdict::Refused("Rename the target's column likewise, or pair the two in \"columns\" and \"pg_columns\""),
        },
        Change::Renamed(..) => Verdict::Refused("Write the renamed column's new name in \"columns\""),
        Change::Retyped(seen, column) if seen.declared == column.declared && takes_null(target, seen) => {
            Verdict::Answered("the target's column takes NULL")
        }
        Change::Retyped(seen, _) => {
            let stands = seen.target.as_ref().and_then(|old| Some((old, target.declared(&old.name)?)));
            match stands {
                Some((old, now)) if old.declared != now => Verdict::Answered("the target's column has changed too"),
                _ => Verdict::Refused("Change the target's column so that the new type fits"),
            }
        }
    }
}

/// Whether the target column of one that may be NULL now takes NULL already.
fn takes_null(target: &TargetDescription, seen: &SeenColumn) -> bool {
    let Some(old) = &seen.target else { return false };
    target.columns.iter().any(|column| column.name == old.name && column.nullable)
}

/// The target column of a new source column; none where `pg_columns` pairs by position.
fn target_name(config: &TableConfig, column: &SourceColumn) -> Option<String> {
    if config.pg_columns.is_some() {
        return None;
    }
    fold_identifiers(&[&column.name], config.options.identifiers).ok()?.pop()
}
