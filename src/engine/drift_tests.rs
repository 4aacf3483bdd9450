//! Changes of small tables made by hand, and what becomes of them.

use super::*;
use crate::config::TableOptions;
use crate::table::{PgType, SeenTarget, TargetColumn, ValueKind};

fn config(columns: Option<&[&str]>, on_drift: OnDrift) -> TableConfig {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    TableConfig {
        name: "people".to_owned(),
        db_type: "mctm".to_owned(),
        sql_server_db: None,
        sql_table: "McTM.dbo.People".parse().unwrap(),
        sql_table_text: String::new(),
        pg_table: "people".parse().unwrap(),
        pg_table_text: String::new(),
        columns: columns.map(names),
        pg_columns: columns.map(|columns| names(columns).iter().map(|name| name.to_lowercase()).collect()),
        primary_key: None,
        order_by: None,
        batch_size: 10_000,
        description: String::new(),
        options: TableOptions { on_drift, ..TableOptions::default() },
    }
}

fn seen(columns: &[(i32, &str, &str)]) -> SeenTable {
    let column = |&(column_id, name, declared): &(i32, &str, &str)| SeenColumn {
        column_id,
        name: name.to_owned(),
        declared: declared.to_owned(),
        nullable: false,
        target: Some(SeenTarget { name: name.to_lowercase(), declared: "integer NOT NULL".to_owned() }),
    };
    SeenTable { source: String::new(), object_id: Some(7), columns: columns.iter().map(column).collect() }
}

fn now(object_id: Option<i32>, columns: &[(i32, &str, &str)]) -> SourceDescription {
    let column = |&(column_id, name, declared): &(i32, &str, &str)| SourceColumn {
        column_id,
        name: name.to_owned(),
        declared: declared.to_owned(),
        kind: Ok(ValueKind::Int32),
        nullable: false,
        collation: None,
        converted: None,
        second_digits: None,
    };
    SourceDescription { object_id, columns: columns.iter().map(column).collect(), ..SourceDescription::default() }
}

fn target(columns: &[(&str, PgType)]) -> TargetDescription {
    let column = |(name, pg_type): &(&str, PgType)| TargetColumn {
        name: (*name).to_owned(),
        pg_type: pg_type.clone(),
        nullable: false,
        has_default: false,
        generated: false,
        identity_always: false,
    };
    TargetDescription { columns: columns.iter().map(column).collect(), ..TargetDescription::default() }
}

fn sentences(seen: &SeenTable, now: &SourceDescription) -> Vec<String> {
    compare(seen, now).iter().map(Change::sentence).collect()
}

const OLD: [(i32, &str, &str); 3] = [(1, "Id", "int"), (2, "Name", "nvarchar(50)"), (3, "Age", "int")];

#[test]
fn every_kind_of_change_is_told_by_name() {
    let was = seen(&OLD);
    let is = now(Some(7), &[(1, "Id", "bigint"), (2, "FullName", "nvarchar(50)"), (4, "Town", "int")]);
    let expected = [
        "column Id was int and is bigint now",
        "column Name was renamed to FullName",
        "column Town (int) was added",
        "column Age (int) was dropped",
    ];
    assert_eq!(sentences(&was, &is), expected);
    assert!(sentences(&was, &now(Some(7), &OLD)).is_empty());
    let mut widened = now(Some(7), &OLD);
    widened.columns[2].nullable = true;
    assert_eq!(sentences(&was, &widened), ["column Age (int) was NOT NULL and may be NULL now"]);
    let mut narrowed = seen(&OLD);
    narrowed.columns[2].nullable = true;
    assert!(sentences(&narrowed, &now(Some(7), &OLD)).is_empty(), "what may no longer be NULL fits all the better");
}

#[test]
fn columns_that_change_places_are_renamed_and_a_table_made_anew_is_known_by_names() {
    let was = seen(&OLD);
    let swapped = [(1, "Id", "int"), (2, "Age", "int"), (3, "Name", "nvarchar(50)")];
    assert_eq!(sentences(&was, &now(Some(7), &swapped)).len(), 4, "two names and two types");
    let inserted = [(1, "Id", "int"), (2, "Town", "int"), (3, "Name", "nvarchar(50)"), (4, "Age", "int")];
    for rebuilt in [Some(8), None] {
        assert_eq!(sentences(&was, &now(rebuilt, &inserted)), ["column Town (int) was added"]);
        assert!(sentences(&was, &now(rebuilt, &swapped)).is_empty());
    }
    assert!(sentences(&was, &now(Some(7), &[(1, "ID", "int"), OLD[1], OLD[2]])).is_empty(), "the same name in other letters");
}

#[test]
fn only_configured_columns_count_and_others_that_are_new_are_a_note() {
    let config = config(Some(&["Id", "Name"]), OnDrift::Fail);
    let was = seen(&OLD);
    let judged = |is: &[(i32, &str, &str)]| {
        let is = now(Some(7), is);
        judge(&config, &compare(&was, &is), Some(&target(&[("id", PgType::Int4), ("name", PgType::Text)])), false)
    };
    let harmless = judged(&[OLD[0], OLD[1], (3, "Years", "bigint"), (4, "Town", "int")]);
    assert!(harmless.refused.is_empty(), "{harmless:?}");
    assert_eq!(harmless.notes, ["column Town (int) was added: it is not among the configured columns"]);
    assert!(judged(&[OLD[0], OLD[1]]).changes.is_empty(), "a dropped column that nobody wants");
    let renamed = judged(&[OLD[0], (2, "FullName", "nvarchar(50)"), OLD[2]]);
    assert_eq!(renamed.refused[0].0, "column Name was renamed to FullName");
    assert!(renamed.check(&config).unwrap_err().to_string().contains("Write the renamed column's new name in \"columns\""));
}

#[test]
fn a_change_is_answered_by_the_target_the_configuration_or_the_operators_word() {
    let open = config(None, OnDrift::Fail);
    let was = seen(&OLD);
    let refused = |config: &TableConfig, is: &[(i32, &str, &str)], columns: &[(&str, PgType)], accepted: bool| {
        let is = now(Some(7), is);
        judge(config, &compare(&was, &is), Some(&target(columns)), accepted).refused.len()
    };
    let standing = [("id", PgType::Int4), ("name", PgType::Int4), ("age", PgType::Int4)];
    let with = |at: usize, column: (&'static str, PgType)| {
        let mut columns = standing.clone();
        columns[at] = column;
        columns
    };

    let renamed = [OLD[0], (2, "FullName", "nvarchar(50)"), OLD[2]];
    assert_eq!(refused(&open, &renamed, &standing, false), 1);
    assert_eq!(refused(&open, &renamed, &standing, true), 0);
    assert_eq!(refused(&open, &renamed, &with(1, ("fullname", PgType::Int4)), false), 0);
    assert_eq!(refused(&config(Some(&["Id", "FullName", "Age"]), OnDrift::Fail), &renamed, &standing, false), 0);

    let dropped = [OLD[0], OLD[1]];
    assert_eq!(refused(&open, &dropped, &standing, false), 1);
    assert_eq!(refused(&open, &dropped, &standing[..2], false), 0);

    let retyped = [OLD[0], OLD[1], (3, "Age", "bigint")];
    assert_eq!(refused(&open, &retyped, &standing, false), 1);
    assert_eq!(refused(&open, &retyped, &with(2, ("age", PgType::Int8)), false), 0);

    let added = [OLD[0], OLD[1], OLD[2], (4, "Town", "int")];
    assert_eq!(refused(&open, &added, &standing, false), 1);
    assert_eq!(refused(&open, &added, &[&standing[..], &[("town", PgType::Int4)]].concat(), false), 0);
    assert_eq!(refused(&config(None, OnDrift::AddColumns), &added, &standing, false), 0);
    assert_eq!(refused(&config(None, OnDrift::AddColumns), &renamed, &standing, false), 1, "add_columns adds and does nothing else");
}

#[test]
fn a_change_during_the_read_fails_unless_the_rows_do_not_hold_it() {
    let was = seen(&OLD);
    let renamed = now(Some(7), &[OLD[0], (2, "FullName", "nvarchar(50)"), OLD[2]]);
    let added = now(Some(7), &[OLD[0], OLD[1], OLD[2], (4, "Town", "int")]);
    let open = config(None, OnDrift::Fail);
    let error = unchanged_by(&open, &was, &renamed).unwrap_err().to_string();
    assert!(error.contains("changed while it was read: column Name was renamed to FullName"), "{error}");
    assert!(unchanged_by(&open, &was, &added).is_err());
    assert_eq!(unchanged_by(&config(None, OnDrift::AddColumns), &was, &added).unwrap().len(), 1);
    assert!(unchanged_by(&config(Some(&["Id"]), OnDrift::Fail), &was, &renamed).unwrap().is_empty());
}

#[test]
fn a_column_that_was_dropped_and_made_anew_is_the_same_column() {
    let was = seen(&OLD);
    assert!(sentences(&was, &now(Some(7), &[OLD[0], OLD[1], (4, "Age", "int")])).is_empty());
    let retyped = now(Some(7), &[OLD[0], OLD[1], (4, "AGE", "bigint")]);
    assert_eq!(sentences(&was, &retyped), ["column AGE was int and is bigint now"]);
    let replaced = now(Some(7), &[OLD[0], (2, "Age", "nvarchar(50)"), (4, "Name", "nvarchar(50)")]);
    let expected = ["column Name was renamed to Age", "column Name (nvarchar(50)) was added", "column Age (int) was dropped"];
    assert_eq!(sentences(&was, &replaced), expected, "a name that another column has taken");
}

#[test]
fn names_that_differ_in_case_alone_are_told_apart_where_there_are_no_numbers() {
    let two = [(1, "name", "int"), (2, "Name", "nvarchar(50)")];
    assert!(sentences(&seen(&two), &now(None, &[(1, "Name", "nvarchar(50)"), (2, "name", "int")])).is_empty());
}

#[test]
fn a_column_that_may_be_null_now_is_a_note_where_the_target_takes_null() {
    let was = seen(&OLD);
    let mut is = now(Some(7), &OLD);
    is.columns[2].nullable = true;
    let mut standing = target(&[("id", PgType::Int4), ("name", PgType::Int4), ("age", PgType::Int4)]);
    let judged = |target: &TargetDescription| judge(&config(None, OnDrift::Fail), &compare(&was, &is), Some(target), false);
    assert_eq!(judged(&standing).refused.len(), 1);
    standing.columns[2].nullable = true;
    let answered = judged(&standing);
    assert_eq!((answered.refused.len(), answered.notes.len()), (0, 1), "{answered:?}");
}
