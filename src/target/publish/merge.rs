//! `merge`: only the rows that differ are written.

use super::replace::replace;
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
    /// Whether all rows may be replaced where so many differ that it costs less.
    pub(super) or_replace: bool,
}

/// Of the target's rows, so many in a hundred must differ for all of them to be replaced in place of a merge; measured, see `docs/adr/0003-merge-or-replace.md`.
const REPLACE_ABOVE_PERCENT: u64 = 60;
/// Of fewer rows nobody notices which way they went, but may notice rows written that had not changed.
const REPLACE_ROWS_MIN: u64 = 10_000;

impl Merge<'_> {
    pub(super) async fn run(&self, transaction: &Transaction<'_>, state_schema: &str, bad_rows: &[BadRow]) -> Result<Changes> {
        let Self { statements, staged, publication, reinsert_changed, .. } = *self;
        let failed = |error| target_error(&format!("merge into {}", publication.target), error);
        let drop_difference = format!("DROP TABLE IF EXISTS {}", statements.difference);
        transaction.batch_execute(&drop_difference).await.map_err(failed)?;
        transaction.batch_execute(&statements.find_differences()).await.map_err(failed)?;
        failpoint::reached("differences_found");
        let kept = keep_standing(transaction, publication, state_schema, bad_rows).await?;
        let row = transaction.query_one(&statements.count_differences(), &[]).await.map_err(failed)?;
        let [new, changed, vanished] = ["new", "changed", "vanished"].map(|column| row.get::<_, i64>(column).cast_unsigned());

        let before = (staged + vanished + kept).saturating_sub(new);
        let replaced = if self.or_replace && kept == 0 { worth_replacing(changed + vanished, before) } else { None };
        if replaced.is_some() {
            transaction.batch_execute(&drop_difference).await.map_err(failed)?;
            let changes = replace(transaction, statements, staged, publication).await?;
            return Ok(Changes { replaced, ..changes });
        }
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
        Ok(Changes { rows, kept, warnings, replaced: None })
    }
}

/// Why all rows are replaced where so many of those in the target differ or vanish; none where a merge costs less.
fn worth_replacing(differ: u64, before: u64) -> Option<String> {
    let most = u128::from(differ) * 100 > u128::from(before) * u128::from(REPLACE_ABOVE_PERCENT);
    (most && before >= REPLACE_ROWS_MIN).then(|| {
        format!(
            "{differ} of the {before} rows in the target changed or vanished, which is more than {REPLACE_ABOVE_PERCENT} in 100: to replace all of them costs less than to merge"
        )
    })
}

/// Runs a statement that must touch so many rows; a trigger or rule that swallows some is noticed.
pub(super) async fn exactly(transaction: &Transaction<'_>, sql: &str, expected: u64, verb: &str) -> Result<()> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_the_share_of_the_targets_rows_must_differ() {
        assert_eq!(worth_replacing(6_000, 10_000), None);
        assert!(worth_replacing(6_001, 10_000).is_some_and(|why| why.starts_with("6001 of the 10000 rows in the target")));
        assert_eq!(worth_replacing(9_999, 9_999), None, "a small table");
        assert_eq!(worth_replacing(0, 0), None, "all rows are new");
    }
}
