//! Plans over small catalogues made by hand.

use super::*;
use crate::config::TableOptions;
use crate::table::{SourceDefinition, ValueKind};

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
    SourceColumn { column_id: 1, name: name.to_owned(), declared: format!("{kind:?}"), kind: Ok(kind), nullable: true, collation: None }
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
        definition: SourceDefinition::default(),
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
    let PublishWay::Straight { create: Some(table) } = planned.publication.way else { panic!("not made") };
    let made = |at: usize| (table.columns[at].name.clone(), table.columns[at].pg_type.clone(), table.columns[at].not_null);
    assert_eq!(made(0), ("cd".to_owned(), PgType::Varchar(Some(20)), false));
    assert_eq!(made(1), ("count".to_owned(), PgType::Int4, false));
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
    let twins = SourceDescription { columns: vec![source_column("A", ValueKind::Int32), source_column("a", ValueKind::Int32)], ..source() };
    assert_eq!(find_column(&twins, "a").unwrap().name, "a");
    assert!(
        find_column(
            &SourceDescription { columns: vec![source_column("Ab", ValueKind::Int32), source_column("aB", ValueKind::Int32)], ..source() },
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
