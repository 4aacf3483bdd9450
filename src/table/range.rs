//! Ranges of a key that both sides order alike.

/// What a key's bounds are, and the source's type that they are given in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangeKind {
    /// Whole numbers.
    Number(String),
    /// Days since 2000-01-01.
    Day(&'static str),
}

/// From the first to before the second; none is open.
pub type RangeBounds = (Option<i64>, Option<i64>);

/// The rows whose leading key column lies in any of some ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRanges {
    /// The column's name at the source.
    pub source: String,
    /// The column's name in the target.
    pub target: String,
    /// What its bounds are.
    pub kind: RangeKind,
    /// The ranges, in order, none touching another.
    pub ranges: Vec<RangeBounds>,
}

impl KeyRanges {
    /// As a condition over `column`, quoted; `bound` writes a bound.
    pub fn condition(&self, column: &str, bound: impl Fn(i64) -> String) -> String {
        let one = |(low, high): &RangeBounds| match (low, high) {
            (Some(low), Some(high)) => format!("({column} >= {} AND {column} < {})", bound(*low), bound(*high)),
            (Some(low), None) => format!("{column} >= {}", bound(*low)),
            (None, Some(high)) => format!("{column} < {}", bound(*high)),
            (None, None) => "1 = 1".to_owned(),
        };
        self.ranges.iter().map(one).collect::<Vec<_>>().join(" OR ")
    }
}
