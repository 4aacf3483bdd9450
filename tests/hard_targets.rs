//! Targets that would make a careless publish lose rows, hide them, or count wrong.

use serde_json::json;

use crate::support::body::Body;
use crate::support::site::Site;
use crate::support::source::{Planted, Value};

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_row_security_would_hide_fail_the_table_and_stay() {
    for refresh in ["merge", "replace", "truncate"] {
        let site = prepared(
            "CREATE TABLE people (id integer PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'Ann'), (9, 'hidden'); \
             ALTER TABLE people ENABLE ROW LEVEL SECURITY; CREATE POLICY visible ON people USING (id = 1); \
             GRANT ALL ON people TO sync",
            refresh,
        )
        .await;
        let body = refused(&site).await;
        assert!(body.error_of("people").contains("row-level security"), "{body}");
        assert_eq!(contents(&site).await, "1 Ann;9 hidden");
        assert!(!body.error_of("people").contains("hidden"), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partial_unique_index_is_no_key_and_duplicates_are_named() {
    let table = Planted::new("People", &[("Id", "int"), ("Name", "nvarchar(50)")], 0);
    let rows = vec![person(1, "Ann"), person(1, "Ann again"), person(2, "Bob")];
    let mut site = Site::planted(vec![table.rows(rows)], json!({"primary_key": "Id"})).await;
    site.default("refresh", json!("auto"));
    owned(&site, "CREATE TABLE people (id integer, name text); CREATE UNIQUE INDEX ON people (id) WHERE name = 'nobody'").await;
    let body = refused(&site).await;
    assert!(body.error_of("people").contains("1 (2 rows)"), "{body}");
    assert_eq!(contents(&site).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn null_keys_are_refused_even_where_a_unique_index_would_take_them() {
    let table = Planted::new("People", &[("Id", "int"), ("Name", "nvarchar(50)")], 0);
    let rows = vec![vec![Value::Null, Value::text("a")], vec![Value::Null, Value::text("b")]];
    let site = Site::planted(vec![table.rows(rows)], json!({"primary_key": "Id"})).await;
    owned(&site, "CREATE TABLE people (id integer UNIQUE, name text)").await;
    let body = refused(&site).await;
    assert!(body.error_of("people").contains("NULL (2 rows)"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_five_bad_keys_are_named_however_the_rows_would_have_come_in() {
    let table = || Planted::new("People", &[("Id", "int"), ("Name", "nvarchar(50)")], 0);
    let twice = (1..=7).flat_map(|id| [person(id, "a"), person(id, "b")]).chain([vec![Value::Null, Value::text("c")]]).collect::<Vec<_>>();
    for target in [
        "",
        "CREATE TABLE people (id integer PRIMARY KEY, name text)",
        "CREATE TABLE people (id integer PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'Old')",
    ] {
        let site = Site::planted(vec![table().rows(twice.clone())], json!({"primary_key": "Id"})).await;
        if !target.is_empty() {
            owned(&site, target).await;
        }
        let body = refused(&site).await;
        assert!(body.error_of("people").contains(": 1 (2 rows); 2 (2 rows); 3 (2 rows); 4 (2 rows); 5 (2 rows)"), "{target}: {body}");
        assert_eq!(body.table("people")["validation_passed"], json!(false));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_is_always_generated_takes_the_sources_value() {
    let table = Planted::new("People", &[("Name", "nvarchar(50)"), ("Id", "int")], 1);
    let row = |name: &str, id: i64| vec![Value::text(name), Value::Int(id)];
    let site = Site::planted(vec![table.rows(vec![row("Ann", 7), row("Bob", 8)])], json!({})).await;
    owned(&site, "CREATE TABLE people (name varchar(50) PRIMARY KEY, id integer GENERATED ALWAYS AS IDENTITY)").await;
    site.db.execute("INSERT INTO people OVERRIDING SYSTEM VALUE VALUES ('Ann', 5)").await;
    assert_eq!(site.sync().await.counts("people"), [2, 1, 1, 0, 0]);
    assert_eq!(contents(&site).await, "7 Ann;8 Bob");
    assert_eq!(site.sync().await.counts("people"), [2, 0, 0, 0, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn swapped_values_of_another_unique_constraint_are_merged() {
    let site = prepared(
        "CREATE TABLE people (id integer PRIMARY KEY, name text UNIQUE); INSERT INTO people VALUES (1, 'Bob'), (2, 'Ann'), (3, 'Eve')",
        "merge",
    )
    .await;
    assert_eq!(site.sync().await.counts("people"), [2, 0, 2, 1, 0]);
    assert_eq!(contents(&site).await, "1 Ann;2 Bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partitioned_target_is_merged_across_its_partitions() {
    let site = prepared(
        "CREATE TABLE people (id integer PRIMARY KEY, name text) PARTITION BY RANGE (id); \
         CREATE TABLE people_low PARTITION OF people FOR VALUES FROM (0) TO (2); \
         CREATE TABLE people_high PARTITION OF people FOR VALUES FROM (2) TO (100); \
         INSERT INTO people VALUES (1, 'Anna'), (2, 'Bob'), (50, 'Old')",
        "merge",
    )
    .await;
    assert_eq!(site.sync().await.counts("people"), [2, 0, 1, 1, 1]);
    assert_eq!(contents(&site).await, "1 Ann;2 Bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_that_swallows_rows_is_noticed() {
    let site = prepared(
        "CREATE TABLE people (id integer PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'Anna'), (2, 'Bob'); \
         CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; \
         CREATE TRIGGER swallow BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION swallow()",
        "merge",
    )
    .await;
    let body = refused(&site).await;
    assert!(body.error_of("people").contains("trigger"), "{body}");
    assert_eq!(body.table("people")["validation_passed"], json!(false));
    assert_eq!(contents(&site).await, "1 Anna;2 Bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn refreshes_that_would_reach_into_other_tables_are_refused_before_a_row_is_read() {
    for (refresh, reference) in [("replace", "ON DELETE CASCADE"), ("truncate", "")] {
        let site = prepared(
            &format!(
                "CREATE TABLE people (id integer PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'Old'); \
                 CREATE TABLE visits (person integer REFERENCES people (id) {reference}); INSERT INTO visits VALUES (1)"
            ),
            refresh,
        )
        .await;
        let body = refused(&site).await;
        assert!(body.error_of("people").contains("visits"), "{body}");
        assert!(!site.source.has_seen("[dbo].[People]"), "{refresh}");
        assert_eq!(site.db.value("SELECT count(*) FROM visits").await, "1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_constraint_of_the_target_is_named_without_a_value_of_the_row() {
    let site = prepared("CREATE TABLE people (id integer PRIMARY KEY, name text CHECK (name <> 'Bob'))", "auto").await;
    let body = site.run(&["multi_sync", "--json", "-vvv"]).await;
    let stdout = &body.stdout;
    assert!(stdout.contains("people_name_check"), "{stdout}");
    assert!(!stdout.contains("Bob") && !body.stderr.contains("Bob"), "{stdout}\n{}", body.stderr);
    assert_eq!(contents(&site).await, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_change_the_table_is_told_the_grant_before_a_row_is_read() {
    let site = prepared("", "merge").await;
    site.db.execute("CREATE TABLE people (id integer PRIMARY KEY, name text); INSERT INTO people VALUES (1, 'Old'); GRANT SELECT, INSERT ON people TO sync").await;
    let body = refused(&site).await;
    assert!(body.error_of("people").contains("GRANT UPDATE, DELETE ON"), "{body}");
    assert!(!site.source.has_seen("[dbo].[People]"));
}

/// A site with `People` (1 Ann, 2 Bob) at the source, and what `sql` makes in the target.
async fn prepared(sql: &str, refresh: &str) -> Site {
    let table = Planted::new("People", &[("Id", "int"), ("Name", "nvarchar(50)")], 1);
    let mut site = Site::planted(vec![table.rows(vec![person(1, "Ann"), person(2, "Bob")])], json!({})).await;
    site.default("refresh", json!(refresh));
    if sql.contains("GRANT") {
        site.db.execute(sql).await;
    } else {
        owned(&site, sql).await;
    }
    site
}

/// Runs statements as the product's own role, which then owns what they make.
async fn owned(site: &Site, sql: &str) {
    site.db.execute(&format!("SET ROLE sync; {sql}; RESET ROLE")).await;
}

/// A run whose only table fails.
async fn refused(site: &Site) -> Body {
    let body = site.json(&["multi_sync"]).await;
    assert_eq!(body.code, Some(1), "{body}");
    body
}

async fn contents(site: &Site) -> String {
    site.db.value("SELECT coalesce(string_agg(concat_ws(' ', id, name), ';' ORDER BY id), '') FROM people").await
}

fn person(id: i64, name: &str) -> Vec<Value> {
    vec![Value::Int(id), Value::text(name)]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publication_of_all_tables_disturbs_neither_the_first_run_nor_the_next_ones() {
    let mut site = prepared("", "auto").await;
    site.db.execute("CREATE PUBLICATION everything FOR ALL TABLES").await;
    site.default("create_tables", json!(true));
    site.default("on_bad_row", json!("quarantine"));
    site.sync().await;
    let before = contents(&site).await;
    site.source.replace_rows("People", vec![person(1, "Ann"), person(7, "nul \0 nul")]);
    let body = site.sync().await;
    assert_eq!((body.counts("people"), &body.table("people")["quarantined_count"]), ([2, 0, 0, 1, 1], &json!(1)), "{body}");
    assert_ne!(contents(&site).await, before);
    site.source.replace_rows("People", vec![person(1, "Anne")]);
    site.sync().await;
    assert_eq!(contents(&site).await, "1 Anne");
}
