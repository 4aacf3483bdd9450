//! Key ranges of a table whose leading key column both sides order alike: so that only those that differ are read again, and of a large table a share.

use super::row::Hashes;
use crate::copy::{CopyRow, Encoding, ordinal};
use crate::engine::plan::PlannedColumn;
use crate::table::{ColumnPart, KeyRanges, PgType, RangeBounds, RangeKind, SourceColumn, ValueKind};

/// How many ranges a table is divided into.
const RANGES: usize = 16_384;
/// So many ranges are asked for at once: SQL Server seeks to each.
pub(super) const ASKED_MAX: usize = 64;

/// A table's leading key column, divided evenly between the least and the greatest value of the target.
#[derive(Debug, Clone)]
pub(super) struct RangeMap {
    source: String,
    target: String,
    kind: RangeKind,
    encoding: Encoding,
    /// Its position among the columns.
    position: usize,
    least: i64,
    width: i64,
    count: usize,
}

impl RangeMap {
    /// How a column can be divided; none where source and target may order it differently. `least` and `greatest` are of the target.
    pub(super) fn new(position: usize, column: &PlannedColumn, source: &SourceColumn, ends: (i64, i64)) -> Option<Self> {
        if column.part != ColumnPart::Value {
            return None;
        }
        let (kind, limits) = range_kind(source.kind.as_ref().ok()?)?;
        // A bound beyond the source's type would be refused there.
        let (least, greatest) = (ends.0.clamp(limits.0, limits.1), ends.1.clamp(limits.0, limits.1));
        let span = i128::from(greatest) - i128::from(least) + 1;
        let ranges = i128::try_from(RANGES).unwrap_or(1);
        let width = i64::try_from(span.div_euclid(ranges) + i128::from(span % ranges > 0)).ok()?.max(1);
        let count = usize::try_from((span - 1).div_euclid(width.into())).ok()?.min(RANGES - 1) + 1;
        Some(Self {
            source: column.source.clone(),
            target: column.target.clone(),
            kind,
            encoding: column.encoding,
            position,
            least,
            width,
            count,
        })
    }

    /// The range of a row; none where its key is not in the order.
    fn range_of(&self, row: &CopyRow<'_>) -> Option<usize> {
        let ordinal = ordinal(self.encoding, row.field(self.position))?;
        let range = (i128::from(ordinal) - i128::from(self.least)).div_euclid(self.width.into());
        Some(usize::try_from(range.max(0)).unwrap_or(usize::MAX).min(self.count - 1))
    }

    /// The key's ranges from the first to before the second of these indexes.
    pub(super) fn ranges(&self, runs: &[(usize, usize)]) -> KeyRanges {
        let bound = |index: usize| {
            let bound = i128::from(self.least) + i128::from(self.width) * i128::try_from(index).unwrap_or(0);
            (index > 0 && index < self.count).then(|| i64::try_from(bound).unwrap_or(i64::MAX))
        };
        let ranges: Vec<RangeBounds> = runs.iter().map(|(from, to)| (bound(*from), bound(*to))).collect();
        KeyRanges { source: self.source.clone(), target: self.target.clone(), kind: self.kind.clone(), ranges }
    }

    /// About `share` millionths of the ranges, spread over the table; another `seed` gives others.
    pub(super) fn sample(&self, share: u32, seed: u64) -> Vec<(usize, usize)> {
        let strata = ASKED_MAX.min(self.count);
        let mut seed = seed | 1;
        let mut runs = Vec::with_capacity(strata);
        for stratum in 0..strata {
            let (from, to) = (stratum * self.count / strata, (stratum + 1) * self.count / strata);
            let length = ((to - from) * usize::try_from(share).unwrap_or(usize::MAX) / 1_000_000).clamp(1, to - from);
            // Xorshift: any spread will do here.
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            let offset = usize::try_from(seed % u64::try_from(to - from - length + 1).unwrap_or(1)).unwrap_or(0);
            push(&mut runs, (from + offset, from + offset + length));
        }
        runs
    }
}

/// Adds a run, joined to the one before where they touch.
fn push(runs: &mut Vec<(usize, usize)>, run: (usize, usize)) {
    match runs.last_mut().filter(|last| last.1 == run.0) {
        Some(last) => last.1 = run.1,
        None => runs.push(run),
    }
}

/// The type in which bounds are given to the source, and the values that it has.
fn range_kind(kind: &ValueKind) -> Option<(RangeKind, (i64, i64))> {
    let number = |of_type: &str, least: i64, greatest: i64| Some((RangeKind::Number(of_type.to_owned()), (least, greatest)));
    // Days from 2000-01-01 to 0001-01-01, 1753-01-01, 1900-01-01, 2079-06-06 and 9999-12-31.
    let day = |of_type, least, greatest| Some((RangeKind::Day(of_type), (least, greatest)));
    match *kind {
        ValueKind::UInt8 => number("tinyint", 0, 255),
        ValueKind::Int16 => number("smallint", i16::MIN.into(), i16::MAX.into()),
        ValueKind::Int32 => number("int", i32::MIN.into(), i32::MAX.into()),
        ValueKind::Int64 => number("bigint", i64::MIN, i64::MAX),
        ValueKind::Decimal { precision, scale } => {
            let most = 10_i64.checked_pow(precision.saturating_sub(scale).into()).map_or(i64::MAX, |power| power - 1);
            number(&format!("decimal({precision},{scale})"), -most, most)
        }
        ValueKind::Date => day("date", -730_119, 2_921_939),
        ValueKind::Timestamp { digits: Some(0) } => day("smalldatetime", -36_524, 29_011),
        ValueKind::Timestamp { digits: Some(_) } => day("datetime", -90_214, 2_921_939),
        ValueKind::Timestamp { digits: None } => day("datetime2", -730_119, 2_921_939),
        ValueKind::Bool | ValueKind::Float32 | ValueKind::Float64 | ValueKind::Time | ValueKind::TimestampTz => None,
        ValueKind::Text { .. } | ValueKind::Bytes | ValueKind::Uuid | ValueKind::Xml | ValueKind::Json => None,
        ValueKind::RowVersion { .. } | ValueKind::Spatial => None,
        ValueKind::Postgres(ref pg_type) => match pg_type {
            PgType::Int2 => number("smallint", i16::MIN.into(), i16::MAX.into()),
            PgType::Int4 => number("integer", i32::MIN.into(), i32::MAX.into()),
            PgType::Int8 => number("bigint", i64::MIN, i64::MAX),
            PgType::Date => day("date", -730_119, 2_921_939),
            PgType::Timestamp(_) => day("timestamp", -730_119, 2_921_939),
            _ => None,
        },
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct RangeSum {
    sum: u128,
    rows: u64,
}

/// One side's ranges: how many rows fall into each, and a sum of their hashes.
#[derive(Debug)]
pub(super) struct RangeSums<'m> {
    map: &'m RangeMap,
    sums: Vec<RangeSum>,
    /// A row lies in no range: then none can be asked for.
    outside: bool,
}

impl<'m> RangeSums<'m> {
    pub(super) fn new(map: &'m RangeMap) -> Self {
        Self { map, sums: vec![RangeSum::default(); map.count], outside: false }
    }

    pub(super) fn add(&mut self, row: &CopyRow<'_>, hashes: Hashes) {
        match self.map.range_of(row).and_then(|range| self.sums.get_mut(range)) {
            Some(range) => {
                range.sum = range.sum.wrapping_add(hashes.row);
                range.rows += 1;
            }
            None => self.outside = true,
        }
    }

    /// The ranges that differ, in parts of at most so many rows and as many runs as can be asked for at once; none where they are no help.
    pub(super) fn differing(&self, other: &Self, rows_max: u64) -> Option<Vec<Vec<(usize, usize)>>> {
        let mut parts: Vec<Vec<(usize, usize)>> = Vec::new();
        let mut rows_of_part = 0;
        for (index, (one, other)) in self.sums.iter().zip(&other.sums).enumerate().filter(|(_, (one, other))| one != other) {
            let rows = one.rows + other.rows;
            if rows > rows_max {
                return None;
            }
            rows_of_part += rows;
            match parts.last_mut() {
                Some(runs) if rows_of_part <= rows_max && (runs.len() < ASKED_MAX || runs.last().is_some_and(|run| run.1 == index)) => {
                    push(runs, (index, index + 1));
                }
                _ => {
                    parts.push(vec![(index, index + 1)]);
                    rows_of_part = rows;
                }
            }
        }
        (!self.outside && !other.outside).then_some(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy::{RowReader, RowWriter};
    use crate::table::PgType;

    fn map(ends: (i64, i64)) -> RangeMap {
        let kind = ValueKind::Int32;
        let source = SourceColumn {
            column_id: 1,
            name: "k".to_owned(),
            declared: "int".to_owned(),
            kind: Ok(kind),
            nullable: false,
            collation: None,
            converted: None,
            second_digits: None,
        };
        let column = PlannedColumn {
            cast: None,
            source: "k".to_owned(),
            part: ColumnPart::Value,
            target: "k".to_owned(),
            encoding: Encoding::Int4,
            pg_type: PgType::Int4,
            not_null: true,
            conversion: None,
        };
        RangeMap::new(0, &column, &source, ends).unwrap()
    }

    fn add(sums: &mut RangeSums<'_>, key: i32) {
        let mut out = Vec::new();
        RowWriter::begin_row(&mut out, 1).int4(key);
        RowReader::new(1).each(&out, |row| sums.add(&row, Hashes { key: 0, row: 1 })).unwrap();
    }

    #[test]
    fn every_key_lies_in_the_range_that_asks_for_it() {
        for ends in [(0, 0), (-5, 5), (0, 16_383), (0, 16_384), (-2_000_000_000, 2_000_000_000), (i64::MIN, i64::MAX)] {
            let map = map(ends);
            for key in [i32::MIN, -2_000_000_000, -5, -1, 0, 1, 5, 16_383, 16_384, 1_999_999_999, i32::MAX] {
                let mut sums = RangeSums::new(&map);
                add(&mut sums, key);
                let parts = sums.differing(&RangeSums::new(&map), 10).unwrap();
                let [(low, high)] = map.ranges(&parts[0]).ranges[..] else { panic!("one range") };
                assert!(low.is_none_or(|low| low <= key.into()) && high.is_none_or(|high| i64::from(key) < high), "{ends:?} {key}");
            }
        }
    }

    #[test]
    fn parts_are_small_and_hold_few_runs() {
        let map = map((0, 16_383));
        let (mut sums, none) = (RangeSums::new(&map), RangeSums::new(&map));
        (0..400).for_each(|key| add(&mut sums, key * 2));
        let parts = sums.differing(&none, 1_000).unwrap();
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [64, 64, 64, 64, 64, 64, 16]);
        let parts = sums.differing(&none, 10).unwrap();
        assert!(parts.iter().all(|runs| runs.len() <= 10));
        (0..11).for_each(|_| add(&mut sums, 0));
        assert_eq!(sums.differing(&none, 10), None, "a range of too many rows");
    }

    #[test]
    fn a_sample_is_about_the_share_asked_for_and_another_seed_gives_another() {
        let map = map((0, 10_000_000));
        let length = |runs: &[(usize, usize)]| runs.iter().map(|run| run.1 - run.0).sum::<usize>();
        let sample = map.sample(100_000, 7);
        assert!((1_500..=1_700).contains(&length(&sample)), "{}", length(&sample));
        assert!(sample.windows(2).all(|runs| runs[0].1 < runs[1].0));
        assert_ne!(sample, map.sample(100_000, 8));
        assert_eq!(map.sample(1_000_000, 7), [(0, map.count)]);
    }
}
