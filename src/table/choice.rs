//! Choices that a table's configuration makes and several parts act on.

use std::str::FromStr;

use serde::Deserialize;

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
    /// A new table, or partition, takes the place of the old one; only where nothing hangs on that.
    Swap,
}

impl Refresh {
    const ALL: [Self; 5] = [Self::Auto, Self::Merge, Self::Replace, Self::Truncate, Self::Swap];

    /// Its name in the configuration and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Merge => "merge",
            Self::Replace => "replace",
            Self::Truncate => "truncate",
            Self::Swap => "swap",
        }
    }
}

impl FromStr for Refresh {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let names = Self::ALL.map(|refresh| format!("`{}`", refresh.name())).join(", ");
        match Self::ALL.into_iter().find(|refresh| refresh.name() == text) {
            Some(refresh) => Ok(refresh),
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

/// What becomes of characters that PostgreSQL's text cannot hold: U+0000 (`on_nul`), lone surrogates and broken bytes (`on_bad_unicode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadText {
    /// The row is a bad one.
    #[default]
    Fail,
    /// They are left out, and counted in the report.
    Strip,
    /// U+FFFD takes their place, counted in the report.
    Replace,
}

/// What becomes of a run when the source has columns that it did not have the last time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDrift {
    /// It fails before a row moves.
    #[default]
    Fail,
    /// The target gets the columns too.
    AddColumns,
}

/// What becomes of a row that the target cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBadRow {
    /// The table fails, the target stays as it was.
    #[default]
    Fail,
    /// It is put aside with its reason, up to a limit.
    Quarantine,
}

/// What a configured choice may change in a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The seventh fractional digit went, [`SubMicrosecond`].
    SubMicrosecond,
    /// U+0000 went, by `on_nul`.
    Nul,
    /// Broken characters went, by `on_bad_unicode`.
    BadUnicode,
}

impl Change {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::SubMicrosecond, Self::Nul, Self::BadUnicode];
}
