//! The fields of an event.

use super::{agree, code, is_field, source, table};
use crate::request::Mode;

const FIELDS: [(&str, &str, &str); 11] = [
    ("mode", "text", "What to do"),
    ("tables", "array, or one text with commas", "Which tables, in this order; default: `default_sync_order`"),
    ("table_name", "text", "The table of `single_sync`"),
    ("table", "text", "The same"),
    ("dry_run", "true or false", "Count both sides, write nothing"),
    ("allow_shrink", "true or false", "Publish although `min_rows` or `max_shrink` would refuse"),
    ("accept_drift", "true or false", "Go on although columns of the source have changed since the last successful run"),
    ("reset", "array, or one text with commas", "Incremental tables whose watermark is forgotten: all their rows are brought again"),
    ("sample", "number above 0, up to 1", "The share of rows that `verify` compares"),
    ("full", "true or false", "`verify` compares every row of large tables, too"),
    ("trigger", "text", "`schedule` marks a scheduled invocation without an envelope: its failure is a function error"),
];

pub(super) fn section() -> String {
    let text = source("src/lambda/event.rs");
    let (_, list) = text.split_once("const FIELDS").unwrap();
    let there = list.split(';').nth(1).unwrap().split('"').filter(|name| is_field(name)).map(str::to_owned).collect();
    agree("fields of an event", FIELDS.iter().map(|(name, ..)| (*name).to_owned()).collect(), there);
    let rows = FIELDS.iter().map(|(name, kind, meaning)| [code(name), (*kind).to_owned(), (*meaning).to_owned()]);
    let modes = Mode::ALL.map(|mode| code(mode.name())).join(", ");
    let table = table(["field", "type", "meaning"], rows);
    format!(
        "A JSON object; every field may be left out or null. Modes: {modes}; `{}` is the default. An EventBridge event holds the fields in its `detail`.\n\n{table}",
        Mode::default()
    )
}
