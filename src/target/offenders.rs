//! Which rows break a constraint of the target. PostgreSQL names the constraint, and of its rows nothing that may be shown; so the staged rows are asked.

use super::error::broken_constraint;
use super::publish::{Publication, offending_keys};
use super::session::Session;
use crate::error::{ErrorKind, SyncError};
use crate::table::TargetTable;

impl Session {
    /// The same error with the first five rows by their keys, where `error` is a broken constraint and they can be found among the staged ones, which are
    /// all rows, or are `added` to those that stand.
    pub async fn name_offenders(&self, publication: &Publication, staging: &TargetTable, error: SyncError, added: bool) -> SyncError {
        let asking = async { Ok(self.offenders(publication, staging, &error, added).await) };
        match self.patience().wait(asking).await {
            Ok(Some(sentence)) => SyncError::new(ErrorKind::BadValue, sentence)
                .with_remedy("Correct the rows at the source, or the constraint")
                .with_cause(error),
            Ok(None) | Err(_) => error,
        }
    }

    /// A constraint may speak of columns that are not synced: then nothing is found, and the error stands as it is.
    async fn offenders(&self, publication: &Publication, staging: &TargetTable, error: &SyncError, added: bool) -> Option<String> {
        let name = broken_constraint(error)?;
        let (target, key) = (&publication.target, &publication.key);
        let constraint = self.constraint(target, name).await.ok().flatten().filter(|_| !key.is_empty())?;
        let sql = offending_keys(staging, key, publication.hash_keys, &constraint.broken(staging, added.then_some((target, key))));
        let rows = self.query(&sql, &[]).await.ok().filter(|rows| !rows.is_empty())?;
        let keys: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
        Some(format!(
            "the source delivers rows that break the constraint {name} of {target}, column {}; the first of them, by {}: {}",
            constraint.columns.join(", "),
            key.join(", "),
            keys.join("; ")
        ))
    }
}
