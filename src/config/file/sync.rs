//! The object `sync` of a table: its form, and what it means.

use std::fmt;

use jiff::SignedDuration;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use super::problem::{Problems, Step};
use crate::table::{Deletes, Incremental, OnConflict, WatermarkKind};

/// The fields of `sync`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sync {
    /// Required. `incremental` copies only what is new, `full` all rows.
    pub(super) mode: SyncMode,
    /// What the watermark is: `timestamp` (default), `rowversion`, `change_tracking`.
    pub(super) kind: Option<WatermarkKind>,
    /// The column that has it: required for a timestamp, the one there is for a rowversion, none for Change Tracking.
    pub(super) column: Option<String>,
    /// A row whose key is there already: `nothing` leaves it alone (default for timestamps), `update` writes it where it differs.
    pub(super) on_conflict: Option<OnConflict>,
    /// How long a transaction may take to commit after the moment that its rows have: `\"300\"` seconds (default) or `\"5m\"`; read again each run.
    pub(super) lag: Option<Lag>,
    /// Rows that are gone: `ignore` (default) leaves them, `keys` finds them by comparing all keys.
    pub(super) deletes: Option<Deletes>,
    /// In which runs keys are compared; default 1: in each.
    pub(super) deletes_every: Option<u64>,
}

/// Whether a table brings all rows or what is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum SyncMode {
    Full,
    Incremental,
}

/// A duration, as text or as a number of seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lag(pub(super) SignedDuration);

impl<'de> Deserialize<'de> for Lag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Lag;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"300\" or \"5m\"")
            }

            fn visit_u64<E: Error>(self, seconds: u64) -> Result<Lag, E> {
                i64::try_from(seconds)
                    .map(|seconds| Lag(SignedDuration::from_secs(seconds)))
                    .map_err(|_| E::custom("the duration is too long"))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Lag, E> {
                let wrong = || E::custom(format_args!("{text:?} is no duration, expected one such as \"300\" or \"5m\""));
                let lag = crate::config::parse_duration(text).and_then(|lag| SignedDuration::try_from(lag).ok());
                lag.map(Lag).ok_or_else(wrong)
            }
        }
        deserializer.deserialize_any(Text)
    }
}

impl Sync {
    /// What only a timestamp column says.
    pub(super) fn of_column(
        column: String,
        on_conflict: Option<OnConflict>,
        lag: Option<Lag>,
        deletes: (Option<Deletes>, Option<u64>),
    ) -> Self {
        let (deletes, deletes_every) = deletes;
        Self { mode: SyncMode::Incremental, kind: None, column: Some(column), on_conflict, lag, deletes, deletes_every }
    }

    /// What it means; none where every run brings all rows. `at` is the path of a field of it.
    pub(super) fn check(self, problems: &mut Problems, at: &dyn Fn(&str) -> Vec<Step>) -> Option<Incremental> {
        let kind = self.kind.unwrap_or_default();
        if self.mode == SyncMode::Full {
            let given = [
                ("kind", self.kind.is_some()),
                ("column", self.column.is_some()),
                ("on_conflict", self.on_conflict.is_some()),
                ("lag", self.lag.is_some()),
                ("deletes", self.deletes.is_some()),
                ("deletes_every", self.deletes_every.is_some()),
            ];
            given
                .into_iter()
                .filter(|(_, given)| *given)
                .for_each(|(field, _)| problems.add(at(field), "is only for mode \"incremental\""));
            return None;
        }
        let by_server = match kind {
            WatermarkKind::Timestamp => false,
            WatermarkKind::Rowversion | WatermarkKind::ChangeTracking => true,
        };
        if self.column.is_none() && !by_server {
            problems.add(at("mode"), "\"incremental\" needs \"column\": the column with the moment of a row's last change");
        }
        if self.column.as_deref().is_some_and(|column| column.is_empty() || column.contains('\0')) {
            problems.add(at("column"), "is no column's name");
        }
        if by_server && self.lag.is_some() {
            problems.add(at("lag"), format!("is only for timestamps: with {} the server says what has been committed", kind.name()));
        }
        if self.deletes_every == Some(0) {
            problems.add(at("deletes_every"), "is 0, expected a number of runs from 1");
        }
        if self.deletes_every.is_some() && self.deletes != Some(Deletes::Keys) {
            problems.add(at("deletes_every"), "is only for \"deletes\": \"keys\"");
        }
        if kind == WatermarkKind::ChangeTracking {
            let given = [
                ("column", self.column.is_some(), "is not for Change Tracking, which needs no column"),
                ("deletes", self.deletes.is_some(), "is not for Change Tracking, which sees deletes"),
                ("on_conflict", self.on_conflict == Some(OnConflict::Nothing), "is \"nothing\", and Change Tracking tells of changed rows"),
            ];
            given.into_iter().filter(|(_, given, _)| *given).for_each(|(field, _, why)| problems.add(at(field), why));
        }
        Some(Incremental {
            kind,
            column: self.column,
            on_conflict: self.on_conflict.unwrap_or(if by_server { OnConflict::Update } else { OnConflict::Nothing }),
            lag: if by_server { SignedDuration::ZERO } else { self.lag.map_or(Incremental::LAG, |Lag(lag)| lag) },
            deletes: self.deletes.unwrap_or_default(),
            deletes_every: self.deletes_every.unwrap_or(1),
        })
    }
}
