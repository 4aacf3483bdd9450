//! How rows are read, and what a read came to.

use crate::error::{ErrorKind, SyncError};
use crate::table::{BadRow, BadText, Change, OnBadRow, SubMicrosecond};

/// What becomes of values and rows that the target cannot hold.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The seventh fractional digit of times.
    pub on_submicrosecond: SubMicrosecond,
    /// U+0000 in text.
    pub on_nul: BadText,
    /// Lone surrogates, and bytes that the code page does not know.
    pub on_bad_unicode: BadText,
    /// Rows.
    pub on_bad_row: OnBadRow,
    /// The most rows that are put aside.
    pub quarantine_limit: u64,
    /// Whether messages show a hash in place of a key.
    pub hash_keys: bool,
    /// Whether all text is read as its bytes and decoded here: slower, and sure.
    pub text_as_bytes: bool,
}

/// What a read came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadSummary {
    /// Rows, confirmed by the server's own count; those put aside among them.
    pub rows: u64,
    /// Columns whose values were changed as configured, how, and how many values.
    pub changed: Vec<(String, Change, u64)>,
    /// The rows put aside.
    pub bad_rows: Vec<BadRow>,
}

/// The error of a reader whose buffers nobody takes any more.
pub(super) fn nobody_listens() -> SyncError {
    SyncError::new(ErrorKind::Stopped, "the target takes no more rows")
}
