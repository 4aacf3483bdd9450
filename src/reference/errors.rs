//! The error codes, from the doc comments of the kinds and from what reports call a failure.

use super::{agree, code, quoted_after, source, sources, table};

/// Codes that are no kind of error.
const OTHERS: [(&str, &str); 4] = [
    ("RequestError", "The request is wrong in itself: mode, table or a field's type; nothing was begun."),
    ("TablesFailedError", "Several tables failed, for different reasons; the message names each."),
    ("ConnectionTestError", "`multi_test`: a table could not be reached or counted on one side."),
    ("DifferenceError", "`verify`: source and target differ."),
];

pub(super) fn section() -> String {
    let is_code = |name: &str| name.ends_with("Error") && name.chars().all(|c| c.is_ascii_alphabetic());
    let there = sources("src/report").iter().chain(&sources("src/lambda")).flat_map(|text| quoted_after(text, "\"", is_code)).collect();
    agree("error codes of reports", OTHERS.iter().map(|(name, _)| (*name).to_owned()).collect(), there);
    let rows = kinds().into_iter().chain(OTHERS.map(|(name, meaning)| (name.to_owned(), meaning.to_owned())));
    let rows: Vec<_> = rows.map(|(name, meaning)| [code(&name), meaning]).collect();
    let operations = source("docs/OPERATIONS.md");
    for [name, _] in &rows {
        assert!(operations.contains(name), "docs/OPERATIONS.md says what to do about {name}");
    }
    format!("A function error's `errorType`, and `kind` in the log.\n\n{}", table(["code", "meaning"], rows))
}

/// Each kind's stable name, and its doc comment.
fn kinds() -> Vec<(String, String)> {
    let text = source("src/error.rs");
    let (_, rest) = text.split_once("pub enum ErrorKind {").unwrap();
    let (variants, rest) = rest.split_once("\n}").unwrap();
    let mut kinds = Vec::new();
    let mut meaning = Vec::new();
    for line in variants.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match line.strip_prefix("/// ") {
            Some(doc) => meaning.push(doc),
            None => {
                let variant = line.trim_end_matches(',');
                let name = quoted_after(rest, &format!("ErrorKind::{variant} => \""), |_| true).remove(0);
                kinds.push((name, std::mem::take(&mut meaning).join(" ")));
            }
        }
    }
    assert!(kinds.len() > 10, "the kinds are found");
    kinds
}
