//! How what was loaded becomes visible: one transaction, in which everything is checked before it commits.
//!
//! Crash story: until COMMIT nothing of it is visible and a kill at any step leaves the target as it was; the `runs` row of the success commits with
//! the data. The lock taken keeps other writers out, not readers, except for `truncate`, which readers wait for from the TRUNCATE to the COMMIT.

use tokio_postgres::{GenericClient, Row, Transaction};

use super::create::{NewTable, add_primary_key};
use super::error::{breaks_key, target_error};
use super::guards::Guards;
use super::merge::{Statements, bad_keys};
use super::patience::Patience;
use super::quarantine::keep_standing;
use super::sequence::advance_sequences;
use super::session::Session;
use super::staging::Load;
use super::state::{RunRow, helper_table, record_success};
use crate::error::{ErrorKind, Result, SyncError};
use crate::report::RowCounts;
use crate::table::{BadRow, PgType, TargetTable};

/// What is published, and how.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The target.
    pub target: TargetTable,
    /// Its columns, in COPY order.
    pub columns: Vec<String>,
    /// The key among them; empty without one.
    pub key: Vec<String>,
    /// Whether the target itself keeps the key unique and not NULL.
    pub key_is_enforced: bool,
    /// Whether the source was read without locks, so that a row may have come twice.
    pub dirty_read: bool,
    /// Columns that PostgreSQL lets nobody update.
    pub identity_always: Vec<String>,
    /// The way.
    pub way: PublishWay,
    /// Columns that the target gets before the publish, with their types.
    pub added: Vec<(String, PgType)>,
    /// What refuses it.
    pub guards: Guards,
    /// Whether messages show a hash in place of a key.
    pub hash_keys: bool,
}

/// How the target's contents are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishWay {
    /// COPY straight into a target that is empty or made first.
    Straight {
        /// The table, when it is to be made.
        create: Option<Box<NewTable>>,
    },
    /// The rows that differ are written.
    Merge {
        /// Changed rows are deleted and inserted: an update could meet another unique constraint half-way.
        reinsert_changed: bool,
    },
    /// All rows are deleted and inserted.
    Replace,
    /// The table is truncated and filled.
    Truncate,
}

impl PublishWay {
    /// Its name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            PublishWay::Straight { .. } => "straight",
            PublishWay::Merge { .. } => "merge",
            PublishWay::Replace => "replace",
            PublishWay::Truncate => "truncate",
        }
    }
}

/// What a publish came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Published {
    /// What became of the rows.
    pub rows: RowCounts,
    /// Rows put aside whose older versions still stand in the target.
    pub kept: u64,
    /// What the reader should know.
    pub warnings: Vec<String>,
}

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
        let transaction = self.client.transaction().await.map_err(failed)?;
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

    /// Gives the planner what it needs to compare the staged rows, and checks their key. Nothing is locked yet.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] naming the first five keys that are NULL or not unique.
    pub async fn check_staged(&self, publication: &Publication, staging: &TargetTable) -> Result<()> {
        let analyze = format!("ANALYZE {staging}");
        self.client.batch_execute(&analyze).await.map_err(|error| target_error("analyze the staging table", error))?;
        publication.refuse_bad_keys(&self.client, staging, Whose::Source).await
    }

    /// Publishes the staged rows in one transaction.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] when counts, keys or guards say no; else as the server answers, [`super::is_transient`] where a second attempt may
    /// succeed. The target is then as it was.
    pub async fn publish(&mut self, publication: &Publication, staging: &TargetTable, run: &RunRow<'_>) -> Result<Published> {
        self.add_columns(publication).await?;
        let state_schema = self.state_schema.clone();
        loop {
            let transaction = self.client.transaction().await.map_err(|error| target_error("begin the publish", error))?;
            match publish_staged(transaction, publication, staging, &state_schema, run).await {
                Ok(published) => return Ok(published),
                // Each time round there is one foreign key less.
                Err(error) => match self.give_way(&error).await? {
                    Some(gave_way) => self.done_before.push(gave_way),
                    None => return Err(self.name_offenders(publication, staging, error).await),
                },
            }
        }
    }
}

async fn publish_staged(
    transaction: Transaction<'_>,
    publication: &Publication,
    staging: &TargetTable,
    state_schema: &str,
    run: &RunRow<'_>,
) -> Result<Published> {
    let target = &publication.target;
    let failed = |error| target_error(&format!("publish {target}"), error);
    // Constraints that may wait until the COMMIT do: rows that refer to each other are written in any order.
    let begin = format!("SET CONSTRAINTS ALL DEFERRED; LOCK TABLE {target} IN SHARE ROW EXCLUSIVE MODE");
    transaction.batch_execute(&begin).await.map_err(failed)?;
    let staged = count(&transaction, staging).await?;
    run.check_staged(staged)?;
    let statements = Statements {
        target,
        staging,
        difference: helper_table(state_schema, "difference", target),
        columns: &publication.columns,
        key: &publication.key,
        identity_always: &publication.identity_always,
    };
    let changes = match publication.way {
        PublishWay::Merge { reinsert_changed } => {
            if !publication.key_is_enforced {
                publication.refuse_bad_keys(&transaction, target, Whose::Target).await?;
            }
            let merge = Merge { statements: &statements, staged, publication, reinsert_changed };
            merge.run(&transaction, state_schema, run.bad_rows).await?
        }
        PublishWay::Replace | PublishWay::Straight { .. } => replace(&transaction, &statements, staged, publication).await?,
        PublishWay::Truncate => truncate(&transaction, &statements, staged, publication).await?,
    };
    commit(transaction, publication, state_schema, run, changes).await
}

/// Row counts of a change, and what to tell about it.
struct Changes {
    rows: RowCounts,
    kept: u64,
    warnings: Vec<String>,
}

/// A merge of what is staged.
struct Merge<'a> {
    statements: &'a Statements<'a>,
    staged: u64,
    publication: &'a Publication,
    reinsert_changed: bool,
}

impl Merge<'_> {
    async fn run(&self, transaction: &Transaction<'_>, state_schema: &str, bad_rows: &[BadRow]) -> Result<Changes> {
        let Self { statements, staged, publication, reinsert_changed } = *self;
        let failed = |error| target_error(&format!("merge into {}", publication.target), error);
        let drop_difference = format!("DROP TABLE IF EXISTS {}", statements.difference);
        transaction.batch_execute(&drop_difference).await.map_err(failed)?;
        transaction.batch_execute(&statements.find_differences()).await.map_err(failed)?;
        let kept = keep_standing(transaction, publication, state_schema, bad_rows).await?;
        let row = transaction.query_one(&statements.count_differences(), &[]).await.map_err(failed)?;
        let [new, changed, vanished] = ["new", "changed", "vanished"].map(|column| row.get::<_, i64>(column).cast_unsigned());

        let before = (staged + vanished + kept).saturating_sub(new);
        let warnings = publication.guards.check(staged, before, vanished)?;
        if vanished > 0 || (reinsert_changed && changed > 0) {
            let expected = if reinsert_changed { vanished + changed } else { vanished };
            exactly(transaction, &statements.delete_differences(reinsert_changed), expected, "delete").await?;
        }
        if changed > 0 && !reinsert_changed {
            exactly(transaction, &statements.update_differences(), changed, "update").await?;
        }
        if new > 0 || (reinsert_changed && changed > 0) {
            let expected = if reinsert_changed { new + changed } else { new };
            exactly(transaction, &statements.insert_differences(reinsert_changed), expected, "insert").await?;
        }
        transaction.batch_execute(&drop_difference).await.map_err(failed)?;
        let unchanged = staged.saturating_sub(new + changed);
        let rows = RowCounts { inserted: new, updated: changed, deleted: vanished, unchanged, ..RowCounts::default() };
        Ok(Changes { rows, kept, warnings })
    }
}

/// Runs a statement that must touch so many rows; a trigger or rule that swallows some is noticed.
async fn exactly(transaction: &Transaction<'_>, sql: &str, expected: u64, verb: &str) -> Result<()> {
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

async fn replace(transaction: &Transaction<'_>, statements: &Statements<'_>, staged: u64, publication: &Publication) -> Result<Changes> {
    let failed = |error| target_error(&format!("replace the rows of {}", publication.target), error);
    let before = transaction.execute(&format!("DELETE FROM {}", publication.target), &[]).await.map_err(failed)?;
    let warnings = publication.guards.check(staged, before, before.saturating_sub(staged))?;
    let inserted = transaction.execute(&statements.insert_all(), &[]).await.map_err(failed)?;
    Ok(Changes { rows: RowCounts { inserted, deleted: before, ..RowCounts::default() }, kept: 0, warnings })
}

async fn truncate(transaction: &Transaction<'_>, statements: &Statements<'_>, staged: u64, publication: &Publication) -> Result<Changes> {
    let failed = |error| target_error(&format!("truncate and fill {}", publication.target), error);
    let before = count(transaction, &publication.target).await?;
    let warnings = publication.guards.check(staged, before, before.saturating_sub(staged))?;
    transaction.batch_execute(&format!("TRUNCATE {}", publication.target)).await.map_err(failed)?;
    let inserted = transaction.execute(&statements.insert_all(), &[]).await.map_err(failed)?;
    Ok(Changes { rows: RowCounts { inserted, deleted: before, ..RowCounts::default() }, kept: 0, warnings })
}

impl<'a> StraightLoad<'a> {
    /// Where the rows go.
    pub fn load(&'a self) -> Load<'a> {
        Load {
            client: self.transaction.client(),
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
            warnings.extend(Box::pin(table.finish(&mut transaction, target)).await?);
        } else if !publication.key_is_enforced {
            publication.refuse_bad_keys(&transaction, target, Whose::Source).await?;
        }
        let rows = RowCounts { inserted: staged, ..RowCounts::default() };
        commit(transaction, publication, &state_schema, run, Changes { rows, kept: 0, warnings }).await
    }
}

/// The last check, the run's row, COMMIT.
async fn commit(
    transaction: Transaction<'_>,
    publication: &Publication,
    state_schema: &str,
    run: &RunRow<'_>,
    changes: Changes,
) -> Result<Published> {
    if changes.rows.inserted > 0 || changes.rows.updated > 0 {
        let columns: Vec<_> = publication.columns.iter().map(String::as_str).collect();
        advance_sequences(&transaction, &publication.target, &columns, &[]).await?;
    }
    let stands = count(&transaction, &publication.target).await?;
    let RowCounts { read, quarantined, .. } = run.rows;
    if stands + quarantined != read + changes.kept {
        let aside = if quarantined > 0 { format!(", {quarantined} of them put aside,") } else { String::new() };
        return Err(SyncError::new(
            ErrorKind::Refused,
            format!("{read} rows were read{aside} and {} would hold {stands}", publication.target),
        )
        .with_remedy("Look for triggers, rules or row security on the target that change what a statement does"));
    }
    let rows = RowCounts { read, quarantined, ..changes.rows };
    record_success(&transaction, state_schema, &RunRow { rows, ..run.clone() }).await?;
    transaction.commit().await.map_err(|error| target_error(&format!("commit {}", publication.target), error))?;
    Ok(Published { rows, kept: changes.kept, warnings: changes.warnings })
}

async fn count(client: &impl GenericClient, table: &TargetTable) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM {table}");
    let row = client.query_one(&sql, &[]).await.map_err(|error| target_error(&format!("count {table}"), error))?;
    Ok(row.get::<_, i64>(0).cast_unsigned())
}

/// Whose keys are looked at.
#[derive(Debug, Clone, Copy)]
enum Whose {
    Source,
    Target,
}

impl RunRow<'_> {
    /// What was read is staged or put aside.
    fn check_staged(&self, staged: u64) -> Result<()> {
        let RowCounts { read, quarantined, .. } = self.rows;
        if staged + quarantined == read {
            return Ok(());
        }
        let aside = if quarantined > 0 { format!(", {quarantined} put aside") } else { String::new() };
        Err(SyncError::new(ErrorKind::Refused, format!("{read} rows were read{aside} and {staged} are staged")))
    }
}

impl Publication {
    /// The key whose values PostgreSQL's own messages may show.
    pub(super) fn shown_key(&self) -> &[String] {
        if self.hash_keys { &[] } else { &self.key }
    }

    /// Names the first five keys in `table` that are NULL or not unique.
    async fn refuse_bad_keys(&self, client: &impl GenericClient, table: &TargetTable, whose: Whose) -> Result<()> {
        if self.key.is_empty() {
            return Ok(());
        }
        let rows =
            client.query(&bad_keys(table, &self.key, self.hash_keys), &[]).await.map_err(|error| target_error("check the key", error))?;
        if rows.is_empty() {
            return Ok(());
        }
        let name = |row: &Row| match row.get::<_, i64>(1) {
            1 => format!("{} (1 row)", row.get::<_, &str>(0)),
            count => format!("{} ({count} rows)", row.get::<_, &str>(0)),
        };
        let named: Vec<_> = rows.iter().map(name).collect();
        let (who, remedy) = match whose {
            // A key that came twice may be one row met twice; a NULL is no doing of the read's.
            Whose::Source if self.dirty_read && rows.iter().all(|row| !row.get::<_, bool>(2)) => (
                "the source delivers",
                "The read was a dirty one (isolation \"nolock\") and may have met rows twice: run again, or choose \"read_committed\"",
            ),
            Whose::Source => ("the source delivers", "Correct the rows, choose another primary_key, or refresh \"replace\" without one"),
            Whose::Target => ("the target holds", "Correct the rows there, or refresh it once with \"replace\""),
        };
        let sentence = format!("{who} keys ({}) that are NULL or not unique: {}", self.key.join(", "), named.join("; "));
        Err(SyncError::new(ErrorKind::Refused, sentence).with_remedy(remedy))
    }

    /// Adds the primary key of a table that was just made; where it cannot be, the keys that stand in its way are named.
    async fn add_primary_key(&self, transaction: &mut Transaction<'_>) -> Result<()> {
        if self.key.is_empty() {
            return Ok(());
        }
        let failed = |error| target_error(&format!("add the primary key of {}", self.target), error);
        let sql = add_primary_key(&self.target, &self.key);
        let attempt = transaction.transaction().await.map_err(failed)?;
        match attempt.batch_execute(&sql).await.map_err(failed) {
            Ok(()) => attempt.commit().await.map_err(failed),
            Err(error) if breaks_key(&error) => {
                attempt.rollback().await.map_err(failed)?;
                self.refuse_bad_keys(transaction, &self.target, Whose::Source).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }
}
