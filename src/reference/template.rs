//! The parameters of `infra/template.yaml`.

use super::{code, source, table};

pub(super) fn section() -> String {
    let text = source("infra/template.yaml");
    let (_, rest) = text.split_once("\nParameters:\n").unwrap();
    let (parameters, _) = rest.split_once("\nConditions:").unwrap();
    let mut rows: Vec<[String; 3]> = Vec::new();
    for line in parameters.lines() {
        if let Some(name) = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')) {
            rows.push([code(name.trim_end_matches(':')), "required".to_owned(), String::new()]);
        } else if let Some(row) = rows.last_mut() {
            match line.trim().split_once(": ") {
                Some(("Default", value)) => row[1] = if value == "\"\"" { "empty".to_owned() } else { code(value.trim_matches('"')) },
                Some(("Description", meaning)) => meaning.clone_into(&mut row[2]),
                _ => {}
            }
        }
    }
    for [name, _, meaning] in &rows {
        assert!(!meaning.is_empty(), "{name} has no description");
    }
    format!("Of `infra/template.yaml`.\n\n{}", table(["parameter", "default", "meaning"], rows))
}
