//! The modes, by the names that events and the command line use.

/// What a request wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// Every table asked for, in order.
    #[default]
    MultiSync,
    /// One table.
    SingleSync,
    /// Both ends of every table: connected, logged in, countable.
    MultiTest,
    /// What is configured, and when it last ran.
    Info,
}

impl Mode {
    /// stub
    pub fn name(self) -> &'static str {
        "multi_sync"
    }
}
