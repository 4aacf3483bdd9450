//! New tables from definitions made by hand.

use super::super::plan;
use super::*;
use crate::config::TableOptions;
use crate::table::{IndexForm, SourceDefinition, SourceIndex, ValueKind};
use crate::target::NewIndex;

fn config(options: TableOptions) -> TableConfig {
    TableConfig {
        name: "orders".to_owned(),
        db_type: "mctm".to_owned(),
        sql_server_db: None,
        sql_table: "McTM.dbo.Orders".parse().unwrap(),
        sql_table_text: String::new(),
        pg_table: "orders".parse().unwrap(),
        pg_table_text: String::new(),
        columns: None,
        pg_columns: None,
        primary_key: None,
        order_by: None,
        batch_size: 10_000,
        description: String::new(),
        options: TableOptions { create_tables: true, create_indexes: true, ..options },
    }
}

fn column(name: &str, kind: ValueKind) -> SourceColumn {
    SourceColumn {
        column_id: 1,
        name: name.to_owned(),
        declared: "int".to_owned(),
        kind: Ok(kind),
        nullable: name != "Id",
        collation: None,
        converted: None,
        second_digits: None,
    }
}

fn source(definition: SourceDefinition) -> SourceDescription {
    SourceDescription {
        object_id: None,
        columns: vec![
            column("Id", ValueKind::Int32),
            column("Number", ValueKind::Decimal { precision: 18, scale: 0 }),
            column("Open", ValueKind::Bool),
            column("Note", ValueKind::Text { chars_max: None }),
            column("Paper", ValueKind::Xml),
        ],
        primary_key: vec!["Id".to_owned()],
        computed: Vec::new(),
        masked: Vec::new(),
        rows_estimate: None,
        money_digits: None,
        definition,
    }
}

fn index(name: &str, key: &[&str]) -> SourceIndex {
    SourceIndex {
        nulls_equal: true,
        name: name.to_owned(),
        form: IndexForm::Rows,
        unique: false,
        constraint: false,
        primary: false,
        inactive: false,
        filter: None,
        key: key.iter().map(|column| ((*column).to_owned(), false)).collect(),
        included: Vec::new(),
    }
}

/// The table of a definition, and the warnings about it.
fn made(definition: SourceDefinition) -> (NewTable, Vec<String>) {
    made_by(&config(TableOptions::default()), definition)
}

fn made_by(config: &TableConfig, definition: SourceDefinition) -> (NewTable, Vec<String>) {
    let plan = plan(config, &source(definition), None, false).unwrap();
    let crate::target::PublishWay::Straight { create: Some(table) } = plan.publication.way else { panic!("not made") };
    (*table, plan.warnings)
}

fn indexes(indexes: Vec<SourceIndex>) -> (Vec<NewIndex>, Vec<String>) {
    let (table, warnings) = made(SourceDefinition { indexes, ..SourceDefinition::default() });
    (table.indexes, warnings)
}

fn filtered(filter: &str) -> Option<String> {
    let (indexes, warnings) = indexes(vec![SourceIndex { filter: Some(filter.to_owned()), ..index("IX", &["Id"]) }]);
    assert_eq!(indexes.len() + warnings.len(), 1, "built or named: {warnings:?}");
    indexes.into_iter().next().and_then(|index| index.predicate)
}

#[test]
fn an_identity_that_postgresql_cannot_number_is_named() {
    let identity = |name: &str, seed| ColumnDefinition {
        name: name.to_owned(),
        identity: Some(SourceIdentity { seed, increment: 1, last: Some(7) }),
        ..ColumnDefinition::default()
    };
    let (table, warnings) =
        made(SourceDefinition { columns: vec![identity("Id", 1), identity("Number", 1)], ..SourceDefinition::default() });
    assert_eq!(table.columns[0].identity, Some(NewIdentity { start: 1, increment: 1, last: Some(7) }));
    assert_eq!(table.columns[1].identity, table.columns[0].identity);
    assert!(warnings.is_empty(), "{warnings:?}");
    let (table, warnings) =
        made(SourceDefinition { columns: vec![identity("Number", i128::from(i64::MAX) + 1)], ..SourceDefinition::default() });
    assert_eq!(table.columns[1].identity, None);
    assert!(warnings[0].contains("Number") && warnings[0].contains("9223372036854775808"), "{warnings:?}");
    // A number given last that lies before the first is none of this sequence.
    let (table, _) = made(SourceDefinition { columns: vec![identity("Id", 10)], ..SourceDefinition::default() });
    assert_eq!(table.columns[0].identity.unwrap().last, None);
}

#[test]
fn identity_and_computed_columns_get_no_default() {
    let columns = vec![
        ColumnDefinition {
            name: "Id".to_owned(),
            identity: Some(SourceIdentity { seed: 1, increment: 1, last: None }),
            default: Some("((1))".to_owned()),
            ..ColumnDefinition::default()
        },
        ColumnDefinition {
            name: "Number".to_owned(),
            computed: Some("([Id]*(2))".to_owned()),
            default: Some("((1))".to_owned()),
            ..ColumnDefinition::default()
        },
    ];
    let (table, _) = made(SourceDefinition { columns, ..SourceDefinition::default() });
    assert!(table.columns.iter().all(|column| column.default.is_none()));
}

#[test]
fn a_long_expression_is_shown_in_part() {
    let columns = vec![ColumnDefinition {
        name: "Number".to_owned(),
        default: Some(format!("([dbo].[f]('{}'))", "é".repeat(5_000))),
        ..ColumnDefinition::default()
    }];
    let (_, warnings) = made(SourceDefinition { columns, ..SourceDefinition::default() });
    assert!(warnings[0].chars().count() < 400, "{warnings:?}");
}

#[test]
fn simple_filters_are_translated_and_others_drop_the_index() {
    let translated = [
        ("([Note] IS NOT NULL)", r#""note" IS NOT NULL"#),
        ("([Note] IS NULL)", r#""note" IS NULL"#),
        ("([Id]=(1))", r#""id" = 1"#),
        ("([Id]<>(-1))", r#""id" <> -1"#),
        ("([Open]=(0))", r#""open" = false"#),
        ("([Open]=(1) AND [Number]>=(100) AND [Note] IS NOT NULL)", r#""open" = true AND "number" >= 100 AND "note" IS NOT NULL"#),
        ("(([Id]>(1)) AND ([Id]<(5)))", r#""id" > 1 AND "id" < 5"#),
    ];
    for (filter, expected) in translated {
        assert_eq!(filtered(filter).as_deref(), Some(expected), "{filter}");
    }
    for filter in [
        "([Note]=N'x')",
        "([Id] IN ((1), (2)))",
        "([Open]>(0))",
        "([Missing] IS NULL)",
        "([Id]=[Number])",
        "([Id]=(1) OR [Id]=(2))",
        "(",
        "",
    ] {
        assert_eq!(filtered(filter), None, "{filter}");
    }
}

#[test]
fn indexes_over_what_is_not_ordered_are_named_and_the_primary_keys_is_not_built_twice() {
    let primary = SourceIndex { primary: true, unique: true, ..index("PK_Orders", &["Id"]) };
    let (built, warnings) = indexes(vec![primary.clone(), index("IX_Paper", &["Paper"])]);
    assert!(built.is_empty());
    assert!(warnings[0].contains("IX_Paper") && warnings[0].contains("Paper (xml)"), "{warnings:?}");

    // Another key in the configuration: the source's primary key becomes an index like others.
    let mut config = config(TableOptions::default());
    config.primary_key = Some(vec!["Number".to_owned()]);
    let (table, _) = made_by(&config, SourceDefinition { indexes: vec![primary], ..SourceDefinition::default() });
    assert_eq!((table.indexes[0].name.as_str(), table.indexes[0].unique, table.indexes[0].nullable), ("orders_pk_orders", true, false));
}

#[test]
fn names_of_indexes_are_told_apart_within_63_bytes() {
    let long = "x".repeat(80);
    let (built, _) = indexes(vec![index("pkey", &["Id"]), index("IX", &["Id"]), index("ix", &["Number"]), index(&long, &["Id"])]);
    let names: Vec<_> = built.iter().map(|index| index.name.as_str()).collect();
    assert!(names[0].starts_with("orders_pkey_"), "{names:?}");
    assert_eq!(names[1], "orders_ix");
    assert!(names[2].starts_with("orders_ix_"), "{names:?}");
    assert_eq!(names[3].len(), 63);
    let distinct: std::collections::HashSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), 4);
}

#[test]
fn an_index_carries_as_many_columns_as_postgresql_takes() {
    let many = SourceIndex { included: vec!["Note".to_owned(), "Gone".to_owned()], ..index("IX", &["Id"]) };
    let (built, warnings) = indexes(vec![many]);
    assert_eq!(built[0].included, ["note"]);
    assert!(warnings[0].contains("Gone"), "{warnings:?}");
}
