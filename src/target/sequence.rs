//! Sequences behind identity columns, and those that a column owns: they go on after the highest number that a refresh brought.
//!
//! PostgreSQL does not roll `setval` back. Sequences are only ever moved forward, so a publish that is given up leaves a gap and nothing else.

use super::catalog::column_sequences;
use super::error::target_error;
use super::session::Transaction;
use crate::error::Result;
use crate::table::{PgIdent, TargetTable};

/// A sequence that numbers a column.
#[derive(Debug, Clone)]
pub(super) struct ColumnSequence {
    pub(super) column: String,
    /// Its quoted name.
    pub(super) name: String,
    pub(super) increment: i64,
    pub(super) min: i64,
    pub(super) max: i64,
}

/// Moves the sequences that number columns among `columns` forward: to the number that stands furthest in the table, and to the one that the
/// source gave last, where `last` has one. The numbers are looked for in `rows`, which is `target` or what will hold its rows. A sequence that the role may not set is another's business, and left alone.
pub(super) async fn advance_sequences(
    transaction: &Transaction<'_>,
    target: &TargetTable,
    rows: &TargetTable,
    columns: &[&str],
    last: &[(&str, i64)],
) -> Result<()> {
    for sequence in column_sequences(transaction, target, columns).await? {
        let failed = |error| target_error(&format!("move the sequence of column {} of {target} forward", sequence.column), error);
        let column = PgIdent(&sequence.column);
        let (furthest, beyond) = if sequence.increment > 0 { ("max", ">") } else { ("min", "<") };
        let known = last.iter().find(|(name, _)| *name == sequence.column).map_or_else(|| "NULL".to_owned(), |(_, last)| last.to_string());
        let (direction, bounds) =
            (if sequence.increment > 0 { "GREATEST" } else { "LEAST" }, format!("BETWEEN {} AND {}", sequence.min, sequence.max));
        let sql = format!(
            "SELECT setval($1::text::regclass, f.number::bigint) FROM {name} AS s, \
             (SELECT {direction}({furthest}({column})::numeric, {known}::numeric) AS number FROM {rows}) AS f \
             WHERE f.number {bounds} AND (f.number {beyond} s.last_value OR (f.number = s.last_value AND NOT s.is_called))",
            name = sequence.name
        );
        transaction.execute(&sql, &[&sequence.name]).await.map_err(failed)?;
    }
    Ok(())
}
