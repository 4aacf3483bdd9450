//! Full refreshes, in every way, and the other modes.

use serde_json::json;

use super::site::{PgSite, dsn};

const ASSETS: &str = "CREATE TABLE assets (id bigint PRIMARY KEY, name text NOT NULL, seen timestamptz, tags text[]); \
    INSERT INTO assets SELECT n, 'asset ' || n, '2026-01-01'::timestamptz + n * interval '1.000001 s', ARRAY['a', NULL, n::text] \
    FROM generate_series(1, 5000) AS n";

/// What happens at the source between two runs: 10 rows change, 5 vanish, 20 are new.
const CHANGES: &str = "UPDATE assets SET seen = NULL WHERE id <= 10; DELETE FROM assets WHERE id > 4995; \
    INSERT INTO assets SELECT n, 'new', NULL, '{}' FROM generate_series(6001, 6020) AS n";

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_made_and_filled_and_the_second_run_writes_nothing() {
    let site = PgSite::new(ASSETS, &["assets"]).await;
    let body = site.sync().await;
    assert_eq!((body.counts("assets"), &body.table("assets")["refresh"]), ([5000, 5000, 0, 0, 0], &json!("straight")));
    site.assert_same("assets").await;
    let body = site.sync().await;
    assert_eq!((body.counts("assets"), &body.table("assets")["refresh"]), ([5000, 0, 0, 0, 5000], &json!("merge")));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_leaves_the_sources_rows() {
    let mut site = PgSite::new(ASSETS, &["assets"]).await;
    site.sync().await;
    for (refresh, counts) in [
        ("merge", [5015, 20, 10, 5, 4985]),
        ("replace", [5015, 5015, 0, 5015, 0]),
        ("truncate", [5015, 5015, 0, 5015, 0]),
        ("swap", [5015, 5015, 0, 5015, 0]),
    ] {
        if refresh == "merge" {
            site.from.execute(CHANGES).await;
        } else {
            site.from.execute("UPDATE assets SET name = name || '!' WHERE id % 7 = 0").await;
        }
        let body = site.option("assets", "refresh", json!(refresh)).sync().await;
        assert_eq!((&body.table("assets")["refresh"], body.counts("assets")), (&json!(refresh), counts));
        site.assert_same("assets").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_counts_and_writes_nothing_and_a_plan_tells_what_would_be_made() {
    let site = PgSite::new(ASSETS, &["assets"]).await;
    let body = site.json(&["multi_sync", "--dry-run"]).await;
    let table = body.table("assets");
    assert_eq!(
        (&table["source_rows"], &table["transferred_count"], &table["refresh"]),
        (&json!(5000), &json!(0), &json!("straight")),
        "{body}"
    );
    assert_eq!(site.to.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'tablesync'").await, "0");
    let body = site.json(&["plan"]).await;
    assert_eq!(body.code, Some(0), "{body}");
    let made = "CREATE TABLE \\\"public\\\".\\\"assets\\\" (\\\"id\\\" bigint NOT NULL, \\\"name\\\" text NOT NULL, \\\"seen\\\" timestamptz, \\\"tags\\\" text[])";
    assert!(body.to_string().contains(&made.replace(" NOT NULL, \\\"name", ", \\\"name")), "{body}");
    assert_eq!(site.to.value("SELECT to_regclass('assets') IS NULL").await, "t");
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_are_tested_described_and_checked_by_name() {
    let site = PgSite::new(ASSETS, &["assets"]).await;
    let body = site.json(&["multi_test"]).await;
    let table = body.table("assets");
    assert_eq!((&table["overall_success"], &table["target_missing"]), (&json!(true), &json!(true)), "{body}");
    let info = site.json(&["info"]).await;
    let details = &info["table_details"][0];
    assert_eq!((&details["column_count"], &details["sql_server_db"]), (&json!(4), &json!(site.from.name)), "{info}");
    let check = site.json(&["config", "check"]).await;
    assert_eq!(
        (check.code, &check["sources"][0]["db_type"], &check["sources"][0]["user"]),
        (Some(0), &json!("scout"), &json!("sync")),
        "{check}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_finds_what_differs_and_agrees_where_nothing_does() {
    let site = PgSite::new(ASSETS, &["assets"]).await;
    site.sync().await;
    let body = site.json(&["verify"]).await;
    assert_eq!(body.code, Some(0), "{body}");
    site.to.execute("UPDATE assets SET tags = '{}' WHERE id = 77; DELETE FROM assets WHERE id = 78").await;
    let body = site.json(&["verify"]).await;
    assert_eq!(body.code, Some(1), "{body}");
    for part in ["id=77", "id=78", "tags"] {
        assert!(body.to_string().contains(part), "{part}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_without_a_key_is_replaced_and_bad_keys_are_named() {
    let sql = "CREATE TABLE notes (n integer, t text); INSERT INTO notes VALUES (1, 'a'), (1, 'a'), (NULL, 'b')";
    let mut site = PgSite::new(sql, &["notes"]).await;
    site.sync().await;
    let body = site.sync().await;
    assert_eq!((&body.table("notes")["refresh"], body.counts("notes")), (&json!("replace"), [3, 3, 0, 3, 0]));
    site.assert_same("notes").await;
    let body = site.option("notes", "primary_key", json!("n")).json(&["multi_sync"]).await;
    assert!(body.error_of("notes").contains("n = 1") || body.error_of("notes").contains("NULL"), "{body}");
    site.assert_same("notes").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_table_has_besides_rows_is_taken_over_where_it_is_made() {
    let sql = "CREATE TABLE teams (id integer GENERATED ALWAYS AS IDENTITY (START 10 INCREMENT 5) PRIMARY KEY, name varchar(20) DEFAULT 'none' UNIQUE, \
           made timestamptz NOT NULL DEFAULT now(), shouted text GENERATED ALWAYS AS (upper(name)) STORED); \
         COMMENT ON COLUMN teams.name IS 'in full'; INSERT INTO teams (name) VALUES ('a'), ('b'), (NULL), (NULL); \
         CREATE TABLE people (id serial PRIMARY KEY, team integer REFERENCES teams, born date); CREATE INDEX people_born ON people (born DESC, team); CREATE INDEX people_some ON people (team) WHERE born IS NOT NULL; \
         INSERT INTO people (team) VALUES (10), (15)";
    let mut site = PgSite::new(sql, &["teams", "people"]).await;
    for option in ["create_indexes", "create_foreign_keys"] {
        site.config["defaults"][option] = json!(true);
    }
    let body = site.sync().await;
    assert!(body["warnings"].to_string().contains("index people_some is not taken over: its filter"), "{body}");
    site.assert_same("teams").await;
    site.to.execute("INSERT INTO teams (shouted) VALUES ('by hand'); INSERT INTO people (born) VALUES ('2000-01-01')").await;
    assert_eq!(site.to.value("SELECT id || name FROM teams WHERE shouted = 'by hand'").await, "30none", "{body}");
    assert_eq!(site.to.value("SELECT id FROM people WHERE born IS NOT NULL").await, "3");
    let schema = site.to.schema();
    for part in [
        "COMMENT ON COLUMN public.teams.name IS 'in full'",
        "FOREIGN KEY (team) REFERENCES public.teams(id)",
        "UNIQUE (name)",
        "(born DESC, team)",
    ] {
        assert!(schema.contains(part), "{part}: {schema}\n{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_changes_its_type_between_runs_is_refused_and_a_view_can_be_read() {
    let sql = format!("{ASSETS}; CREATE VIEW shown AS SELECT id, upper(name) AS name FROM assets");
    let site = PgSite::new(&sql, &["assets", "shown"]).await;
    site.sync().await;
    site.assert_same("shown").await;
    site.from.execute("DROP VIEW shown; ALTER TABLE assets ALTER name TYPE varchar(30)").await;
    let body = site.json(&["single_sync", "--table=assets"]).await;
    let error = body["error"].as_str().unwrap();
    assert!(error.contains("has changed since the last successful run") && error.contains("character varying(30)"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn source_and_target_are_not_the_same_table() {
    let mut site = PgSite::new(ASSETS, &["assets"]).await;
    let own = dsn(&site.to.name, site.to.cluster.port, "").replace("127.0.0.1", "localhost");
    let body = site.set("SOURCE_SCOUT_DSN", &own).json(&["multi_sync"]).await;
    assert_eq!(body.code, Some(2), "{body}");
    assert!(body["error"].as_str().unwrap().contains("table assets: its source and its target are the same table"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_may_not_be_read_is_said_with_what_to_do() {
    let mut site = PgSite::new(ASSETS, &["assets"]).await;
    site.from.execute("CREATE TABLE closed (id integer PRIMARY KEY)").await;
    for (table, expected) in
        [("public.gone", "there is no table or view \"public\".\"gone\""), ("closed", "GRANT SELECT ON \"public\".\"closed\"")]
    {
        let body = site.option("assets", "sql_table", json!(table)).json(&["multi_sync"]).await;
        assert!(body.error_of("assets").contains(expected), "{body}");
    }
    let body = site.option("assets", "sql_table", json!("db.public.assets")).json(&["multi_sync"]).await;
    assert_eq!(body.code, Some(2), "{body}");
    assert!(body["error"].as_str().unwrap().contains("tables.assets.sql_table"), "{body}");
}
