//! `replace` and `truncate`: every row goes and every staged row comes.

use super::statements::Statements;
use super::{Changes, Publication, count};
use crate::error::Result;
use crate::failpoint;
use crate::report::RowCounts;
use crate::target::error::target_error;
use crate::target::session::Transaction;

pub(super) async fn replace(
    transaction: &Transaction<'_>,
    statements: &Statements<'_>,
    staged: u64,
    publication: &Publication,
) -> Result<Changes> {
    let failed = |error| target_error(&format!("replace the rows of {}", publication.target), error);
    let before = transaction.execute(&format!("DELETE FROM {}", publication.target), &[]).await.map_err(failed)?;
    failpoint::reached("rows_deleted");
    let warnings = publication.guards.check(staged, before, before.saturating_sub(staged))?;
    let inserted = transaction.execute(&statements.insert_all(), &[]).await.map_err(failed)?;
    failpoint::reached("rows_inserted");
    Ok(Changes { rows: RowCounts { inserted, deleted: before, ..RowCounts::default() }, kept: 0, warnings, replaced: None })
}

pub(super) async fn truncate(
    transaction: &Transaction<'_>,
    statements: &Statements<'_>,
    staged: u64,
    publication: &Publication,
) -> Result<Changes> {
    let failed = |error| target_error(&format!("truncate and fill {}", publication.target), error);
    let before = count(transaction, &publication.target).await?;
    let warnings = publication.guards.check(staged, before, before.saturating_sub(staged))?;
    transaction.batch_execute(&format!("TRUNCATE {}", publication.target)).await.map_err(failed)?;
    failpoint::reached("truncated");
    let inserted = transaction.execute(&statements.insert_all(), &[]).await.map_err(failed)?;
    failpoint::reached("rows_inserted");
    Ok(Changes { rows: RowCounts { inserted, deleted: before, ..RowCounts::default() }, kept: 0, warnings, replaced: None })
}
