//! A table that gets only what is new differs by right in what its runs have not reached yet, and in what they do not look for. Both are told apart from
//! the rows that should agree.
//!
//! Which rows the next run has to bring is asked after both sides have been read: whatever changed at the source in between is among them.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use super::compare::open;
use super::net::Net;
use super::row::RowHasher;
use super::sides::Sides;
use crate::engine::incremental::Horizon;
use crate::error::{ErrorKind, Result, SyncError};
use crate::report::{Comparison, DifferenceKind, OnlyNew};
use crate::table::KeyRanges;

/// Takes the keys out of those that differ that do so by right, and counts them.
pub(super) async fn set_aside(
    sides: &Sides<'_>,
    ranges: Option<&KeyRanges>,
    found: &mut HashMap<u128, Net>,
    comparison: &mut Comparison,
) -> Result<()> {
    let (Some(horizon), Some(counts)) = (&sides.horizon, &mut comparison.only_new) else { return Ok(()) };
    if found.is_empty() {
        return Ok(());
    }
    for key in ahead(sides, horizon, ranges, found).await? {
        counts.not_synced_yet += found.remove(&key).map_or(0, |net| net.difference().1);
    }
    found.retain(|_, net| {
        let (kind, rows) = net.difference();
        match kind {
            DifferenceKind::Extra if horizon.keeps_rows() => counts.kept += rows,
            DifferenceKind::Differs if horizon.leaves_rows_alone() => counts.left_alone += rows,
            DifferenceKind::Extra | DifferenceKind::Differs | DifferenceKind::Missing => return true,
        }
        false
    });
    Ok(())
}

/// Which of the keys the next run brings, or deletes.
async fn ahead(sides: &Sides<'_>, horizon: &Horizon, ranges: Option<&KeyRanges>, found: &HashMap<u128, Net>) -> Result<HashSet<u128>> {
    let columns: Vec<_> = sides.key.iter().map(|&position| sides.columns[position].clone()).collect();
    let key: Vec<_> = columns.iter().map(|column| column.source.clone()).collect();
    let positions: Vec<_> = (0..columns.len()).collect();
    let ahead = Mutex::new(HashSet::new());
    for window in horizon.ahead(&key) {
        let mut hasher = RowHasher::new(&columns, &positions);
        sides
            .read_keys(window, ranges, |row| {
                let key = hasher.hashes(&row).key;
                if found.contains_key(&key) {
                    open(&ahead).insert(key);
                }
            })
            .await?;
    }
    Ok(ahead.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// What the reader should know of the counts.
pub(super) fn warnings(horizon: &Horizon, comparison: &Comparison) -> Vec<String> {
    let OnlyNew { not_synced_yet, kept, left_alone } = comparison.only_new.unwrap_or_default();
    let rows = |rows: u64, does: &str, do_: &str| if rows == 1 { format!("1 row {does}") } else { format!("{rows} rows {do_}") };
    let mut said = Vec::new();
    if not_synced_yet > 0 {
        let rows = rows(not_synced_yet, "differs", "differ");
        said.push(format!("{rows} that no run has reached yet ({}), which is no difference", horizon.ahead_of()));
    }
    if kept > 0 {
        let rows = rows(kept, "is", "are");
        said.push(format!(
            "{rows} in the target only, deleted at the source or never there, which no run of this table looks for (deletes is \"ignore\")"
        ));
    }
    if left_alone > 0 {
        let rows = rows(left_alone, "differs and is", "differ and are");
        said.push(format!("{rows} left alone: the target had the key already (on_conflict is \"nothing\")"));
    }
    if comparison.extra > 0 && horizon.compares_keys() {
        said.push("rows in the target only may have been deleted at the source since keys were last compared: the next run that compares them deletes them".to_owned());
    }
    said
}

/// Where not all that differ were looked at, nobody can say that the others do so by right.
pub(super) fn not_all_seen(horizon: &Horizon) -> SyncError {
    let ahead = horizon.ahead_of();
    let sentence = format!("so many rows differ that not all were looked at, and those that were no run has reached yet ({ahead})");
    SyncError::new(ErrorKind::Refused, sentence).with_remedy("Run the sync, and verify again")
}
