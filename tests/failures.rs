//! What a failure leaves behind: a named error, the target as it was, the other tables done.

use serde_json::{Value as Json, json};
use std::time::Duration;

use crate::support::body::Body;
use crate::support::site::{FOUR_TABLES, Site};
use crate::support::source::{Fault, Planted, Source, Value, error_after};

const ROWS: u64 = 1_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_dies_after_half_the_rows_fails_its_table_alone() {
    source_fails_midway(Fault::CutAfterRows(ROWS / 2), &["connection"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_ends_in_an_error_after_half_the_rows_fails_its_table_alone() {
    source_fails_midway(error_after(ROWS / 2, 1205, 13, "Transaction was chosen as the deadlock victim."), &["1205", "victim"]).await;
    source_fails_midway(error_after(ROWS / 2, 601, 12, "Could not continue scan with NOLOCK due to data movement."), &["601"]).await;
}

async fn source_fails_midway(fault: Fault, named: &[&str]) {
    let mut site = Site::over(Source::sample(ROWS).await).await;
    site.set("MAX_RETRIES", "0").source.fault("customer", fault.clone());
    only_one_table_fails(&site, "customer", named).await;
    site.source.clear_faults("customer");
    site.sync().await;
    // And the same over a target that has rows, with changes on their way.
    site.source.change("customer", 10.0);
    site.source.fault("customer", fault);
    only_one_table_fails(&site, "customer", named).await;
}

/// `multi_sync` as command and as Lambda: `table` fails with an error that says all of `named`, its target is as it was, the others are done.
async fn only_one_table_fails(site: &Site, table: &str, named: &[&str]) {
    let target = FOUR_TABLES.iter().find(|(name, _)| *name == table).unwrap().1;
    let before = checksum(site, target).await;
    let command = site.json(&["multi_sync"]).await;
    assert_eq!(command.code, Some(1), "{command}");
    let mut function = site.deploy().await;
    let lambda = Body::in_envelope(&function.invoke("{}", Duration::from_secs(60)).await);
    assert_eq!(lambda.status, Some(500), "{lambda}");
    for body in [command, lambda] {
        let error = body.error_of(table);
        for text in named {
            assert!(error.contains(text), "{error:?} should say {text:?}");
        }
        assert_eq!([&body["processed_tables"], &body["successful_tables"], &body["failed_tables"]], [4, 3, 1], "{body}");
        for (name, _) in FOUR_TABLES.iter().filter(|(name, _)| *name != table) {
            body.counts(name);
        }
    }
    assert_eq!(checksum(site, target).await, before);
    let failed = format!("SELECT outcome FROM tablesync.runs WHERE table_name = '{table}' ORDER BY started_at DESC LIMIT 1");
    assert_eq!(site.db.value(&failed).await, "failed");
}

async fn checksum(site: &Site, target: &str) -> String {
    match site.db.value(&format!("SELECT to_regclass('{target}')::text")).await.as_str() {
        "" => "missing".to_owned(),
        _ => site.db.checksum(target).await,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_of_one_source_fails_its_tables_alone() {
    let mut site = Site::over(Source::sample(100).await).await;
    site.set("SQL_SERVER_VOIPDB_PASSWORD", "wrong-password");
    let body = site.json(&["multi_sync"]).await;
    assert_eq!((body.code, &body["failed_tables"]), (Some(1), &json!(2)), "{body}");
    for table in ["voipdb_customer", "voipdb_useragent"] {
        let error = body.error_of(table);
        assert!(error.contains("18456") && error.contains("Login failed"), "{error}");
        assert!(!error.contains("wrong-password"));
    }
    body.counts("customer");
    body.counts("mctm_module");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_of_the_target_fails_every_table_and_reads_nothing() {
    let mut site = Site::over(Source::sample(100).await).await;
    site.set("PG_PASSWORD", "wrong-password");
    let body = site.json(&["multi_sync"]).await;
    assert_eq!((body.code, &body["failed_tables"]), (Some(1), &json!(4)), "{body}");
    for (table, _) in FOUR_TABLES {
        let error = body.error_of(table);
        assert!(error.contains("password authentication failed") && error.contains("sync"), "{error}");
    }
    assert_eq!(site.source.rows_sent(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_named_with_its_variables() {
    let mut site = Site::over(Source::sample(10).await).await;
    site.keep(&["customer"]).set("MAX_RETRIES", "0").set("SQL_SERVER_MCTM_PORT", "1");
    let body = site.json(&["multi_sync"]).await;
    assert!(body.error_of("customer").contains("127.0.0.1"), "{body}");
    site.set("PG_PORT", "1");
    let body = site.json(&["multi_sync"]).await;
    assert!(body.error_of("customer").contains("127.0.0.1"), "{body}");
}

/// Each pair: what is wrong with the second of three tables, and what its error must say.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_by_name_and_the_others_are_done() {
    let columns = &[("Id", "int"), ("Name", "nvarchar(50)")];
    let row = |id: Value, name: &str| vec![id, Value::text(name)];
    let rows = vec![row(Value::Int(1), "a"), row(Value::Int(2), "b")];
    let fine = Planted::new("Odd", columns, 1).rows(rows.clone());
    let keyless = |rows| Planted::new("Odd", columns, 0).rows(rows);
    let cases: Vec<(Planted, &str, Json, &[&str])> = vec![
        (fine.clone().named("Elsewhere"), "CREATE TABLE odd (id integer, name text)", json!({}), &["Odd"]),
        (fine.clone(), "", json!({"columns": ["Id", "Nmae"]}), &["Nmae"]),
        (fine.clone(), "CREATE TABLE odd (id integer)", json!({}), &["name"]),
        (fine.clone(), "CREATE TABLE odd (id integer, name text, extra integer NOT NULL)", json!({}), &["extra"]),
        (fine.clone(), "CREATE TABLE odd (id integer, name bytea)", json!({}), &["name", "bytea", "nvarchar"]),
        (fine.clone(), "CREATE TABLE odd (id smallint, name boolean)", json!({}), &["name", "boolean"]),
        (fine.clone(), "CREATE VIEW odd AS SELECT 1 AS id, 'x' AS name", json!({}), &["not a table"]),
        (fine.clone(), "", json!({"create_tables": false}), &["odd", "create_tables"]),
        (
            keyless(vec![row(Value::Int(7), "a"), row(Value::Int(7), "b"), row(Value::Int(8), "c")]),
            "",
            json!({"primary_key": "Id"}),
            &["not unique", "7", "id"],
        ),
        (keyless(vec![row(Value::Null, "a"), row(Value::Int(1), "b")]), "", json!({"primary_key": "Id"}), &["NULL (1 row)", "id"]),
        (
            Planted::new("Odd", columns, 1).rows(vec![row(Value::Int(1), "ok"), row(Value::Int(2), "much too long")]),
            "CREATE TABLE odd (id integer PRIMARY KEY, name varchar(5))",
            json!({}),
            &["Name", "Id=2", "13 characters"],
        ),
        (Planted::new("Odd", columns, 1).rows(vec![row(Value::Int(1), "ok"), row(Value::Int(2), "n\0ul")]), "", json!({}), &["Name", "2"]),
    ];
    for (odd, target, options, named) in cases {
        let [first, last] = ["First", "Last"].map(|name| Planted::new(name, columns, 1).rows(rows.clone()));
        let mut site = Site::planted(vec![first, odd, last], json!({})).await;
        site.configure("odd", "dbo.Odd", &options);
        if !target.is_empty() {
            site.db.execute(&format!("SET ROLE sync; {target}; RESET ROLE")).await;
        }
        let body = site.json(&["multi_sync"]).await;
        assert_eq!((body.code, &body["failed_tables"]), (Some(1), &json!(1)), "{named:?}: {body}");
        let error = body.error_of("odd");
        for text in named {
            assert!(error.contains(text), "{error:?} should say {text:?}");
        }
        for table in ["first", "last"] {
            assert_eq!(body.counts(table), [2, 2, 0, 0, 0]);
        }
        if target.starts_with("CREATE TABLE") {
            assert_eq!(site.db.value("SELECT count(*) FROM odd").await, "0", "{named:?}");
        } else if target.is_empty() {
            assert_eq!(site.db.value("SELECT to_regclass('odd') IS NULL").await, "t", "{named:?}: nothing is left behind");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_schema_that_may_not_be_made_is_answered_with_the_grants() {
    let mut site = Site::over(Source::sample(10).await).await;
    site.set("STATE_SCHEMA", "elsewhere");
    site.db.execute(&format!("ALTER DATABASE {} OWNER TO postgres; GRANT CREATE ON SCHEMA public TO sync", site.db.name)).await;
    let body = site.json(&["multi_sync"]).await;
    assert_eq!(body.code, Some(1), "{body}");
    assert!(body.error_of("customer").contains("GRANT"), "{body}");
    site.db.execute("CREATE SCHEMA elsewhere; GRANT USAGE, CREATE ON SCHEMA elsewhere TO sync").await;
    site.sync().await;
    assert_eq!(site.db.value("SELECT count(*) FROM elsewhere.runs WHERE outcome = 'succeeded'").await, "4");
}
