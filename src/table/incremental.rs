//! What a table's configuration says of copying only what is new.

use jiff::SignedDuration;
use serde::Deserialize;

use super::WatermarkKind;

/// What becomes of a row whose key is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// The row that stands is left alone.
    #[default]
    Nothing,
    /// It is written where it differs.
    Update,
}

/// What becomes of rows that are gone from the source, which no watermark shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deletes {
    /// They stay.
    #[default]
    Ignore,
    /// They are found by comparing keys.
    Keys,
}

/// How a table is copied that brings only what is new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incremental {
    /// What its watermark is.
    pub kind: WatermarkKind,
    /// The column that has it; none where the source knows by itself.
    pub column: Option<String>,
    /// What becomes of a row whose key is there already.
    pub on_conflict: OnConflict,
    /// How much before the watermark each run begins: a transaction may commit so much later than the moment that its rows have.
    pub lag: SignedDuration,
    /// What becomes of rows that are gone.
    pub deletes: Deletes,
    /// In which run keys are compared: each, each second one...
    pub deletes_every: u64,
}

impl Incremental {
    /// The lag where the configuration does not say.
    pub const LAG: SignedDuration = SignedDuration::from_secs(300);

    /// Whether rows that stand may be changed or deleted.
    pub fn changes_rows(&self) -> bool {
        self.on_conflict == OnConflict::Update || self.deletes == Deletes::Keys || self.kind == WatermarkKind::ChangeTracking
    }
}
