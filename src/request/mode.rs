//! The modes, by the names that events and the command line use.

use std::fmt;
use std::str::FromStr;

use super::{Refusal, excerpt};
use crate::table::did_you_mean;

/// What a request wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// Every table asked for, in order.
    #[default]
    MultiSync,
    /// One table.
    SingleSync,
    /// The tables that get only what is new.
    IncrementalSync,
    /// Both ends of every table: connected, logged in, countable.
    MultiTest,
    /// What is configured, and when it last ran.
    Info,
    /// Whether source and target agree, row by row; writes nothing.
    Verify,
    /// What a run would do with every table, and at which price; writes nothing.
    Plan,
}

impl Mode {
    /// Every mode, in the order in which a refusal lists them.
    pub const ALL: [Self; 7] =
        [Self::MultiSync, Self::SingleSync, Self::MultiTest, Self::Info, Self::Plan, Self::Verify, Self::IncrementalSync];

    /// Its name in events and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::MultiSync => "multi_sync",
            Self::SingleSync => "single_sync",
            Self::IncrementalSync => "incremental_sync",
            Self::MultiTest => "multi_test",
            Self::Info => "info",
            Self::Verify => "verify",
            Self::Plan => "plan",
        }
    }

    /// The names of all modes.
    pub fn names() -> Vec<String> {
        Self::ALL.map(|mode| mode.name().to_owned()).to_vec()
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Mode {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        Self::ALL.into_iter().find(|mode| mode.name() == text).ok_or_else(|| {
            let text = &*excerpt(text);
            let hint = did_you_mean(text, Self::ALL.map(Self::name));
            let error = format!("unknown mode {text:?}{hint}; valid modes: {}", Self::names().join(", "));
            Refusal { error, valid_modes: Some(Self::names()), available_tables: None }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_comes_back_from_its_name() {
        for mode in Mode::ALL {
            assert_eq!(mode.to_string().parse::<Mode>().unwrap(), mode);
        }
    }

    #[test]
    fn an_unknown_mode_is_refused_with_the_valid_ones() {
        for text in ["multisync", "MULTI_SYNC", " info", "", "plans"] {
            let refusal = text.parse::<Mode>().unwrap_err();
            assert_eq!(refusal.valid_modes, Some(Mode::names()));
            assert_eq!(Mode::names()[..4], ["multi_sync", "single_sync", "multi_test", "info"]);
            assert!(refusal.error.starts_with(&format!("unknown mode {text:?}")), "{refusal:?}");
        }
        assert!("multisync".parse::<Mode>().unwrap_err().error.contains("did you mean \"multi_sync\"?"));
    }
}
