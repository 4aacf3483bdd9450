//! What is asked of a source, whatever it is: the columns and the rows to read.

use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::copy::Encoding;
use crate::table::{ColumnPart, Isolation, KeyRanges, SourceCast, SourceTable, Window};

/// One column to read: its name in the catalogue, and the form it is written in.
#[derive(Debug, Clone)]
pub struct SelectColumn {
    /// The name.
    pub name: String,
    /// What of it.
    pub part: ColumnPart,
    /// What a PostgreSQL source does to its values before it sends them.
    pub cast: Option<SourceCast>,
    /// The form.
    pub encoding: Encoding,
    /// Whether the target column takes no NULL.
    pub required: bool,
}

impl SelectColumn {
    /// What messages call it, and the server's result.
    pub(super) fn label(&self) -> String {
        format!("{}{}", self.name, self.part.suffix())
    }
}

/// What to read of a table.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The table.
    pub table: SourceTable,
    /// Its columns, in COPY order.
    pub columns: Vec<SelectColumn>,
    /// Positions in `columns` of the key, for messages.
    pub key: Vec<usize>,
    /// How the read is isolated.
    pub isolation: Isolation,
    /// Where times without a zone were written, where that is configured.
    pub time_zone: Option<TimeZone>,
    /// Which rows; none means all.
    pub ranges: Option<Arc<KeyRanges>>,
    /// Which of them, where only what is new is read.
    pub window: Option<Window>,
}
