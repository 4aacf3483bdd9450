//! A step of a first copy: rows straight into the target, in one transaction with how far they bring the table.

use super::new_rows::finish;
use super::{Publication, PublishWay, Published};
use crate::error::Result;
use crate::report::RowCounts;
use crate::target::error::target_error;
use crate::target::patience::Patience;
use crate::target::session::{Session, Transaction};
use crate::target::staging::{Load, Within};
use crate::target::state::RunRow;

/// A step under way, in its transaction; dropped, it is rolled back.
pub struct StepLoad<'a> {
    transaction: Transaction<'a>,
    publication: &'a Publication,
    state_schema: String,
    patience: Patience,
}

impl Session {
    /// Opens the transaction of a step. A row whose key is there already breaks it: then the step is made again by way of staging.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn begin_step<'a>(&'a mut self, publication: &'a Publication) -> Result<StepLoad<'a>> {
        self.add_columns(publication).await?;
        let (state_schema, patience) = (self.state_schema.clone(), self.patience());
        let transaction = self.begin().await.map_err(|error| target_error(&format!("prepare {}", publication.target), error))?;
        Ok(StepLoad { transaction, publication, state_schema, patience })
    }
}

impl Session {
    /// Makes the target, with its key and indexes, in a transaction of its own: steps are committed into it. Returns what the reader should know.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn make_table(&mut self, publication: &Publication) -> Result<Vec<String>> {
        let PublishWay::Straight { create: Some(table) } = &publication.way else { return Ok(Vec::new()) };
        let target = &publication.target;
        let failed = |error| target_error(&format!("make {target}"), error);
        let mut transaction = self.begin().await.map_err(failed)?;
        transaction.batch_execute(&table.create(target).join("; ")).await.map_err(failed)?;
        transaction.batch_execute(&table.comments(target).join("; ")).await.map_err(failed)?;
        publication.add_primary_key(&mut transaction).await?;
        let notes = Box::pin(table.finish(&mut transaction, target)).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(notes)
    }
}

impl<'a> StepLoad<'a> {
    /// Where the rows go.
    pub fn load(&'a self) -> Load<'a> {
        Load {
            within: Within::Transaction(&self.transaction),
            patience: self.patience.clone(),
            table: self.publication.target.clone(),
            columns: &self.publication.columns,
            key: self.publication.shown_key(),
            freeze: false,
        }
    }
}

impl StepLoad<'_> {
    /// Commits what was loaded; `before` is what the run has committed already, `last` says that it is done.
    ///
    /// # Errors
    /// As [`Session::publish`].
    pub async fn publish(self, run: &RunRow<'_>, before: RowCounts, last: bool) -> Result<Published> {
        let Self { transaction, publication, state_schema, .. } = self;
        let RowCounts { read, quarantined, .. } = run.rows;
        let inserted = read.saturating_sub(quarantined);
        if last && before.inserted + inserted > 0 {
            publication.advance_sequences(&transaction, &publication.target, &publication.target).await?;
        }
        let rows = RowCounts { read, quarantined, inserted, ..RowCounts::default() };
        finish(transaction, &state_schema, run, rows, (before, last)).await
    }
}
