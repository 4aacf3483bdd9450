//! What can be made to go wrong while a table is read.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::sql::error::SqlError;

/// A fault of a table's stream.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Cuts the connection after this many rows.
    CutAfterRows(u64),
    /// Cuts the connection after this many bytes of the answer.
    CutAfterBytes(u64),
    /// Sends nothing more after this many rows, until the client gives up.
    StallAfterRows(u64),
    /// Sends an error after this many rows; class 20 and above ends the connection.
    ErrorAfterRows(u64, SqlError),
    /// Waits before each row.
    DelayPerRow(Duration),
}

/// The fault of a table, shared by all its readers.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    armed: AtomicBool,
    current: Mutex<Option<Fault>>,
}

impl Faults {
    /// Whether there is one: cheap enough to ask before each row.
    pub(crate) fn armed(&self) -> bool {
        self.armed.load(Ordering::Relaxed)
    }

    pub(crate) fn get(&self) -> Option<Fault> {
        self.current.lock().ok().and_then(|fault| fault.clone())
    }

    pub(crate) fn set(&self, fault: Option<Fault>) {
        if let Ok(mut current) = self.current.lock() {
            self.armed.store(fault.is_some(), Ordering::Relaxed);
            *current = fault;
        }
    }
}
