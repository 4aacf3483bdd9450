//! Foreign keys of our own making: added when all tables of a run are loaded, taken down where they would stop a refresh.
//!
//! Tables are refreshed one by one, so between two of them rows may point at rows that are not there yet, or no longer. A foreign key that we made gives
//! way then, and the end of the run makes it again. It carries a comment, by which it is known; others are never touched.
//!
//! Crash story: a key is added unchecked, then checked. A kill between the two leaves it unchecked, and the next run checks it or takes it down.

use super::catalog::foreign_keys_between;
use super::error::{broken_foreign_key, target_error};
use super::session::Session;
use crate::error::Result;
use crate::failpoint;
use crate::table::{PgIdent, TargetTable, quoted_list};

/// By which a foreign key of our own making is known.
pub(super) const MARK: &str =
    "Made by tablesync after a foreign key of the source; a refresh that it would stop takes it down until the end of the run";

/// A foreign key that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewForeignKey {
    /// The table that points.
    pub table: TargetTable,
    /// The key's name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// The table that it points at.
    pub references: TargetTable,
    /// The columns there, in the same order.
    pub referenced: Vec<String>,
}

/// A foreign key as it stands.
#[derive(Debug, Clone)]
pub(super) struct StandingForeignKey {
    pub(super) name: String,
    pub(super) columns: Vec<String>,
    pub(super) referenced: Vec<String>,
    pub(super) checked: bool,
    pub(super) ours: bool,
}

impl NewForeignKey {
    /// Adds it, still unchecked: rows that come from now on are held to it. Checked at COMMIT, so that one refresh may write in any order.
    fn statement(&self) -> String {
        let list = |names: &[String]| quoted_list("", names.iter().map(String::as_str));
        format!(
            "ALTER TABLE {} ADD CONSTRAINT {} FOREIGN KEY ({}) REFERENCES {} ({}) DEFERRABLE INITIALLY DEFERRED NOT VALID",
            self.table,
            PgIdent(&self.name),
            list(&self.columns),
            self.references,
            list(&self.referenced)
        )
    }

    /// Checks the rows that are there already, under the name that the key has.
    fn check(&self, name: &str) -> String {
        format!("ALTER TABLE {} VALIDATE CONSTRAINT {}", self.table, PgIdent(name))
    }
}

impl Session {
    /// What [`Session::make_foreign_key`] would run: nothing where the key stands.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn foresee_foreign_key(&self, key: &NewForeignKey) -> Result<Vec<String>> {
        let standing = foreign_keys_between(self, &key.table, &key.references).await?;
        Ok(match standing.iter().find(|other| same_pairs(other, key)) {
            Some(other) if other.checked || !other.ours => Vec::new(),
            Some(other) => vec![key.check(&other.name)],
            None => vec![key.statement(), key.check(&key.name)],
        })
    }

    /// Makes the foreign key where it does not stand yet; returns whether it was made now. Each step is a short transaction of its own.
    ///
    /// # Errors
    /// As the server answers: a table or unique key that is missing, rows that point nowhere, a lock not had. The key is then not there.
    pub async fn make_foreign_key(&self, key: &NewForeignKey) -> Result<bool> {
        let standing = foreign_keys_between(self, &key.table, &key.references).await?;
        let same = standing.iter().find(|other| same_pairs(other, key));
        let name = match same {
            Some(other) if other.checked || !other.ours => return Ok(false),
            Some(other) => other.name.clone(),
            None => {
                // Both at once, or neither.
                let add = format!("{}; COMMENT ON CONSTRAINT {} ON {} IS '{MARK}'", key.statement(), PgIdent(&key.name), key.table);
                let failed = |error| target_error(&format!("add the foreign key {} to {}", key.name, key.table), error);
                self.batch_execute(&add).await.map_err(failed)?;
                failpoint::reached("foreign_key_added");
                key.name.clone()
            }
        };
        match self.batch_execute(&key.check(&name)).await {
            Ok(()) => {
                failpoint::reached("foreign_key_checked");
                Ok(true)
            }
            Err(error) => {
                let failed = target_error(&format!("check the rows of {} against the foreign key {name}", key.table), error);
                self.drop_foreign_key(&key.table, &name).await?;
                Err(failed)
            }
        }
    }

    /// Takes down the foreign key of our own making that `error` says was broken; none where it was another error or another's key.
    pub(super) async fn give_way(&self, error: &crate::error::SyncError) -> Result<Option<String>> {
        let Some((table, name)) = broken_foreign_key(error) else { return Ok(None) };
        let ours = self.own_foreign_keys(&table).await?;
        if !ours.contains(&name) {
            return Ok(None);
        }
        self.drop_foreign_key(&table, &name).await?;
        Ok(Some(format!(
            "the foreign key {name} of {table} would have stopped this refresh and was taken down; the next run of that table makes it again where the rows allow it"
        )))
    }

    /// Takes down the foreign keys of our own making that an empty table has, before it is filled.
    pub(super) async fn drop_own_foreign_keys(&self, table: &TargetTable) -> Result<()> {
        for name in self.own_foreign_keys(table).await? {
            self.drop_foreign_key(table, &name).await?;
        }
        Ok(())
    }

    async fn drop_foreign_key(&self, table: &TargetTable, name: &str) -> Result<()> {
        let sql = format!("ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {}", PgIdent(name));
        self.batch_execute(&sql).await.map_err(|error| target_error(&format!("take down the foreign key {name} of {table}"), error))
    }
}

/// Whether the same columns point at the same columns, in whatever order.
fn same_pairs(standing: &StandingForeignKey, key: &NewForeignKey) -> bool {
    let sorted = |columns: &[String], referenced: &[String]| {
        let mut pairs: Vec<_> = columns.iter().cloned().zip(referenced.iter().cloned()).collect();
        pairs.sort();
        pairs
    };
    sorted(&standing.columns, &standing.referenced) == sorted(&key.columns, &key.referenced)
}
