//! Change Tracking: what each committed transaction did to which keys, and what that is since a version.

use std::collections::HashMap;
use std::sync::Arc;

use super::Row;

/// A database's tracking.
#[derive(Clone, Debug)]
pub(crate) struct Tracking {
    /// The version of the last transaction that changed a tracked table.
    pub(crate) version: i64,
    /// `CHANGE_RETENTION`, in days.
    pub(crate) retention: i64,
}

/// What happened to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Insert,
    Update,
    Delete,
}

/// One operation of a transaction: the key's values, and the same as text in which equal keys are equal.
#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) operation: Operation,
    pub(crate) key: Row,
    pub(crate) place: String,
}

/// A table's tracking.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableTracking {
    pub(crate) begin_version: i64,
    pub(crate) cleanup_version: i64,
    /// With the version of the commit, in the order in which it was done.
    log: Arc<Vec<(i64, Done)>>,
}

/// A row of CHANGETABLE(CHANGES ...).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) version: i64,
    pub(crate) creation_version: Option<i64>,
    pub(crate) operation: Operation,
    pub(crate) key: Row,
}

impl TableTracking {
    pub(crate) fn new(version: i64) -> TableTracking {
        TableTracking { begin_version: version, cleanup_version: version, log: Arc::default() }
    }

    /// The oldest version from which all changes are still known.
    pub(crate) fn min_valid_version(&self) -> i64 {
        self.begin_version.max(self.cleanup_version)
    }

    pub(crate) fn note(&mut self, version: i64, done: Done) {
        Arc::make_mut(&mut self.log).push((version, done));
    }

    /// Forgets the changes up to and with this version.
    pub(crate) fn clean_up(&mut self, version: i64) {
        Arc::make_mut(&mut self.log).retain(|(of, _)| *of > version);
        self.cleanup_version = self.cleanup_version.max(version);
    }

    /// Net changes after a version, one for each key. The operation is relative to that version: a row that was not there then was inserted,
    /// whatever was done to it later; one that was deleted and came again was updated; what is gone now was deleted.
    pub(crate) fn since(&self, version: Option<i64>) -> Vec<Change> {
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut changes: Vec<(Operation, Change)> = Vec::new();
        for (of, done) in self.log.iter().filter(|(of, _)| version.is_none_or(|version| *of > version)) {
            let at = *places.entry(&done.place).or_insert(changes.len());
            if at == changes.len() {
                let change = Change { version: *of, creation_version: None, operation: done.operation, key: done.key.clone() };
                changes.push((done.operation, change));
            }
            let (first, change) = &mut changes[at];
            change.version = *of;
            change.key.clone_from(&done.key);
            if done.operation == Operation::Insert {
                change.creation_version = Some(*of);
            }
            change.operation = match (*first, done.operation) {
                (_, Operation::Delete) => Operation::Delete,
                (Operation::Insert, _) => Operation::Insert,
                _ => Operation::Update,
            };
        }
        changes.into_iter().map(|(_, change)| change).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Operation::{Delete, Insert, Update};
    use super::*;
    use crate::types::value::Value;

    fn tracked(history: &[(i64, Operation)]) -> TableTracking {
        let mut tracking = TableTracking::new(0);
        for (version, operation) in history {
            tracking.note(*version, Done { operation: *operation, key: vec![Value::Int(1)], place: "1".into() });
        }
        tracking
    }

    fn net(history: &[(i64, Operation)], since: i64) -> Option<(i64, Option<i64>, Operation)> {
        let changes = tracked(history).since(Some(since));
        assert!(changes.len() < 2);
        changes.first().map(|change| (change.version, change.creation_version, change.operation))
    }

    #[test]
    fn the_operation_is_relative_to_the_version_asked_from() {
        let history = [(10, Insert), (15, Update)];
        assert_eq!(net(&history, 8), Some((15, Some(10), Insert)));
        assert_eq!(net(&history, 12), Some((15, None, Update)));
        assert_eq!(net(&history, 15), None);
    }

    #[test]
    fn what_is_gone_is_deleted_and_what_came_again_is_updated() {
        assert_eq!(net(&[(1, Insert), (2, Delete)], 0).map(|change| change.2), Some(Delete));
        assert_eq!(net(&[(1, Insert), (2, Delete), (3, Insert)], 1).map(|change| change.2), Some(Update));
        assert_eq!(net(&[(1, Insert), (2, Delete), (3, Insert)], 2).map(|change| change.2), Some(Insert));
        assert_eq!(net(&[(1, Insert), (2, Delete), (3, Insert)], 0).map(|change| change.2), Some(Insert));
    }

    #[test]
    fn a_clean_up_moves_the_oldest_valid_version() {
        let mut tracking = tracked(&[(1, Insert), (2, Update), (3, Update)]);
        assert_eq!(tracking.min_valid_version(), 0);
        tracking.clean_up(2);
        assert_eq!(tracking.min_valid_version(), 2);
        assert_eq!(tracking.since(Some(2)).len(), 1);
        assert_eq!(tracking.since(None), tracking.since(Some(0)));
    }
}
