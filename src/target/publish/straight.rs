//! A straight load: into a target that is empty or just made, in one transaction from its first row to the `succeeded` row.

use super::keys::Whose;
use super::{Changes, Publication, PublishWay, Published, commit, count};
use crate::error::{ErrorKind, Result, SyncError};
use crate::failpoint;
use crate::report::RowCounts;
use crate::target::error::target_error;
use crate::target::patience::Patience;
use crate::target::session::{Session, Transaction};
use crate::target::staging::{Load, Within};
use crate::target::state::RunRow;

/// A straight load under way, in its transaction; dropped, it is rolled back.
pub struct StraightLoad<'a> {
    transaction: Transaction<'a>,
    publication: &'a Publication,
    state_schema: String,
    patience: Patience,
}

impl Session {
    /// Opens the transaction of a straight load: makes the target where it is to be made, else keeps other writers out and checks that it is empty.
    ///
    /// # Errors
    /// As the server answers, or [`ErrorKind::Refused`] when rows have come in meanwhile.
    pub async fn begin_straight<'a>(&'a mut self, publication: &'a Publication) -> Result<StraightLoad<'a>> {
        let target = &publication.target;
        let failed = |error| target_error(&format!("prepare {target}"), error);
        self.add_columns(publication).await?;
        let (state_schema, patience) = (self.state_schema.clone(), self.patience());
        if matches!(publication.way, PublishWay::Straight { create: None }) {
            self.drop_own_foreign_keys(target).await?;
        }
        let transaction = self.begin().await.map_err(failed)?;
        match &publication.way {
            PublishWay::Straight { create: Some(table) } => {
                transaction.batch_execute(&table.create(target).join("; ")).await.map_err(failed)?;
                transaction.batch_execute(&table.comments(target).join("; ")).await.map_err(failed)?;
            }
            _ => {
                transaction.batch_execute(&format!("LOCK TABLE {target} IN SHARE ROW EXCLUSIVE MODE")).await.map_err(failed)?;
                if count(&transaction, target).await? > 0 {
                    return Err(SyncError::new(ErrorKind::Refused, format!("{target} was empty and another session has filled it"))
                        .with_remedy("Run again: the refresh will then compare rows"));
                }
            }
        }
        Ok(StraightLoad { transaction, publication, state_schema, patience })
    }
}

impl<'a> StraightLoad<'a> {
    /// Where the rows go.
    pub fn load(&'a self) -> Load<'a> {
        Load {
            within: Within::Transaction(&self.transaction),
            patience: self.patience.clone(),
            table: self.publication.target.clone(),
            columns: &self.publication.columns,
            key: self.publication.shown_key(),
            freeze: matches!(self.publication.way, PublishWay::Straight { create: Some(_) }),
        }
    }
}

impl StraightLoad<'_> {
    /// Checks what was loaded, adds the key where the table was made, and commits.
    ///
    /// # Errors
    /// As [`Session::publish`].
    pub async fn publish(self, run: &RunRow<'_>) -> Result<Published> {
        let Self { mut transaction, publication, state_schema, .. } = self;
        let target = &publication.target;
        let staged = run.rows.read.saturating_sub(run.rows.quarantined);
        let mut warnings = publication.guards.check(staged, 0, 0)?;
        if let PublishWay::Straight { create: Some(table) } = &publication.way {
            publication.add_primary_key(&mut transaction).await?;
            failpoint::reached("key_added");
            warnings.extend(Box::pin(table.finish(&mut transaction, target)).await?);
        } else if !publication.key_is_enforced {
            publication.refuse_bad_keys(&transaction, target, Whose::Source).await?;
        }
        let rows = RowCounts { inserted: staged, ..RowCounts::default() };
        commit(transaction, publication, &state_schema, run, Changes { rows, kept: 0, warnings, replaced: None }).await
    }
}
