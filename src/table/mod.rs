//! The vocabulary that sources, target and engine share: names and their quoting, columns, types. No I/O.

mod fold;
mod name;
mod nearest;

pub use fold::{IDENTIFIER_BYTES_MAX, IdentifierPolicy, fold_identifiers};
pub use name::{PgIdent, SourceTable, TargetTable, TsqlIdent};
pub use nearest::{did_you_mean, nearest};
