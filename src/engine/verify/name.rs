//! The third pass: the rows that differ are read once more, to be named, and to tell those that only changed meanwhile.

use std::collections::HashMap;

use super::net::Net;
use super::row::{RowHasher, key_text};
use crate::copy::CopyRow;
use crate::engine::plan::PlannedColumn;
use crate::report::{Difference, DifferenceKind};

/// One key that differed, as it is found again.
#[derive(Debug, Default)]
struct Named {
    before: Net,
    now: Net,
    /// The key's fields, for the order in the report, and as text.
    key: Option<(Vec<u8>, String)>,
    /// Sums of the fields' hashes: the source's less the target's.
    fields: Vec<u64>,
}

/// The keys to name.
pub(super) struct Names<'a> {
    columns: &'a [PlannedColumn],
    key: &'a [usize],
    /// Whether a hash is shown in place of a key.
    hashed: bool,
    named: HashMap<u128, Named>,
}

/// What a key came to when it was read again.
pub(super) enum Confirmed {
    /// It differs as before.
    Difference(Difference),
    /// It did not stay as it was: the source changed.
    Changed(DifferenceKind, u64),
}

impl<'a> Names<'a> {
    pub(super) fn new(columns: &'a [PlannedColumn], key: &'a [usize], hashed: bool, found: Vec<(u128, Net)>) -> Self {
        let named = found.into_iter().map(|(key, before)| (key, Named { before, ..Named::default() })).collect();
        Self { columns, key, hashed, named }
    }

    pub(super) fn add_source(&mut self, hasher: &mut RowHasher, row: &CopyRow<'_>) {
        self.add(hasher, row, Net::add_source, u64::wrapping_add);
    }

    pub(super) fn add_target(&mut self, hasher: &mut RowHasher, row: &CopyRow<'_>) {
        self.add(hasher, row, Net::add_target, u64::wrapping_sub);
    }

    fn add(&mut self, hasher: &mut RowHasher, row: &CopyRow<'_>, side: fn(&mut Net, u128), sum: fn(u64, u64) -> u64) {
        let hashes = hasher.hashes(row);
        let Some(named) = self.named.get_mut(&hashes.key) else { return };
        side(&mut named.now, hashes.row);
        named.fields.resize(self.columns.len(), 0);
        for (total, field) in named.fields.iter_mut().zip(hasher.fields(row)) {
            *total = sum(*total, field);
        }
        let (columns, key, hashed) = (self.columns, self.key, self.hashed);
        named.key.get_or_insert_with(|| {
            let bytes = key.iter().flat_map(|position| row.field(*position).unwrap_or_default()).copied().collect();
            (bytes, key_text(columns, key, row, hashed))
        });
    }

    /// The keys in their order.
    pub(super) fn finish(self) -> Vec<Confirmed> {
        let columns = self.columns;
        let mut named: Vec<_> = self.named.into_values().collect();
        named.sort_by(|one, other| one.key.cmp(&other.key));
        named.into_iter().map(|named| named.confirm(columns)).collect()
    }
}

impl Named {
    fn confirm(self, columns: &[PlannedColumn]) -> Confirmed {
        let (kind, rows) = self.before.difference();
        let Some((_, key)) = self.key.filter(|_| self.before == self.now) else { return Confirmed::Changed(kind, rows) };
        let differing = || {
            let differing = columns.iter().zip(&self.fields).filter(|(_, sum)| **sum != 0);
            differing.map(|(column, _)| column.source.clone()).collect()
        };
        let columns = if kind == DifferenceKind::Differs { differing() } else { Vec::new() };
        Confirmed::Difference(Difference { kind, key, columns })
    }
}
