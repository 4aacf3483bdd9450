//! Configurations: the error names the file and the field, nothing is connected, the exit code is 2.

use serde_json::{Value, json};

use super::Findings;
use crate::support::site::Site;
use crate::support::source::Source;

pub(super) const COUNT: fn() -> usize = || fields().len() + TEXTS.len();

/// Texts that are no configuration, and what the error says beside the file.
const TEXTS: &[(&str, &str)] = &[
    ("", "line 1"),
    ("{", "line 1"),
    ("[]", "object"),
    ("null", "object"),
    ("\"tables\"", "object"),
    ("{\"tables\": {}}", "tables"),
    ("{\"tables\": []}", "tables"),
    ("{}", "tables"),
    ("{\n\"tables\": {\"a\": {\"db_type\": \"x\", \"sql_table\": \"T\", \"pg_table\": \"t\",}}}", "line 2"),
    ("{\"tables\": {\"a\": {\"db_type\": \"x\", \"sql_table\": \"T\", \"pg_table\": \"t\"}}} trailing", "line 1"),
    (
        "{\"tables\": {\"a\": {\"db_type\": \"x\", \"sql_table\": \"T\", \"pg_table\": \"t\"}, \"a\": {\"db_type\": \"x\", \"sql_table\": \"T\", \"pg_table\": \"u\"}}}",
        "duplicate table",
    ),
    ("{\"tables\": {\"a\": {\"db_type\": \"x\", \"db_type\": \"y\", \"sql_table\": \"T\", \"pg_table\": \"t\"}}}", "duplicate field"),
    ("{\"tables\": {\"a\": {\"sql_table\": \"T\", \"pg_table\": \"t\"}}}", "db_type"),
    ("{\"tables\": {\"a\": {\"db_type\": \"x\", \"pg_table\": \"t\"}}}", "sql_table"),
    ("{\"tables\": {\"a\": {\"db_type\": \"x\", \"sql_table\": \"T\"}}}", "pg_table"),
    ("{\"tables\": {\"a\": [\"x\", \"T\", \"t\"]}}", "tables.a"),
    ("\u{FEFF}{\"tables\": {}}", "line 1"),
    ("{\"tables\": {\"a\": \"\\ud800\"}}", "line 1"),
];

/// Where a shipped configuration is changed, to what, and what the error says beside the file.
type Field = (&'static str, Value, &'static [&'static str]);

fn fields() -> Vec<Field> {
    vec![
        ("/tables/customer/colums", json!(["CD"]), &["tables.customer", "colums", "did you mean \"columns\""]),
        ("/tables/customer/batch_size", json!("many"), &["tables.customer.batch_size"]),
        ("/tables/customer/batch_size", json!(-1), &["tables.customer.batch_size"]),
        ("/tables/customer/batch_size", json!(0), &["tables.customer.batch_size", "from 1"]),
        ("/tables/customer/batch_size", json!(1.5), &["tables.customer.batch_size"]),
        ("/tables/customer/db_type", json!("mc tm"), &["tables.customer.db_type"]),
        ("/tables/customer/db_type", json!("1st"), &["tables.customer.db_type"]),
        ("/tables/customer/db_type", json!(null), &["tables.customer.db_type"]),
        ("/tables/customer/sql_table", json!("a.b.c.d"), &["tables.customer.sql_table", "a.b.c.d"]),
        ("/tables/customer/sql_table", json!("[a"), &["tables.customer.sql_table", "]"]),
        ("/tables/customer/sql_table", json!(""), &["tables.customer.sql_table"]),
        ("/tables/customer/pg_table", json!("a.b.c"), &["tables.customer.pg_table", "a.b.c"]),
        ("/tables/customer/pg_table", json!("x".repeat(64)), &["tables.customer.pg_table", "63 bytes"]),
        ("/tables/customer/pg_table", json!("\"a"), &["tables.customer.pg_table"]),
        ("/tables/customer/pg_columns", json!(["cd"]), &["tables.customer", "pg_columns"]),
        ("/tables/customer/pg_columns/0", json!("y".repeat(64)), &["tables.customer.pg_columns[0]", "63 bytes"]),
        ("/tables/customer/pg_columns/1", json!("cd"), &["tables.customer.pg_columns", "cd"]),
        ("/tables/customer/columns", json!([]), &["tables.customer"]),
        ("/tables/customer/columns", json!("CD"), &["tables.customer.columns"]),
        ("/tables/customer/columns/1", json!(7), &["tables.customer.columns[1]"]),
        ("/tables/customer/columns/1", json!("CD"), &["tables.customer.columns", "CD"]),
        ("/tables/customer/primary_key", json!("Key"), &["tables.customer", "Key"]),
        ("/tables/customer/columns/0", json!("Other"), &["tables.customer.primary_key", "CD"]),
        ("/tables/customer/primary_key", json!([]), &["tables.customer.primary_key"]),
        ("/tables/customer/primary_key", json!({"CD": 1}), &["tables.customer.primary_key"]),
        ("/tables/customer/order_by", json!(["CD", 1]), &["tables.customer.order_by"]),
        ("/tables/customer/max_shrink", json!(1.5), &["tables.customer.max_shrink", "0 to 1"]),
        ("/tables/customer/max_shrink", json!("half"), &["tables.customer.max_shrink"]),
        ("/tables/customer/min_rows", json!(-5), &["tables.customer.min_rows"]),
        ("/tables/customer/identifiers", json!("upper"), &["tables.customer.identifiers", "lower"]),
        ("/tables/customer/isolation", json!("serializable"), &["tables.customer.isolation", "snapshot"]),
        ("/tables/customer/on_submicrosecond", json!("cut"), &["on_submicrosecond", "truncate"]),
        ("/tables/customer/on_nul", json!("ignore"), &["on_nul", "strip"]),
        ("/tables/customer/on_bad_unicode", json!(true), &["on_bad_unicode"]),
        ("/tables/customer/on_bad_row", json!("skip"), &["on_bad_row", "quarantine"]),
        ("/tables/customer/quarantine_limit", json!("all"), &["quarantine_limit"]),
        ("/tables/customer/source_time_zone", json!("Tokyo"), &["source_time_zone", "Tokyo", "Asia/Tokyo"]),
        ("/tables/customer/on_drift", json!("maybe"), &["tables.customer.on_drift"]),
        ("/tables/customer/log_keys", json!("no"), &["tables.customer.log_keys"]),
        ("/tables/customer/create_tables", json!("yes"), &["create_tables"]),
        ("/tables/customer/keep_offset", json!(1), &["keep_offset"]),
        ("/defaults/refesh", json!("merge"), &["defaults", "did you mean \"refresh\""]),
        ("/defaults/refresh", json!("merg"), &["defaults.refresh", "did you mean \"merge\""]),
        ("/defaults/db_type", json!("mctm"), &["defaults", "db_type"]),
        ("/default_sync_order", json!(["customer", "nobody"]), &["default_sync_order", "nobody"]),
        ("/default_sync_order", json!(["customer", "customer"]), &["default_sync_order", "customer"]),
        ("/default_sync_order", json!("customer"), &["default_sync_order"]),
        ("/tables/mctm_module/pg_table", json!("mctm_customer"), &["mctm_customer", "customer", "mctm_module"]),
        ("/table", json!({}), &["table", "did you mean \"tables\""]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_configurations_are_named_with_file_and_field() {
    let mut site = Site::over(Source::nowhere().await).await;
    let port = site.source.port().to_string();
    site.set("PG_HOST", "127.0.0.1").set("PG_PORT", &port);
    let shipped = site.config.clone();
    let mut findings = Findings::default();
    let texts = TEXTS.iter().map(|(text, says)| (format!("{text:?}"), json!(text), vec![*says]));
    let fields = fields().into_iter().map(|(pointer, value, says)| {
        let mut config = shipped.clone();
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let parent = if parent.is_empty() { Some(&mut config) } else { config.pointer_mut(parent) };
        match (parent.unwrap(), field.parse::<usize>()) {
            (Value::Array(items), Ok(at)) => items[at] = value.clone(),
            (parent, _) => parent[field] = value.clone(),
        }
        (format!("{pointer} = {value}"), config, says.to_vec())
    });
    for (input, config, says) in texts.chain(fields) {
        site.config = config;
        let body = site.json(&["multi_sync"]).await;
        findings.ended_well(&input, &body, 2);
        findings.says(&input, body["error"].as_str().unwrap_or_default(), &[vec!["table_configs.json"], says].concat());
    }
    assert_eq!(site.source.logins(), 0, "nothing is connected");
    findings.none();
}
