//! New columns of a target that stands, for new columns of its source.
//!
//! They are added in a short transaction of their own right before the publish: adding a nullable column without a default rewrites nothing, but it keeps
//! readers out for a moment, and the publish must not. A run that fails between the two leaves empty columns, which the next run fills.

use tokio_postgres::error::SqlState;

use super::error::target_error;
use super::publish::Publication;
use super::session::Session;
use crate::error::Result;
use crate::failpoint;
use crate::table::PgIdent;

impl Publication {
    /// The statements that add the columns that the target is to get.
    pub fn add_columns(&self) -> Vec<String> {
        let add = |(name, pg_type): &(String, crate::table::PgType)| {
            format!("ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} {pg_type}", self.target, PgIdent(name))
        };
        self.added.iter().map(add).collect()
    }

    /// What a staging table takes its columns from: the target's, and those that it is to get.
    pub(super) fn staged_columns(&self) -> String {
        let column = |name: &String| match self.added.iter().find(|(added, _)| added == name) {
            Some((_, pg_type)) => format!("NULL::{pg_type} AS {}", PgIdent(name)),
            None => PgIdent(name).to_string(),
        };
        self.columns.iter().map(column).collect::<Vec<_>>().join(", ")
    }
}

impl Session {
    /// Adds the columns that the target is to get.
    ///
    /// # Errors
    /// As the server answers; with trouble that may pass where the lock was not had.
    pub(super) async fn add_columns(&mut self, publication: &Publication) -> Result<()> {
        let statements = publication.add_columns();
        if statements.is_empty() {
            return Ok(());
        }
        let failed = |error: tokio_postgres::Error| {
            let denied = error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE);
            let failed = target_error(&format!("add columns to {}", publication.target), error);
            if !denied {
                return failed;
            }
            failed.with_remedy(
                "Only the table's owner can: add them yourself, make PG_USER the owner, or leave out \"on_drift\": \"add_columns\"",
            )
        };
        let transaction = self.begin().await.map_err(failed)?;
        transaction.batch_execute(&statements.join("; ")).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        failpoint::reached("columns_added");
        Ok(())
    }
}
