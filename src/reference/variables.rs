//! The variables, from `.env.example`, which has to name those that the code reads.

use super::{agree, code, is_variable, quoted_after, source, sources, table};

/// What the environment of Lambda sets, and the end of one of AWS's names.
const NOT_OURS: [&str; 3] = ["AWS_LAMBDA_FUNCTION_NAME", "LAMBDA_TASK_ROOT", "SECRETS_MANAGER"];

pub(super) fn section() -> String {
    let variables = variables();
    let described = variables.iter().map(|(name, ..)| name.clone()).collect();
    let mut there = read_by_the_code();
    // AWS's own are described as far as they are needed: https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
    there.retain(|name| !name.starts_with("AWS_"));
    there.extend(variables.iter().map(|(name, ..)| name.clone()).filter(|name| name.starts_with("AWS_")));
    agree("variables in .env.example", described, there);
    let rows = variables.into_iter().map(|(name, value, meaning)| [code(&name), value, meaning]);
    format!(
        "Of the command and the Lambda. The value is an example, and the default where the variable may be left out.\n\n{}",
        table(["variable", "value", "meaning"], rows)
    )
}

/// Name, example and meaning of each; those of the first source stand for all.
fn variables() -> Vec<(String, String, String)> {
    let (mut found, mut meaning): (Vec<(String, String, String)>, _) = (Vec::new(), String::new());
    for line in source(".env.example").lines() {
        let text = line.trim_start_matches("# ");
        match text.split_once('=') {
            Some((name, value)) if is_variable(name) => {
                let name = name.replace("_MCTM_", "_<DB_TYPE>_");
                if !name.contains("_VOIPDB_") {
                    assert!(!meaning.is_empty(), "{name} has no comment in .env.example");
                    found.push((name, code(value.trim_matches('\'')), std::mem::take(&mut meaning)));
                }
            }
            _ if line.starts_with("# ---") => meaning.clear(),
            _ if line.starts_with('#') => {
                meaning.push_str(if meaning.is_empty() { "" } else { "; " });
                meaning.push_str(text);
            }
            _ => meaning.clear(),
        }
    }
    assert!(found.len() > 20, "the variables are found");
    found
}

/// Every text in the sources of the configuration that is a variable's name, but those that are refused.
fn read_by_the_code() -> Vec<String> {
    let (mut read, mut of_sources, mut of_postgres) = (Vec::new(), Vec::new(), Vec::new());
    for text in sources("src/config").into_iter().chain([source("src/report/telemetry.rs")]) {
        let text = text
            .split("mod tests")
            .next()
            .unwrap()
            .replace(char::is_whitespace, "")
            .replace(".refuse(\"", "")
            .replace(".refuse(&name(\"", "");
        for before in ["name(\"", "variable(db_type,\""] {
            of_sources.extend(quoted_after(&text, before, is_variable));
        }
        of_postgres.extend(quoted_after(&text, "pg_name(db_type,\"", is_variable));
        for before in ["(\"", ",\"", "=\""] {
            read.extend(quoted_after(&text, before, |name| is_variable(name) && name.contains('_') && !name.starts_with('_')));
        }
        read.extend(quoted_after(&text, ".parsed(\"", is_variable));
    }
    read.retain(|name| !NOT_OURS.contains(&name.as_str()) && !of_sources.contains(name) && !of_postgres.contains(name));
    read.extend(of_sources.iter().map(|what| format!("SQL_SERVER_<DB_TYPE>_{what}")));
    read.extend(of_postgres.iter().map(|what| format!("SOURCE_<DB_TYPE>_{what}")));
    read
}
