//! `table_configs.json`: which tables there are, where they come from, and how each is refreshed.

use std::str::FromStr;

use indexmap::IndexMap;
use serde::Deserialize;

use crate::table::{IdentifierPolicy, SourceTable, TargetTable};

/// How a table's contents are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Refresh {
    /// Straight into an empty target, `merge` where the table has a key, else `replace`.
    #[default]
    Auto,
    /// Writes only the rows that differ, deletes those that vanished.
    Merge,
    /// Deletes and inserts in one transaction.
    Replace,
    /// Truncates and inserts in one transaction; readers wait for the insert.
    Truncate,
}

impl Refresh {
    const ALL: [Self; 4] = [Self::Auto, Self::Merge, Self::Replace, Self::Truncate];

    /// Its name in the configuration and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Merge => "merge",
            Self::Replace => "replace",
            Self::Truncate => "truncate",
        }
    }
}

impl FromStr for Refresh {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = Self::ALL.map(|refresh| format!("`{}`", refresh.name())).join(", ");
        match Self::ALL.into_iter().find(|refresh| refresh.name() == text) {
            Some(refresh) => Ok(refresh),
            None if text == "swap" => Err(format!("swap is not available yet in this version, expected one of {names}")),
            None => Err(format!("unknown variant `{text}`, expected one of {names}")),
        }
    }
}

impl<'de> Deserialize<'de> for Refresh {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        // Parsed inside the visitor, where the JSON parser still knows the line.
        impl serde::de::Visitor<'_> for Name {
            type Value = Refresh;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of a refresh")
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Refresh, E> {
                name.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Name)
    }
}

/// The isolation level of the source's read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolation {
    /// The server's default.
    #[default]
    ReadCommitted,
    /// A snapshot; the database must allow it.
    Snapshot,
    /// Dirty reads, as a choice.
    #[serde(rename = "nolock")]
    NoLock,
}

/// What becomes of the seventh fractional digit of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubMicrosecond {
    /// Cut, and counted in the report.
    #[default]
    Truncate,
    /// Rounded half up.
    Round,
    /// An error that names the row.
    Fail,
}

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

/// The whole file.
#[derive(Debug, Clone, PartialEq)]
pub struct TableConfigs {
    /// Which tables run, in this order, when a request names none.
    pub default_sync_order: Vec<String>,
    /// The tables by name, in file order.
    pub tables: IndexMap<String, TableConfig>,
}
