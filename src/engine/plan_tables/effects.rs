//! What a refresh means to others in the target: who waits for it, and what depends on the table. Pure.

use crate::report::{ForeseenDependent, ForeseenLock};
use crate::target::{Dependent, DependentKind, OnDelete, PublishWay};

pub(super) const NEVER: &str = "never wait";
/// How many rows of ten columns PostgreSQL inserts from a staging table, into a table with one index.
const INSERTED_PER_SECOND: f64 = 300_000.0;

/// The lock under which columns are added, where some are.
pub(super) fn adding_lock(adds_columns: bool) -> Option<ForeseenLock> {
    let adding = ForeseenLock {
        mode: "ACCESS EXCLUSIVE",
        held: "for a moment before the publish, while columns are added".to_owned(),
        readers: "wait for that moment, and behind it while a long transaction of others holds it up, at most 3 s at a time".to_owned(),
        writers: "the same".to_owned(),
    };
    adds_columns.then_some(adding)
}

/// The locks of a publish of so many rows, in the order in which they are taken.
pub(super) fn publish_locks(way: &PublishWay, rows: Option<u64>) -> Vec<ForeseenLock> {
    let publish = |held: &str, readers: &str, writers: &str| ForeseenLock {
        mode: "SHARE ROW EXCLUSIVE",
        held: held.to_owned(),
        readers: readers.to_owned(),
        writers: writers.to_owned(),
    };
    match way {
        PublishWay::Straight { create: Some(_) } => vec![ForeseenLock {
            mode: "ACCESS EXCLUSIVE",
            held: "on the new table, from its creation to the commit".to_owned(),
            readers: "never wait: nobody else sees the table before the commit".to_owned(),
            writers: "never wait: nobody else sees the table before the commit".to_owned(),
        }],
        PublishWay::Straight { create: None } => vec![publish(
            "for the whole load",
            "never wait; they see the empty table until the commit",
            "wait for the whole load, or fail by their own lock_timeout",
        )],
        PublishWay::Merge { .. } => vec![publish(
            "for the publish: comparing the staged rows with the target, and writing those that differ",
            NEVER,
            "wait for the publish, or fail by their own lock_timeout",
        )],
        PublishWay::Replace => vec![publish(
            "for the publish: deleting all rows and inserting the staged ones",
            NEVER,
            "wait for the publish, or fail by their own lock_timeout",
        )],
        PublishWay::Truncate => vec![
            publish("for the publish", NEVER, "wait for the publish"),
            ForeseenLock {
                mode: "ACCESS EXCLUSIVE",
                held: "from the TRUNCATE to the commit, while all staged rows are inserted".to_owned(),
                readers: format!(
                    "wait while all rows are inserted{}; a transaction with an older snapshot then sees an empty table",
                    time_to_insert(rows)
                ),
                writers: "wait while all rows are inserted".to_owned(),
            },
        ],
        PublishWay::Swap { .. } => vec![
            publish("from the moment when the new rows and their indexes are there to the commit", NEVER, "wait for that moment"),
            ForeseenLock {
                mode: "ACCESS EXCLUSIVE",
                held: "for the moment of the swap; asked for half a second at a time, then given up and asked for again, a few times"
                    .to_owned(),
                readers: "wait for that moment, and up to half a second behind it while a long transaction of others holds it up"
                    .to_owned(),
                writers: "the same".to_owned(),
            },
        ],
    }
}

/// What a `truncate` costs whoever wants to read, as far as it can be told before.
fn time_to_insert(rows: Option<u64>) -> String {
    let Some(rows) = rows else { return String::new() };
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let seconds = rows as f64 / INSERTED_PER_SECOND;
    format!(" (about {seconds:.1} s for {rows} rows, longer where there are many indexes or triggers; a run says how long it was)")
}

/// What the refresh means to each dependent.
pub(super) fn dependents(found: &[Dependent], way: &PublishWay) -> Vec<ForeseenDependent> {
    let foreseen = |dependent: &Dependent| ForeseenDependent {
        kind: kind_name(dependent.kind),
        name: dependent.name.clone(),
        effect: effect(dependent, way),
    };
    found.iter().map(foreseen).collect()
}

fn kind_name(kind: DependentKind) -> &'static str {
    match kind {
        DependentKind::View => "view",
        DependentKind::MaterializedView => "materialized_view",
        DependentKind::Rule => "rule",
        DependentKind::ForeignKeyIn(_) => "foreign_key_in",
        DependentKind::ForeignKeyOut { .. } => "foreign_key_out",
        DependentKind::Trigger => "trigger",
        DependentKind::Publication => "publication",
        DependentKind::RowSecurity { .. } => "row_security",
        DependentKind::Partition => "partition",
        DependentKind::Child => "child",
    }
}

fn effect(dependent: &Dependent, way: &PublishWay) -> String {
    match dependent.kind {
        DependentKind::View => "stays; shows the new rows from the commit on".to_owned(),
        DependentKind::MaterializedView => "stays as it is until somebody refreshes it".to_owned(),
        DependentKind::Rule => format!("rewrites {}: a publish that then touches other rows than it means to is refused", dependent.on),
        DependentKind::ForeignKeyIn(on_delete) => deletes(on_delete, way),
        DependentKind::ForeignKeyOut { .. } if matches!(way, PublishWay::Swap { .. }) => {
            "is made again over all new rows; writers of the table that it points at wait from then to the commit, its readers for the moment of the swap".to_owned()
        }
        DependentKind::ForeignKeyOut { deferrable: true } => "stays; written rows are checked at the commit".to_owned(),
        DependentKind::ForeignKeyOut { deferrable: false } => {
            "stays; written rows must find the row they refer to as they are written".to_owned()
        }
        DependentKind::Trigger => trigger(&dependent.on, way),
        DependentKind::Publication => match way {
            PublishWay::Truncate => "subscribers get the truncate and every row".to_owned(),
            PublishWay::Replace => "subscribers get every row as deleted and inserted".to_owned(),
            PublishWay::Merge { .. } => "subscribers get the rows that differ".to_owned(),
            PublishWay::Straight { .. } => "subscribers get every row".to_owned(),
            PublishWay::Swap { .. } => "stands in the way: the run would fail".to_owned(),
        },
        DependentKind::RowSecurity { active: true } => {
            "applies to this role: the run would fail, for it could not see every row".to_owned()
        }
        DependentKind::RowSecurity { active: false } => "does not apply to this role".to_owned(),
        DependentKind::Partition if matches!(way, PublishWay::Swap { .. }) => {
            "gives its place, name, bounds, indexes and privileges to a new one, and is dropped".to_owned()
        }
        DependentKind::Partition => "gets the rows that belong to it".to_owned(),
        DependentKind::Child => "its rows count as the table's: a publish that finds some is refused".to_owned(),
    }
}

fn deletes(on_delete: OnDelete, way: &PublishWay) -> String {
    let which = match way {
        PublishWay::Straight { .. } => return "stays; nothing is deleted".to_owned(),
        PublishWay::Truncate => return "PostgreSQL refuses to truncate".to_owned(),
        PublishWay::Swap { .. } => return "stands in the way: the run would fail".to_owned(),
        PublishWay::Replace => "every row is deleted and inserted",
        PublishWay::Merge { reinsert_changed: true, .. } => "rows that vanished or changed are deleted",
        PublishWay::Merge { reinsert_changed: false, .. } => "rows that vanished are deleted",
    };
    match on_delete {
        OnDelete::Refused => format!("{which}; one that is referred to fails the publish"),
        OnDelete::Deleted => format!("{which}, and with them the rows that refer to them"),
        OnDelete::Cleared => format!("{which}, and references to them are cleared"),
    }
}

fn trigger(on: &str, way: &PublishWay) -> String {
    let fires = match way {
        PublishWay::Straight { .. } => "for every row that is inserted",
        PublishWay::Merge { .. } => "for the rows that differ",
        PublishWay::Replace => "for every row, deleted and inserted",
        PublishWay::Truncate => "at the truncate and for every row that is inserted",
        PublishWay::Swap { .. } => "and stands in the way: the run would fail",
    };
    format!("fires on {on}, {fires}")
}
