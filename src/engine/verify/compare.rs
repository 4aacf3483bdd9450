//! The comparison of one table: sums, then keys, then names.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::buckets::{Buckets, GROUP_ROWS, Group};
use super::name::{Confirmed, Names};
use super::net::{Net, Nets, count};
use super::only_new;
use super::ranges::{RangeMap, RangeSums};
use super::row::RowHasher;
use super::sides::Sides;
use crate::engine::full_refresh::TableJob;
use crate::error::Result;
use crate::report::{Comparison, OnlyNew, Phase, ProgressEvent};
use crate::request::Sampling;
use crate::table::KeyRanges;

/// So many differences are named.
const NAMED_MAX: usize = 1_000;
/// Where ranges are no help, both tables are read once more for each group of buckets that differ; beyond so many the counts are the least there can be.
const GROUPS_MAX: usize = 8;
/// A table with more rows than this is compared in part, unless all of it is asked for.
const ROWS_UNSAMPLED: u64 = 1_000_000;

/// Some of the rows: those of these buckets, in these ranges where there are any.
struct Part {
    group: Arc<Group>,
    ranges: Option<KeyRanges>,
}

/// Compares the two sides. Returns what they came to, and what the reader should know.
pub(super) async fn compare(job: &TableJob, sampling: Sampling, sides: &mut Sides<'_>) -> Result<(Comparison, Vec<String>)> {
    let mut warnings: Vec<_> = sides.masked_warning().into_iter().collect();
    if sides.never_synced() {
        warnings.push("no run has brought rows of it yet, as far as sync_meta says: every row was compared".to_owned());
    }
    let reached = |phase, rows_expected| job.run.progress.on(&ProgressEvent::Reached { table: &job.config.name, phase, rows_expected });
    let map = sides.range_map().await?;
    let share = share(sampling, sides.rows_estimate());
    let sample = share.zip(map.as_ref()).map(|(share, map)| map.ranges(&map.sample(share, job.run.run_id.as_u64_pair().1)));
    if share.is_some() && sample.is_none() {
        warnings.push("no share could be chosen by ranges of the key: every row was compared".to_owned());
    }
    reached(Phase::Copying, sides.rows_estimate().filter(|_| sample.is_none()));
    let (mut comparison, parts) = sum(job, sides, map.as_ref(), sample.as_ref()).await?;
    comparison.only_new = sides.horizon.is_some().then(OnlyNew::default);
    if sides.put_aside > 0 {
        let rows = if sides.put_aside == 1 {
            "1 row of the source was".to_owned()
        } else {
            format!("{} rows of the source were", sides.put_aside)
        };
        warnings.push(format!("{rows} put aside (on_bad_row) and not compared"));
    }
    if sample.is_some() {
        (comparison.source_rows, comparison.target_rows) = sides.count().await?;
        comparison.sampled = true;
    }
    if parts.is_empty() {
        return Ok((comparison, warnings));
    }
    reached(Phase::Comparing, None);
    let by_buckets = parts.iter().all(|part| part.ranges == sample);
    if by_buckets && parts.len() > GROUPS_MAX {
        warnings.push("so many rows differ that not all were counted: the counts are the least there can be".to_owned());
    }
    if sides.key.is_empty() {
        warnings.push("the table has no key: rows were compared as a whole, and none can be named".to_owned());
    }
    let looked_at = if by_buckets { GROUPS_MAX } else { usize::MAX };
    for part in parts.iter().take(looked_at) {
        settle(sides, part, &mut comparison).await?;
    }
    if let Some(horizon) = &sides.horizon {
        if parts.len() > looked_at && comparison.different() == 0 {
            return Err(only_new::not_all_seen(horizon));
        }
        warnings.extend(only_new::warnings(horizon, &comparison));
    }
    Ok((comparison, warnings))
}

/// The share of the rows to compare, in millionths; none means all.
fn share(sampling: Sampling, rows_estimate: Option<u64>) -> Option<u32> {
    match sampling {
        Sampling::Full => None,
        Sampling::Share(share) => Some(share),
        Sampling::Auto => {
            let rows = rows_estimate.filter(|rows| *rows > ROWS_UNSAMPLED)?;
            u32::try_from(u128::from(ROWS_UNSAMPLED) * 1_000_000 / u128::from(rows)).ok()
        }
    }
}

/// Reads both sides to their sums: the counts of rows, and the parts that differ.
async fn sum(job: &TableJob, sides: &mut Sides<'_>, map: Option<&RangeMap>, sample: Option<&KeyRanges>) -> Result<(Comparison, Vec<Part>)> {
    let (mut source, mut target) = (Buckets::new(), Buckets::new());
    let (mut source_ranges, mut target_ranges) = (map.map(RangeSums::new), map.map(RangeSums::new));
    let mut hashers = hashers(sides);
    let mut bytes = 0;
    let batch_size = job.config.batch_size;
    sides
        .read(
            sample,
            |row| {
                let hashes = hashers.0.hashes(&row);
                source.add(hashes);
                source_ranges.iter_mut().for_each(|ranges| ranges.add(&row, hashes));
                bytes += u64::try_from(row.bytes().len()).unwrap_or(0);
                if source.rows.is_multiple_of(batch_size) {
                    job.run.progress.on(&ProgressEvent::Rows { table: &job.config.name, rows: source.rows, bytes });
                }
            },
            |row| {
                let hashes = hashers.1.hashes(&row);
                target.add(hashes);
                target_ranges.iter_mut().for_each(|ranges| ranges.add(&row, hashes));
            },
        )
        .await?;
    let rows = Comparison { source_rows: source.rows, target_rows: target.rows, compared_rows: source.rows, ..Comparison::default() };
    let groups = source.differing(&target);
    let by_ranges = source_ranges.zip(target_ranges).and_then(|(source, target)| source.differing(&target, GROUP_ROWS));
    let parts = match (by_ranges, map) {
        (Some(parts), Some(map)) => {
            let group = Arc::new(Group::all(&groups));
            parts.iter().map(|runs| Part { group: Arc::clone(&group), ranges: Some(map.ranges(runs)) }).collect()
        }
        _ => groups.into_iter().map(|group| Part { group: Arc::new(group), ranges: sample.cloned() }).collect(),
    };
    Ok((rows, parts))
}

/// Finds what differs in a part, counts it, and names it while there is room for names.
async fn settle(sides: &mut Sides<'_>, part: &Part, comparison: &mut Comparison) -> Result<()> {
    let room = NAMED_MAX - comparison.differences.len();
    let mut found = Vec::new();
    let mut differing = find(sides, part).await?.into_keys();
    only_new::set_aside(sides, part.ranges.as_ref(), &mut differing, comparison).await?;
    for (key, net) in differing {
        let (kind, rows) = net.difference();
        *count(comparison, kind) += rows;
        if found.len() < room {
            found.push((key, net));
        }
    }
    if sides.key.is_empty() || found.is_empty() {
        return Ok(());
    }
    name(sides, part, found, comparison).await
}

/// Finds the keys that differ.
async fn find(sides: &mut Sides<'_>, part: &Part) -> Result<Nets> {
    let nets = Mutex::new(Nets::default());
    let mut hashers = hashers(sides);
    sides
        .read(
            part.ranges.as_ref(),
            |row| {
                let hashes = hashers.0.hashes(&row);
                if part.group.holds(hashes.key) {
                    open(&nets).add_source(hashes);
                }
            },
            |row| {
                let hashes = hashers.1.hashes(&row);
                if part.group.holds(hashes.key) {
                    open(&nets).add_target(hashes);
                }
            },
        )
        .await?;
    Ok(nets.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Reads the keys that differ once more; those that did not stay as they were leave the counts.
async fn name(sides: &mut Sides<'_>, part: &Part, found: Vec<(u128, Net)>, comparison: &mut Comparison) -> Result<()> {
    let (columns, key) = (sides.columns.clone(), sides.key.clone());
    let names = Mutex::new(Names::new(&columns, &key, sides.hides_keys(), found));
    let mut hashers = hashers(sides);
    sides
        .read(
            part.ranges.as_ref(),
            |row| open(&names).add_source(&mut hashers.0, &row),
            |row| open(&names).add_target(&mut hashers.1, &row),
        )
        .await?;
    for confirmed in names.into_inner().unwrap_or_else(PoisonError::into_inner).finish() {
        match confirmed {
            Confirmed::Difference(difference) => comparison.differences.push(difference),
            Confirmed::Changed(kind, rows) => {
                *count(comparison, kind) -= rows;
                comparison.changed_meanwhile += rows;
            }
        }
    }
    Ok(())
}

fn hashers(sides: &Sides<'_>) -> (RowHasher, RowHasher) {
    let hasher = RowHasher::new(&sides.columns, &sides.key);
    (hasher.clone(), hasher)
}

pub(super) fn open<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_table_is_compared_in_part_unless_all_is_asked_for() {
        assert_eq!(share(Sampling::Auto, Some(ROWS_UNSAMPLED)), None);
        assert_eq!(share(Sampling::Auto, Some(4_000_000)), Some(250_000));
        assert_eq!(share(Sampling::Full, Some(4_000_000)), None);
        assert_eq!(share(Sampling::Share(7), Some(1)), Some(7));
        assert_eq!(share(Sampling::Auto, None), None);
    }
}
