//! The report of mode `plan`, as data: what a run would do with each table.

use indexmap::IndexMap;

use super::Left;
use crate::error::SyncError;

/// The result of `plan`.
#[derive(Debug)]
pub struct PlanReport {
    /// The tables, in run order.
    pub tables: IndexMap<String, TablePlan>,
    /// The tables that a stop left unplanned; none without one.
    pub left: Option<Left>,
    /// What the reader should know about the whole.
    pub warnings: Vec<String>,
}

/// What a run would do with one table, and what would make it fail; a run may be planned to its end and still be refused.
#[derive(Debug)]
pub struct TablePlan {
    /// The source table as written.
    pub sql_table: String,
    /// The target table as written.
    pub pg_table: String,
    /// The plan; none where the error came first.
    pub foreseen: Option<Foreseen>,
    /// What the run would fail with.
    pub error: Option<SyncError>,
}

/// What a run would do with one table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Foreseen {
    /// The way the contents would be replaced, by its name in reports.
    pub refresh: &'static str,
    /// Why that way, in one sentence.
    pub reason: String,
    /// Whether the target table is there.
    pub target_exists: bool,
    /// The columns, in order.
    pub columns: Vec<ForeseenColumn>,
    /// The DDL that would be run in the target, in order; staging tables of the state schema apart.
    pub ddl: Vec<String>,
    /// The locks that would be taken in the target.
    pub locks: Vec<ForeseenLock>,
    /// How much would be read.
    pub expected: Expected,
    /// What in the target depends on the table, or acts on it.
    pub dependents: Vec<ForeseenDependent>,
    /// What has changed at the source since the last successful run.
    pub drift: Vec<String>,
    /// Which part of the table it is about, where only what is new is brought.
    pub incremental: Option<ForeseenIncremental>,
    /// What the reader should know.
    pub warnings: Vec<String>,
}

/// Which part of a table a run would be about that brings only what is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeseenIncremental {
    /// Behind which watermark it would begin; none at the first row.
    pub from: Option<String>,
    /// Up to which watermark the table would be copied.
    pub to: String,
    /// Rows between; none where they were not counted.
    pub rows: Option<u64>,
    /// How they would come into the target: `straight`, `merge` or `nothing`.
    pub way: &'static str,
    /// Whether keys would be compared this time.
    pub compares_keys: bool,
}

/// One column's way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeseenColumn {
    /// Its name at the source.
    pub source: String,
    /// Its type there, as declared.
    pub source_type: String,
    /// Its name in the target.
    pub target: String,
    /// Its type there.
    pub target_type: String,
    /// Whether the target takes NULL.
    pub nullable: bool,
    /// Whether it belongs to the key.
    pub key: bool,
    /// What happens to its values on the way; none where they arrive as they are.
    pub conversion: Option<String>,
}

/// One lock in the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeseenLock {
    /// Its mode, as PostgreSQL names it.
    pub mode: &'static str,
    /// From when to when it is held.
    pub held: String,
    /// What readers notice.
    pub readers: String,
    /// What other writers notice.
    pub writers: String,
}

/// How much would be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expected {
    /// Rows, by the source's catalogue; none where it does not say.
    pub rows: Option<u64>,
    /// Bytes that would be sent to the target; none where the rows are not known.
    pub bytes: Option<u64>,
    /// What the bytes are estimated from.
    pub basis: Basis,
    /// The last successful run; none where there was none.
    pub last: Option<LastSuccess>,
}

/// What bytes are estimated from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Basis {
    /// The columns' types: a rough guess where text is.
    #[default]
    ColumnTypes,
    /// The bytes per row of the last successful run.
    LastRun,
}

impl Basis {
    /// Its name in bodies.
    pub fn name(self) -> &'static str {
        match self {
            Basis::ColumnTypes => "column_types",
            Basis::LastRun => "last_run",
        }
    }
}

/// The last successful run of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastSuccess {
    /// When it ended.
    pub at: jiff::Timestamp,
    /// Rows read.
    pub rows: u64,
    /// COPY bytes.
    pub bytes: u64,
    /// Milliseconds that it took.
    pub elapsed_ms: u64,
}

/// Something in the target that depends on the table or acts on it, and what the refresh means to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeseenDependent {
    /// What it is: `view`, `trigger`, ...
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What the refresh means to it.
    pub effect: String,
}
