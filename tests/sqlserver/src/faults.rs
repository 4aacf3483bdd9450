//! What can be made to go wrong while a table is read, or at a login.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::handle::TableHandle;
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
    /// Sends the row at this place twice, as a read without locks may meet one that moves.
    RepeatRow(u64),
    /// Waits before each row.
    DelayPerRow(Duration),
    /// Once this many rows have been sent, changes something, once, and goes on: the rows of this read stay as they were when it began.
    ChangeAfterRows(u64, Change),
}

impl Fault {
    /// A [`Fault::ChangeAfterRows`] that does this to the table, or to what the closure holds.
    pub fn change_after_rows(rows: u64, change: impl Fn(&TableHandle) + Send + Sync + 'static) -> Fault {
        Fault::ChangeAfterRows(rows, Change(Arc::new(change)))
    }
}

/// A fault of the login.
#[derive(Clone, Debug)]
pub enum LoginFault {
    /// The login is refused with this error.
    Error(SqlError),
    /// The connection is closed without an answer, as by a server that stops.
    Close,
    /// Nothing is answered, until the client gives up.
    Hang,
}

/// What a test does while a table is read.
#[derive(Clone)]
pub struct Change(pub(crate) Arc<dyn Fn(&TableHandle) + Send + Sync>);

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a change")
    }
}

/// The fault of a table, shared by all its readers.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    armed: AtomicBool,
    current: Mutex<Option<(Fault, Times)>>,
}

/// How often a fault is still to strike; none where there is no end to it.
type Times = Option<u32>;

/// The fault of all logins.
#[derive(Debug, Default)]
pub(crate) struct LoginFaults(Mutex<Option<(LoginFault, Times)>>);

impl LoginFaults {
    pub(crate) fn set(&self, fault: Option<LoginFault>, times: Times) {
        if let Ok(mut current) = self.0.lock() {
            *current = fault.map(|fault| (fault, times));
        }
    }

    /// What strikes the login that has just come.
    pub(crate) fn strike(&self) -> Option<LoginFault> {
        let mut current = self.0.lock().ok()?;
        let (fault, times) = current.as_mut()?;
        let fault = fault.clone();
        let spent = times.as_mut().is_some_and(|times| {
            *times -= 1;
            *times == 0
        });
        if spent {
            *current = None;
        }
        Some(fault)
    }
}

impl Faults {
    /// Whether there is one: cheap enough to ask before each row.
    pub(crate) fn armed(&self) -> bool {
        self.armed.load(Ordering::Relaxed)
    }

    pub(crate) fn get(&self) -> Option<Fault> {
        self.current.lock().ok().and_then(|current| current.as_ref().map(|(fault, _)| fault.clone()))
    }

    pub(crate) fn set(&self, fault: Option<Fault>, times: Times) {
        if let Ok(mut current) = self.current.lock() {
            self.armed.store(fault.is_some(), Ordering::Relaxed);
            *current = fault.map(|fault| (fault, times));
        }
    }

    /// Notes that the fault has struck: after so many times there is none.
    pub(crate) fn struck(&self) {
        if let Ok(mut current) = self.current.lock()
            && let Some((_, Some(times))) = current.as_mut()
        {
            *times -= 1;
            if *times == 0 {
                *current = None;
                self.armed.store(false, Ordering::Relaxed);
            }
        }
    }
}
