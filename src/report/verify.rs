//! The report of `verify`: what source and target agree on, and where they do not.

use std::time::Duration;

use indexmap::IndexMap;
use uuid::Uuid;

use super::NotStarted;
use crate::error::SyncError;

/// How a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceKind {
    /// It stands on both sides, with other values.
    Differs,
    /// The target does not have it.
    Missing,
    /// The source does not have it.
    Extra,
}

impl DifferenceKind {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Differs => "differs",
            Self::Missing => "missing",
            Self::Extra => "extra",
        }
    }
}

/// One row that differs, never with a value but its key's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// How.
    pub kind: DifferenceKind,
    /// Its key, as in `Id=7`.
    pub key: String,
    /// The source's columns whose values differ.
    pub columns: Vec<String>,
}

impl Difference {
    /// A sentence's part about it.
    pub fn sentence(&self) -> String {
        match self.kind {
            DifferenceKind::Differs => format!("row {} differs in {}", self.key, self.columns.join(", ")),
            DifferenceKind::Missing => format!("row {} is missing in the target", self.key),
            DifferenceKind::Extra => format!("row {} is in the target only", self.key),
        }
    }
}

/// Rows in which a table that gets only what is new differs by right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OnlyNew {
    /// Those that no run has reached yet.
    pub not_synced_yet: u64,
    /// Those that the source does not have, where no run looks for them.
    pub kept: u64,
    /// Those with other values on both sides, where no run writes a row that stands.
    pub left_alone: u64,
}

/// What the comparison of one table came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// Rows at the source.
    pub source_rows: u64,
    /// Rows in the target.
    pub target_rows: u64,
    /// Rows of the source that were compared.
    pub compared_rows: u64,
    /// Whether only a share of the rows was compared.
    pub sampled: bool,
    /// Rows on both sides with other values.
    pub differing: u64,
    /// Rows that the target does not have.
    pub missing: u64,
    /// Rows that the source does not have.
    pub extra: u64,
    /// Rows that differed and were changed at the source while they were compared; they are in no other count.
    pub changed_meanwhile: u64,
    /// Rows that differ by right, where only what is new is brought; they are in no other count.
    pub only_new: Option<OnlyNew>,
    /// Rows that differ, by name, up to a limit.
    pub differences: Vec<Difference>,
}

impl Comparison {
    /// How many rows differ, whichever way.
    pub fn different(&self) -> u64 {
        self.differing + self.missing + self.extra
    }

    /// What differs, as a sentence; none where nothing does.
    pub fn sentence(&self) -> Option<String> {
        let counts = [(self.differing, "differ"), (self.missing, "missing in the target"), (self.extra, "in the target only")];
        let counts: Vec<_> = counts.iter().filter(|(rows, _)| *rows > 0).map(|(rows, what)| format!("{rows} {what}")).collect();
        let first = self.differences.first().map(|first| format!("; the first: {}", first.sentence())).unwrap_or_default();
        (!counts.is_empty()).then(|| format!("rows of source and target: {}{first}", counts.join(", ")))
    }
}

/// How the comparison of a table ended.
#[derive(Debug)]
pub enum Verified {
    /// It was done.
    Compared(Comparison),
    /// It was not.
    Failed(SyncError),
    /// It was never begun.
    NotStarted(NotStarted),
}

/// One table's comparison.
#[derive(Debug)]
pub struct TableVerification {
    /// How it ended.
    pub verified: Verified,
    /// How long it took.
    pub elapsed: Duration,
    /// What the reader should know.
    pub warnings: Vec<String>,
}

impl TableVerification {
    /// Why it is no success: what differs, or what went wrong.
    pub fn error(&self) -> Option<String> {
        match &self.verified {
            Verified::Compared(comparison) => comparison.sentence(),
            Verified::Failed(error) => Some(error.to_string()),
            Verified::NotStarted(_) => None,
        }
    }

    /// Whether it was done and nothing differs.
    pub fn agrees(&self) -> bool {
        matches!(&self.verified, Verified::Compared(comparison) if comparison.different() == 0)
    }
}

/// The result of `verify`.
#[derive(Debug)]
pub struct VerifyReport {
    /// The run's id, which is in the names of its sessions.
    pub run_id: Uuid,
    /// The tables, in run order.
    pub tables: IndexMap<String, TableVerification>,
    /// What the reader should know about the run as a whole.
    pub warnings: Vec<String>,
}
