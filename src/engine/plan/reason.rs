//! Why the contents of a table are replaced in the way they are. Pure.

use crate::table::Refresh;
use crate::target::{Publication, PublishWay, TargetDescription};

/// The reason, in one sentence; `target` is none where the table does not exist.
pub(super) fn reason(refresh: Refresh, publication: &Publication, target: Option<&TargetDescription>) -> String {
    let chosen = "refresh says so";
    match &publication.way {
        PublishWay::Straight { create: Some(_) } => "the target table is missing and create_tables makes it".to_owned(),
        PublishWay::Straight { create: None } => "the target table is empty, so there is nothing to compare with".to_owned(),
        PublishWay::Merge { reinsert_changed, or_replace } => {
            let why = if refresh == Refresh::Merge { chosen } else { "the target has rows" };
            let how = if *reinsert_changed {
                "; changed rows are deleted and inserted, because an update could meet another unique constraint half-way or cannot set a column that is always generated"
            } else {
                ""
            };
            let or = match target {
                _ if *or_replace => "; should most of them have changed or vanished, all rows are replaced".to_owned(),
                Some(target) if refresh == Refresh::Auto => never_replaced(publication, target),
                Some(_) | None => String::new(),
            };
            format!("{why}, and rows are compared by the key ({}){how}{or}", publication.key.join(", "))
        }
        PublishWay::Replace if refresh == Refresh::Replace => chosen.to_owned(),
        PublishWay::Replace => "the target has rows, and there is no key to compare them by".to_owned(),
        PublishWay::Truncate => chosen.to_owned(),
        PublishWay::Swap { partition } => {
            let may = match partition {
                None => "nothing hangs on the table".to_owned(),
                Some(partition) => format!("{partition} is the one partition of the table"),
            };
            format!("{chosen}, and {may}; every row is written, and until the commit there is room for two of the table and its indexes")
        }
    }
}

/// What keeps rows from being replaced, however many have changed.
fn never_replaced(publication: &Publication, target: &TargetDescription) -> String {
    let mut why: Vec<String> = target.referenced_by.iter().map(|table| format!("{table} refers to them")).collect();
    if target.columns.len() > publication.columns.len() {
        why.push("the target has columns that are not synced".to_owned());
    }
    why.extend(target.told_of_rows.iter().map(|told| format!("{told} is told of them")));
    if why.is_empty() { String::new() } else { format!("; rows are never replaced all, because {}", why.join(", ")) }
}
