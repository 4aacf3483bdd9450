//! What of a database is never part of a snapshot: the counter of its rowversions, who holds one uncommitted, who has locked which row.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sql::error::SqlError;
use crate::types::value::Value;

/// Where a new database's counter stands.
const FIRST: u64 = 2000;

/// Shared by all copies of a database.
#[derive(Debug, Default)]
pub(crate) struct Live(Mutex<State>);

#[derive(Debug)]
struct State {
    last: u64,
    transactions: u64,
    /// The lowest rowversion of each open transaction that has written one.
    active: BTreeMap<u64, u64>,
    /// Rows that an open transaction has written: table and key.
    locks: HashMap<(i32, String), u64>,
}

impl Default for State {
    fn default() -> Self {
        State { last: FIRST, transactions: 0, active: BTreeMap::new(), locks: HashMap::new() }
    }
}

impl Live {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a transaction.
    pub(crate) fn begin(&self) -> u64 {
        let mut state = self.state();
        state.transactions += 1;
        state.transactions
    }

    /// The next rowversion, active until its transaction ends.
    pub(crate) fn stamp(&self, transaction: u64) -> Value {
        let mut state = self.state();
        state.last = state.last.saturating_add(1);
        let stamped = state.last;
        state.active.entry(transaction).or_insert(stamped);
        bytes(stamped)
    }

    /// Locks a row for a transaction. A row of another's is error 1222, as with LOCK_TIMEOUT 0: nobody waits here.
    pub(crate) fn lock(&self, transaction: u64, object_id: i32, key: &str) -> Result<(), SqlError> {
        let mut state = self.state();
        let holder = *state.locks.entry((object_id, key.to_owned())).or_insert(transaction);
        if holder == transaction { Ok(()) } else { Err(timed_out()) }
    }

    /// Error 1222 where an open transaction has written the table.
    pub(crate) fn unlocked(&self, object_id: i32) -> Result<(), SqlError> {
        if self.state().locks.keys().any(|(locked, _)| *locked == object_id) { Err(timed_out()) } else { Ok(()) }
    }

    /// Ends a transaction: its rowversions are no longer active, its rows no longer locked.
    pub(crate) fn end(&self, transaction: u64) {
        let mut state = self.state();
        state.active.remove(&transaction);
        state.locks.retain(|_, holder| *holder != transaction);
    }

    /// `@@DBTS`: the last rowversion given out, committed or not.
    pub(crate) fn last(&self) -> Value {
        bytes(self.state().last)
    }

    /// `MIN_ACTIVE_ROWVERSION()`: the lowest one of an open transaction, else the next one.
    pub(crate) fn min_active(&self) -> Value {
        let state = self.state();
        bytes(state.active.values().min().copied().unwrap_or(state.last.saturating_add(1)))
    }

    /// Lets the counter go on from here, if it has not come so far.
    pub(crate) fn reach(&self, last: u64) {
        let mut state = self.state();
        state.last = state.last.max(last);
    }
}

fn timed_out() -> SqlError {
    SqlError { state: 45, ..SqlError::new(1222, 16, "Lock request time out period exceeded.") }
}

/// A rowversion as it is stored.
pub(crate) fn bytes(number: u64) -> Value {
    Value::Binary(number.to_be_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_active_rowversion_is_that_of_the_oldest_writer_still_open() {
        let live = Live::default();
        assert_eq!((live.last(), live.min_active()), (bytes(2000), bytes(2001)));
        let (early, late) = (live.begin(), live.begin());
        live.stamp(early);
        live.stamp(late);
        live.stamp(early);
        assert_eq!((live.last(), live.min_active()), (bytes(2003), bytes(2001)));
        live.end(early);
        assert_eq!(live.min_active(), bytes(2002));
        live.end(late);
        assert_eq!(live.min_active(), bytes(2004));
    }

    #[test]
    fn a_row_is_locked_by_one_transaction_until_it_ends() {
        let live = Live::default();
        let (one, other) = (live.begin(), live.begin());
        let locked = |transaction| live.lock(transaction, 1, "k").map_err(|error| error.number);
        assert_eq!((locked(one), locked(one), locked(other)), (Ok(()), Ok(()), Err(1222)));
        live.end(one);
        assert_eq!(locked(other), Ok(()));
    }
}
