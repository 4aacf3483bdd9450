//! `docs/REFERENCE.md`, made from the code: its doc comments, its definitions of arguments, and the names that it reads and writes. A test holds the
//! page to it; `UPDATE_REFERENCE=1 cargo test reference` writes it anew.

mod bodies;
mod configuration;
mod errors;
mod events;
mod template;
mod variables;

use std::fs;

use crate::config::Env;

const PAGE: &str = "docs/REFERENCE.md";
const HEAD: &str = "# Reference\n\nMade from the code by `UPDATE_REFERENCE=1 cargo test reference`; a test fails when it is not up to date. \
    The [README](../README.md) explains, [OPERATIONS](OPERATIONS.md) says what to do.\n";

/// A table in Markdown.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>().join(" | "));
    let mut text = line(&head.map(str::to_owned)) + &format!("|{}\n", "---|".repeat(N));
    text.extend(rows.into_iter().map(|row| line(&row)));
    text
}

/// Names as code.
pub(crate) fn code(name: &str) -> String {
    format!("`{name}`")
}

/// A source of the crate.
fn source(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The sources below a folder, without those of tests and without their tests.
fn sources(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_str().unwrap().to_owned();
        if path.is_dir() {
            found.extend(sources(&name));
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            found.push(source(&name).split("#[cfg(test)]").next().unwrap().to_owned());
        }
    }
    found
}

/// What stands between double quotes right after each `before`, where `wanted` holds for it.
fn quoted_after(text: &str, before: &str, wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let found = text.match_indices(before).filter_map(|(at, _)| text[at + before.len()..].split('"').next());
    found.filter(|name| wanted(name)).map(str::to_owned).collect()
}

fn is_variable(name: &str) -> bool {
    name.len() > 1 && name.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit())
}

fn is_field(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
}

/// Fails with what is described and not there, and what is there and not described.
fn agree(what: &str, mut described: Vec<String>, mut there: Vec<String>) {
    for names in [&mut described, &mut there] {
        names.sort();
        names.dedup();
    }
    let only = |names: &[String], others: &[String]| names.iter().filter(|name| !others.contains(name)).cloned().collect::<Vec<_>>();
    let (gone, new) = (only(&described, &there), only(&there, &described));
    assert!(
        gone.is_empty() && new.is_empty(),
        "{what}: {gone:?} are described and not in the code, {new:?} are in the code and not described"
    );
}

fn page() -> String {
    let sections = [
        ("Commands", crate::cli::reference::commands()),
        ("Exit codes", crate::cli::reference::exit_codes()),
        ("Variables", variables::section()),
        ("Table configuration", configuration::section()),
        ("Events", events::section()),
        ("Answers", bodies::section()),
        ("Error codes", errors::section()),
        ("Template parameters", template::section()),
    ];
    sections.iter().fold(HEAD.to_owned(), |page, (title, text)| format!("{page}\n## {title}\n\n{text}"))
}

#[test]
fn the_reference_is_up_to_date() {
    let page = page();
    if Env::from_process().unwrap_or_default().get("UPDATE_REFERENCE").is_some() {
        fs::write(PAGE, &page).unwrap();
    }
    let written = fs::read_to_string(PAGE).unwrap_or_default();
    let differing = page.lines().zip(written.lines().chain(std::iter::repeat(""))).find(|(made, stands)| made != stands);
    assert!(page == written, "run 'UPDATE_REFERENCE=1 cargo test reference'; the first line that differs: {differing:?}");
}
