//! The reports of all modes, as data; how they look is decided by who shows them.

use std::time::Duration;

use indexmap::IndexMap;
use uuid::Uuid;

use super::{PlanReport, VerifyReport};
use crate::error::SyncError;
use crate::request::Refusal;

/// Why a table was never begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotStarted {
    /// The deadline came first.
    Deadline,
    /// The run was cancelled first.
    Cancelled,
}

/// The tables that a stop left undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Why.
    pub reason: NotStarted,
    /// Their configuration names, in order.
    pub tables: Vec<String>,
}

/// How a table ended.
#[derive(Debug)]
pub enum Outcome {
    /// Done, or counted in a dry run.
    Ok,
    /// Not done; the target is as it was.
    Failed(SyncError),
    /// Another run holds the table.
    Locked {
        /// Who holds it, for a person: since when, by which run or session.
        held_by: String,
    },
    /// Never begun.
    NotStarted(NotStarted),
}

/// What became of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RowCounts {
    /// Rows that came from the source.
    pub read: u64,
    /// Rows new in the target.
    pub inserted: u64,
    /// Rows changed in the target.
    pub updated: u64,
    /// Rows that vanished from the target.
    pub deleted: u64,
    /// Rows that stood already.
    pub unchanged: u64,
    /// Rows that the target cannot hold, put aside.
    pub quarantined: u64,
}

impl RowCounts {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            read: self.read + other.read,
            inserted: self.inserted + other.inserted,
            updated: self.updated + other.updated,
            deleted: self.deleted + other.deleted,
            unchanged: self.unchanged + other.unchanged,
            quarantined: self.quarantined + other.quarantined,
        }
    }
}

/// One table's result.
#[derive(Debug)]
pub struct TableReport {
    /// Its configuration name.
    pub table: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The way the contents were (or would be) replaced: `straight`, `merge`, `replace`, `truncate`, `swap`; none when it was not decided.
    pub refresh: Option<&'static str>,
    /// Why that way; none when it was not decided.
    pub refresh_reason: Option<String>,
    /// What became of the rows.
    pub rows: RowCounts,
    /// COPY bytes sent to the target.
    pub bytes: u64,
    /// How long it took.
    pub elapsed: Duration,
    /// How often it was begun: more than once after trouble that passed, or did not.
    pub attempts: u32,
    /// Whether read, staged and published rows agreed; none when it did not come to that.
    pub validation_passed: Option<bool>,
    /// A dry run's counts: rows at the source, rows in the target (none: the target table is missing).
    pub counted: Option<(u64, Option<u64>)>,
    /// Which part of the table it was about, where only what is new is brought; none when it did not come to that.
    pub incremental: Option<IncrementalReport>,
    /// What the reader should know.
    pub warnings: Vec<String>,
}

/// Which part of a table a run was about that brings only what is new.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IncrementalReport {
    /// Behind which watermark it began; none at the first row.
    pub from: Option<String>,
    /// Up to which watermark the table is copied, or would be.
    pub to: Option<String>,
    /// A dry run's counts.
    pub foreseen: Option<ForeseenRows>,
}

/// What a run would find and do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ForeseenRows {
    /// Rows that it would read.
    pub in_window: u64,
    /// Rows that it would insert.
    pub would_insert: u64,
    /// Rows that it would update.
    pub would_update: u64,
    /// Rows that it would delete.
    pub would_delete: u64,
}

impl TableReport {
    /// A report of a table of which nothing has been done yet.
    pub fn new(table: impl Into<String>, outcome: Outcome) -> Self {
        Self {
            table: table.into(),
            outcome,
            refresh: None,
            refresh_reason: None,
            rows: RowCounts::default(),
            bytes: 0,
            elapsed: Duration::ZERO,
            attempts: 0,
            validation_passed: None,
            counted: None,
            incremental: None,
            warnings: Vec::new(),
        }
    }

    /// Whether work on the table began: neither was it left out, nor does another run hold it.
    pub fn begun(&self) -> bool {
        match self.outcome {
            Outcome::Ok | Outcome::Failed(_) => true,
            Outcome::Locked { .. } | Outcome::NotStarted(_) => false,
        }
    }
}

/// The result of `multi_sync` and `single_sync`.
#[derive(Debug)]
pub struct RunReport {
    /// The run's id, as in the target's `runs` table.
    pub run_id: Uuid,
    /// Whether nothing was written on purpose.
    pub dry_run: bool,
    /// Whether tables ran side by side.
    pub parallel: bool,
    /// The tables, in run order.
    pub tables: IndexMap<String, TableReport>,
    /// What the reader should know about the run as a whole (TLS that is not verified, for instance).
    pub warnings: Vec<String>,
}

/// One table's connection test; an error is on the side it names.
#[derive(Debug)]
pub struct TableTest {
    /// What the source answered: its row count.
    pub source: Result<u64, SyncError>,
    /// What the target answered: its row count; none when the table is missing and would be created.
    pub target: Result<Option<u64>, SyncError>,
}

/// The result of `multi_test`.
#[derive(Debug)]
pub struct TestReport {
    /// The tables, in run order.
    pub tables: IndexMap<String, TableTest>,
    /// The tables that a stop left untested; none without one.
    pub left: Option<Left>,
    /// What the reader should know about the test as a whole.
    pub warnings: Vec<String>,
}

/// When a table last ran, from the target's `runs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastSync {
    /// When it ended.
    pub at: jiff::Timestamp,
    /// How it ended.
    pub outcome: String,
    /// Rows read.
    pub rows: u64,
}

/// One run of a table, from the target's `runs`.
#[derive(Debug, Clone, PartialEq)]
pub struct PastRun {
    /// When it began.
    pub at: jiff::Timestamp,
    /// How it ended.
    pub outcome: String,
    /// Rows read.
    pub rows: u64,
    /// How long it took.
    pub seconds: f64,
}

/// What the target's `runs` knows of one table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TableHistory {
    /// The last runs, oldest first.
    pub runs: Vec<PastRun>,
    /// When the last one that succeeded began: what the target shows is the source of then.
    pub fresh_at: Option<jiff::Timestamp>,
}

/// One table as `info` describes it.
#[derive(Debug)]
pub struct TableInfo {
    /// Its configuration name.
    pub table_name: String,
    /// Free text.
    pub description: String,
    /// The source table as written.
    pub sql_table: String,
    /// The target table as written.
    pub pg_table: String,
    /// How many columns are configured; none when all of the source's are taken and it was not asked.
    pub column_count: Option<usize>,
    /// The source connection.
    pub db_type: String,
    /// The source database.
    pub sql_server_db: Option<String>,
    /// Rows between progress reports.
    pub batch_size: u64,
    /// The configured refresh, or `incremental`.
    pub refresh: &'static str,
    /// The last run.
    pub last_sync: Option<LastSync>,
    /// How far it is copied, where it gets only what is new.
    pub watermark: Option<TableWatermark>,
}

/// How far a table is copied that gets only what is new, from the target's `sync_meta`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableWatermark {
    /// The watermark, as text.
    pub watermark: String,
    /// What it is.
    pub kind: String,
    /// Whether a run within it was broken off: the next one goes on from there.
    pub broken_off: bool,
    /// When it was written; none where another service did, which does not say.
    pub at: Option<jiff::Timestamp>,
    /// How long ago that was, by the target's clock: so old is what the target shows.
    pub lag: Option<Duration>,
}

/// The result of `info`.
#[derive(Debug)]
pub struct InfoReport {
    /// `default_sync_order`.
    pub default_sync_order: Vec<String>,
    /// The tables, in file order.
    pub tables: Vec<TableInfo>,
    /// What the reader should know of the configuration.
    pub warnings: Vec<String>,
}

/// What a request came to.
#[derive(Debug)]
pub enum Report {
    /// Tables were synced, or would be.
    Run(RunReport),
    /// Connections were tested.
    Test(TestReport),
    /// Source and target were compared.
    Verify(VerifyReport),
    /// What a run would do was told.
    Plan(PlanReport),
    /// The configuration was shown.
    Info(InfoReport),
    /// The configuration failed; nothing was begun.
    Failed(SyncError),
    /// The request is wrong in itself: an unknown table, or none where one is needed.
    Refused(Refusal),
}
