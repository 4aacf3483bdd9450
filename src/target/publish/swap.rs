//! `swap`: a new table, made like the old one and loaded beside it, takes its place and its name.
//!
//! Crash story: one transaction from the new table's creation to the COMMIT, so whatever ends it leaves the old table and nothing else. Rows come by
//! COPY FREEZE, then indexes, and only then are others kept out: writers while rows of the old table are counted, readers for the few catalogue changes at the end.
//! A lock that is not had at once is given up, so that nobody queues behind it, and is asked for again by the caller.
//!
//! What readers see: those in READ COMMITTED the old table or the new one. A transaction in REPEATABLE READ that has read the old table holds the swap up; one whose snapshot
//! is older than the swap and that comes later finds the new table under the name, and in it all rows, because frozen rows are visible to every snapshot.
//!
//! The old table is dropped without CASCADE, so PostgreSQL itself refuses where something depends on it; and the new table must then be the same in the catalogue, line
//! by line, or the swap is refused.

use std::collections::BTreeSet;

use super::keys::Whose;
use super::{Changes, Publication, PublishWay, Published, count, seal};
use crate::error::{ErrorKind, Result, SyncError};
use crate::failpoint;
use crate::report::RowCounts;
use crate::table::{PgIdent, TargetTable};
use crate::target::catalog::{Pair, differences, likeness};
use crate::target::error::{broken_foreign_key, target_error};
use crate::target::patience::Patience;
use crate::target::session::{Session, Transaction};
use crate::target::staging::{Load, Within};
use crate::target::state::{RunRow, helper_table};

/// How long others may have to queue behind a lock that is not had.
const LOCK_TIMEOUT: &str = "500ms";

/// A swap under way, in its transaction; dropped, it is rolled back.
pub struct SwapLoad<'a> {
    transaction: Transaction<'a>,
    publication: &'a Publication,
    state_schema: String,
    patience: Patience,
    /// What is swapped: the target, or its one partition.
    old: TargetTable,
    new: TargetTable,
    pair: Pair,
    /// Rows of the old table, once writers are kept out.
    before: u64,
    /// What made up the old table, once it is gone, and the statements that give its names to the new one.
    was: BTreeSet<String>,
    names: Vec<String>,
    warnings: Vec<String>,
}

impl Publication {
    /// What is swapped, and the table that takes its place, under the name that it has until then.
    fn swapped(&self) -> (&TargetTable, TargetTable) {
        let old = match &self.way {
            PublishWay::Swap { partition: Some(partition) } => partition,
            _ => &self.target,
        };
        (old, helper_table(&old.schema, "tablesync_swap", &self.target))
    }

    /// The statements of a swap, without those that the server's catalogue gives for what belongs to the table: indexes, constraints, privileges, comments.
    pub fn swap_outline(&self) -> Vec<String> {
        let (old, new) = self.swapped();
        let mut outline = vec![
            format!("CREATE TABLE {new} (LIKE {old} INCLUDING ALL EXCLUDING INDEXES EXCLUDING CONSTRAINTS EXCLUDING STATISTICS)"),
            format!("DROP TABLE {old}"),
            format!("ALTER TABLE {new} RENAME TO {}", PgIdent(&old.table)),
        ];
        if *old != self.target {
            outline.push(format!("ALTER TABLE {} ATTACH PARTITION {old}, with the bounds that it had", self.target));
        }
        outline
    }
}

impl Session {
    /// Opens the transaction of a swap and makes the new table in it, empty.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn begin_swap<'a>(&'a mut self, publication: &'a Publication) -> Result<SwapLoad<'a>> {
        self.add_columns(publication).await?;
        let (state_schema, patience) = (self.state_schema.clone(), self.patience());
        let (old, new) = publication.swapped();
        let failed = |error| target_error(&format!("make the table that is to take the place of {old}"), error);
        let transaction = self.begin().await.map_err(failed)?;
        let pair = Pair::make(&transaction, old, &new).await?;
        for statement in pair.shape(&transaction).await? {
            transaction.batch_execute(&statement).await.map_err(failed)?;
        }
        Ok(SwapLoad {
            transaction,
            publication,
            state_schema,
            patience,
            old: old.clone(),
            new,
            pair,
            before: 0,
            was: BTreeSet::new(),
            names: Vec::new(),
            warnings: Vec::new(),
        })
    }
}

impl<'a> SwapLoad<'a> {
    /// Where the rows go.
    pub fn load(&'a self) -> Load<'a> {
        Load {
            within: Within::Transaction(&self.transaction),
            patience: self.patience.clone(),
            table: self.new.clone(),
            columns: &self.publication.columns,
            key: self.publication.shown_key(),
            freeze: true,
        }
    }
}

impl SwapLoad<'_> {
    /// Checks what was loaded, and makes indexes and what else is best made when the rows are there. Nobody waits for it, but writers of tables that foreign keys point at.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] when counts or keys say no; else as the server answers.
    pub async fn build(&mut self, run: &RunRow<'_>) -> Result<()> {
        run.check_staged(count(&self.transaction, &self.new).await?)?;
        let old = self.old.clone();
        for part in self.pair.build(&self.transaction).await? {
            let failed = |error| target_error(&format!("make the {} of {old} for the new rows", part.about), error);
            self.transaction.batch_execute(&part.statement).await.map_err(failed)?;
        }
        self.build_foreign_keys().await?;
        if !self.publication.key_is_enforced {
            self.publication.refuse_bad_keys(&self.transaction, &self.new, Whose::Source).await?;
        }
        let analyze = format!("ANALYZE {}", self.new);
        self.transaction.batch_execute(&analyze).await.map_err(|error| target_error(&format!("analyze the new rows of {old}"), error))
    }

    /// One of our own making that the new rows break gives way, as in every refresh.
    async fn build_foreign_keys(&mut self) -> Result<()> {
        for key in self.pair.foreign_keys(&self.transaction).await? {
            let failed = |error| target_error(&format!("make the foreign key {} of {} for the new rows", key.name, self.old), error);
            let attempt = self.transaction.savepoint().await.map_err(failed)?;
            match attempt.batch_execute(&key.statement).await.map_err(failed) {
                Ok(()) => attempt.commit().await.map_err(failed)?,
                Err(error) if key.ours && broken_foreign_key(&error).is_some() => {
                    attempt.rollback().await.map_err(failed)?;
                    self.warnings.push(format!(
                        "the foreign key {} of {} would have stopped this refresh and was taken down; the next run of that table makes it again where the rows allow it",
                        key.name, self.old
                    ));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Keeps writers out, counts what stands and asks the guards; then the new table gets what may have changed until now.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] when guards say no; else as the server answers, with trouble that may pass where the lock was not had.
    pub async fn keep_writers_out(&mut self, run: &RunRow<'_>) -> Result<()> {
        self.lock_writers_out().await?;
        self.before = count(&self.transaction, &self.publication.target).await?;
        let staged = run.rows.read.saturating_sub(run.rows.quarantined);
        let warnings = self.publication.guards.check(staged, self.before, self.before.saturating_sub(staged))?;
        self.warnings.extend(warnings);
        let failed = |error| target_error(&format!("give the new table what belongs to {}", self.old), error);
        for statement in self.pair.belongings(&self.transaction).await? {
            self.transaction.batch_execute(&statement).await.map_err(failed)?;
        }
        let numbered = if self.old == self.publication.target { &self.new } else { &self.publication.target };
        self.publication.advance_sequences(&self.transaction, numbered, &self.new).await
    }

    /// Keeps readers out too, for the moment of the swap itself, and drops the old table: without CASCADE, so that what came to depend on it meanwhile ends the swap.
    ///
    /// # Errors
    /// As the server answers, with trouble that may pass where a lock was not had. Dropping a table locks those that its foreign keys point at, too.
    pub async fn keep_readers_out(&mut self) -> Result<()> {
        let (target, old) = (&self.publication.target, &self.old);
        let failed = |error| target_error(&format!("lock {target} to swap it"), error);
        let attempt = self.transaction.savepoint().await.map_err(failed)?;
        let dropping = async {
            attempt.batch_execute(&lock(target, "ACCESS EXCLUSIVE")).await.map_err(failed)?;
            let was = likeness(&attempt, self.pair.old).await?;
            let names = self.pair.names(&attempt).await?;
            let drop = format!("DROP TABLE {old}");
            attempt.batch_execute(&drop).await.map_err(|error| target_error(&format!("drop the old {old}"), error))?;
            Ok((was, names))
        };
        match dropping.await {
            Ok(dropped) => {
                attempt.commit().await.map_err(failed)?;
                (self.was, self.names) = dropped;
                Ok(())
            }
            Err(error) => {
                attempt.rollback().await.map_err(failed)?;
                Err(error)
            }
        }
    }

    /// A lock that is not had undoes nothing of what was done before.
    async fn lock_writers_out(&mut self) -> Result<()> {
        let target = &self.publication.target;
        let failed = |error| target_error(&format!("lock {target} to swap it"), error);
        let attempt = self.transaction.savepoint().await.map_err(failed)?;
        match attempt.batch_execute(&lock(target, "SHARE ROW EXCLUSIVE")).await.map_err(failed) {
            Ok(()) => attempt.commit().await.map_err(failed),
            Err(error) => {
                attempt.rollback().await.map_err(failed)?;
                Err(error)
            }
        }
    }

    /// Gives the new table the old one's names, and commits.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] when the new table would not be like the old one; else as the server answers.
    pub async fn publish(self, run: &RunRow<'_>) -> Result<Published> {
        let Self { transaction, publication, state_schema, old, pair, before, was, names, warnings, .. } = self;
        let failed = |error| target_error(&format!("swap {old}"), error);
        transaction.batch_execute(&names.join("; ")).await.map_err(failed)?;
        failpoint::reached("table_swapped");
        if let Some(differs) = differences(&was, &likeness(&transaction, pair.new).await?) {
            tracing::debug!(%differs, "the new table is not like the old one");
            return Err(SyncError::new(ErrorKind::Refused, format!("a swap would change {old}: {differs}"))
                .with_remedy("Where somebody changed the table meanwhile, run again; else choose \"merge\" or \"replace\""));
        }
        let inserted = run.rows.read.saturating_sub(run.rows.quarantined);
        let rows = RowCounts { inserted, deleted: before, ..RowCounts::default() };
        seal(transaction, publication, &state_schema, run, Changes { rows, kept: 0, warnings, replaced: None }).await
    }
}

fn lock(table: &TargetTable, mode: &str) -> String {
    format!("SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'; LOCK TABLE {table} IN {mode} MODE")
}
