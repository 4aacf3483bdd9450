//! What was asked: the mode, the tables, the flags. Pure.

use std::borrow::Cow;

mod mode;
mod sampling;
mod selection;

pub use mode::Mode;
pub use sampling::Sampling;
pub use selection::{select_tables, split_names, tidy_names};

/// One request, from an event or from the command line, not yet checked against the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// The mode.
    pub mode: Mode,
    /// The tables asked for, in this order; none means `default_sync_order`.
    pub tables: Vec<String>,
    /// Count, write nothing.
    pub dry_run: bool,
    /// Publish although a guard would refuse.
    pub allow_shrink: bool,
    /// How much of a table is compared.
    pub sampling: Sampling,
    /// Go on although the source has changed since the last successful run.
    pub accept_drift: bool,
    /// Tables whose watermark is forgotten: they begin anew.
    pub reset: Vec<String>,
    /// Whether a schedule sent it.
    pub scheduled: bool,
    /// What the caller should know about the request itself (unknown fields, for instance).
    pub warnings: Vec<String>,
}

/// A request that is wrong in itself: answered with 400, nothing begun.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refusal {
    /// The sentence for the caller.
    pub error: String,
    /// The modes there are, when the mode was wrong.
    pub valid_modes: Option<Vec<String>>,
    /// The tables there are, when a table was wrong or missing.
    pub available_tables: Option<Vec<String>>,
}

impl Refusal {
    /// A refusal that is only a sentence.
    pub fn new(error: impl Into<String>) -> Self {
        Self { error: error.into(), ..Self::default() }
    }

    /// The same, with what else there is to say.
    #[must_use]
    pub fn and(self, notes: &[String]) -> Self {
        let error = notes.iter().fold(self.error, |error, note| format!("{error}; {note}"));
        Self { error, ..self }
    }
}

/// So many characters of what was asked come back in an answer.
const EXCERPT_MAX: usize = 200;

/// The beginning of a text as an answer may quote it.
pub fn excerpt(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(EXCERPT_MAX) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}
