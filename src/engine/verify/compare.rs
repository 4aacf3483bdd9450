//! The comparison of one table: sums, then keys, then names.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::buckets::{Buckets, Group};
use super::name::{Confirmed, Names};
use super::net::{Net, Nets, count};
use super::row::RowHasher;
use super::sides::Sides;
use crate::engine::full_refresh::TableJob;
use crate::error::Result;
use crate::report::{Comparison, Phase, ProgressEvent};

/// So many differences are named.
const NAMED_MAX: usize = 1_000;
/// Both tables are read once more for each group of buckets that differ; beyond so many the counts are the least there can be.
const GROUPS_MAX: usize = 8;

/// Compares the two sides. Returns what they came to, and what the reader should know.
pub(super) async fn compare(job: &TableJob, sides: &mut Sides<'_>) -> Result<(Comparison, Vec<String>)> {
    let mut warnings = Vec::new();
    let reached = |phase, rows_expected| job.run.progress.on(&ProgressEvent::Reached { table: &job.config.name, phase, rows_expected });
    reached(Phase::Copying, sides.rows_estimate());
    let (source, target) = sum(job, sides).await?;
    let mut comparison =
        Comparison { source_rows: source.rows, target_rows: target.rows, compared_rows: source.rows, ..Comparison::default() };
    let groups = source.differing(&target);
    drop((source, target));
    if groups.is_empty() {
        return Ok((comparison, warnings));
    }
    reached(Phase::Comparing, None);
    let mut found = Vec::new();
    for group in groups.iter().take(GROUPS_MAX) {
        for (key, net) in find(sides, group).await?.into_keys() {
            let (kind, rows) = net.difference();
            *count(&mut comparison, kind) += rows;
            if found.len() < NAMED_MAX {
                found.push((key, net));
            }
        }
    }
    if groups.len() > GROUPS_MAX {
        warnings.push("so many rows differ that not all were counted: the counts are the least there can be".to_owned());
    }
    if sides.key.is_empty() {
        warnings.push("the table has no key: rows were compared as a whole, and none can be named".to_owned());
    } else {
        name(sides, found, &mut comparison).await?;
    }
    Ok((comparison, warnings))
}

/// Reads both sides to their sums.
async fn sum(job: &TableJob, sides: &mut Sides<'_>) -> Result<(Buckets, Buckets)> {
    let (mut source, mut target) = (Buckets::new(), Buckets::new());
    let mut hashers = hashers(sides);
    let mut bytes = 0;
    let batch_size = job.config.batch_size;
    sides
        .read(
            |row| {
                source.add(hashers.0.hashes(&row));
                bytes += u64::try_from(row.bytes().len()).unwrap_or(0);
                if source.rows.is_multiple_of(batch_size) {
                    job.run.progress.on(&ProgressEvent::Rows { table: &job.config.name, rows: source.rows, bytes });
                }
            },
            |row| target.add(hashers.1.hashes(&row)),
        )
        .await?;
    Ok((source, target))
}

/// Finds the keys that differ in a group of buckets.
async fn find(sides: &mut Sides<'_>, group: &Group) -> Result<Nets> {
    let nets = Mutex::new(Nets::default());
    let mut hashers = hashers(sides);
    sides
        .read(
            |row| {
                let hashes = hashers.0.hashes(&row);
                if group.holds(hashes.key) {
                    open(&nets).add_source(hashes);
                }
            },
            |row| {
                let hashes = hashers.1.hashes(&row);
                if group.holds(hashes.key) {
                    open(&nets).add_target(hashes);
                }
            },
        )
        .await?;
    Ok(nets.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Reads the keys that differ once more; those that did not stay as they were leave the counts.
async fn name(sides: &mut Sides<'_>, found: Vec<(u128, Net)>, comparison: &mut Comparison) -> Result<()> {
    let (columns, key) = (sides.columns.clone(), sides.key.clone());
    let names = Names::new(&columns, &key, found.into_iter());
    if names.is_empty() {
        return Ok(());
    }
    let names = Mutex::new(names);
    let mut hashers = hashers(sides);
    sides.read(|row| open(&names).add_source(&mut hashers.0, &row), |row| open(&names).add_target(&mut hashers.1, &row)).await?;
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

fn open<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
