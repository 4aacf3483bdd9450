//! A wrong configuration or request: what is wrong is named with its place, nothing is connected, the exit code is 2.

use serde_json::{Value, json};

use crate::support::site::Site;
use crate::support::source::Source;

/// An installation whose servers are a listener that counts who comes.
async fn site() -> Site {
    let mut site = Site::over(Source::nowhere().await).await;
    let port = site.source.port().to_string();
    site.set("PG_HOST", "127.0.0.1").set("PG_PORT", &port);
    site
}

async fn assert_refused(site: &Site, args: &[&str], named: &[&str]) {
    let body = site.json(args).await;
    assert_eq!((body.code, &body["success"]), (Some(2), &json!(false)), "{args:?}: {body}");
    let error = body["error"].as_str().unwrap();
    for text in named {
        assert!(error.contains(text), "{error:?} should say {text:?}");
    }
    assert_eq!(site.source.logins(), 0, "{args:?}: nothing is connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_json_is_named_with_its_line() {
    let mut site = site().await;
    site.config = Value::from("{\n  \"tables\": {\n    \"customer\": {,}\n  }\n}\n");
    assert_refused(&site, &["multi_sync"], &["table_configs.json, line 3:"]).await;
    assert_refused(&site, &["config", "check"], &["table_configs.json, line 3:"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_field_is_named_with_file_line_and_path_and_the_nearest_valid_name() {
    // Where the parser finds it, the line is that of the third column's text; the other rules know the path.
    let cases: &[(&str, Value, &str, &[&str])] = &[
        ("/tables/customer/colums", json!(["CD"]), "colums", &["tables.customer", "colums", "\"columns\""]),
        ("/tables/customer/batch_size", json!("many"), "many", &["tables.customer.batch_size"]),
        ("/defaults/refesh", json!("merge"), "refesh", &["defaults", "refesh", "\"refresh\""]),
        ("/defaults/refresh", json!("swop"), "", &["refresh", "swap"]),
        ("/defaults/refresh", json!("merg"), "", &["refresh", "merge"]),
        ("/tables/customer/pg_columns", json!(["cd"]), "", &["tables.customer", "columns", "pg_columns"]),
        ("/tables/customer/primary_key", json!("Key"), "", &["tables.customer", "Key"]),
        ("/tables/customer/sql_table", json!("a.b.c.d"), "", &["tables.customer.sql_table", "a.b.c.d"]),
        ("/tables/customer/max_shrink", json!(1.5), "", &["tables.customer.max_shrink"]),
        ("/tables/mctm_module/pg_table", json!("mctm_customer"), "", &["mctm_customer", "customer", "mctm_module"]),
        ("/default_sync_order", json!(["customer", "nobody"]), "", &["default_sync_order", "nobody"]),
    ];
    for (pointer, value, on_line, named) in cases {
        let mut site = site().await;
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        let parent = if parent.is_empty() { Some(&mut site.config) } else { site.config.pointer_mut(parent) };
        parent.unwrap()[field] = value.clone();
        let text = serde_json::to_string_pretty(&site.config).unwrap();
        let line = text.lines().position(|line| !on_line.is_empty() && line.contains(on_line));
        let place = line.map_or("table_configs.json".to_owned(), |line| format!("table_configs.json, line {}:", line + 1));
        assert_refused(&site, &["multi_sync"], &[&[place.as_str()], *named].concat()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_variables_are_named_all_at_once() {
    let mut site = site().await;
    for variable in ["SQL_SERVER_MCTM_HOST", "SQL_SERVER_MCTM_USER"] {
        site.unset(variable);
    }
    assert_refused(&site, &["multi_sync"], &["SQL_SERVER_MCTM_HOST", "SQL_SERVER_MCTM_USER"]).await;
    site.unset("PG_DB").unset("PG_USER");
    assert_refused(&site, &["multi_sync", "--tables=voipdb_customer"], &["PG_DB", "PG_USER"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_variables_are_named_with_what_was_expected() {
    for (variable, value) in [
        ("PG_PORT", "five"),
        ("PG_SSLMODE", "verify"),
        ("SQL_SERVER_MCTM_ENCRYPT", "yes please"),
        ("SQL_SERVER_MCTM_PORT", "99999"),
        ("MAX_PARALLEL_TABLES", "0"),
        ("FAIL_ON", "sometimes"),
        ("DEADLINE_MARGIN", "soon"),
    ] {
        let mut site = site().await;
        site.set(variable, value);
        assert_refused(&site, &["multi_sync"], &[variable]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_request_is_answered_as_the_lambda_answers_it() {
    let site = site().await;
    assert_refused(&site, &["multi_sync", "--tables=custmer"], &["custmer", "customer"]).await;
    let body = site.json(&["multi_sync", "--tables=custmer"]).await;
    assert_eq!(body["available_tables"].as_array().unwrap().len(), 4, "{body}");
    assert_refused(&site, &["single_sync"], &["table"]).await;
    let body = site.json(&["sync_everything"]).await;
    assert_eq!((body.code, &body["mode"]), (Some(2), &json!("sync_everything")), "{body}");
    assert!(body["valid_modes"].as_array().is_some_and(|modes| modes.contains(&json!("multi_sync"))), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn config_check_connects_to_nothing_and_shows_no_secret() {
    let site = site().await;
    let finished = site.run(&["config", "check"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.stdout.contains("127.0.0.1"), "{finished:?}");
    assert_eq!(site.source.logins(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_env_file_fills_what_is_unset_and_overrides_nothing() {
    let mut site = site().await;
    std::fs::write(site.dir().join(".env"), "PG_USER=from_file\nPG_DB=from_file\n").unwrap();
    site.unset("PG_USER").set("PG_DB", "from_environment");
    let finished = site.run(&["config", "check"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.stdout.contains("from_environment"), "{finished:?}");
    assert_eq!(finished.stdout.matches("from_file").count(), 1, "{finished:?}");
}
