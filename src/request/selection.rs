//! Which tables a request means, checked against the configuration.

use super::{Mode, Refusal, Request};
use crate::config::{TableConfig, TableConfigs};
use crate::table::did_you_mean;

/// The names in a comma-separated text: trimmed, empty ones and doubles dropped, in order.
pub fn split_names(text: &str) -> Vec<String> {
    tidy_names(text.split(','))
}

/// Names trimmed, empty ones and doubles dropped, in order; case matters.
pub fn tidy_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut tidy: Vec<String> = Vec::new();
    for name in names.into_iter().map(str::trim).filter(|name| !name.is_empty()) {
        if !tidy.iter().any(|known| known == name) {
            tidy.push(name.to_owned());
        }
    }
    tidy
}

/// The tables that `request` asks for, in its order; `default_sync_order` when it names none.
///
/// # Errors
/// A refusal with the tables there are: a name is unknown, or `single_sync` does not name exactly one.
pub fn select_tables<'a>(request: &Request, configs: &'a TableConfigs) -> Result<Vec<&'a TableConfig>, Refusal> {
    let asked = tidy_names(request.tables.iter().map(String::as_str));
    if request.mode == Mode::SingleSync && asked.len() != 1 {
        let error = if asked.is_empty() { "single_sync needs a table: give table_name" } else { "single_sync takes one table" };
        return Err(refusal(format!("{error}; available tables: {}", list(configs)), configs));
    }
    let names = if asked.is_empty() { &configs.default_sync_order } else { &asked };
    let unknown: Vec<_> = names.iter().filter(|name| !configs.tables.contains_key(*name)).collect();
    if unknown.is_empty() {
        return Ok(names.iter().filter_map(|name| configs.tables.get(name)).collect());
    }
    let hinted = |name: &&String| format!("{name:?}{}", did_you_mean(name, configs.tables.keys().map(String::as_str)));
    let named: Vec<_> = unknown.iter().map(hinted).collect();
    let what = if unknown.len() == 1 { "unknown table" } else { "unknown tables" };
    Err(refusal(format!("{what} {}; available tables: {}", named.join(", "), list(configs)), configs))
}

fn list(configs: &TableConfigs) -> String {
    configs.tables.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}

fn refusal(error: String, configs: &TableConfigs) -> Refusal {
    Refusal { error, valid_modes: None, available_tables: Some(configs.tables.keys().cloned().collect()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Env, Settings};

    fn configs() -> TableConfigs {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("t.json");
        let table = |name: &str| format!(r#""{name}": {{"db_type": "x", "sql_table": "{name}", "pg_table": "{name}"}}"#);
        let tables = ["customer", "module", "agent"].map(table).join(", ");
        std::fs::write(&file, format!(r#"{{"default_sync_order": ["module", "customer"], "tables": {{{tables}}}}}"#)).unwrap();
        Settings::load(Env::default(), Some(&file)).unwrap().tables
    }

    fn select(mode: Mode, tables: &[&str]) -> Result<Vec<String>, Refusal> {
        let request = Request { mode, tables: tables.iter().map(|&table| table.to_owned()).collect(), ..Request::default() };
        select_tables(&request, &configs()).map(|tables| tables.into_iter().map(|table| table.name.clone()).collect())
    }

    #[test]
    fn tables_come_in_the_order_asked_and_the_default_order_when_none_is() {
        assert_eq!(select(Mode::MultiSync, &["customer", " agent ", "customer", ""]).unwrap(), ["customer", "agent"]);
        assert_eq!(select(Mode::MultiTest, &[]).unwrap(), ["module", "customer"]);
        assert_eq!(select(Mode::SingleSync, &["agent"]).unwrap(), ["agent"]);
    }

    #[test]
    fn an_unknown_table_is_refused_with_the_nearest_and_the_available_ones() {
        let refusal = select(Mode::MultiSync, &["custmer", "agent", "orders"]).unwrap_err();
        let sentence = "unknown tables \"custmer\" (did you mean \"customer\"?), \"orders\"; available tables: customer, module, agent";
        assert_eq!(refusal.error, sentence);
        assert_eq!(refusal.available_tables.unwrap(), ["customer", "module", "agent"]);
        assert!(select(Mode::MultiSync, &["Customer"]).is_err(), "case matters");
    }

    #[test]
    fn single_sync_needs_one_table() {
        for tables in [&[][..], &[" "], &["customer", "agent"]] {
            assert!(select(Mode::SingleSync, tables).unwrap_err().available_tables.is_some(), "{tables:?}");
        }
    }

    #[test]
    fn a_comma_separated_text_is_split_and_tidied() {
        assert_eq!(split_names(" a, b,,a , c"), ["a", "b", "c"]);
        assert_eq!(split_names(" "), Vec::<String>::new());
    }
}
