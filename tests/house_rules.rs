//! The architecture's fences, checked by reading the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules by level, lowest first: a module uses only lower ones, and its own folder.
const LEVELS: &[&[&str]] = &[
    &["error", "failpoint", "table", "tls"],
    &["config", "copy"],
    &["aws", "postgres", "request"],
    &["report"],
    &["sources", "target"],
    &["engine"],
    &["app"],
    &["cli", "lambda"],
];

/// Crates, and the only places that may name them.
const FENCES: &[(&str, &[&str])] = &[
    ("tiberius", &["src/sources/sqlserver/"]),
    ("tokio_postgres", &["src/postgres/", "src/sources/postgres/", "src/target/"]),
    ("clap", &["src/cli/", "src/bin/tablesync.rs"]),
    ("lambda_runtime", &["src/lambda/", "src/bin/tablesync-lambda.rs"]),
    ("std::env", &["src/config/env.rs"]),
    ("axum", &["src/service/"]),
    ("aws_config", &["src/aws/"]),
    ("aws_sdk_s3", &["src/aws/"]),
    ("aws_sdk_secretsmanager", &["src/aws/"]),
];

#[test]
fn a_module_uses_only_lower_levels_and_its_own_folder() {
    let level = |module: &str| LEVELS.iter().position(|modules| modules.contains(&module));
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        let Some(own) = level(&module) else { continue };
        for used in used_modules(&text) {
            let Some(other) = level(&used) else { continue };
            if used != module && other >= own {
                broken.push(format!("{}: {module} uses {used}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_module_of_the_crate_has_a_level() {
    let library = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let modules = library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    for module in modules {
        assert!(LEVELS.iter().flat_map(|level| level.iter()).any(|known| *known == module), "{module} has no level");
    }
}

#[test]
fn each_driver_stays_behind_its_fence() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let name = path.to_str().unwrap();
        for (driver, places) in FENCES {
            if names(&text, driver) && !places.iter().any(|place| name.starts_with(place)) {
                broken.push(format!("{name} names {driver}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// A pool may stand between: only the sessions' own folder talks to the driver's client, which would keep things in a connection.
#[test]
fn the_drivers_client_is_the_sessions_alone() {
    let mut broken = Vec::new();
    for (path, text) in sources() {
        let path = path.to_str().unwrap();
        let in_target = path.starts_with("src/target/") && !path.starts_with("src/target/session/");
        let imports = text.lines().filter(|line| line.contains("tokio_postgres::"));
        let named = imports.flat_map(|line| ["Client", "GenericClient", "Transaction", "Statement"].map(|name| (line, name)));
        broken.extend(named.filter(|(line, name)| in_target && names(line, name)).map(|(_, name)| format!("{path} names {name}")));
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_file_says_what_it_owns() {
    let silent: Vec<_> = sources().into_iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "without a module doc: {silent:?}");
}

#[test]
fn binaries_are_a_screen_long_at_most() {
    for (path, text) in sources().into_iter().filter(|(path, _)| path.starts_with("src/bin")) {
        assert!(text.lines().count() <= 60, "{}", path.display());
    }
}

/// Whether a crate or path is used in code; comments and texts do not count.
fn names(text: &str, what: &str) -> bool {
    let apart = |c: Option<char>| c.is_none_or(|c| !(c.is_alphanumeric() || c == '_'));
    text.lines().flat_map(code_of).any(|code| {
        code.match_indices(what).any(|(at, _)| apart(code[..at].chars().next_back()) && apart(code[at + what.len()..].chars().next()))
    })
}

/// A line's parts outside of quotes, up to a comment.
fn code_of(line: &str) -> impl Iterator<Item = &str> {
    line.split("//").next().unwrap_or_default().split('"').step_by(2)
}

/// The top-level modules that a file names through `crate::`, groups included.
fn used_modules(text: &str) -> Vec<String> {
    let code: String = text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join(" ");
    let mut used = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => used.extend(group.split('}').next().unwrap_or_default().split(',').map(first_word)),
            None => used.push(first_word(rest)),
        }
    }
    used
}

fn first_word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn module_of(path: &Path) -> String {
    let part = path.components().nth(1).unwrap().as_os_str().to_str().unwrap();
    part.trim_end_matches(".rs").to_owned()
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.strip_prefix(root()).unwrap().to_owned(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.len() > 20, "the sources are read");
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
