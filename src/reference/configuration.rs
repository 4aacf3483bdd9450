//! The fields of `table_configs.json`, from their doc comments.

use std::path::Path;

use super::{code, source, table};
use crate::config::TableConfigs;

/// A field with its doc comment.
struct Field {
    name: String,
    meaning: String,
    /// Whether it stands in a table and in `defaults`.
    is_option: bool,
    chooses: bool,
}

pub(super) fn section() -> String {
    let fields = fields();
    fields.iter().filter(|field| field.chooses).for_each(check_choices);
    let (tables, file): (Vec<_>, Vec<_>) =
        fields.into_iter().partition(|field| !["default_sync_order", "defaults", "tables"].contains(&field.name.as_str()));
    let row = |field: Field| [code(&field.name) + if field.is_option { " *" } else { "" }, field.meaning];
    let (options, own): (Vec<_>, Vec<_>) = tables.into_iter().partition(|field| field.is_option);
    let of_file = table(["field", "meaning"], file.into_iter().map(row));
    let of_table = table(["field", "meaning"], own.into_iter().chain(options).map(row));
    let of_sync = table(["field", "meaning"], struct_fields("src/config/file/sync.rs", "struct Sync {"));
    let of_list = table(["field", "meaning"], struct_fields("src/config/file/listed.rs", "struct Listed {"));
    format!(
        "{of_file}\nOf each table; those marked * may stand in `defaults`, too:\n\n{of_table}\nOf `sync`:\n\n{of_sync}\n\
         The list of tables of `incremental_sync` (`CONFIG_PATH`) is an array of objects, or an object with one in `tables`:\n\n{of_list}"
    )
}

/// The fields of one struct, with their doc comments.
fn struct_fields(path: &str, opening: &str) -> Vec<[String; 2]> {
    let text = source(path);
    let (_, rest) = text.split_once(opening).unwrap();
    let (mut rows, mut meaning) = (Vec::new(), String::new());
    for line in rest.lines().skip(1).map(str::trim).take_while(|line| *line != "}") {
        if let Some(doc) = line.strip_prefix("/// ") {
            meaning.push_str(doc);
        } else if let Some((name, _)) = line.trim_start_matches("pub(super) ").split_once(": ") {
            assert!(!meaning.is_empty(), "{name} has no doc comment");
            rows.push([code(name), std::mem::take(&mut meaning)]);
        }
    }
    assert!(rows.len() > 5, "the fields of {opening} are found");
    rows
}

fn fields() -> Vec<Field> {
    let text = source("src/config/file/raw.rs");
    let (mut fields, mut meaning) = (Vec::new(), String::new());
    let (mut in_options, mut in_structs) = (false, false);
    for line in text.lines() {
        let code = line.trim();
        in_structs |= line.starts_with("pub(super) struct File");
        in_options = (in_options || code.starts_with("pub(super) struct $name")) && !code.starts_with(")*}");
        if !in_structs || code.starts_with("fn ") {
            meaning.clear();
        } else if let Some(doc) = code.strip_prefix("/// ") {
            meaning.push_str(doc);
        } else if let Some((name, kind)) = code.strip_suffix(',').and_then(|field| field.trim_start_matches("pub(super) ").split_once(": "))
            && super::is_field(name)
        {
            assert!(!meaning.is_empty(), "{name} has no doc comment");
            let plain = ["bool", "u64", "f64", "String", "TimeZone", "Vec<String>"].iter().any(|plain| kind == format!("Option<{plain}>"));
            let chooses = in_options && !plain;
            fields.push(Field { name: name.to_owned(), meaning: std::mem::take(&mut meaning), is_option: in_options, chooses });
        } else if !code.starts_with("#[") {
            meaning.clear();
        }
        if code == "/// A time zone by its IANA name." {
            break;
        }
    }
    assert!(fields.len() > 25, "the fields are found");
    fields
}

/// A choice's doc comment names what the parser takes, and nothing else.
fn check_choices(field: &Field) {
    let text = format!(r#"{{"tables": {{"t": {{"db_type": "x", "sql_table": "t", "pg_table": "t", "{}": "?"}}}}}}"#, field.name);
    let error = TableConfigs::parse(&text, Path::new("t.json")).unwrap_err().to_string();
    let taken: Vec<String> = error.split_once("expected one of ").map_or_else(
        || error.split_once("expected ").unwrap_or_else(|| panic!("{error}")).1.split(" or ").map(unquoted).collect(),
        |(_, list)| list.split(", ").map(unquoted).collect(),
    );
    let named: Vec<String> = field.meaning.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    super::agree(&field.name, named, taken);
}

fn unquoted(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_lowercase() || *c == '_').collect()
}
