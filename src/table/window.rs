//! Which rows of a table a run reads that copies only what is new.

use super::{Watermark, WatermarkKind};

/// A column by which rows are told new from old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncColumn {
    /// Its name, as the source's catalogue spells it.
    pub name: String,
    /// What its values are.
    pub kind: WatermarkKind,
}

/// A row's place in the order of sync column and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The value of the sync column.
    pub watermark: Watermark,
    /// The key's values in the source's own text form, in the order of the key.
    pub key: Vec<String>,
}

/// One end of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edge {
    /// All rows whose sync column has at most this value lie before it.
    After(Watermark),
    /// The row at this position is the last before it.
    Behind(Position),
}

impl Edge {
    /// The value of the sync column there.
    pub fn watermark(&self) -> Watermark {
        match self {
            Self::After(watermark) | Self::Behind(Position { watermark, .. }) => *watermark,
        }
    }
}

/// The rows behind one edge and up to another, in the order of sync column and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncRange {
    /// The sync column.
    pub column: SyncColumn,
    /// The key's columns, as the source's catalogue spells them.
    pub key: Vec<String>,
    /// Where it begins; none at the first row.
    pub from: Option<Edge>,
    /// Where it ends.
    pub to: Edge,
}

impl SyncRange {
    /// The columns by whose values rows have their order: the sync column, where there is one, and the key.
    pub fn order(&self) -> impl Iterator<Item = &String> {
        self.sync_column().into_iter().chain(&self.key)
    }

    /// The columns of the order, each once: the sync column may be part of the key.
    pub fn columns(&self) -> impl Iterator<Item = &String> {
        let sync = self.sync_column();
        sync.into_iter().chain(self.key.iter().filter(move |name| Some(*name) != sync))
    }

    /// The sync column; Change Tracking has none, and rows have the order of their key.
    pub fn sync_column(&self) -> Option<&String> {
        Some(&self.column.name).filter(|_| self.column.kind != WatermarkKind::ChangeTracking)
    }
}

/// Which rows are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// Those of a range.
    Range(SyncRange),
    /// Those whose sync column has a later value, or none.
    Later {
        /// The sync column.
        column: SyncColumn,
        /// The last value that is not meant.
        than: Watermark,
    },
    /// Those that have changed since a version of Change Tracking and still stand; the key is what they are known by.
    Changed {
        /// The version.
        since: i64,
        /// The key's columns.
        key: Vec<String>,
    },
    /// The keys of those that are gone since a version of Change Tracking.
    Gone {
        /// The version.
        since: i64,
        /// The key's columns.
        key: Vec<String>,
    },
}
