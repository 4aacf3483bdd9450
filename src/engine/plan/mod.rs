//! From configuration and two catalogues to what a refresh will do. Pure.

mod added;
mod create;
mod fit;
mod form;
mod passage;
mod reason;
#[cfg(test)]
mod tests;
mod wanted;

pub(super) use self::added::added_columns;
use self::fit::{fit_columns, new_columns};
use self::reason::reason;
use self::wanted::wanted_columns;
use crate::config::TableConfig;
use crate::copy::Encoding;
use crate::error::{ErrorKind, Result, SyncError};
use crate::table::{ColumnPart, Isolation, PgType, Refresh, SourceCast, SourceColumn, SourceDescription, TargetColumn, fold_identifiers};
use crate::target::{Guards, Publication, PublishWay, TargetDescription};

/// One column's way from source to target.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedColumn {
    /// Its name at the source, as the catalogue spells it.
    pub source: String,
    /// What of it.
    pub part: ColumnPart,
    /// What a PostgreSQL source does to its values before it sends them.
    pub cast: Option<SourceCast>,
    /// Its name in the target.
    pub target: String,
    /// The form it is written in.
    pub encoding: Encoding,
    /// The target's type.
    pub pg_type: PgType,
    /// Whether it takes no NULL; the key of a table that is made takes none once its primary key is added.
    pub not_null: bool,
    /// What is done to its values on the way, or what each is held to; none where they are written as they are.
    pub conversion: Option<String>,
}

/// What a refresh will do.
#[derive(Debug, Clone)]
pub struct SyncPlan {
    /// The columns, in COPY order.
    pub columns: Vec<PlannedColumn>,
    /// Positions of the key in `columns`.
    pub key: Vec<usize>,
    /// How the rows will become visible.
    pub publication: Publication,
    /// The source's row count, an estimate.
    pub rows_estimate: Option<u64>,
    /// Why the contents are replaced in the way they are, in one sentence.
    pub reason: String,
    /// What the reader should know.
    pub warnings: Vec<String>,
}

impl SyncPlan {
    /// The statements that make the table, in the order in which they run; the rows are loaded after the first. Where it stands, those that add columns to it.
    pub fn ddl(&self) -> Vec<String> {
        match &self.publication.way {
            PublishWay::Straight { create: Some(table) } => table.statements(&self.publication.target, &self.publication.key),
            PublishWay::Straight { create: None } | PublishWay::Merge { .. } | PublishWay::Replace | PublishWay::Truncate => {
                self.publication.add_columns()
            }
            PublishWay::Swap { .. } => [self.publication.add_columns(), self.publication.swap_outline()].concat(),
        }
    }
}

/// Plans the refresh of one table; `target` is none where the table does not exist.
///
/// # Errors
/// [`ErrorKind::SourceSchema`] and [`ErrorKind::TargetSchema`], naming every column that stands in the way with both types.
pub fn plan(config: &TableConfig, source: &SourceDescription, target: Option<&TargetDescription>, allow_shrink: bool) -> Result<SyncPlan> {
    let chosen = choose_columns(config, source)?;
    let wanted = wanted_columns(config, &chosen, target_names(config, &chosen)?, target, &source.computed)?;
    let names: Vec<String> = wanted.iter().map(|column| column.target.clone()).collect();
    let (columns, mut warnings) = match target {
        Some(target) => fit_columns(config, &wanted, target)?,
        None if config.options.create_tables => (new_columns(config, &wanted)?, Vec::new()),
        None => {
            return Err(SyncError::new(ErrorKind::TargetSchema, format!("there is no table {} in the target", config.pg_table))
                .with_remedy("Create it, or set \"create_tables\": true"));
        }
    };
    warnings.extend(masked_warning(source, &columns));
    let key = find_key(config, source, &columns)?;
    let key_names: Vec<String> = key.iter().map(|&position| columns[position].target.clone()).collect();
    let mut columns = columns;
    if target.is_none() {
        // The primary key makes them NOT NULL once the rows are there; until then a NULL can be named with its fellows.
        key.iter().for_each(|&position| columns[position].not_null = false);
    }
    let way = match target {
        Some(target) => choose_way(config, target, &columns, &key_names)?,
        None => {
            let (table, notes) = create::new_table(config, source, &columns, &key);
            warnings.extend(notes);
            PublishWay::Straight { create: Some(Box::new(table)) }
        }
    };
    if let Some(target) = target {
        check_privileges(config, target, &way)?;
        check_unnamed_columns(config, target, &names)?;
        if key_names.is_empty() {
            warnings.push("neither the configuration nor the source names a key: rows are replaced, not compared".to_owned());
        } else if !target.has_unique_key(&key_names) {
            warnings.push(format!("no unique constraint of the target holds the key ({})", key_names.join(", ")));
        }
    }
    let identity_always = identity_columns(target, &names);
    let publication = Publication {
        target: config.pg_table.clone(),
        columns: names,
        key_is_enforced: target.is_some_and(|target| target.enforces_key(&key_names)),
        dirty_read: config.options.isolation == Isolation::NoLock,
        key: key_names,
        identity_always,
        way,
        added: Vec::new(),
        guards: Guards { min_rows: config.options.min_rows, max_shrink: config.options.max_shrink, allow_shrink },
        hash_keys: config.options.hash_keys,
    };
    let reason = reason(config.options.refresh, &publication, target);
    Ok(SyncPlan { columns, key, publication, rows_estimate: source.rows_estimate, reason, warnings })
}

/// Which columns of both sides belong together, and the key's positions among them, whatever a refresh would need besides: for comparing.
///
/// # Errors
/// As [`plan`], where columns do not fit.
pub(super) fn pair(
    config: &TableConfig,
    source: &SourceDescription,
    target: &TargetDescription,
) -> Result<(Vec<PlannedColumn>, Vec<usize>)> {
    let chosen = choose_columns(config, source)?;
    let wanted = wanted_columns(config, &chosen, target_names(config, &chosen)?, Some(target), &source.computed)?;
    let (columns, _) = fit_columns(config, &wanted, target)?;
    let key = find_key(config, source, &columns)?;
    Ok((columns, key))
}

/// The source columns to read, in order; every missing one is named at once.
fn choose_columns<'a>(config: &TableConfig, source: &'a SourceDescription) -> Result<Vec<&'a SourceColumn>> {
    let Some(wanted) = &config.columns else { return Ok(source.columns.iter().collect()) };
    let (found, missing): (Vec<_>, Vec<_>) =
        wanted.iter().map(|name| (name, find_column(source, name))).partition(|(_, column)| column.is_some());
    if !missing.is_empty() {
        let missing: Vec<_> = missing.iter().map(|(name, _)| name.as_str()).collect();
        let there: Vec<_> = source.columns.iter().map(|column| column.name.as_str()).collect();
        return Err(SyncError::new(
            ErrorKind::SourceSchema,
            format!("the source table {} has no column {}", config.sql_table, missing.join(", ")),
        )
        .with_remedy(format!("Correct \"columns\"; the table has {}", there.join(", "))));
    }
    Ok(found.into_iter().filter_map(|(_, column)| column).collect())
}

/// What arrives of masked columns are the masks, which nothing tells from values.
pub(super) fn masked_warning(source: &SourceDescription, columns: &[PlannedColumn]) -> Option<String> {
    let masked: Vec<_> =
        source.masked.iter().filter(|name| columns.iter().any(|column| column.source == **name)).map(String::as_str).collect();
    (!masked.is_empty()).then(|| {
        format!(
            "the source masks these columns for the login, and what arrives are the masks, not the values (grant it UNMASK): {}",
            masked.join(", ")
        )
    })
}

/// Exact name first, then without regard to case where that is unique.
pub(super) fn find_column<'a>(source: &'a SourceDescription, name: &str) -> Option<&'a SourceColumn> {
    source.columns.iter().find(|column| column.name == name).or_else(|| {
        let folded = name.to_lowercase();
        let mut alike = source.columns.iter().filter(|column| column.name.to_lowercase() == folded);
        let first = alike.next();
        if alike.next().is_some() { None } else { first }
    })
}

fn target_names(config: &TableConfig, chosen: &[&SourceColumn]) -> Result<Vec<String>> {
    match &config.pg_columns {
        Some(names) if names.len() == chosen.len() => Ok(names.clone()),
        Some(names) => Err(SyncError::new(
            ErrorKind::Config,
            format!("\"pg_columns\" names {} columns and the source table {} has {}", names.len(), config.sql_table, chosen.len()),
        )
        .with_remedy("Name \"columns\" too: the two pair up by position")),
        None => {
            let names: Vec<_> = chosen.iter().map(|column| column.name.as_str()).collect();
            fold_identifiers(&names, config.options.identifiers)
                .map_err(|sentence| SyncError::new(ErrorKind::Config, sentence).with_remedy("Name them in \"pg_columns\""))
        }
    }
}

/// Positions of the key: the configured one, else the source's where all its columns are read.
fn find_key(config: &TableConfig, source: &SourceDescription, columns: &[PlannedColumn]) -> Result<Vec<usize>> {
    let position_of = |name: &str| {
        let spelled = find_column(source, name).map_or(name, |column| column.name.as_str());
        columns.iter().position(|column| column.source == spelled)
    };
    match &config.primary_key {
        Some(key) => key
            .iter()
            .map(|name| {
                position_of(name).ok_or_else(|| {
                    SyncError::new(
                        ErrorKind::SourceSchema,
                        format!("the key column {name} is not among the columns of {}", config.sql_table),
                    )
                    .with_remedy("Correct \"primary_key\", or add the column to \"columns\"")
                })
            })
            .collect(),
        None => Ok(source.primary_key.iter().map(|name| position_of(name)).collect::<Option<_>>().unwrap_or_default()),
    }
}

fn choose_way(config: &TableConfig, target: &TargetDescription, columns: &[PlannedColumn], key: &[String]) -> Result<PublishWay> {
    match config.options.refresh {
        Refresh::Auto if target.empty => Ok(PublishWay::Straight { create: None }),
        Refresh::Auto | Refresh::Merge if !key.is_empty() => merge_way(config, target, columns, key),
        Refresh::Merge if config.options.incremental.is_some() => Err(no_key(config)),
        Refresh::Merge => Err(SyncError::new(ErrorKind::TargetSchema, "refresh is \"merge\", and the table has no key")
            .with_remedy("Name one in \"primary_key\", or choose \"replace\"")),
        Refresh::Auto | Refresh::Replace if target.deletes_reach.is_empty() => Ok(PublishWay::Replace),
        Refresh::Auto | Refresh::Replace => Err(SyncError::new(
            ErrorKind::TargetSchema,
            format!(
                "replacing all rows of {} would delete or change rows of {}, whose foreign keys follow a delete",
                config.pg_table,
                target.deletes_reach.join(", ")
            ),
        )
        .with_remedy("Name a \"primary_key\", so that only rows that vanished are deleted")),
        Refresh::Truncate if target.referenced_by.is_empty() => Ok(PublishWay::Truncate),
        Refresh::Truncate => Err(SyncError::new(
            ErrorKind::TargetSchema,
            format!("PostgreSQL truncates no table that foreign keys point at, and those of {} do", target.referenced_by.join(", ")),
        )
        .with_remedy("Choose \"merge\", or drop the foreign keys")),
        Refresh::Swap if target.swap.in_the_way.is_empty() => Ok(PublishWay::Swap { partition: target.swap.partition.clone() }),
        Refresh::Swap => Err(SyncError::new(
            ErrorKind::TargetSchema,
            format!("{} cannot be swapped, for this hangs on it: {}", config.pg_table, target.swap.in_the_way.join(", ")),
        )
        .with_remedy("Choose \"merge\" or \"replace\", which keep the table")),
    }
}

/// A table that gets only what is new, and has nothing to find rows by.
pub(super) fn no_key(config: &TableConfig) -> SyncError {
    SyncError::new(ErrorKind::TargetSchema, format!("{} gets only what is new, and has no key to find rows by", config.pg_table))
        .with_remedy("Name one in \"primary_key\", or in \"key_columns\"")
}

/// How changed rows are written. An update could meet another unique constraint half-way, and cannot set a column that is always generated: then they are
/// deleted and inserted, unless that would lose what other tables or unnamed columns hold.
fn merge_way(config: &TableConfig, target: &TargetDescription, columns: &[PlannedColumn], key: &[String]) -> Result<PublishWay> {
    let other_unique = target.other_constraints || target.unique_keys.iter().any(|unique| !same_columns(unique, key));
    let generated = |column: &&TargetColumn| {
        column.identity_always && !key.contains(&column.name) && columns.iter().any(|planned| planned.target == column.name)
    };
    let generated = target.columns.iter().find(generated);
    let reinsertable = target.referenced_by.is_empty() && target.columns.len() == columns.len();
    match generated {
        Some(column) if !reinsertable => Err(SyncError::new(
            ErrorKind::TargetSchema,
            format!("{} of {} is GENERATED ALWAYS, so PostgreSQL lets no update set it", column.name, config.pg_table),
        )
        .with_remedy("Make it GENERATED BY DEFAULT, or leave it out of \"columns\"")),
        _ => Ok(PublishWay::Merge {
            reinsert_changed: (other_unique || generated.is_some()) && reinsertable,
            // Deleting every row reaches those that refer to it, empties columns that are not synced, and is told to whoever listens.
            or_replace: config.options.refresh == Refresh::Auto && reinsertable && target.told_of_rows.is_empty(),
        }),
    }
}

fn same_columns(sorted: &[String], key: &[String]) -> bool {
    let mut key = key.to_vec();
    key.sort();
    sorted == key
}

fn check_privileges(config: &TableConfig, target: &TargetDescription, way: &PublishWay) -> Result<()> {
    let needed: &[&str] = match way {
        PublishWay::Straight { .. } => &["SELECT", "INSERT"],
        PublishWay::Merge { .. } => &["SELECT", "INSERT", "UPDATE", "DELETE"],
        PublishWay::Replace => &["SELECT", "INSERT", "DELETE"],
        PublishWay::Truncate => &["SELECT", "INSERT", "TRUNCATE"],
        PublishWay::Swap { .. } => return check_ownership(config, target),
    };
    let missing: Vec<_> = target.missing_privileges.iter().copied().filter(|privilege| needed.contains(privilege)).collect();
    let may_lock = ["UPDATE", "DELETE", "TRUNCATE"].iter().any(|privilege| !target.missing_privileges.contains(privilege));
    if missing.is_empty() && may_lock {
        return Ok(());
    }
    // Keeping other writers out takes one of the privileges to change rows.
    let missing = if missing.is_empty() { "UPDATE".to_owned() } else { missing.join(", ") };
    Err(SyncError::new(ErrorKind::TargetSchema, format!("the role lacks {missing} on {}", config.pg_table))
        .with_remedy(format!("Have its owner run: GRANT {missing} ON {} TO <the role of PG_USER or TARGET_DSN>", config.pg_table)))
}

/// Only its owner drops a table, and makes one in its name.
fn check_ownership(config: &TableConfig, target: &TargetDescription) -> Result<()> {
    let lacks = match (target.swap.owned, target.swap.may_create) {
        (true, true) => return Ok(()),
        (false, _) => format!("the role is not the owner of {}", config.pg_table),
        (true, false) => format!("the role lacks CREATE on the schema of {}", config.pg_table),
    };
    Err(SyncError::new(ErrorKind::TargetSchema, format!("{lacks}, and a swap makes the table anew"))
        .with_remedy("Make it the owner with CREATE on the schema, or choose \"merge\" or \"replace\""))
}

/// Columns that no row would fill must be able to do without.
fn check_unnamed_columns(config: &TableConfig, target: &TargetDescription, names: &[String]) -> Result<()> {
    let must_be_filled =
        |column: &&TargetColumn| !column.nullable && !column.has_default && !column.generated && !names.contains(&column.name);
    let missing: Vec<_> = target.columns.iter().filter(must_be_filled).map(|column| column.name.as_str()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(SyncError::new(
        ErrorKind::TargetSchema,
        format!(
            "{} has columns that are NOT NULL without a default and that no source column fills: {}",
            config.pg_table,
            missing.join(", ")
        ),
    )
    .with_remedy("Give them a default, or map source columns to them in \"columns\" and \"pg_columns\""))
}

fn identity_columns(target: Option<&TargetDescription>, names: &[String]) -> Vec<String> {
    let columns = target.map(|target| target.columns.as_slice()).unwrap_or_default();
    columns.iter().filter(|column| column.identity_always && names.contains(&column.name)).map(|column| column.name.clone()).collect()
}
