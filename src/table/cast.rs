//! What a PostgreSQL source does to a value before it sends it.

use super::PgType;

/// A cast that the source makes, so that what it sends has the form of the target's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceCast {
    /// To a type, without modifiers: those the target applies itself, which raises an error where a cast would cut.
    To(PgType),
    /// From a time without a zone to the instant at which clocks in `source_time_zone` showed it.
    InZone,
}
