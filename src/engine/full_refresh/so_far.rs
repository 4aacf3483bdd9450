//! What is known of a refresh, whatever happens next.

use std::time::Instant;

use crate::config::TableConfig;
use crate::engine::reading::change_warnings;
use crate::error::SyncError;
use crate::report::RowCounts;
use crate::sources::ReadSummary;
use crate::table::{BadRow, SeenTable, TargetTable};
use crate::target::{Blocker, Lease, Loaded};

/// What is known of a refresh so far, whatever happens next.
#[derive(Debug)]
pub(super) struct SoFar {
    pub(super) begun: Instant,
    pub(super) refresh: Option<&'static str>,
    pub(super) refresh_reason: Option<String>,
    pub(super) loaded: Loaded,
    /// Rows read and put aside.
    pub(super) bad_rows: Vec<BadRow>,
    /// Whether text is read as its bytes, because the driver's text could not be relied on.
    pub(super) text_as_bytes: bool,
    pub(super) warnings: Vec<String>,
    /// What is told whichever attempt is the last: what a dead run had left, and what each attempt failed with that another one followed.
    pub(super) told: Vec<String>,
    /// The source as the plan saw it.
    pub(super) seen: Option<SeenTable>,
    /// The table's lock.
    pub(super) lease: Option<Lease>,
    /// Whether this attempt has come to its publish.
    pub(super) publishing: bool,
    /// The staging table, once this attempt has made it.
    pub(super) staging: Option<TargetTable>,
    /// Who was seen to keep the publish from its lock.
    pub(super) blockers: Vec<Blocker>,
}

impl SoFar {
    pub(super) fn new() -> Self {
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
            blockers: Vec::new(),
        }
    }

    /// What is told of an attempt that another one follows.
    pub(super) fn failed_attempt(attempt: u32, error: &SyncError) -> String {
        format!("attempt {attempt} failed, and the table was begun again: {error}")
    }

    /// Forgets an attempt, but for what the next one has to know, and what is told of this one.
    pub(super) fn start_over(&mut self, told: Option<String>) {
        self.told.extend(told);
        let told = std::mem::take(&mut self.told);
        *self = Self { begun: self.begun, text_as_bytes: self.text_as_bytes, lease: self.lease.take(), told, ..Self::new() };
    }

    pub(super) fn note(&mut self, config: &TableConfig, loaded: Loaded, summary: ReadSummary) {
        self.loaded = loaded;
        self.warnings.extend(change_warnings(config, &summary));
        self.bad_rows = summary.bad_rows;
    }

    /// What was read, of which nothing is published.
    pub(super) fn rows(&self) -> RowCounts {
        let quarantined = u64::try_from(self.bad_rows.len()).unwrap_or(u64::MAX);
        RowCounts { read: self.loaded.rows + quarantined, quarantined, ..RowCounts::default() }
    }
}
