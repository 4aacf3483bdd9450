//! The modes that write nothing, and what the command line shows a person.

use serde_json::json;

use crate::support::site::{FOUR_TABLES, Site};
use crate::support::source::Source;

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_writes_nothing() {
    let site = Site::over(Source::sample(100).await).await;
    let everything = "SELECT string_agg(nspname || '.' || relname, ' ' ORDER BY 1) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
        WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'";
    let body = site.json(&["multi_sync", "--dry-run"]).await;
    assert_eq!((body.code, &body["dry_run"], &body["total_transferred"]), (Some(0), &json!(true), &json!(0)), "{body}");
    for (table, _) in FOUR_TABLES {
        let table = body.table(table);
        assert_eq!([&table["source_rows"], &table["target_rows"], &table["refresh"]], [&json!(100), &json!(null), &json!("straight")]);
    }
    assert_eq!(site.db.value(everything).await, "");
    assert_eq!(site.db.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'tablesync'").await, "0");

    site.sync().await;
    let before = (site.db.value(everything).await, site.db.value("SELECT count(*) FROM tablesync.runs").await);
    site.source.change("customer", 50.0);
    let unchanged = site.db.checksum("mctm_customer").await;
    let body = site.json(&["single_sync", "--table=customer", "--dry-run"]).await;
    assert_eq!([&body["source_rows"], &body["target_rows"], &body["refresh"]], [&json!(100), &json!(100), &json!("merge")], "{body}");
    assert_eq!((site.db.value(everything).await, site.db.value("SELECT count(*) FROM tablesync.runs").await), before);
    assert_eq!(site.db.checksum("mctm_customer").await, unchanged);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_login_goes_to_sql_server_db_where_the_variable_is_not_set() {
    let mut site = Site::over(Source::sample(10).await).await;
    site.keep(&["customer"]).unset("SQL_SERVER_MCTM_DB");
    site.config["tables"]["customer"]["sql_table"] = json!("dbo.Customer");
    assert_eq!(site.sync().await.counts("customer"), [10, 10, 0, 0, 0]);
    let info = site.json(&["info"]).await;
    assert_eq!(info["table_details"][0]["sql_server_db"], "McTM", "{info}");

    site.config["tables"]["customer"]["sql_server_db"] = json!("Nope");
    let refused = site.json(&["multi_sync"]).await;
    assert!(refused.error_of("customer").contains("Nope"), "{refused}");

    site.set("SQL_SERVER_MCTM_DB", "McTM");
    site.sync().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn info_counts_columns_at_the_source_and_describes_every_table_whatever_is_asked() {
    let mut site = Site::over(Source::sample(10).await).await;
    site.keep(&["customer"]);
    site.config["tables"]["customer"].as_object_mut().unwrap().retain(|field, _| !field.contains("columns"));
    let info = site.json(&["info"]).await;
    assert_eq!(info["table_details"][0]["column_count"], 7, "{info}");

    let one = site.config["tables"]["customer"].clone();
    for number in 0..30 {
        let mut another = one.clone();
        another["pg_table"] = json!(format!("copy_{number}"));
        site.config["tables"][format!("copy_{number}")] = another;
    }
    let before = site.source.logins();
    let info = site.json(&["info"]).await;
    assert!(info["table_details"].as_array().unwrap().iter().all(|table| table["column_count"] == 7), "{info}");
    assert_eq!(site.source.logins() - before, 1, "one login for all tables of a source");

    site.set("SQL_SERVER_MCTM_PORT", "1");
    let info = site.json(&["info"]).await;
    assert_eq!((info.code, &info["table_details"][0]["column_count"]), (Some(0), &json!(null)), "{info}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_is_a_variable_too() {
    let mut site = Site::over(Source::sample(10).await).await;
    let body = site.set("DRY_RUN", "true").json(&["multi_sync"]).await;
    assert_eq!((body.code, &body["dry_run"]), (Some(0), &json!(true)), "{body}");
    assert_eq!(site.db.value("SELECT count(*) FROM pg_tables WHERE schemaname IN ('public', 'tablesync')").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn multi_test_logs_in_once_per_source_and_says_which_side_fails() {
    let mut site = Site::over(Source::sample(10).await).await;
    let body = site.json(&["multi_test"]).await;
    assert_eq!((body.code, &body["successful_connections"]), (Some(0), &json!(4)), "{body}");
    assert_eq!(body.table("customer")["target_missing"], true, "{body}");
    assert_eq!(site.source.logins(), 2, "one login per source");

    site.set("SQL_SERVER_MCTM_PASSWORD", "wrong-password");
    let body = site.json(&["multi_test"]).await;
    assert_eq!((body.code, &body["failed_connections"]), (Some(1), &json!(2)), "{body}");
    let [customer, voip] = ["customer", "voipdb_customer"].map(|table| body.table(table));
    assert_eq!([&customer["sql_server_success"], &customer["postgresql_success"], &customer["overall_success"]], [false, true, false]);
    assert!(customer["error"].as_str().unwrap().contains("18456"), "{body}");
    assert_eq!([&voip["sql_server_success"], &voip["overall_success"]], [true, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn info_knows_the_last_run_and_answers_without_any_server() {
    let mut site = Site::over(Source::sample(10).await).await;
    let never = site.json(&["info"]).await;
    assert!(never["table_details"][0]["last_sync"].is_null(), "{never}");
    site.sync().await;
    let body = site.json(&["info"]).await;
    let last = &body["table_details"][0]["last_sync"];
    assert_eq!([&last["outcome"], &last["rows"]], [&json!("succeeded"), &json!(10)], "{body}");
    assert!(last["at"].as_str().unwrap().ends_with('Z'));
    site.set("PG_PORT", "1");
    let alone = site.json(&["info"]).await;
    assert_eq!((alone.code, &alone["table_details"][0]["last_sync"]), (Some(0), &json!(null)), "{alone}");
    for variable in ["PG_HOST", "PG_DB", "PG_USER", "SQL_SERVER_MCTM_HOST"] {
        site.unset(variable);
    }
    assert_eq!(site.json(&["info"]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_progress_on_standard_error_and_a_summary_on_standard_output() {
    let site = Site::over(Source::sample(100).await).await;
    let finished = site.run(&["multi_sync"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    for (table, _) in FOUR_TABLES {
        assert!(finished.stdout.contains(table) && finished.stderr.contains(table), "{finished:?}");
    }
    assert!(finished.stdout.contains("100"), "{finished:?}");
    assert!(!finished.stdout.contains('\u{1b}') && !finished.stderr.contains('\u{1b}'), "no colours and bars where there is no terminal");
}

#[tokio::test(flavor = "multi_thread")]
async fn warnings_stand_in_the_body_and_not_among_the_results() {
    let site = Site::over(Source::sample(10).await).await;
    site.db.execute("SET ROLE sync; CREATE TABLE mctm_customer (cd text, name text, nameyomi text, dairiten_id bigint, creationtime timestamp, modifiedtime timestamp, note text); RESET ROLE").await;
    let body = site.sync().await;
    let warnings = body["warnings"].to_string();
    assert!(warnings.contains("customer") && warnings.contains("unique"), "a target without a unique key is warned about: {body}");
}
