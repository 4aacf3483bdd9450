//! `config.json`, the file of `CONFIG_PATH`: the tables that `incremental_sync` copies from `SOURCE_DSN` to `TARGET_DSN`.

use indexmap::IndexMap;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::Value;

use super::super::{TableConfig, TableConfigs, TableOptions};
use super::check::{check_order, check_targets, name};
use super::problem::{Problems, Step};
use super::raw::{Object, time_zone};
use super::sync::{Lag, Sync};
use crate::table::{Deletes, IdentifierPolicy, OnConflict, Refresh, SourceTable, TargetTable};

/// The column that has the moment where a table names none.
const SYNC_COLUMN: &str = "created_at";
/// What connection the tables come from: the one of `SOURCE_DSN`.
const DB_TYPE: &str = "source";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    /// The tables, in run order.
    tables: Vec<Object<Listed>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    /// Required. The table, `schema.table` (schema `public` where none is named), which is the same on both sides.
    name: String,
    /// Required. The columns of the target's unique or primary key, an array.
    key_columns: Vec<String>,
    /// The timestamp of a row's last change; default `created_at`.
    sync_column: Option<String>,
    /// As in `sync` of `table_configs.json`.
    on_conflict: Option<OnConflict>,
    /// As in `sync`.
    lag: Option<Lag>,
    /// As in `sync`.
    deletes: Option<Deletes>,
    /// As in `sync`.
    deletes_every: Option<u64>,
    /// On which clock a `sync_column` without a zone is written (an IANA name).
    #[serde(default, deserialize_with = "time_zone")]
    source_time_zone: Option<TimeZone>,
}

/// Whether a text has this form, well or not, and lists something; a table configuration has an object as `tables`.
pub(super) fn is_list(text: &str) -> bool {
    let lists = |tables: &Value| tables.as_array().is_some_and(|tables| !tables.is_empty());
    match serde_json::from_str::<Value>(text) {
        Ok(value) => lists(&value) || lists(&value["tables"]),
        Err(_) => text.trim_start().starts_with('['),
    }
}

/// Parses the text of the list: an array of tables, or an object with one. `batch_size` is `BATCH_SIZE`.
pub(super) fn parse(text: &str, batch_size: u64) -> Result<TableConfigs, Problems> {
    let mut json = serde_json::Deserializer::from_str(text);
    let is_list = text.trim_start().starts_with('[');
    let tables = match is_list {
        true => serde_path_to_error::deserialize(&mut json),
        false => serde_path_to_error::deserialize::<_, Object<List>>(&mut json).map(|Object(list)| list.tables),
    };
    let tables: Vec<Object<Listed>> = tables.map_err(|error| Problems::of_form(&error))?;
    json.end().map_err(|error| Problems::of_end(&error))?;
    let at = |index: usize| if is_list { vec![Step::Item(index)] } else { vec![name("tables"), Step::Item(index)] };
    check(tables, batch_size, &at).map_err(|problems| problems.located(text))
}

fn check(listed: Vec<Object<Listed>>, batch_size: u64, at: &dyn Fn(usize) -> Vec<Step>) -> Result<TableConfigs, Problems> {
    let mut problems = Problems::default();
    let mut tables = IndexMap::with_capacity(listed.len());
    if listed.is_empty() {
        problems.add(Vec::new(), "lists no table");
    }
    for (index, Object(table)) in listed.into_iter().enumerate() {
        let own_name = table.name.clone();
        let here = |field: &str| [at(index), vec![name(field)]].concat();
        if let Some(config) = check_table(&mut problems, table, batch_size, &here)
            && tables.insert(own_name.clone(), config).is_some()
        {
            problems.add(here("name"), format!("{own_name:?} is listed twice"));
        }
    }
    check_targets(&mut problems, &tables);
    let order: Vec<String> = tables.keys().cloned().collect();
    if problems.is_empty() {
        check_order(&mut problems, &order, &tables);
    }
    if problems.is_empty() { Ok(TableConfigs { default_sync_order: order, tables }) } else { Err(problems) }
}

fn check_table(problems: &mut Problems, listed: Listed, batch_size: u64, at: &dyn Fn(&str) -> Vec<Step>) -> Option<TableConfig> {
    let Listed { name, key_columns, sync_column, on_conflict, lag, deletes, deletes_every, source_time_zone } = listed;
    if key_columns.is_empty() || key_columns.iter().any(|column| column.is_empty() || column.contains('\0')) {
        problems.add(at("key_columns"), "expected the names of the columns of the target's unique or primary key");
    }
    if let Some(twice) = key_columns.iter().enumerate().find_map(|(index, column)| key_columns[..index].contains(column).then_some(column))
    {
        problems.add(at("key_columns"), format!("names {twice:?} twice"));
    }
    if name.trim() != name || name.contains(',') {
        problems.add(at("name"), "a table's name has no comma and no blanks around it, so that requests can name it");
    }
    let sync = Sync::of_column(sync_column.unwrap_or_else(|| SYNC_COLUMN.to_owned()), on_conflict, lag, (deletes, deletes_every));
    let incremental = sync.check(problems, &|field| at(if field == "column" { "sync_column" } else { field }));
    let parsed = SourceTable::of_postgres(&name).and_then(|source| Ok((source, name.parse::<TargetTable>()?)));
    let (sql_table, pg_table) = parsed.map_err(|sentence| problems.add(at("name"), sentence)).ok()?;
    Some(TableConfig {
        name: name.clone(),
        db_type: DB_TYPE.to_owned(),
        sql_server_db: None,
        sql_table,
        sql_table_text: name.clone(),
        pg_table,
        pg_table_text: name,
        columns: None,
        pg_columns: None,
        order_by: Some(key_columns.clone()),
        primary_key: Some(key_columns),
        batch_size,
        description: String::new(),
        options: TableOptions {
            refresh: Refresh::Merge,
            identifiers: IdentifierPolicy::Preserve,
            incremental,
            source_time_zone,
            ..TableOptions::default()
        },
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::table::Incremental;

    fn error(text: &str) -> String {
        parse(text, 1_000).unwrap_err().into_error(Path::new("config.json")).to_string()
    }

    #[test]
    fn a_list_of_tables_stands_alone_or_in_an_object() {
        let table = r#"{"name": "scout.findings", "key_columns": ["id"], "sync_column": "updated_at"}"#;
        for text in [format!("[{table}]"), format!("{{\"tables\": [{table}]}}")] {
            let configs = parse(&text, 500).unwrap();
            let config = &configs.tables["scout.findings"];
            assert_eq!(
                (config.sql_table.to_string(), config.pg_table.to_string()),
                (r#""scout"."findings""#.to_owned(), r#""scout"."findings""#.to_owned())
            );
            let sync = config.options.incremental.as_ref().unwrap();
            assert_eq!((sync.column.as_deref(), sync.on_conflict, sync.lag), (Some("updated_at"), OnConflict::Nothing, Incremental::LAG));
            assert_eq!((config.batch_size, config.primary_key.as_deref()), (500, Some(&["id".to_owned()][..])));
        }
        let configs = parse(r#"[{"name": "Assets", "key_columns": ["a", "b"], "lag": "0", "on_conflict": "update"}]"#, 1_000).unwrap();
        let config = &configs.tables["Assets"];
        assert_eq!(config.pg_table.to_string(), r#""public"."Assets""#);
        assert_eq!(config.options.incremental.as_ref().unwrap().column.as_deref(), Some("created_at"));
    }

    #[test]
    fn a_list_is_told_from_a_table_configuration_by_its_form() {
        for list in [r#"[{"name": "a"}]"#, r#"{"tables": [{}]}"#, "[{,"] {
            assert!(is_list(list), "{list}");
        }
        for other in ["[]", "{}", r#"{"tables": {"a": {}}}"#, r#"{"tables": []}"#, r#"{"tables": [,"#, "", "7"] {
            assert!(!is_list(other), "{other}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        let cases = [
            ("[]", "lists no table"),
            (r#"[{"name": "a"}]"#, "missing field `key_columns`"),
            (r#"[{"name": "a", "key_columns": []}]"#, "config.json, line 1: [0].key_columns: expected the names"),
            (r#"[{"name": "a", "key_columns": ["id", "id"]}]"#, "[0].key_columns: names \"id\" twice"),
            (r#"[{"name": "a", "key_columns": ["id"], "source_time_zone": "Tokyo"}]"#, "[0].source_time_zone: unknown time zone \"Tokyo\""),
            (r#"[{"name": "a", "key_columns": "id"}]"#, "[0].key_columns: invalid type: string"),
            (
                r#"{"tables": [{"name": "a", "key_columns": ["id"], "sync_colum": "b"}]}"#,
                "unknown field `sync_colum` (did you mean \"sync_column\"?)",
            ),
            (r#"{"tables": [], "table": 1}"#, "unknown field `table`"),
            (r#"[{"name": "a.b.c", "key_columns": ["id"]}]"#, "[0].name: \"a.b.c\" has more than two parts"),
            (r#"[{"name": "a", "key_columns": ["id"]}, {"name": "public.a", "key_columns": ["id"]}]"#, "is the target of \"a\" already"),
            (r#"[{"name": "a", "key_columns": ["id"]}, {"name": "a", "key_columns": ["id"]}]"#, "[1].name: \"a\" is listed twice"),
            (r#"[{"name": "a", "key_columns": ["id"], "sync_column": ""}]"#, "[0].sync_column: is no column's name"),
        ];
        for (text, part) in cases {
            assert!(error(text).contains(part), "{text}: {}", error(text));
        }
    }
}
