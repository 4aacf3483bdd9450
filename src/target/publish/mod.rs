//! How what was loaded becomes visible: one transaction, in which everything is checked before it commits.
//!
//! Crash story: until COMMIT nothing of it is visible and a kill at any step leaves the target as it was; the `runs` row of the success commits with
//! the data. The lock taken keeps other writers out, not readers, except for `truncate`, which readers wait for from the TRUNCATE to the COMMIT.

mod foresight;
mod guards;
mod keys;
mod merge;
mod new_rows;
mod replace;
mod statements;
mod step;
mod straight;
mod swap;

use std::time::Instant;

pub use self::foresight::{Foreseen, Foresight};
pub use self::guards::Guards;
use self::keys::Whose;
pub(super) use self::keys::offending_keys;
use self::merge::Merge;
pub use self::new_rows::{Gone, NewRows};
use self::replace::{replace, truncate};
use self::statements::Statements;
pub(super) use self::statements::same_key;
pub use self::step::StepLoad;
pub use self::straight::StraightLoad;
pub use self::swap::SwapLoad;
use super::create::NewTable;
use super::error::target_error;
use super::sequence::advance_sequences;
use super::session::{Session, Transaction};
use super::state::{RunRow, helper_table, record_success};
use crate::error::{ErrorKind, Result, SyncError};
use crate::failpoint;
use crate::report::RowCounts;
use crate::table::{PgType, TargetTable};

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
        /// All rows may be replaced where so many differ that it costs less.
        or_replace: bool,
    },
    /// All rows are deleted and inserted.
    Replace,
    /// The table is truncated and filled.
    Truncate,
    /// A new table takes the place of the old one.
    Swap {
        /// The one partition of the target, which is swapped in place of the target itself.
        partition: Option<TargetTable>,
    },
}

impl PublishWay {
    /// Its name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            PublishWay::Straight { .. } => "straight",
            PublishWay::Merge { .. } => "merge",
            PublishWay::Replace => "replace",
            PublishWay::Truncate => "truncate",
            PublishWay::Swap { .. } => "swap",
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
    /// Why a merge became a replacement of all rows; none where it did not.
    pub replaced: Option<String>,
    /// What the reader should know.
    pub warnings: Vec<String>,
}

impl Session {
    /// Gives the planner what it needs to compare the staged rows, and checks their key. Nothing is locked yet.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] naming the first five keys that are NULL or not unique.
    pub async fn check_staged(&mut self, publication: &Publication, staging: &TargetTable) -> Result<()> {
        let failed = |error| target_error("analyze the staging table", error);
        let transaction = self.begin().await.map_err(failed)?;
        transaction.batch_execute(&format!("ANALYZE {staging}")).await.map_err(failed)?;
        publication.refuse_bad_keys(&transaction, staging, Whose::Source).await?;
        transaction.commit().await.map_err(failed)
    }

    /// Publishes the staged rows in one transaction.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] when counts, keys or guards say no; else as the server answers, with trouble that may pass where a second attempt may
    /// succeed. The target is then as it was.
    pub async fn publish(&mut self, publication: &Publication, staging: &TargetTable, run: &RunRow<'_>) -> Result<Published> {
        self.add_columns(publication).await?;
        let state_schema = self.state_schema.clone();
        loop {
            let transaction = self.begin().await.map_err(|error| target_error("begin the publish", error))?;
            match publish_staged(transaction, publication, staging, &state_schema, run).await {
                Ok(published) => return Ok(published),
                // Each time round there is one foreign key less.
                Err(error) => match self.give_way(&error).await? {
                    Some(gave_way) => self.done_before.push(gave_way),
                    None => return Err(self.name_offenders(publication, staging, error, false).await),
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
    run.has_begun();
    failpoint::reached("publish_begun");
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
    let begun = Instant::now();
    let changes = match publication.way {
        PublishWay::Merge { reinsert_changed, or_replace } => {
            if !publication.key_is_enforced {
                publication.refuse_bad_keys(&transaction, target, Whose::Target).await?;
            }
            let merge = Merge { statements: &statements, staged, publication, reinsert_changed, or_replace };
            merge.run(&transaction, state_schema, run.bad_rows).await?
        }
        PublishWay::Replace | PublishWay::Straight { .. } | PublishWay::Swap { .. } => {
            replace(&transaction, &statements, staged, publication).await?
        }
        PublishWay::Truncate => truncate(&transaction, &statements, staged, publication).await?,
    };
    let mut published = commit(transaction, publication, state_schema, run, changes).await?;
    if publication.way == PublishWay::Truncate {
        let kept_out = begun.elapsed().as_secs_f64();
        published.warnings.push(format!("readers of {target} were kept out for {kept_out:.1} s, while it was truncated and filled"));
    }
    Ok(published)
}

/// Row counts of a change, and what to tell about it.
struct Changes {
    rows: RowCounts,
    kept: u64,
    warnings: Vec<String>,
    /// Why a merge became a replacement of all rows; none where it did not.
    replaced: Option<String>,
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
        advance_sequences(&transaction, &publication.target, &publication.target, &columns, &[]).await?;
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
    seal(transaction, publication, state_schema, run, changes).await
}

/// The run's row, COMMIT.
async fn seal(
    transaction: Transaction<'_>,
    publication: &Publication,
    state_schema: &str,
    run: &RunRow<'_>,
    changes: Changes,
) -> Result<Published> {
    let RowCounts { read, quarantined, .. } = run.rows;
    let rows = RowCounts { read, quarantined, ..changes.rows };
    let refresh = if changes.replaced.is_some() { Some(PublishWay::Replace.name()) } else { run.refresh };
    record_success(&transaction, state_schema, &RunRow { rows, refresh, ..run.clone() }).await?;
    failpoint::reached("success_recorded");
    transaction.commit().await.map_err(|error| target_error(&format!("commit {}", publication.target), error))?;
    failpoint::reached("committed");
    Ok(Published { rows, kept: changes.kept, replaced: changes.replaced, warnings: changes.warnings })
}

async fn count(transaction: &Transaction<'_>, table: &TargetTable) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM {table}");
    let row = transaction.query_one(&sql, &[]).await.map_err(|error| target_error(&format!("count {table}"), error))?;
    Ok(row.get::<_, i64>(0).cast_unsigned())
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
