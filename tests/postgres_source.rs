//! PostgreSQL as the source: tables come over byte for byte, in every way, and never in part.

mod dsn;
mod refresh;
mod site;
mod troubles;
mod types;
