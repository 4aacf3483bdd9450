//! Progress as it happens, for a person who watches or a log.

use super::TableReport;

/// What a table is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Catalogues are read and the plan is made.
    Planning,
    /// Rows flow from the source.
    Copying,
    /// Staged rows are checked and compared.
    Comparing,
    /// The change is made visible.
    Publishing,
    /// Trouble came that may pass: nothing is done until the table is begun again.
    Waiting,
}

/// One thing that happened while a run was under way.
#[derive(Debug)]
pub enum ProgressEvent<'a> {
    /// A table has begun.
    Started {
        /// Its configuration name.
        table: &'a str,
        /// Its place in the run, from 1.
        position: usize,
        /// How many tables the run has.
        tables: usize,
    },
    /// A table has reached a phase; `rows_expected` is an estimate from the source's catalogue.
    Reached {
        /// Its configuration name.
        table: &'a str,
        /// The phase.
        phase: Phase,
        /// The rows to come, where known.
        rows_expected: Option<u64>,
    },
    /// So many rows have been read so far.
    Rows {
        /// Its configuration name.
        table: &'a str,
        /// Rows so far.
        rows: u64,
        /// COPY bytes so far.
        bytes: u64,
    },
    /// A table has ended.
    Finished(&'a TableReport),
}

/// Whoever wants to see progress.
pub trait Progress: Send + Sync {
    /// Called for every event, from any task; must not block.
    fn on(&self, event: &ProgressEvent<'_>);
}

/// Shows nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn on(&self, _event: &ProgressEvent<'_>) {}
}
