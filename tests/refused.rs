//! A publish that is refused leaves the target as it was and the rows to look at, and says how to force it.

use std::time::Duration;

use serde_json::json;

use crate::support::body::Body;
use crate::support::site::Site;
use crate::support::source::{Planted, Value};

const WAYS: [&str; 3] = ["merge", "replace", "truncate"];

#[tokio::test(flavor = "multi_thread")]
async fn a_guard_refuses_every_way_keeps_the_rows_until_the_next_run_and_can_be_overruled() {
    for refresh in WAYS {
        for (guard, value, says) in [
            ("min_rows", json!(5), "the source delivers 4 rows and min_rows is 5"),
            ("max_shrink", json!(0.3), "6 of 10 rows would vanish from the target and max_shrink is 0.3"),
        ] {
            let mut site = people((1..=10).map(|id| person(id, "x")).collect()).await;
            site.default("refresh", json!(refresh)).default(guard, value);
            fill(&site, 10).await;
            site.source.replace_rows("People", (1..=4).map(|id| person(id, "x")).collect());
            let before = site.db.checksum("people").await;

            let refused = refused(&site).await;
            let error = refused.error_of("people");
            assert!(error.contains(says) && error.contains("--allow-shrink") && error.contains("field allow_shrink"), "{error}");
            assert_eq!(refused.table("people")["attempts"], 1, "a refusal does not pass by itself: {refused}");
            assert_eq!(site.db.checksum("people").await, before);
            assert_eq!(rows_left(&site, error).await, "4");

            // The next run replaces them by its own.
            site.source.replace_rows("People", (1..=3).map(|id| person(id, "x")).collect());
            let again = self::refused(&site).await;
            assert_eq!(rows_left(&site, again.error_of("people")).await, "3");
            assert!(!again["warnings"].to_string().contains("ended without a word"), "what it replaces is no dead run's: {again}");

            let forced = site.json(&["multi_sync", "--allow-shrink"]).await;
            assert_eq!((forced.code, &forced.table("people")["validation_passed"]), (Some(0), &json!(true)), "{forced}");
            assert_eq!(site.db.value("SELECT count(*) FROM people").await, "3", "{refresh} {guard}");
            assert_eq!(staging_tables(&site).await, "0");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_may_overrule_a_guard() {
    let mut site = people(vec![person(1, "x")]).await;
    site.default("max_shrink", json!(0.5));
    fill(&site, 10).await;
    let mut function = site.deploy().await;
    let refused = Body::in_envelope(&function.invoke("{}", Duration::from_secs(60)).await);
    assert_eq!(refused.status, Some(500), "{refused}");
    assert_eq!(rows_left(&site, refused.error_of("people")).await, "1");
    let forced = Body::in_envelope(&function.invoke(r#"{"allow_shrink": true}"#, Duration::from_secs(60)).await);
    assert_eq!(forced.counts("people"), [1, 0, 0, 9, 1]);
    assert_eq!(staging_tables(&site).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_suddenly_empty_is_refused_where_it_is_guarded_and_else_told() {
    let mut site = people(Vec::new()).await;
    fill(&site, 1_000).await;
    site.default("max_shrink", json!(0.9));
    assert!(refused(&site).await.error_of("people").contains("1000 of 1000 rows would vanish"));
    assert_eq!(site.db.value("SELECT count(*) FROM people").await, "1000");
    site.config["defaults"].as_object_mut().unwrap().remove("max_shrink");
    let told = site.sync().await;
    assert_eq!(told.counts("people"), [0, 0, 0, 1_000, 0]);
    assert!(told["warnings"].to_string().contains("1000 of 1000 rows vanished from the target"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_load_of_too_few_rows_is_refused_and_the_table_is_not_made() {
    let mut site = people(vec![person(1, "x")]).await;
    site.default("min_rows", json!(2));
    let refused = refused(&site).await;
    let error = refused.error_of("people");
    assert!(error.contains("min_rows is 2") && !error.contains("stand in"), "nothing was staged: {error}");
    assert_eq!(site.db.value("SELECT to_regclass('people') IS NULL").await, "t");
    assert_eq!(site.json(&["multi_sync", "--allow-shrink"]).await.counts("people"), [1, 1, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_keys_can_be_looked_at_where_they_stand() {
    // NULL can be no part of the source's own key.
    let table = Planted::new("People", &[("Id", "int"), ("Name", "nvarchar(50)")], 0);
    let rows = vec![person(1, "a"), person(1, "b"), vec![Value::Null, Value::text("c")], person(2, "d")];
    let site = Site::planted(vec![table.rows(rows)], json!({"primary_key": "Id"})).await;
    for filled in [0, 3] {
        site.db.execute("DROP TABLE IF EXISTS people").await;
        fill(&site, filled).await;
        let before = site.db.checksum("people").await;
        let refused = refused(&site).await;
        let error = refused.error_of("people");
        assert!(error.contains(": 1 (2 rows); NULL (1 row)"), "{error}");
        assert_eq!(rows_left(&site, error).await, "4");
        assert_eq!(site.db.checksum("people").await, before);
    }
    site.source.replace_rows("People", vec![person(1, "a"), person(2, "d")]);
    site.db.execute("TRUNCATE people").await;
    assert_eq!(site.sync().await.table("people")["refresh"], "straight");
    assert_eq!(staging_tables(&site).await, "0", "a run that stages nothing removes what was left");
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_that_disagree_are_refused_and_every_failure_else_leaves_nothing() {
    let site = people(vec![person(1, "Ann"), person(2, "Bob")]).await;
    fill(&site, 2).await;
    let swallow = "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
        CREATE TRIGGER swallow BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION swallow()";
    site.db.execute(swallow).await;
    let refused = refused(&site).await;
    assert_eq!(rows_left(&site, refused.error_of("people")).await, "2");
    site.db.execute("DROP TRIGGER swallow ON people; ALTER TABLE people ADD CHECK (name <> 'Bob') NOT VALID").await;
    let failed = self::refused(&site).await;
    assert!(failed.error_of("people").contains("people_name_check"), "{failed}");
    assert_eq!(staging_tables(&site).await, "0");
}

/// How many rows stand in the table that the error names.
async fn rows_left(site: &Site, error: &str) -> String {
    let named = error.split_once("the rows that were read stand in ").unwrap_or_else(|| panic!("{error}")).1;
    let table = named.split_once(" until the next run").unwrap().0;
    site.db.value(&format!("SELECT count(*) FROM {table}")).await
}

async fn staging_tables(site: &Site) -> String {
    site.db.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'tablesync' AND tablename ~ '^(staging|difference)'").await
}

/// A run whose only table fails.
async fn refused(site: &Site) -> Body {
    let body = site.json(&["multi_sync"]).await;
    assert_eq!(body.code, Some(1), "{body}");
    body
}

/// A site with `People` at the source.
async fn people(rows: Vec<Vec<Value>>) -> Site {
    let table = Planted::new("People", &[("Id", "int"), ("Name", "nvarchar(50)")], 1);
    Site::planted(vec![table.rows(rows)], json!({})).await
}

/// Makes the target, with so many rows.
async fn fill(site: &Site, rows: u32) {
    let sql = format!(
        "SET ROLE sync; CREATE TABLE people (id integer PRIMARY KEY, name varchar(50)); \
         INSERT INTO people SELECT n, 'x' FROM generate_series(1, {rows}) AS n; RESET ROLE"
    );
    site.db.execute(&sql).await;
}

fn person(id: i64, name: &str) -> Vec<Value> {
    vec![Value::Int(id), Value::text(name)]
}
