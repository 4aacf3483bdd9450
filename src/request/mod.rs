//! What was asked: the mode, the tables, the flags. Pure.

mod mode;

pub use mode::Mode;

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
    /// Whether a schedule sent it.
    pub scheduled: bool,
    /// What the caller should know about the request itself (unknown fields, for instance).
    pub warnings: Vec<String>,
}

/// stub
pub struct Refusal {
    pub error: String,
    pub available_tables: Vec<String>,
}
/// stub
pub fn select_tables<'c>(
    request: &Request,
    tables: &'c crate::config::TableConfigs,
) -> Result<Vec<&'c crate::config::TableConfig>, Refusal> {
    let _ = request;
    Ok(tables.tables.values().collect())
}
