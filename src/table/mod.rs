//! The vocabulary that sources, target and engine share: names and their quoting, columns, types. No I/O.

mod name;

pub use name::{PgIdent, SourceTable, TargetTable, TsqlIdent};
