//! Foreign keys, when all tables of a run are loaded: what the source has is made in the target, where both tables are configured.
//!
//! Whatever cannot be made is a warning of its table: rows are there, and the next run tries again.

use super::full_refresh::TableJob;
use super::retry::Retries;
use super::run_context::RunContext;
use crate::config::{SourceSettings, TableConfig};
use crate::error::{Result, SyncError};
use crate::report::{Outcome, TableReport};
use crate::sources::Connection;
use crate::table::{IDENTIFIER_BYTES_MAX, Refresh, SourceForeignKey, fold_identifiers};
use crate::target::{NewForeignKey, Session};

/// Makes the foreign keys of the tables that want theirs and are done; what could not be made is added to their reports.
pub(super) async fn make_foreign_keys(wanting: Vec<TableJob>, mut reports: Vec<TableReport>, context: &RunContext) -> Vec<TableReport> {
    for job in wanting {
        let done = |report: &&mut TableReport| report.table == job.config.name && matches!(report.outcome, Outcome::Ok);
        let Some(report) = reports.iter_mut().find(done) else { continue };
        let mut warnings = Vec::new();
        if let Err(error) = Box::pin(make_patiently(&job, context, &mut warnings)).await {
            warnings.push(format!("its foreign keys are not made: {error}"));
        }
        report.warnings.append(&mut warnings);
    }
    reports
}

/// Makes them, again from the beginning after trouble that may pass: what was made by then is left as it is.
async fn make_patiently(job: &TableJob, context: &RunContext, warnings: &mut Vec<String>) -> Result<()> {
    let mut retries = Retries::of_table(context.max_retries);
    loop {
        let mut not_made = Vec::new();
        let making = make_all(job, context, warnings, &mut not_made);
        let trouble = match context.stop.or_done(making).await {
            Ok(Some(trouble)) => trouble,
            Ok(None) => {
                warnings.append(&mut not_made);
                return Ok(());
            }
            Err(error) => {
                retries.wait(error, &context.stop).await?;
                continue;
            }
        };
        if retries.wait(trouble, &context.stop).await.is_err() {
            warnings.append(&mut not_made);
            return Ok(());
        }
    }
}

/// Makes them all; returns the first trouble that may pass. What is to be told of what was made is added to `warnings`, of what was not to `not_made`.
async fn make_all(
    job: &TableJob,
    context: &RunContext,
    warnings: &mut Vec<String>,
    not_made: &mut Vec<String>,
) -> Result<Option<SyncError>> {
    let (keys, mut withheld) = job.read_foreign_keys().await?;
    not_made.append(&mut withheld);
    if keys.is_empty() {
        return Ok(None);
    }
    let session = Session::open(&job.target, &job.application()).await?;
    let mut trouble = None;
    for key in keys {
        let made = match wanted(&key, Owner { config: &job.config, source: &job.source }, &context.configured) {
            Ok(new) => session.patience().wait(session.make_foreign_key(&new)).await.map_err(|error| {
                let reason = error.to_string();
                trouble = trouble.take().or_else(|| error.passing().is_some().then_some(error));
                reason
            }),
            Err(reason) => Err(reason),
        };
        match made {
            Ok(made) => warnings.extend(actions_left_out(&key).filter(|_| made)),
            Err(reason) => not_made.push(not_made_because(&key, &reason)),
        }
    }
    Ok(trouble)
}

impl TableJob {
    async fn read_foreign_keys(&self) -> Result<(Vec<SourceForeignKey>, Vec<String>)> {
        let database = self.source.database_for(&self.config);
        let mut connection = Connection::open(&self.source, database, self.run.source_idle_timeout, &self.application()).await?;
        connection.foreign_keys(&self.config.sql_table).await
    }
}

/// The table whose foreign keys they are, and its source.
#[derive(Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) config: &'a TableConfig,
    pub(super) source: &'a SourceSettings,
}

impl Owner<'_> {
    /// The database that a table of this source is in, as far as the configuration says.
    fn database_of<'a>(&'a self, config: &'a TableConfig) -> Option<&'a str> {
        config.sql_table.database.as_deref().or(self.source.database_for(config))
    }
}

/// What a foreign key that is made does not take over.
pub(super) fn actions_left_out(key: &SourceForeignKey) -> Option<String> {
    (!key.actions.is_empty()).then(|| {
        let actions = key.actions.join(" ");
        format!("foreign key {}: {actions} is not taken over, since a refresh would then change rows of other tables", key.name)
    })
}

/// That there will be none, and why.
pub(super) fn not_made_because(key: &SourceForeignKey, reason: &str) -> String {
    format!("foreign key {} is not made: {reason}", key.name)
}

/// The foreign key in the target's terms, or why there can be none.
pub(super) fn wanted(key: &SourceForeignKey, owner: Owner<'_>, configured: &[TableConfig]) -> Result<NewForeignKey, String> {
    if key.disabled {
        return Err("it is disabled at the source".to_owned());
    }
    let same = |left: Option<&str>, right: Option<&str>| left.map(str::to_lowercase) == right.map(str::to_lowercase);
    let parent = configured.iter().find(|other| {
        other.db_type == owner.config.db_type
            && same(owner.database_of(other), owner.database_of(owner.config))
            && same(Some(&other.sql_table.schema), Some(&key.references.schema))
            && same(Some(&other.sql_table.table), Some(&key.references.table))
    });
    let parent = parent.ok_or_else(|| format!("it points at {}, which is not a configured table", key.references))?;
    if let Some(why) = refuses_references(parent.options.refresh) {
        return Err(format!("it points at {}, and {why}", parent.pg_table));
    }
    let columns = key.columns.iter().map(|(column, _)| target_column(owner.config, column)).collect::<Result<_, _>>()?;
    let referenced = key.columns.iter().map(|(_, column)| target_column(parent, column)).collect::<Result<_, _>>()?;
    let name = fold_identifiers(&[&key.name], owner.config.options.identifiers)
        .ok()
        .and_then(|mut names| names.pop())
        .ok_or_else(|| format!("its name is longer than the {IDENTIFIER_BYTES_MAX} bytes that PostgreSQL keeps"))?;
    Ok(NewForeignKey { table: owner.config.pg_table.clone(), name, columns, references: parent.pg_table.clone(), referenced })
}

/// Why a table that is refreshed so can have no foreign keys that point at it; none where it can.
fn refuses_references(refresh: Refresh) -> Option<&'static str> {
    match refresh {
        Refresh::Truncate => Some("PostgreSQL truncates no table that foreign keys point at"),
        Refresh::Swap => Some("no table that foreign keys point at can be swapped"),
        Refresh::Auto | Refresh::Merge | Refresh::Replace => None,
    }
}

/// The target column that a source column goes into.
fn target_column(config: &TableConfig, column: &str) -> Result<String, String> {
    let position = |names: &[String]| {
        let folded = column.to_lowercase();
        names.iter().position(|name| name == column).or_else(|| names.iter().position(|name| name.to_lowercase() == folded))
    };
    let position = match &config.columns {
        Some(names) => Some(position(names).ok_or_else(|| format!("its column {column} of {} is not synced", config.sql_table))?),
        None => None,
    };
    match (&config.pg_columns, position) {
        (Some(names), Some(at)) => names.get(at).cloned().ok_or_else(|| format!("\"pg_columns\" has no name for {column}")),
        (Some(_), None) => Err(format!("\"pg_columns\" of {} stands without \"columns\"", config.name)),
        (None, _) => fold_identifiers(&[column], config.options.identifiers).map(|names| names.concat()),
    }
}
