//! The second pass: of each key in the buckets that differ, what is left when both sides' rows are set off against each other.

use std::collections::HashMap;

use super::row::Hashes;
use crate::report::{Comparison, DifferenceKind};

/// What a key's rows on both sides leave of each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Net {
    /// The source's hashes less the target's.
    sum: u128,
    /// The source's rows less the target's.
    rows: i64,
}

impl Net {
    pub(super) fn add_source(&mut self, row: u128) {
        self.sum = self.sum.wrapping_add(row);
        self.rows += 1;
    }

    pub(super) fn add_target(&mut self, row: u128) {
        self.sum = self.sum.wrapping_sub(row);
        self.rows -= 1;
    }

    fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// How the key's rows differ, and how many of them.
    pub(super) fn difference(self) -> (DifferenceKind, u64) {
        match self.rows.signum() {
            0 => (DifferenceKind::Differs, 1),
            1 => (DifferenceKind::Missing, self.rows.unsigned_abs()),
            _ => (DifferenceKind::Extra, self.rows.unsigned_abs()),
        }
    }
}

/// The keys whose rows do not agree so far; those that agree are forgotten, so that streams in a similar order need little memory.
#[derive(Debug, Default)]
pub(super) struct Nets(HashMap<u128, Net>);

impl Nets {
    pub(super) fn add_source(&mut self, hashes: Hashes) {
        self.add(hashes.key, |net| net.add_source(hashes.row));
    }

    pub(super) fn add_target(&mut self, hashes: Hashes) {
        self.add(hashes.key, |net| net.add_target(hashes.row));
    }

    fn add(&mut self, key: u128, add: impl FnOnce(&mut Net)) {
        let net = self.0.entry(key).or_default();
        add(net);
        if net.is_nothing() {
            self.0.remove(&key);
        }
    }

    /// The keys that differ.
    pub(super) fn into_keys(self) -> HashMap<u128, Net> {
        self.0
    }
}

/// Adds so many rows of a kind to the counts.
pub(super) fn count(comparison: &mut Comparison, kind: DifferenceKind) -> &mut u64 {
    match kind {
        DifferenceKind::Differs => &mut comparison.differing,
        DifferenceKind::Missing => &mut comparison.missing,
        DifferenceKind::Extra => &mut comparison.extra,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_agree_are_forgotten_whichever_side_comes_first() {
        let mut nets = Nets::default();
        for key in 0..10 {
            nets.add_source(Hashes { key, row: 7 * key });
            nets.add_target(Hashes { key: 9 - key, row: 7 * (9 - key) });
        }
        assert_eq!(nets.into_keys().len(), 0);
    }

    #[test]
    fn what_is_left_tells_how_a_row_differs() {
        let mut nets = Nets::default();
        nets.add_source(Hashes { key: 1, row: 1 });
        nets.add_target(Hashes { key: 1, row: 2 });
        nets.add_source(Hashes { key: 2, row: 1 });
        nets.add_target(Hashes { key: 3, row: 1 });
        nets.add_target(Hashes { key: 3, row: 1 });
        let mut found: Vec<_> = nets.into_keys().into_iter().map(|(key, net)| (key, net.difference())).collect();
        found.sort_by_key(|(key, _)| *key);
        assert_eq!(found, [(1, (DifferenceKind::Differs, 1)), (2, (DifferenceKind::Missing, 1)), (3, (DifferenceKind::Extra, 2))]);
    }
}
