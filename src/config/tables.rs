//! `table_configs.json`: which tables there are, where they come from, and how each is refreshed.

use std::path::Path;

use indexmap::IndexMap;
use jiff::tz::TimeZone;

use super::file;
use crate::error::Result;
use crate::table::{
    BadText, IdentifierPolicy, Incremental, Isolation, OnBadRow, OnDrift, Refresh, SourceTable, SubMicrosecond, TargetTable,
};

/// The most rows that a run may put aside where the configuration does not say.
pub const QUARANTINE_LIMIT: u64 = 100;

/// The options that may stand in `defaults` and in a table; the table's win.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TableOptions {
    /// How the contents are replaced.
    pub refresh: Refresh,
    /// Whether a missing target table is created.
    pub create_tables: bool,
    /// The isolation level of the read.
    pub isolation: Isolation,
    /// Refuse to publish fewer rows than this.
    pub min_rows: Option<u64>,
    /// Refuse to publish when more than this share (0 to 1) of the target's rows would vanish.
    pub max_shrink: Option<f64>,
    /// How names are folded.
    pub identifiers: IdentifierPolicy,
    /// What becomes of the seventh fractional digit.
    pub on_submicrosecond: SubMicrosecond,
    /// What becomes of U+0000 in text.
    pub on_nul: BadText,
    /// What becomes of lone surrogates and of bytes that the code page does not know.
    pub on_bad_unicode: BadText,
    /// Whether a datetimeoffset's offset has a column of its own, `<column>_offset`, in minutes.
    pub keep_offset: bool,
    /// Whether a rowversion is a bigint.
    pub as_bigint: bool,
    /// Where the source's times without a zone were written, for targets that are instants.
    pub source_time_zone: Option<TimeZone>,
    /// Whether a created table gets the source's indexes.
    pub create_indexes: bool,
    /// Whether a created table gets the source's foreign keys.
    pub create_foreign_keys: bool,
    /// What becomes of a run that finds new columns at the source.
    pub on_drift: OnDrift,
    /// What becomes of a row that the target cannot hold.
    pub on_bad_row: OnBadRow,
    /// The most rows that a run may put aside; none means [`QUARANTINE_LIMIT`].
    pub quarantine_limit: Option<u64>,
    /// Whether messages show a hash in place of a row's key (`log_keys: false`).
    pub hash_keys: bool,
    /// How only what is new is brought; none where each run brings all rows. Of a table alone, never of `defaults`.
    pub incremental: Option<Incremental>,
}

/// One table, defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct TableConfig {
    /// Its name in the configuration.
    pub name: String,
    /// The name of its source connection.
    pub db_type: String,
    /// The database, where `sql_table` does not name it.
    pub sql_server_db: Option<String>,
    /// The source table.
    pub sql_table: SourceTable,
    /// The source table as written.
    pub sql_table_text: String,
    /// The target table.
    pub pg_table: TargetTable,
    /// The target table as written.
    pub pg_table_text: String,
    /// The source columns; none means all, in catalogue order.
    pub columns: Option<Vec<String>>,
    /// The target columns, paired by position with `columns`.
    pub pg_columns: Option<Vec<String>>,
    /// The key's source columns; none means the source's primary key.
    pub primary_key: Option<Vec<String>>,
    /// The order of key ranges; none means the key.
    pub order_by: Option<Vec<String>>,
    /// Rows between progress reports.
    pub batch_size: u64,
    /// Free text.
    pub description: String,
    /// The options in force.
    pub options: TableOptions,
}

impl TableConfig {
    /// Under which names `sync_meta` may know the table, the one that a run writes first: another service may have called it by its table.
    pub fn names_of_progress(&self) -> Vec<String> {
        let TargetTable { schema, table } = &self.pg_table;
        let bare = (schema == "public").then(|| table.clone());
        [self.name.clone(), self.pg_table_text.clone(), format!("{schema}.{table}")].into_iter().chain(bare).collect()
    }
}

/// The whole file.
#[derive(Debug, Clone, PartialEq)]
pub struct TableConfigs {
    /// Which tables run, in this order, when a request names none.
    pub default_sync_order: Vec<String>,
    /// The tables by name, in file order.
    pub tables: IndexMap<String, TableConfig>,
}

impl TableConfigs {
    /// Understands the text of the file at `path`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::error::ErrorKind::Config) naming file, line and field of everything that is wrong.
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        file::parse(text).map_err(|problems| problems.into_error(path))
    }

    /// Whether a text has the form of a list of tables, as `CONFIG_PATH` names one: an array, or an object with one as `tables`.
    pub fn is_list(text: &str) -> bool {
        file::is_list(text)
    }

    /// Understands the text of the list of tables at `path`, the file of `CONFIG_PATH`.
    ///
    /// # Errors
    /// As [`TableConfigs::parse`].
    pub fn parse_list(text: &str, batch_size: u64, path: &Path) -> Result<Self> {
        file::parse_list(text, batch_size).map_err(|problems| problems.into_error(path))
    }
}
