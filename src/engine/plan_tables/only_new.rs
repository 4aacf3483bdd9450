//! What a run means to others in the target that brings only what is new. Pure.

use super::effects::{NEVER, dependents as of_way};
use crate::engine::incremental::{Coming, Outline};
use crate::report::{ForeseenDependent, ForeseenIncremental, ForeseenLock};
use crate::target::{Dependent, DependentKind, Publication, PublishWay};

const WRITERS_WAIT: &str = "wait for the publish, or fail by their own lock_timeout";

/// What is told of it in numbers.
pub(super) fn report(outline: &Outline) -> ForeseenIncremental {
    ForeseenIncremental {
        from: outline.from.clone(),
        to: outline.to.clone(),
        rows: outline.rows,
        way: match outline.coming {
            Coming::Not => "nothing",
            Coming::Straight { .. } => "straight",
            Coming::Merged { .. } | Coming::MergedAtOnce => "merge",
        },
        compares_keys: outline.keys_due,
    }
}

/// Why the rows come in this way, and what is compared.
pub(super) fn reason(outline: &Outline, publication: &Publication) -> String {
    let key = publication.key.join(", ");
    let coming = match outline.coming {
        Coming::Not => "there is nothing new".to_owned(),
        Coming::Straight { step_rows, .. } => {
            format!("the target is empty, or was when the copy began, so rows go straight into it, committed every {step_rows} rows")
        }
        Coming::Merged { step_rows } => format!("rows are staged and merged by the key ({key}), committed every {step_rows} rows"),
        Coming::MergedAtOnce => format!("what has changed is staged and merged by the key ({key}), and what is gone deleted"),
    };
    let keys = if outline.keys_due { "; then all keys are compared, and rows that are gone deleted" } else { "" };
    format!("{}; {coming}{keys}", outline.reason)
}

/// The locks, in the order in which they are taken.
pub(super) fn locks(outline: &Outline) -> Vec<ForeseenLock> {
    let lock = |mode, held: String, readers: &str, writers: &str| ForeseenLock {
        mode,
        held,
        readers: readers.to_owned(),
        writers: writers.to_owned(),
    };
    let merge = |held: &str| lock("SHARE ROW EXCLUSIVE", held.to_owned(), NEVER, WRITERS_WAIT);
    match outline.coming {
        Coming::Not => Vec::new(),
        Coming::Straight { step_rows, into_new, then_merged } => {
            let nobody = "never wait: nobody else sees the table before the commit";
            let made = lock(
                "ACCESS EXCLUSIVE",
                "on the new table, in a transaction that makes it, before the first row".to_owned(),
                nobody,
                nobody,
            );
            let step = lock(
                "ROW EXCLUSIVE",
                format!("for each step of up to {step_rows} rows, from its first row to its commit"),
                "never wait; they see the rows of each step from its commit on",
                "never wait, but for one who inserts a key that is being copied",
            );
            let last = (outline.keys_due || then_merged)
                .then(|| merge("for the publish of what is merged behind those: what has come since a run was broken off, or the step with which keys are compared"));
            into_new.then_some(made).into_iter().chain([step]).chain(last).collect()
        }
        Coming::Merged { step_rows } => {
            vec![merge(&format!(
                "for the publish of each step of up to {step_rows} rows: comparing them with the target by key, and writing"
            ))]
        }
        Coming::MergedAtOnce => vec![merge("for the publish: comparing what has changed with the target by key, and writing")],
    }
}

/// What the run means to each dependent.
pub(super) fn dependents(found: &[Dependent], outline: &Outline, way: &PublishWay) -> Vec<ForeseenDependent> {
    let straight = PublishWay::Straight { create: None };
    let merge = PublishWay::Merge { reinsert_changed: false, or_replace: false };
    let way_for = |dependent: &Dependent| match (outline.coming, dependent.kind) {
        // Where no run deletes, nothing that refers to a row loses it.
        (Coming::Straight { .. }, _) | (_, DependentKind::ForeignKeyIn(_)) if !outline.deletes => &straight,
        (Coming::Straight { .. }, _) if !outline.keys_due => &straight,
        (Coming::Not | Coming::Straight { .. } | Coming::Merged { .. } | Coming::MergedAtOnce, _) => match way {
            PublishWay::Merge { .. } => way,
            PublishWay::Straight { .. } | PublishWay::Replace | PublishWay::Truncate | PublishWay::Swap { .. } => &merge,
        },
    };
    found.iter().flat_map(|dependent| of_way(std::slice::from_ref(dependent), way_for(dependent))).collect()
}
