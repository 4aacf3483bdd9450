//! Which tables a request means, checked against the configuration.

use indexmap::IndexSet;

use super::{Mode, Refusal, Request, excerpt};
use crate::config::{TableConfig, TableConfigs};
use crate::table::did_you_mean;

/// So many unknown tables are named in a refusal.
const UNKNOWN_NAMED_MAX: usize = 10;

/// The names in a comma-separated text: trimmed, empty ones and doubles dropped, in order.
pub fn split_names(text: &str) -> Vec<String> {
    tidy_names(text.split(','))
}

/// Names trimmed, empty ones and doubles dropped, in order; case matters.
pub fn tidy_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let tidy: IndexSet<&str> = names.into_iter().map(str::trim).filter(|name| !name.is_empty()).collect();
    tidy.into_iter().map(str::to_owned).collect()
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
    check_reset(request, configs)?;
    let incremental = incremental_tables(configs);
    let by_default = if request.mode == Mode::IncrementalSync { &incremental } else { &configs.default_sync_order };
    let names = if asked.is_empty() { by_default } else { &asked };
    let unknown: Vec<_> = names.iter().filter(|name| !configs.tables.contains_key(*name)).collect();
    if unknown.is_empty() {
        if request.mode == Mode::IncrementalSync {
            check_incremental(names, &incremental, configs)?;
        }
        return Ok(names.iter().filter_map(|name| configs.tables.get(name)).collect());
    }
    let hinted = |name: &&String| {
        let name = excerpt(name);
        format!("{name:?}{}", did_you_mean(&name, configs.tables.keys().map(String::as_str)))
    };
    let mut named: Vec<_> = unknown.iter().take(UNKNOWN_NAMED_MAX).map(hinted).collect();
    if unknown.len() > UNKNOWN_NAMED_MAX {
        named.push(format!("{} more", unknown.len() - UNKNOWN_NAMED_MAX));
    }
    let what = if unknown.len() == 1 { "unknown table" } else { "unknown tables" };
    Err(refusal(format!("{what} {}; available tables: {}", named.join(", "), list(configs)), configs))
}

/// The tables that get only what is new: in the order of a run, then the others.
fn incremental_tables(configs: &TableConfigs) -> Vec<String> {
    let all: IndexSet<&String> = configs.default_sync_order.iter().chain(configs.tables.keys()).collect();
    let is_incremental = |name: &&String| configs.tables.get(*name).is_some_and(|table| table.options.incremental.is_some());
    all.into_iter().filter(is_incremental).cloned().collect()
}

/// Every table that `incremental_sync` runs gets only what is new.
fn check_incremental(names: &[String], incremental: &[String], configs: &TableConfigs) -> Result<(), Refusal> {
    let full: Vec<_> = names.iter().filter(|name| !incremental.contains(name)).map(|name| format!("{name:?}")).collect();
    if !full.is_empty() {
        let error = format!("{} has no \"sync\": {{\"mode\": \"incremental\", ...}} in the configuration", full.join(", "));
        return Err(Refusal { error, valid_modes: None, available_tables: Some(incremental.to_vec()) });
    }
    if names.is_empty() {
        return Err(refusal("no table has \"sync\": {\"mode\": \"incremental\", ...} in the configuration".to_owned(), configs));
    }
    Ok(())
}

/// Only a table that gets only what is new has something to forget, and only one that is asked for does.
fn check_reset(request: &Request, configs: &TableConfigs) -> Result<(), Refusal> {
    let incremental = incremental_tables(configs);
    let asked = tidy_names(request.tables.iter().map(String::as_str));
    let Some(wrong) = request.reset.iter().find(|name| !incremental.contains(name)) else {
        return match request.reset.iter().find(|name| !asked.is_empty() && !asked.contains(name)) {
            Some(idle) => Err(Refusal::new(format!("reset names {:?}, which is not among the tables asked for", excerpt(idle)))),
            None => Ok(()),
        };
    };
    let wrong = excerpt(wrong);
    let hint = did_you_mean(&wrong, incremental.iter().map(String::as_str));
    let error = format!("reset names {wrong:?}{hint}, which is no table that gets only what is new");
    Err(Refusal { error, valid_modes: None, available_tables: Some(incremental) })
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
        Settings::load(Env::default(), file).unwrap().tables
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
    fn of_many_unknown_tables_the_first_are_named_and_long_names_are_cut() {
        let many: Vec<_> = (0..500).map(|n| format!("nobody_{n}_{}", "x".repeat(5_000))).collect();
        let refusal = select(Mode::MultiSync, &many.iter().map(String::as_str).collect::<Vec<_>>()).unwrap_err();
        assert!(refusal.error.starts_with("unknown tables \"nobody_0_xxx") && refusal.error.contains(", 490 more; "), "{}", refusal.error);
        assert!(refusal.error.len() < 3_000, "{}", refusal.error.len());
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
