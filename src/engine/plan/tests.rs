//! Plans over small catalogues made by hand.

use super::*;
use crate::config::TableOptions;
use crate::table::{SourceDefinition, ValueKind};
use crate::target::Swappable;

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
    SourceColumn {
        column_id: 1,
        name: name.to_owned(),
        declared: format!("{kind:?}"),
        kind: Ok(kind),
        nullable: true,
        collation: None,
        converted: None,
        second_digits: None,
    }
}

fn source() -> SourceDescription {
    SourceDescription {
        object_id: None,
        columns: vec![
            source_column("CD", ValueKind::Text { chars_max: Some(20) }),
            source_column("Count", ValueKind::Int32),
            source_column("Note", ValueKind::Text { chars_max: None }),
        ],
        primary_key: vec!["CD".to_owned()],
        computed: Vec::new(),
        masked: Vec::new(),
        rows_estimate: Some(3),
        money_digits: None,
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
        swap: Swappable::default(),
        told_of_rows: Vec::new(),
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
        plan(&config(), &source(), Some(target), false).unwrap().publication.way
            == PublishWay::Merge { reinsert_changed: true, or_replace: true }
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
    assert_eq!(planned.publication.way, PublishWay::Merge { reinsert_changed: true, or_replace: true });
    generated.referenced_by.push("child".to_owned());
    assert!(refusal(&config(), &source(), Some(&generated)).contains("count of"));
}

#[test]
fn all_rows_are_replaced_only_where_that_is_left_open_and_nobody_is_told_of_rows() {
    let open = |config: &TableConfig, target: &TargetDescription| {
        matches!(plan(config, &source(), Some(target), false).unwrap().publication.way, PublishWay::Merge { or_replace: true, .. })
    };
    let mut chosen = config();
    chosen.options.refresh = Refresh::Merge;
    assert!(open(&config(), &target()) && !open(&chosen, &target()));
    let told = TargetDescription { told_of_rows: vec!["trigger t".to_owned()], ..target() };
    assert!(!open(&config(), &told));
    assert!(plan(&config(), &source(), Some(&told), false).unwrap().reason.ends_with("because trigger t is told of them"));
    assert!(!open(&config(), &TargetDescription { referenced_by: vec!["child".to_owned()], ..target() }));
    let mut more = target();
    more.columns.push(target_column("kept", PgType::Text));
    assert!(!open(&config(), &more));
}

#[test]
fn a_swap_is_refused_with_what_hangs_on_the_table_and_to_whoever_does_not_own_it() {
    let mut config = config();
    config.options.refresh = Refresh::Swap;
    let free = Swappable { owned: true, may_create: true, ..Swappable::default() };
    let with = |swap: Swappable| TargetDescription { swap, ..target() };
    assert_eq!(way(&config, Some(&with(free.clone()))), "swap");
    let view = Swappable { in_the_way: vec!["view v".to_owned()], ..free.clone() };
    assert!(refusal(&config, &source(), Some(&with(view))).contains("for this hangs on it: view v"));
    assert!(refusal(&config, &source(), Some(&with(Swappable { owned: false, ..free.clone() }))).contains("is not the owner"));
    assert!(refusal(&config, &source(), Some(&with(Swappable { may_create: false, ..free }))).contains("lacks CREATE"));
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

fn filled(planned: &SyncPlan) -> Vec<(&str, &str, String)> {
    planned.columns.iter().map(|column| (&*column.source, &*column.target, column.pg_type.to_string())).collect()
}

#[test]
fn offsets_and_srids_follow_their_columns_under_names_made_of_theirs() {
    let mut config = config();
    config.options.create_tables = true;
    config.options.keep_offset = true;
    config.columns = Some(vec!["At".to_owned(), "Place".to_owned(), "Id".to_owned()]);
    config.pg_columns = Some(vec!["seen_at".to_owned(), "place".to_owned(), "id".to_owned()]);
    let source = SourceDescription {
        object_id: None,
        columns: vec![
            source_column("Id", ValueKind::Int32),
            source_column("At", ValueKind::TimestampTz),
            source_column("Place", ValueKind::Spatial),
        ],
        primary_key: vec!["Id".to_owned()],
        computed: Vec::new(),
        masked: Vec::new(),
        rows_estimate: None,
        money_digits: None,
        definition: SourceDefinition::default(),
    };
    let planned = plan(&config, &source, None, false).unwrap();
    let expected = [
        ("At", "seen_at", "timestamptz"),
        ("At", "seen_at_offset", "smallint"),
        ("Place", "place", "bytea"),
        ("Place", "place_srid", "integer"),
        ("Id", "id", "integer"),
    ];
    assert_eq!(filled(&planned), expected.map(|(source, target, pg_type)| (source, target, pg_type.to_owned())));
    assert_eq!(planned.publication.columns.len(), 5);
    assert_eq!(planned.key, [4]);
    assert_eq!(planned.columns[3].conversion.as_deref(), Some("the SRID of Place"));

    config.options.keep_offset = false;
    assert_eq!(plan(&config, &source, None, false).unwrap().columns.len(), 4);
}

#[test]
fn a_target_that_stands_must_have_the_srids_column_unless_its_type_holds_the_srid() {
    let source = SourceDescription {
        object_id: None,
        columns: vec![source_column("CD", ValueKind::Int32), source_column("Place", ValueKind::Spatial)],
        primary_key: Vec::new(),
        computed: Vec::new(),
        masked: Vec::new(),
        rows_estimate: None,
        money_digits: None,
        definition: SourceDefinition::default(),
    };
    let mut target = target();
    target.columns = vec![target_column("cd", PgType::Int4), target_column("place", PgType::Bytea)];
    target.unique_keys.clear();
    let sentence = refusal(&config(), &source, Some(&target));
    assert!(sentence.contains("place_srid") && sentence.contains("PostGIS"), "{sentence}");

    target.columns[1].pg_type = PgType::Spatial("geometry".to_owned());
    let planned = plan(&config(), &source, Some(&target), false).unwrap();
    assert_eq!(planned.columns[1].encoding, Encoding::Ewkb);
    target.columns[1].pg_type = PgType::Bytea;
    target.columns.push(target_column("place_srid", PgType::Int4));
    assert_eq!(plan(&config(), &source, Some(&target), false).unwrap().columns.len(), 3);
}

#[test]
fn a_name_that_is_made_and_taken_is_refused() {
    let mut config = config();
    config.options.create_tables = true;
    config.options.keep_offset = true;
    let mut source = source();
    source.columns.extend([source_column("At", ValueKind::TimestampTz), source_column("at_offset", ValueKind::Int16)]);
    assert!(refusal(&config, &source, None).contains("\"at_offset\", which another column has already"));
    source.columns.truncate(3);
    source.columns.push(source_column(&"a".repeat(60), ValueKind::TimestampTz));
    assert!(refusal(&config, &source, None).contains("63 bytes"));
}

#[test]
fn narrower_columns_are_warned_of_and_every_conversion_is_told() {
    let mut narrow = target();
    narrow.columns[0].pg_type = PgType::Varchar(Some(5));
    narrow.columns[2].pg_type = PgType::Jsonb;
    let mut source = source();
    source.columns[2].converted = Some("cast to nvarchar(max) at the source".to_owned());
    let planned = plan(&config(), &source, Some(&narrow), false).unwrap();
    let conversions: Vec<_> = planned.columns.iter().map(|column| column.conversion.as_deref()).collect();
    assert_eq!(conversions, [Some("checked: at most 5 characters"), None, Some("cast to nvarchar(max) at the source; checked: JSON")]);
    assert!(planned.warnings[0].starts_with("column CD (") && planned.warnings[0].contains("target's cd (varchar(5))"));
    assert!(planned.warnings[1].contains("note (jsonb)") && planned.warnings.len() == 2, "{:?}", planned.warnings);
}
