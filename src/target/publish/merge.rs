//! `merge`: only the rows that differ are written.

use super::statements::Statements;
use super::{Changes, Publication};
use crate::error::{ErrorKind, Result, SyncError};
use crate::failpoint;
use crate::report::RowCounts;
use crate::table::BadRow;
use crate::target::error::{breaks_key, target_error};
use crate::target::quarantine::keep_standing;
use crate::target::session::Transaction;

/// A merge of what is staged.
pub(super) struct Merge<'a> {
    pub(super) statements: &'a Statements<'a>,
    pub(super) staged: u64,
    pub(super) publication: &'a Publication,
    pub(super) reinsert_changed: bool,
}

impl Merge<'_> {
    pub(super) async fn run(&self, transaction: &Transaction<'_>, state_schema: &str, bad_rows: &[BadRow]) -> Result<Changes> {
        let Self { statements, staged, publication, reinsert_changed } = *self;
        let failed = |error| target_error(&format!("merge into {}", publication.target), error);
        let drop_difference = format!("DROP TABLE IF EXISTS {}", statements.difference);
        transaction.batch_execute(&drop_difference).await.map_err(failed)?;
        transaction.batch_execute(&statements.find_differences()).await.map_err(failed)?;
        failpoint::reached("differences_found");
        let kept = keep_standing(transaction, publication, state_schema, bad_rows).await?;
        let row = transaction.query_one(&statements.count_differences(), &[]).await.map_err(failed)?;
        let [new, changed, vanished] = ["new", "changed", "vanished"].map(|column| row.get::<_, i64>(column).cast_unsigned());

        let before = (staged + vanished + kept).saturating_sub(new);
        let warnings = publication.guards.check(staged, before, vanished)?;
        if vanished > 0 || (reinsert_changed && changed > 0) {
            let expected = if reinsert_changed { vanished + changed } else { vanished };
            exactly(transaction, &statements.delete_differences(reinsert_changed), expected, "delete").await?;
            failpoint::reached("rows_deleted");
        }
        if changed > 0 && !reinsert_changed {
            exactly(transaction, &statements.update_differences(), changed, "update").await?;
            failpoint::reached("rows_updated");
        }
        if new > 0 || (reinsert_changed && changed > 0) {
            let expected = if reinsert_changed { new + changed } else { new };
            exactly(transaction, &statements.insert_differences(reinsert_changed), expected, "insert").await?;
            failpoint::reached("rows_inserted");
        }
        transaction.batch_execute(&drop_difference).await.map_err(failed)?;
        let unchanged = staged.saturating_sub(new + changed);
        let rows = RowCounts { inserted: new, updated: changed, deleted: vanished, unchanged, ..RowCounts::default() };
        Ok(Changes { rows, kept, warnings })
    }
}

/// Runs a statement that must touch so many rows; a trigger or rule that swallows some is noticed.
async fn exactly(transaction: &Transaction<'_>, sql: &str, expected: u64, verb: &str) -> Result<()> {
    let touched = transaction.execute(sql, &[]).await.map_err(|error| {
        let failed = target_error(&format!("{verb} the rows that differ"), error);
        if verb == "update" && breaks_key(&failed) {
            failed.with_remedy(
                "Where two rows have swapped values of a unique constraint, an update meets it half-way: make the constraint DEFERRABLE INITIALLY DEFERRED",
            )
        } else {
            failed
        }
    })?;
    if touched == expected {
        return Ok(());
    }
    Err(SyncError::new(ErrorKind::Refused, format!("{expected} rows were to be touched by the {verb} and PostgreSQL touched {touched}"))
        .with_remedy("Look for triggers, rules or row security on the target that change what a statement does"))
}
