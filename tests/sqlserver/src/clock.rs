//! The server's clock. It is the machine's, until a test sets, skews or moves it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::types::date::{self, TICKS_PER_DAY};
use crate::types::value::Value;

/// The clock behind SYSUTCDATETIME and its kin; clones are the same clock.
#[derive(Clone, Debug, Default)]
pub struct Clock(Arc<Mutex<Reading>>);

#[derive(Clone, Copy, Debug, Default)]
struct Reading {
    /// Where it stands, in 100 ns since 0001-01-01; without it, it runs.
    stopped: Option<i64>,
    /// How far ahead of the machine's it runs, in 100 ns.
    skew: i64,
    /// The server's time zone, in minutes east of UTC.
    zone: i16,
}

impl Clock {
    /// Stops the clock at a UTC moment: days since 0001-01-01 and 100 ns since midnight, as in [`Value::DateTime2`].
    pub fn set(&self, days: i32, ticks: u64) {
        self.reading().stopped = Some(i64::from(days) * TICKS_PER_DAY as i64 + ticks as i64);
    }

    /// Moves the clock forward, whether it stands or runs.
    pub fn advance(&self, by: Duration) {
        let ticks = (by.as_nanos() / 100) as i64;
        let mut reading = self.reading();
        match &mut reading.stopped {
            Some(stopped) => *stopped += ticks,
            None => reading.skew += ticks,
        }
    }

    /// Lets the clock run, so many 100 ns ahead of the machine's, or behind it.
    pub fn skew(&self, ticks: i64) {
        let mut reading = self.reading();
        (reading.stopped, reading.skew) = (None, ticks);
    }

    /// Puts the server into a time zone, in minutes east of UTC: SYSDATETIME and GETDATE are local.
    pub fn zone(&self, minutes: i16) {
        self.reading().zone = minutes;
    }

    /// Now, in UTC, as SYSUTCDATETIME says it.
    pub fn utc(&self) -> Value {
        self.utc_shifted(0)
    }

    /// What a clock shows that is so many 100 ns ahead of the server's, or behind it: an application's own.
    pub fn utc_shifted(&self, ticks: i64) -> Value {
        let (days, ticks) = split(self.reading().utc() + ticks);
        Value::DateTime2(days, ticks)
    }

    /// Now, where the server is, as SYSDATETIME says it.
    pub fn local(&self) -> Value {
        let (days, ticks) = self.now_local();
        Value::DateTime2(days, ticks)
    }

    pub(crate) fn now(&self) -> (i32, u64) {
        split(self.reading().utc())
    }

    pub(crate) fn now_local(&self) -> (i32, u64) {
        let reading = *self.reading();
        split(reading.utc() + i64::from(reading.zone) * 600_000_000)
    }

    /// Now in UTC, and the zone's minutes.
    pub(crate) fn now_offset(&self) -> (i32, u64, i16) {
        let reading = *self.reading();
        let (days, ticks) = split(reading.utc());
        (days, ticks, reading.zone)
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading {
    fn utc(&self) -> i64 {
        let (days, ticks) = date::now();
        self.stopped.unwrap_or(i64::from(days) * TICKS_PER_DAY as i64 + ticks as i64 + self.skew)
    }
}

fn split(ticks: i64) -> (i32, u64) {
    (ticks.div_euclid(TICKS_PER_DAY as i64) as i32, ticks.rem_euclid(TICKS_PER_DAY as i64) as u64)
}
