//! The first pass: how many rows fall into each bucket, and a sum of their hashes. Memory is the same for any table.

use super::row::Hashes;

/// How many buckets there are.
pub(super) const BUCKETS: usize = 65_536;
/// Rows of buckets that are looked into at once: what bounds the second pass's memory.
pub(super) const GROUP_ROWS: u64 = 400_000;

/// The bucket of a key.
pub(super) fn bucket_of(key: u128) -> usize {
    let [high, low, ..] = key.to_be_bytes();
    usize::from(u16::from_be_bytes([high, low]))
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Bucket {
    /// Independent of the order in which rows come.
    sum: u128,
    rows: u64,
}

/// One side's buckets.
#[derive(Debug)]
pub(super) struct Buckets {
    buckets: Vec<Bucket>,
    pub(super) rows: u64,
}

impl Buckets {
    pub(super) fn new() -> Self {
        Self { buckets: vec![Bucket::default(); BUCKETS], rows: 0 }
    }

    pub(super) fn add(&mut self, hashes: Hashes) {
        let bucket = &mut self.buckets[bucket_of(hashes.key)];
        bucket.sum = bucket.sum.wrapping_add(hashes.row);
        bucket.rows += 1;
        self.rows += 1;
    }

    /// The buckets in which the two sides differ, in groups of so few rows that each can be looked into.
    pub(super) fn differing(&self, other: &Self) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for (index, (one, other)) in self.buckets.iter().zip(&other.buckets).enumerate().filter(|(_, (one, other))| one != other) {
            let rows = one.rows + other.rows;
            match groups.last_mut().filter(|group| group.rows + rows <= GROUP_ROWS) {
                Some(group) => group.add(index, rows),
                None => {
                    let mut group = Group { chosen: vec![false; BUCKETS], rows: 0 };
                    group.add(index, rows);
                    groups.push(group);
                }
            }
        }
        groups
    }
}

/// Some of the buckets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    chosen: Vec<bool>,
    rows: u64,
}

impl Group {
    fn add(&mut self, bucket: usize, rows: u64) {
        self.chosen[bucket] = true;
        self.rows += rows;
    }

    /// All of several groups' buckets.
    pub(super) fn all(groups: &[Self]) -> Self {
        let mut all = Group { chosen: vec![false; BUCKETS], rows: 0 };
        for group in groups {
            all.rows += group.rows;
            all.chosen.iter_mut().zip(&group.chosen).for_each(|(all, chosen)| *all |= chosen);
        }
        all
    }

    /// Whether a key falls into one of them.
    pub(super) fn holds(&self, key: u128) -> bool {
        self.chosen[bucket_of(key)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(key: u128, row: u128) -> Hashes {
        Hashes { key: key << 112, row }
    }

    #[test]
    fn the_order_of_rows_does_not_count_and_their_number_does() {
        let (mut one, mut other) = (Buckets::new(), Buckets::new());
        for row in [1, 2, 3] {
            one.add(hashes(7, row));
            other.add(hashes(7, 4 - row));
        }
        assert!(one.differing(&other).is_empty());
        one.add(hashes(7, 0));
        assert_eq!(one.differing(&other).len(), 1);
    }

    #[test]
    fn groups_are_small_and_hold_every_bucket_that_differs() {
        let (mut one, other) = (Buckets::new(), Buckets::new());
        for bucket in 0..4 {
            (0..GROUP_ROWS / 2).for_each(|row| one.add(hashes(bucket, row.into())));
        }
        let groups = one.differing(&other);
        assert_eq!(groups.len(), 2);
        assert!(groups[0].holds(1 << 112) && !groups[0].holds(2 << 112) && groups[1].holds(3 << 112) && !groups[1].holds(4 << 112));
    }
}
