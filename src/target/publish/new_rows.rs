//! What is new: staged rows merged into those that stand, rows that are gone deleted, and the watermark with them.
//!
//! Crash story: one transaction, as every publish. What it says of the watermark becomes true with the rows, or not at all.

use super::merge::exactly;
use super::statements::{Statements, same_key};
use super::{Publication, PublishWay, Published, offending_keys};
use crate::error::{ErrorKind, Result, SyncError};
use crate::failpoint;
use crate::report::RowCounts;
use crate::table::{OnConflict, TargetTable, quoted_list};
use crate::target::catalog::alters_rows;
use crate::target::error::target_error;
use crate::target::sequence::advance_sequences;
use crate::target::session::{Session, Transaction};
use crate::target::state::{RunRow, helper_table, record_step, record_success};

/// Staged rows that are new, or may be.
#[derive(Debug, Clone, Copy)]
pub struct NewRows<'a> {
    /// Where they go.
    pub publication: &'a Publication,
    /// Where they are.
    pub staging: &'a TargetTable,
    /// What becomes of those whose key is there already.
    pub on_conflict: OnConflict,
    /// The rows to delete.
    pub gone: Option<&'a Gone>,
    /// What this run has committed before.
    pub before: RowCounts,
    /// Whether the run is done with them.
    pub last: bool,
}

/// Which rows are gone from the source.
#[derive(Debug, Clone)]
pub enum Gone {
    /// Those with the keys in this table.
    These(TargetTable),
    /// All but those with the keys in this table.
    AllBut(TargetTable),
}

impl Gone {
    /// Where the keys are.
    pub(super) fn keys(&self) -> &TargetTable {
        match self {
            Self::These(keys) | Self::AllBut(keys) => keys,
        }
    }
}

impl Session {
    /// Publishes staged rows that are new, in one transaction with how far they bring the table.
    ///
    /// # Errors
    /// As [`Session::publish`].
    pub async fn publish_new(&mut self, new: NewRows<'_>, run: &RunRow<'_>) -> Result<Published> {
        self.add_columns(new.publication).await?;
        let state_schema = self.state_schema.clone();
        let transaction = self.begin().await.map_err(|error| target_error("begin the publish", error))?;
        match new.publish(transaction, &state_schema, run).await {
            Ok(published) => Ok(published),
            Err(error) => Err(self.name_offenders(new.publication, new.staging, error, true).await),
        }
    }

    /// Commits how far a table has come where there was nothing to bring, and that the run is done.
    ///
    /// # Errors
    /// As [`Session::publish`].
    pub async fn publish_nothing(&mut self, before: RowCounts, run: &RunRow<'_>) -> Result<Published> {
        let state_schema = self.state_schema.clone();
        let transaction = self.begin().await.map_err(|error| target_error("begin the publish", error))?;
        finish(transaction, &state_schema, run, RowCounts::default(), (before, true)).await
    }

    /// Removes what a publish of new rows needed.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn drop_helpers(&self, staging: &TargetTable, gone: Option<&Gone>) -> Result<()> {
        if let Some(gone) = gone {
            self.drop_staging(gone.keys()).await?;
        }
        self.drop_staging(staging).await
    }
}

pub(super) fn statements<'a>(publication: &'a Publication, staging: &'a TargetTable, difference: TargetTable) -> Statements<'a> {
    Statements {
        target: &publication.target,
        staging,
        difference,
        columns: &publication.columns,
        key: &publication.key,
        identity_always: &publication.identity_always,
    }
}

impl NewRows<'_> {
    async fn publish(self, transaction: Transaction<'_>, state_schema: &str, run: &RunRow<'_>) -> Result<Published> {
        let Self { publication, staging, .. } = self;
        let target = &publication.target;
        let failed = |error| target_error(&format!("publish {target}"), error);
        // Rows are only looked for by their keys.
        let key = quoted_list("", publication.key.iter().map(String::as_str));
        let begin = format!("SET CONSTRAINTS ALL DEFERRED; ANALYZE {staging} ({key}); LOCK TABLE {target} IN SHARE ROW EXCLUSIVE MODE");
        transaction.batch_execute(&begin).await.map_err(failed)?;
        run.has_begun();
        failpoint::reached("publish_begun");
        let staged = super::count(&transaction, staging).await?;
        run.check_staged(staged)?;
        let statements = statements(publication, staging, helper_table(state_schema, "difference", target));
        self.refuse_null_keys(&transaction).await?;
        let mut rows = match self.on_conflict {
            OnConflict::Nothing => self.insert(&transaction, &statements, staged).await?,
            OnConflict::Update => self.upsert(&transaction, &statements).await?,
        };
        let mut warnings = Vec::new();
        if let Some(gone) = self.gone {
            (rows.deleted, warnings) = self.delete(&transaction, gone).await?;
            failpoint::reached("rows_deleted");
        }
        if rows.inserted > 0 || rows.updated > 0 {
            let columns: Vec<_> = publication.columns.iter().map(String::as_str).collect();
            advance_sequences(&transaction, target, staging, &columns, &[]).await?;
        }
        let RowCounts { read, quarantined, .. } = run.rows;
        let published = finish(transaction, state_schema, run, RowCounts { read, quarantined, ..rows }, (self.before, self.last)).await?;
        Ok(Published { warnings, ..published })
    }

    async fn refuse_null_keys(&self, transaction: &Transaction<'_>) -> Result<()> {
        let publication = self.publication;
        let nulls: Vec<_> = publication.key.iter().map(|column| format!("s.{} IS NULL", crate::table::PgIdent(column))).collect();
        let sql = offending_keys(self.staging, &publication.key, publication.hash_keys, &format!("({})", nulls.join(" OR ")));
        let rows = transaction.query(&sql, &[]).await.map_err(|error| target_error("check the key", error))?;
        if rows.is_empty() {
            return Ok(());
        }
        let named: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
        let sentence = format!("the source delivers rows without a key ({}): {}", publication.key.join(", "), named.join("; "));
        Err(SyncError::new(ErrorKind::Refused, sentence).with_remedy("Correct the rows, or choose another key"))
    }

    /// Leaves rows that stand alone.
    async fn insert(&self, transaction: &Transaction<'_>, statements: &Statements<'_>, staged: u64) -> Result<RowCounts> {
        let failed = |error| target_error(&format!("insert what is new into {}", self.publication.target), error);
        let inserted = transaction.execute(&statements.insert_new(), &[]).await.map_err(failed)?;
        failpoint::reached("rows_inserted");
        // Where each row was inserted, and nothing makes something else of it, all are there: looking for them may read the whole target.
        if inserted < staged || alters_rows(transaction, &self.publication.target).await? {
            let row = transaction.query_one(&statements.count_not_there(), &[]).await.map_err(failed)?;
            let missing = row.get::<_, i64>(0);
            if missing > 0 {
                let sentence = format!("{missing} rows were to be inserted into {} and are not there", self.publication.target);
                return Err(SyncError::new(ErrorKind::Refused, sentence)
                    .with_remedy("Look for triggers, rules or row security on the target that change what a statement does"));
            }
        }
        Ok(RowCounts { inserted, unchanged: staged.saturating_sub(inserted), ..RowCounts::default() })
    }

    /// Writes rows that stand where they differ.
    async fn upsert(&self, transaction: &Transaction<'_>, statements: &Statements<'_>) -> Result<RowCounts> {
        let failed = |error| target_error(&format!("merge into {}", self.publication.target), error);
        let drop_difference = format!("DROP TABLE IF EXISTS {}", statements.difference);
        transaction.batch_execute(&statements.keep_last_delivered()).await.map_err(failed)?;
        transaction.batch_execute(&format!("{drop_difference}; {}", statements.find_new_and_changed())).await.map_err(failed)?;
        failpoint::reached("differences_found");
        let row = transaction.query_one(&statements.count_differences(), &[]).await.map_err(failed)?;
        let [new, changed] = ["new", "changed"].map(|column| row.get::<_, i64>(column).cast_unsigned());
        let reinsert = match self.publication.way {
            PublishWay::Merge { reinsert_changed, .. } => reinsert_changed && changed > 0,
            PublishWay::Straight { .. } | PublishWay::Replace | PublishWay::Truncate | PublishWay::Swap { .. } => false,
        };
        if reinsert {
            exactly(transaction, &statements.delete_differences(true), changed, "delete").await?;
        } else if changed > 0 {
            exactly(transaction, &statements.update_differences(), changed, "update").await?;
        }
        failpoint::reached("rows_updated");
        if new > 0 || reinsert {
            let expected = if reinsert { new + changed } else { new };
            exactly(transaction, &statements.insert_differences(reinsert), expected, "insert").await?;
        }
        failpoint::reached("rows_inserted");
        transaction.batch_execute(&drop_difference).await.map_err(failed)?;
        let staged = super::count(transaction, self.staging).await?;
        Ok(RowCounts { inserted: new, updated: changed, unchanged: staged.saturating_sub(new + changed), ..RowCounts::default() })
    }

    /// Deletes what is gone; returns how many rows, and what the reader should know.
    async fn delete(&self, transaction: &Transaction<'_>, gone: &Gone) -> Result<(u64, Vec<String>)> {
        let Publication { target, guards, .. } = self.publication;
        let failed = |error| target_error(&format!("delete from {target} what is gone"), error);
        transaction.batch_execute(&format!("ANALYZE {}", gone.keys())).await.map_err(failed)?;
        let rows = gone_rows(self.publication, gone);
        let row = transaction.query_one(&format!("SELECT count(*) {rows}"), &[]).await.map_err(failed)?;
        let vanishing = row.get::<_, i64>(0).cast_unsigned();
        if vanishing == 0 {
            return Ok((0, Vec::new()));
        }
        // What is said of shrinking is said of all rows that stand.
        let stand = super::count(transaction, target).await?;
        let warnings = guards.check(stand - vanishing, stand, vanishing)?;
        exactly(transaction, &format!("DELETE {rows}"), vanishing, "delete").await?;
        Ok((vanishing, warnings))
    }
}

/// ` FROM ... WHERE ...`: the target's rows that are gone from the source.
pub(super) fn gone_rows(publication: &Publication, gone: &Gone) -> String {
    let Publication { target, key, .. } = publication;
    let is_gone = match gone {
        Gone::These(_) => "EXISTS",
        Gone::AllBut(_) => "NOT EXISTS",
    };
    format!("FROM {target} AS t WHERE {is_gone} (SELECT FROM {} AS k WHERE {})", gone.keys(), same_key(key, "k.", "t."))
}

/// The run's row, or how far it has come, and COMMIT.
pub(super) async fn finish(
    transaction: Transaction<'_>,
    state_schema: &str,
    run: &RunRow<'_>,
    rows: RowCounts,
    (before, last): (RowCounts, bool),
) -> Result<Published> {
    let row = RunRow { rows: before.and(rows), ..run.clone() };
    if last {
        record_success(&transaction, state_schema, &row).await?;
    } else {
        record_step(&transaction, state_schema, &row).await?;
    }
    failpoint::reached(if last { "success_recorded" } else { "step_recorded" });
    transaction.commit().await.map_err(|error| target_error(&format!("commit {}", run.table), error))?;
    failpoint::reached(if last { "committed" } else { "step_committed" });
    Ok(Published { rows, ..Published::default() })
}
