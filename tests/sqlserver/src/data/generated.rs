//! Tables whose rows are computed from the row number, so that millions of them
//! cost no memory: a key made from the number, everything else drawn from pools.

use std::fmt;
use std::sync::Arc;

use crate::types::value::Value;

/// A table's rows, by formula.
#[derive(Clone, Debug)]
pub(crate) struct Generated {
    pub(crate) rows: u64,
    pub(crate) columns: Arc<Vec<Source>>,
    /// Share of rows whose other values differ from the first state, in ten-thousandths.
    pub(crate) changed: u64,
}

/// Where a column's values come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// The row's number, from 1.
    Number,
    /// `C` and nine digits of the row's number.
    Code,
    /// One of these, picked by a hash of the row's number.
    Pool(u64, Vec<Value>),
    /// Whatever a test computes from the row's position and the column's.
    Formula(Formula),
}

/// A test's own function from a row's position and a column's to the value there.
#[derive(Clone)]
pub(crate) struct Formula(pub(crate) Arc<dyn Fn(u64, usize) -> Value + Send + Sync>);

impl fmt::Debug for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Formula")
    }
}

impl Generated {
    pub(crate) fn row(&self, at: u64) -> Vec<Value> {
        (0..self.columns.len()).map(|column| self.value(at, column)).collect()
    }

    pub(crate) fn value(&self, at: u64, column: usize) -> Value {
        match &self.columns[column] {
            Source::Number => Value::Int(at as i64 + 1),
            Source::Code => Value::Wide(code(at).map(u16::from).to_vec()),
            Source::Pool(salt, values) => values[pick(at, *salt, self.is_changed(at), values.len())].clone(),
            Source::Formula(Formula(value)) => value(at, column),
        }
    }

    /// Whether this row is one of the changed ones.
    pub(crate) fn is_changed(&self, at: u64) -> bool {
        self.changed > 0 && hash(at ^ 0x5EED) % 10_000 < self.changed
    }
}

/// The key text of a row.
pub(crate) fn code(at: u64) -> [u8; 10] {
    let mut text = *b"C000000000";
    let mut rest = at + 1;
    for digit in text[1..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    text
}

/// The position in a pool: a changed row takes the neighbour.
pub(crate) fn pick(at: u64, salt: u64, changed: bool, length: usize) -> usize {
    let mixed = hash(at ^ salt << 40);
    let at = ((u128::from(mixed) * length as u128) >> 64) as usize;
    if changed { (at + 1) % length } else { at }
}

/// A hash that spreads row numbers (the finalizer of SplitMix64).
pub(crate) fn hash(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
