//! What is known of a refresh, whatever happens next.

use std::time::Instant;

use crate::config::TableConfig;
use crate::engine::reading::change_warnings;
use crate::error::SyncError;
use crate::report::{IncrementalReport, RowCounts};
use crate::sources::ReadSummary;
use crate::table::{BadRow, SeenTable, TargetTable};
use crate::target::{Advance, Blocker, Lease, Loaded};

/// What is known of a refresh so far, whatever happens next.
#[derive(Debug)]
pub(in crate::engine) struct SoFar {
    pub(in crate::engine) begun: Instant,
    pub(in crate::engine) refresh: Option<&'static str>,
    pub(in crate::engine) refresh_reason: Option<String>,
    pub(in crate::engine) loaded: Loaded,
    /// Rows read and put aside.
    pub(in crate::engine) bad_rows: Vec<BadRow>,
    /// Whether text is read as its bytes, because the driver's text could not be relied on.
    pub(in crate::engine) text_as_bytes: bool,
    pub(in crate::engine) warnings: Vec<String>,
    /// What is told whichever attempt is the last: what a dead run had left, and what each attempt failed with that another one followed.
    pub(in crate::engine) told: Vec<String>,
    /// The source as the plan saw it.
    pub(in crate::engine) seen: Option<SeenTable>,
    /// The table's lock.
    pub(in crate::engine) lease: Option<Lease>,
    /// Whether this attempt has come to its publish.
    pub(in crate::engine) publishing: bool,
    /// The staging table, once this attempt has made it.
    pub(in crate::engine) staging: Option<TargetTable>,
    /// How far the rows bring the table, where only what is new is brought.
    pub(in crate::engine) advance: Option<Advance>,
    /// What was committed before this attempt, or before its step.
    pub(in crate::engine) committed: RowCounts,
    /// Whether the watermark that the run was told to forget is forgotten.
    pub(in crate::engine) began_anew: bool,
    /// What is told of a table that gets only what is new.
    pub(in crate::engine) incremental: Option<IncrementalReport>,
    /// Who was seen to keep the publish from its lock.
    pub(in crate::engine) blockers: Vec<Blocker>,
}

impl SoFar {
    pub(in crate::engine) fn new() -> Self {
        Self {
            begun: Instant::now(),
            refresh: None,
            refresh_reason: None,
            loaded: Loaded::default(),
            bad_rows: Vec::new(),
            text_as_bytes: false,
            warnings: Vec::new(),
            told: Vec::new(),
            seen: None,
            lease: None,
            publishing: false,
            staging: None,
            advance: None,
            committed: RowCounts::default(),
            began_anew: false,
            incremental: None,
            blockers: Vec::new(),
        }
    }

    /// What is told of an attempt that another one follows.
    pub(in crate::engine) fn failed_attempt(attempt: u32, error: &SyncError) -> String {
        format!("attempt {attempt} failed, and the table was begun again: {error}")
    }

    /// Forgets an attempt, but for what the next one has to know, and what is told of this one.
    pub(in crate::engine) fn start_over(&mut self, told: Option<String>) {
        self.told.extend(told);
        let told = std::mem::take(&mut self.told);
        let (begun, text_as_bytes, committed, began_anew) = (self.begun, self.text_as_bytes, self.committed, self.began_anew);
        *self = Self { begun, text_as_bytes, committed, began_anew, lease: self.lease.take(), told, ..Self::new() };
    }

    pub(in crate::engine) fn note(&mut self, config: &TableConfig, loaded: Loaded, summary: ReadSummary) {
        self.loaded = Loaded { rows: loaded.rows, bytes: self.loaded.bytes + loaded.bytes };
        self.warnings.extend(change_warnings(config, &summary));
        self.bad_rows = summary.bad_rows;
    }

    /// A step is committed: what comes next begins with nothing read.
    pub(in crate::engine) fn step_done(&mut self, rows: RowCounts) {
        self.committed = self.committed.and(rows);
        self.forget_step();
    }

    /// Forgets what a step has read.
    pub(in crate::engine) fn forget_step(&mut self) {
        self.loaded.rows = 0;
        self.bad_rows.clear();
        self.publishing = false;
        self.staging = None;
    }

    /// What was read, of which nothing is published.
    pub(in crate::engine) fn rows(&self) -> RowCounts {
        let quarantined = u64::try_from(self.bad_rows.len()).unwrap_or(u64::MAX);
        RowCounts { read: self.loaded.rows + quarantined, quarantined, ..RowCounts::default() }
    }
}
