//! What a publish would do, of rows and keys that are loaded into tables which are gone when this ends.
//!
//! One transaction, which is always rolled back: nothing is written that stays, and nobody waits for a lock of it.

use super::new_rows::{self, Gone, gone_rows};
use super::{Publication, count};
use crate::error::Result;
use crate::table::{OnConflict, TargetTable, quoted_list};
use crate::target::error::target_error;
use crate::target::patience::Patience;
use crate::target::session::{Session, Transaction};
use crate::target::staging::{Load, Within};

/// Where the rows are.
const ROWS: &str = "tablesync_new";
/// Where the keys are.
const KEYS: &str = "tablesync_keys";

/// What a publish would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Foreseen {
    /// Rows that would be inserted.
    pub inserted: u64,
    /// Rows that would be updated.
    pub updated: u64,
    /// Rows that would be deleted.
    pub deleted: u64,
    /// What would refuse it, and what would be worth a warning.
    pub warnings: Vec<String>,
}

/// A look ahead under way, in its transaction; dropped, it is rolled back.
pub struct Foresight<'a> {
    transaction: Transaction<'a>,
    publication: &'a Publication,
    patience: Patience,
}

impl Session {
    /// Opens the transaction of a look ahead.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn begin_foresight<'a>(&'a mut self, publication: &'a Publication) -> Result<Foresight<'a>> {
        let patience = self.patience();
        let transaction = self.begin().await.map_err(|error| target_error(&comparing(publication), error))?;
        make(&transaction, publication, ROWS, &publication.staged_columns()).await?;
        Ok(Foresight { transaction, publication, patience })
    }
}

impl Foresight<'_> {
    /// Where the rows go.
    pub fn rows(&self) -> Load<'_> {
        self.load(ROWS, &self.publication.columns)
    }

    /// Where the keys go, by which is told what is gone; asked for once.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn keys(&self) -> Result<Load<'_>> {
        let key = &self.publication.key;
        make(&self.transaction, self.publication, KEYS, &quoted_list("", key.iter().map(String::as_str))).await?;
        Ok(self.load(KEYS, key))
    }

    /// The table of keys.
    pub fn table_of_keys() -> TargetTable {
        temporary(KEYS)
    }

    fn load<'s>(&'s self, table: &str, columns: &'s [String]) -> Load<'s> {
        let within = Within::Transaction(&self.transaction);
        let (patience, key) = (self.patience.clone(), self.publication.shown_key());
        Load { within, patience, table: temporary(table), columns, key, freeze: false }
    }

    /// What publishing the rows as new ones would do.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn foresee_new(self, on_conflict: OnConflict, gone: Option<&Gone>) -> Result<Foreseen> {
        let publication = self.publication;
        let failed = |error| target_error(&comparing(publication), error);
        let (inserted, changed) = self.count_differences().await?;
        let updated = if on_conflict == OnConflict::Update { changed } else { 0 };
        let mut foreseen = Foreseen { inserted, updated, ..Foreseen::default() };
        if let Some(gone) = gone {
            foreseen.deleted = self.count_gone(gone).await?;
        }
        if foreseen.deleted > 0 {
            let stand = count(&self.transaction, &publication.target).await? + inserted;
            foreseen.guard(publication, stand.saturating_sub(foreseen.deleted), (stand, foreseen.deleted));
        }
        self.transaction.rollback().await.map_err(failed)?;
        Ok(foreseen)
    }

    /// How many of the rows are new to the target, and how many differ there.
    async fn count_differences(&self) -> Result<(u64, u64)> {
        let failed = |error| target_error(&comparing(self.publication), error);
        let rows = temporary(ROWS);
        let statements = new_rows::statements(self.publication, &rows, rows.clone());
        self.transaction.batch_execute(&format!("ANALYZE {rows}; {}", statements.keep_last_delivered())).await.map_err(failed)?;
        let row = self.transaction.query_one(&statements.count_new_and_changed(), &[]).await.map_err(failed)?;
        Ok((row.get::<_, i64>("new").cast_unsigned(), row.get::<_, i64>("changed").cast_unsigned()))
    }

    async fn count_gone(&self, gone: &Gone) -> Result<u64> {
        let failed = |error| target_error(&comparing(self.publication), error);
        self.transaction.batch_execute(&format!("ANALYZE {}", gone.keys())).await.map_err(failed)?;
        let sql = format!("SELECT count(*) {}", gone_rows(self.publication, gone));
        let row = self.transaction.query_one(&sql, &[]).await.map_err(failed)?;
        Ok(row.get::<_, i64>(0).cast_unsigned())
    }
}

impl Foreseen {
    /// Asks the guards.
    fn guard(&mut self, publication: &Publication, stays: u64, (before, vanishing): (u64, u64)) {
        match publication.guards.check(stays, before, vanishing) {
            Ok(warnings) => self.warnings.extend(warnings.iter().map(|warning| format!("the publish would warn: {warning}"))),
            Err(refused) => self.warnings.push(format!("the publish would be refused: {refused}")),
        }
    }
}

async fn make(transaction: &Transaction<'_>, publication: &Publication, name: &str, columns: &str) -> Result<()> {
    let target = &publication.target;
    let sql = format!("CREATE TEMPORARY TABLE {name} ON COMMIT DROP AS SELECT {columns} FROM {target} WITH NO DATA");
    transaction.batch_execute(&sql).await.map_err(|error| target_error(&comparing(publication), error))
}

fn temporary(name: &str) -> TargetTable {
    TargetTable { schema: "pg_temp".to_owned(), table: name.to_owned() }
}

fn comparing(publication: &Publication) -> String {
    format!("compare what is new with {}", publication.target)
}
