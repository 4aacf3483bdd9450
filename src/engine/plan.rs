//! From configuration and two catalogues to what a refresh will do. Pure.

use crate::config::TableConfig;
use crate::copy::Encoding;
use crate::error::{ErrorKind, Result, SyncError};
use crate::table::{Isolation, PgType, Refresh, SourceColumn, SourceDescription, TargetColumn, ValueKind, fold_identifiers};
use crate::target::{Guards, Publication, PublishWay, TargetDescription};

/// One column's way from source to target.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedColumn {
    /// Its name at the source, as the catalogue spells it.
    pub source: String,
    /// Its name in the target.
    pub target: String,
    /// The form it is written in.
    pub encoding: Encoding,
    /// The target's type.
    pub pg_type: PgType,
    /// Whether a created column gets NOT NULL.
    pub not_null: bool,
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
    /// What the reader should know.
    pub warnings: Vec<String>,
}

/// Plans the refresh of one table; `target` is none where the table does not exist.
///
/// # Errors
/// [`ErrorKind::SourceSchema`] and [`ErrorKind::TargetSchema`], naming every column that stands in the way with both types.
pub fn plan(config: &TableConfig, source: &SourceDescription, target: Option<&TargetDescription>, allow_shrink: bool) -> Result<SyncPlan> {
    let chosen = choose_columns(config, source)?;
    let names = target_names(config, &chosen)?;
    let columns = match target {
        Some(target) => fit_columns(config, &chosen, &names, target)?,
        None if config.options.create_tables => new_columns(config, &chosen, &names)?,
        None => {
            return Err(SyncError::new(ErrorKind::TargetSchema, format!("there is no table {} in the target", config.pg_table))
                .with_remedy("Create it, or set \"create_tables\": true"));
        }
    };
    let key = find_key(config, source, &columns)?;
    let key_names: Vec<String> = key.iter().map(|&position| columns[position].target.clone()).collect();
    let mut columns = columns;
    if target.is_none() {
        key.iter().for_each(|&position| columns[position].not_null = true);
    }
    let mut warnings = Vec::new();
    let way = choose_way(config, target, &columns, &key_names)?;
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
        guards: Guards { min_rows: config.options.min_rows, max_shrink: config.options.max_shrink, allow_shrink },
    };
    Ok(SyncPlan { columns, key, publication, rows_estimate: source.rows_estimate, warnings })
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

/// Exact name first, then without regard to case where that is unique.
fn find_column<'a>(source: &'a SourceDescription, name: &str) -> Option<&'a SourceColumn> {
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

fn fit_columns(config: &TableConfig, chosen: &[&SourceColumn], names: &[String], target: &TargetDescription) -> Result<Vec<PlannedColumn>> {
    let mut columns = Vec::with_capacity(chosen.len());
    let mut refusals = Vec::new();
    for (source, name) in chosen.iter().zip(names) {
        match fit_column(source, name, target) {
            Ok(column) => columns.push(column),
            Err(refusal) => refusals.push(refusal),
        }
    }
    refuse(config, ErrorKind::TargetSchema, refusals)?;
    Ok(columns)
}

fn fit_column(source: &SourceColumn, name: &str, target: &TargetDescription) -> Result<PlannedColumn, String> {
    let kind = source.kind.clone().map_err(|reason| format!("{} ({}): {reason}", source.name, source.declared))?;
    let Some(column) = target.columns.iter().find(|column| column.name == name) else {
        return Err(format!("{}: the target table has no column {name}", source.name));
    };
    if column.generated {
        return Err(format!("{name}: the target computes it from other columns"));
    }
    let encoding = encoding(kind, &column.pg_type)
        .ok_or_else(|| format!("{} ({}) does not fit the target's {name} ({})", source.name, source.declared, column.pg_type))?;
    Ok(PlannedColumn {
        source: source.name.clone(),
        target: name.to_owned(),
        encoding,
        pg_type: column.pg_type.clone(),
        not_null: !column.nullable,
    })
}

fn new_columns(config: &TableConfig, chosen: &[&SourceColumn], names: &[String]) -> Result<Vec<PlannedColumn>> {
    let mut columns = Vec::with_capacity(chosen.len());
    let mut refusals = Vec::new();
    for (source, name) in chosen.iter().zip(names) {
        let planned = source.kind.clone().and_then(|kind| {
            let pg_type = kind.natural_type();
            let encoding = encoding(kind, &pg_type).ok_or_else(|| format!("no form for {pg_type}"))?;
            Ok(PlannedColumn { source: source.name.clone(), target: name.clone(), encoding, pg_type, not_null: !source.nullable })
        });
        match planned {
            Ok(column) => columns.push(column),
            Err(reason) => refusals.push(format!("{} ({}): {reason}", source.name, source.declared)),
        }
    }
    refuse(config, ErrorKind::SourceSchema, refusals)?;
    Ok(columns)
}

fn refuse(config: &TableConfig, kind: ErrorKind, refusals: Vec<String>) -> Result<()> {
    if refusals.is_empty() {
        return Ok(());
    }
    let sentence = format!("columns of {} cannot be brought into {}: {}", config.sql_table, config.pg_table, refusals.join("; "));
    Err(SyncError::new(kind, sentence).with_remedy("Change the target's columns, or name the columns to sync in \"columns\""))
}

/// The form in which values of `kind` are written into a column of `pg_type`: the natural one or a widening that loses nothing; none is a refusal.
/// Narrower text, numeric and fractional seconds are checked value by value.
pub fn encoding(kind: ValueKind, pg_type: &PgType) -> Option<Encoding> {
    let seconds = |digits: &Option<u8>| digits.unwrap_or(6);
    Some(match (kind, pg_type) {
        (ValueKind::Bool, PgType::Bool) => Encoding::Bool,
        (ValueKind::Bool | ValueKind::UInt8 | ValueKind::Int16, PgType::Int2) => Encoding::Int2,
        (ValueKind::Bool | ValueKind::UInt8 | ValueKind::Int16 | ValueKind::Int32, PgType::Int4) => Encoding::Int4,
        (ValueKind::Bool | ValueKind::UInt8 | ValueKind::Int16 | ValueKind::Int32 | ValueKind::Int64, PgType::Int8) => Encoding::Int8,
        (
            ValueKind::UInt8 | ValueKind::Int16 | ValueKind::Int32 | ValueKind::Int64 | ValueKind::Decimal { .. },
            PgType::Numeric(limits),
        ) => Encoding::Numeric { limits: *limits },
        (ValueKind::Float32, PgType::Float4) => Encoding::Float4,
        (ValueKind::Float32 | ValueKind::Float64, PgType::Float8) => Encoding::Float8,
        (ValueKind::Date, PgType::Date) => Encoding::Date,
        (ValueKind::Date, PgType::Timestamp(digits)) => Encoding::Timestamp { digits: seconds(digits) },
        (ValueKind::Time { .. }, PgType::Time(digits)) => Encoding::Time { digits: seconds(digits) },
        (ValueKind::Timestamp { .. }, PgType::Timestamp(digits)) => Encoding::Timestamp { digits: seconds(digits) },
        (ValueKind::TimestampTz { .. }, PgType::TimestampTz(digits)) => Encoding::TimestampTz { digits: seconds(digits) },
        (ValueKind::Text { chars_max }, PgType::Varchar(limit)) => {
            // Where the source cannot exceed the limit, no value need be counted.
            Encoding::Text { chars_max: limit.filter(|limit| chars_max.is_none_or(|chars| chars > *limit)) }
        }
        (ValueKind::Text { .. }, PgType::Text) => Encoding::Text { chars_max: None },
        (ValueKind::Text { .. }, PgType::Char(chars)) => Encoding::Char { chars_max: *chars },
        (ValueKind::Xml, PgType::Xml | PgType::Text | PgType::Varchar(None)) => Encoding::Text { chars_max: None },
        (ValueKind::Uuid, PgType::Uuid) => Encoding::Uuid,
        (ValueKind::Uuid, PgType::Text | PgType::Varchar(None)) => Encoding::Text { chars_max: None },
        (ValueKind::Uuid, PgType::Varchar(Some(limit))) => Encoding::Text { chars_max: Some(*limit) },
        (ValueKind::Bytes, PgType::Bytea) => Encoding::Bytea,
        _ => return None,
    })
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

fn choose_way(config: &TableConfig, target: Option<&TargetDescription>, columns: &[PlannedColumn], key: &[String]) -> Result<PublishWay> {
    let refresh = config.options.refresh;
    let Some(target) = target else {
        let create = columns.iter().map(|column| (column.target.clone(), column.pg_type.clone(), column.not_null)).collect();
        return Ok(PublishWay::Straight { create: Some(create) });
    };
    match refresh {
        Refresh::Auto if target.empty => Ok(PublishWay::Straight { create: None }),
        Refresh::Auto | Refresh::Merge if !key.is_empty() => merge_way(config, target, columns, key),
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
    }
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
        _ => Ok(PublishWay::Merge { reinsert_changed: (other_unique || generated.is_some()) && reinsertable }),
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
    };
    let missing: Vec<_> = target.missing_privileges.iter().copied().filter(|privilege| needed.contains(privilege)).collect();
    let may_lock = ["UPDATE", "DELETE", "TRUNCATE"].iter().any(|privilege| !target.missing_privileges.contains(privilege));
    if missing.is_empty() && may_lock {
        return Ok(());
    }
    // Keeping other writers out takes one of the privileges to change rows.
    let missing = if missing.is_empty() { "UPDATE".to_owned() } else { missing.join(", ") };
    Err(SyncError::new(ErrorKind::TargetSchema, format!("the role lacks {missing} on {}", config.pg_table))
        .with_remedy(format!("Have its owner run: GRANT {missing} ON {} TO <PG_USER>", config.pg_table)))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TableOptions;

    fn config() -> TableConfig {
        TableConfig {
            name: "customer".to_owned(),
            db_type: "mctm".to_owned(),
            sql_server_db: None,
            sql_table: "McTM.dbo.Customer".parse().unwrap(),
            sql_table_text: String::new(),
            pg_table: "mctm_customer".parse().unwrap(),
            pg_table_text: String::new(),
            columns: None,
            pg_columns: None,
            primary_key: None,
            order_by: None,
            batch_size: 10_000,
            description: String::new(),
            options: TableOptions::default(),
        }
    }

    fn source_column(name: &str, kind: ValueKind) -> SourceColumn {
        SourceColumn { name: name.to_owned(), declared: format!("{kind:?}"), kind: Ok(kind), nullable: true }
    }

    fn source() -> SourceDescription {
        SourceDescription {
            columns: vec![
                source_column("CD", ValueKind::Text { chars_max: Some(20) }),
                source_column("Count", ValueKind::Int32),
                source_column("Note", ValueKind::Text { chars_max: None }),
            ],
            primary_key: vec!["CD".to_owned()],
            rows_estimate: Some(3),
        }
    }

    fn target_column(name: &str, pg_type: PgType) -> TargetColumn {
        TargetColumn { name: name.to_owned(), pg_type, nullable: true, has_default: false, generated: false, identity_always: false }
    }

    fn target() -> TargetDescription {
        TargetDescription {
            columns: vec![
                target_column("cd", PgType::Varchar(Some(20))),
                target_column("count", PgType::Int8),
                target_column("note", PgType::Text),
            ],
            unique_keys: vec![vec!["cd".to_owned()]],
            other_constraints: false,
            referenced_by: Vec::new(),
            deletes_reach: Vec::new(),
            missing_privileges: Vec::new(),
            empty: false,
        }
    }

    fn way(config: &TableConfig, target: Option<&TargetDescription>) -> &'static str {
        plan(config, &source(), target, false).unwrap().publication.way.name()
    }

    fn refusal(config: &TableConfig, source: &SourceDescription, target: Option<&TargetDescription>) -> String {
        plan(config, source, target, false).unwrap_err().to_string()
    }

    #[test]
    fn auto_goes_straight_into_an_empty_table_and_merges_where_there_is_a_key() {
        assert_eq!(way(&config(), Some(&target())), "merge");
        assert_eq!(way(&config(), Some(&TargetDescription { empty: true, ..target() })), "straight");
        let keyless = SourceDescription { primary_key: Vec::new(), ..source() };
        let planned = plan(&config(), &keyless, Some(&target()), false).unwrap();
        assert_eq!(planned.publication.way, PublishWay::Replace);
        assert!(planned.warnings[0].contains("key"));
    }

    #[test]
    fn a_missing_table_is_made_only_when_asked() {
        assert!(refusal(&config(), &source(), None).contains("create_tables"));
        let mut config = config();
        config.options.create_tables = true;
        let planned = plan(&config, &source(), None, false).unwrap();
        let PublishWay::Straight { create: Some(columns) } = planned.publication.way else { panic!("not made") };
        assert_eq!(columns[0], ("cd".to_owned(), PgType::Varchar(Some(20)), true));
        assert_eq!(columns[1], ("count".to_owned(), PgType::Int4, false));
    }

    #[test]
    fn every_column_that_does_not_fit_is_named_with_both_types() {
        let mut narrow = target();
        narrow.columns[1].pg_type = PgType::Int2;
        narrow.columns.remove(2);
        let sentence = refusal(&config(), &source(), Some(&narrow));
        assert!(sentence.contains("Count (Int32) does not fit the target's count (smallint)"), "{sentence}");
        assert!(sentence.contains("no column note"), "{sentence}");
    }

    #[test]
    fn configured_columns_are_found_by_exact_name_first_then_without_case() {
        let mut config = config();
        config.columns = Some(vec!["cd".to_owned(), "NOTE".to_owned()]);
        let planned = plan(&config, &source(), Some(&target()), false).unwrap();
        assert_eq!(planned.columns.iter().map(|column| column.source.as_str()).collect::<Vec<_>>(), ["CD", "Note"]);
        config.columns = Some(vec!["CD".to_owned(), "Nope".to_owned(), "Gone".to_owned()]);
        assert!(refusal(&config, &source(), Some(&target())).contains("has no column Nope, Gone"));
        let twins =
            SourceDescription { columns: vec![source_column("A", ValueKind::Int32), source_column("a", ValueKind::Int32)], ..source() };
        assert_eq!(find_column(&twins, "a").unwrap().name, "a");
        assert!(
            find_column(
                &SourceDescription {
                    columns: vec![source_column("Ab", ValueKind::Int32), source_column("aB", ValueKind::Int32)],
                    ..source()
                },
                "ab"
            )
            .is_none()
        );
    }

    #[test]
    fn changed_rows_are_reinserted_only_where_another_unique_constraint_asks_and_nothing_is_lost_by_it() {
        let reinserts = |target: &TargetDescription| {
            plan(&config(), &source(), Some(target), false).unwrap().publication.way == PublishWay::Merge { reinsert_changed: true }
        };
        let mut other = target();
        other.unique_keys.push(vec!["note".to_owned()]);
        assert!(reinserts(&other));
        assert!(!reinserts(&target()));
        assert!(!reinserts(&TargetDescription { referenced_by: vec!["child".to_owned()], ..other.clone() }));
        other.columns.push(target_column("kept", PgType::Text));
        assert!(!reinserts(&other));
        assert!(reinserts(&TargetDescription { other_constraints: true, ..target() }));
    }

    #[test]
    fn a_column_that_is_always_generated_is_reinserted_or_refused() {
        let mut generated = target();
        generated.columns[1].identity_always = true;
        let planned = plan(&config(), &source(), Some(&generated), false).unwrap();
        assert_eq!(planned.publication.way, PublishWay::Merge { reinsert_changed: true });
        generated.referenced_by.push("child".to_owned());
        assert!(refusal(&config(), &source(), Some(&generated)).contains("count of"));
    }

    #[test]
    fn truncating_is_refused_where_foreign_keys_point_at_the_table() {
        let mut config = config();
        config.options.refresh = Refresh::Truncate;
        assert_eq!(way(&config, Some(&target())), "truncate");
        assert!(
            refusal(&config, &source(), Some(&TargetDescription { referenced_by: vec!["child".to_owned()], ..target() })).contains("child")
        );
    }

    #[test]
    fn replacing_is_refused_where_deletes_reach_into_other_tables() {
        let mut config = config();
        config.options.refresh = Refresh::Replace;
        let reaching = TargetDescription { deletes_reach: vec!["child".to_owned()], ..target() };
        assert!(refusal(&config, &source(), Some(&reaching)).contains("child"));
    }

    #[test]
    fn missing_privileges_are_named_as_a_grant() {
        let denied = TargetDescription { missing_privileges: vec!["UPDATE", "TRUNCATE"], ..target() };
        assert!(refusal(&config(), &source(), Some(&denied)).contains(r#"GRANT UPDATE ON "public"."mctm_customer""#));
    }

    #[test]
    fn a_target_column_that_must_be_filled_and_is_not_is_named() {
        let mut strict = target();
        strict.columns.push(TargetColumn { nullable: false, ..target_column("tenant", PgType::Int4) });
        assert!(refusal(&config(), &source(), Some(&strict)).contains("tenant"));
        strict.columns[3].has_default = true;
        assert!(plan(&config(), &source(), Some(&strict), false).is_ok());
    }

    #[test]
    fn only_what_loses_nothing_is_accepted() {
        let accepted = [
            (ValueKind::Bool, PgType::Int2),
            (ValueKind::UInt8, PgType::Int8),
            (ValueKind::Int64, PgType::Numeric(None)),
            (ValueKind::Float32, PgType::Float8),
            (ValueKind::Uuid, PgType::Text),
            (ValueKind::Date, PgType::Timestamp(None)),
        ];
        for (kind, pg_type) in accepted {
            assert!(encoding(kind, &pg_type).is_some(), "{kind:?} into {pg_type}");
        }
        let refused = [
            (ValueKind::Int64, PgType::Int4),
            (ValueKind::Float64, PgType::Float4),
            (ValueKind::Decimal { precision: 9, scale: 0 }, PgType::Int8),
            (ValueKind::Timestamp { digits: 3 }, PgType::TimestampTz(None)),
            (ValueKind::TimestampTz { digits: 7 }, PgType::Timestamp(None)),
            (ValueKind::Text { chars_max: Some(1) }, PgType::Bool),
            (ValueKind::Bytes, PgType::Text),
        ];
        for (kind, pg_type) in refused {
            assert!(encoding(kind, &pg_type).is_none(), "{kind:?} into {pg_type}");
        }
    }

    #[test]
    fn characters_are_counted_only_where_the_source_can_exceed_the_column() {
        let text = |chars_max| ValueKind::Text { chars_max };
        let varchar = PgType::Varchar(Some(20));
        assert_eq!(encoding(text(Some(20)), &varchar), Some(Encoding::Text { chars_max: None }));
        assert_eq!(encoding(text(Some(21)), &varchar), Some(Encoding::Text { chars_max: Some(20) }));
        assert_eq!(encoding(text(None), &varchar), Some(Encoding::Text { chars_max: Some(20) }));
    }
}
