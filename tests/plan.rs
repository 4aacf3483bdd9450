//! Mode `plan`: what is said before anything is done.

use serde_json::{Value as Json, json};

use crate::support::body::Body;
use crate::support::site::Site;
use crate::support::source::{Planted, Source, TableDef, Value};

/// Everything that stands in the target, and every row that a run would record.
const EVERYTHING: &str = "SELECT string_agg(nspname || '.' || relname, ' ' ORDER BY 1) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
    WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'";

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_missing_targets_has_their_ddl_and_writes_nothing() {
    let site = Site::over(Source::sample(100).await).await;
    let body = site.json(&["plan"]).await;
    assert_eq!((body.code, &body["success"], &body["planned_tables"]), (Some(0), &json!(true), &json!(4)), "{body}");
    let plan = plan_of(&body, "customer");
    assert_eq!([&plan["refresh"], &plan["target_exists"], &plan["key"]], [&json!("straight"), &json!(false), &json!(["cd"])], "{body}");
    let ddl = plan["ddl"].to_string();
    assert!(ddl.contains("CREATE TABLE") && ddl.contains("ADD PRIMARY KEY"), "{body}");
    let key = &plan["columns"][0];
    assert_eq!([&key["source"], &key["target"], &key["key"], &key["nullable"]], [&json!("CD"), &json!("cd"), &json!(true), &json!(false)]);
    assert!(key["source_type"].as_str().unwrap().starts_with("nvarchar("), "{body}");
    assert!(key["target_type"].as_str().unwrap().starts_with("varchar("), "{body}");
    assert_eq!([&plan["expected_rows"], &plan["bytes_estimated_from"]], [&json!(100), &json!("column_types")], "{body}");
    assert!(plan["expected_bytes"].as_u64().is_some_and(|bytes| bytes > 1_000), "{body}");
    assert!(plan["last_success"].is_null() && plan["dependents"] == json!([]) && plan["drift"] == json!([]), "{body}");
    assert_eq!(site.db.value(EVERYTHING).await, "", "nothing was made");
    assert_eq!(site.db.value("SELECT count(*) FROM pg_namespace WHERE nspname = 'tablesync'").await, "0");
    assert_eq!(site.source.logins(), 2, "one login per source");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ddl_of_a_plan_makes_the_table_that_the_run_makes() {
    let site = Site::over(Source::sample(10).await).await;
    let body = site.json(&["plan", "--tables=customer"]).await;
    let ddl: Vec<_> = plan_of(&body, "customer")["ddl"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    let shape = "SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull), ', ' ORDER BY attnum) \
        FROM pg_attribute WHERE attrelid = 'mctm_customer'::regclass AND attnum > 0";
    site.db.execute(&ddl.join("; ")).await;
    let planned = site.db.value(shape).await;
    site.db.execute("DROP TABLE mctm_customer").await;
    site.sync().await;
    assert_eq!(site.db.value(shape).await, planned);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_refresh_is_named_with_its_reason_and_its_price() {
    let mut site = people(json!({"create_tables": true})).await;
    site.sync().await;
    for (refresh, way, reason, lock, readers) in [
        ("auto", "merge", "compared by the key (id)", "SHARE ROW EXCLUSIVE", "never wait"),
        ("replace", "replace", "refresh says so", "SHARE ROW EXCLUSIVE", "never wait"),
        ("truncate", "truncate", "refresh says so", "ACCESS EXCLUSIVE", "wait while all rows are inserted (about 0.0 s for 2 rows"),
    ] {
        site.default("refresh", json!(refresh));
        let body = site.json(&["plan"]).await;
        let plan = plan_of(&body, "people");
        assert_eq!(plan["refresh"], way, "{body}");
        assert!(plan["refresh_reason"].as_str().unwrap().contains(reason), "{body}");
        let last = plan["locks"].as_array().unwrap().last().unwrap();
        assert_eq!(last["mode"], lock, "{body}");
        assert!(last["readers"].as_str().unwrap().contains(readers), "{body}");
        assert_eq!(plan["last_success"]["rows"], 2, "{body}");
        assert_eq!(plan["bytes_estimated_from"], "last_run", "{body}");
        assert_eq!(plan["expected_bytes"], plan["last_success"]["bytes"], "as many rows as the last time: {body}");
    }
    site.default("refresh", json!("auto")).db.execute("TRUNCATE people").await;
    let body = site.json(&["plan"]).await;
    assert_eq!(plan_of(&body, "people")["refresh"], "straight", "{body}");
    assert!(plan_of(&body, "people")["refresh_reason"].as_str().unwrap().contains("empty"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_depends_on_the_target_is_named_with_what_the_refresh_means_to_it() {
    let site = people(json!({"create_tables": true})).await;
    site.sync().await;
    site.db
        .execute(
            "CREATE VIEW names AS SELECT name FROM people; CREATE VIEW names_again AS SELECT name FROM names; \
             CREATE MATERIALIZED VIEW kept AS SELECT count(*) FROM people; \
             CREATE TABLE pets (id int, owner int CONSTRAINT owned REFERENCES people ON DELETE CASCADE); \
             CREATE TABLE towns (id int PRIMARY KEY); \
             ALTER TABLE people ADD COLUMN town int CONSTRAINT lives REFERENCES towns; \
             CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
             CREATE TRIGGER note AFTER INSERT OR DELETE ON people FOR EACH ROW EXECUTE FUNCTION noted(); \
             CREATE RULE elsewhere AS ON UPDATE TO people DO ALSO NOTIFY changed; \
             CREATE PUBLICATION everything FOR TABLE people; \
             ALTER TABLE people ENABLE ROW LEVEL SECURITY; ALTER TABLE people OWNER TO sync",
        )
        .await;
    let body = site.json(&["plan"]).await;
    let dependents = &plan_of(&body, "people")["dependents"];
    for (kind, name, effect) in [
        ("view", "names", "shows the new rows"),
        ("view", "names_again", "shows the new rows"),
        ("materialized_view", "kept", "until somebody refreshes it"),
        ("foreign_key_in", "owned of pets", "rows that vanished are deleted, and with them the rows that refer to them"),
        ("foreign_key_out", "lives to towns", "written rows must find"),
        ("trigger", "note", "fires on INSERT or DELETE, for the rows that differ"),
        ("rule", "elsewhere", "rewrites UPDATE"),
        ("publication", "everything", "the rows that differ"),
        ("row_security", "people", "does not apply"),
    ] {
        let found = dependents.as_array().unwrap().iter().find(|dependent| dependent["kind"] == kind && dependent["name"] == name);
        let found = found.unwrap_or_else(|| panic!("{kind} {name}: {body}"));
        assert!(found["effect"].as_str().unwrap().contains(effect), "{found}");
    }
    assert_eq!(dependents.as_array().unwrap().len(), 9, "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_key_means_on_either_side_is_a_warning() {
    let table = Planted::new("People", &[("Code", "nvarchar(10)"), ("Name", "nvarchar(50)")], 0);
    let options = json!({"primary_key": "Code", "isolation": "nolock", "create_tables": true, "min_rows": 5, "identifiers": "preserve"});
    let rows = vec![vec![Value::text("a"), Value::text("Ann")]];
    let site = Site::planted(vec![table.rows(rows)], options).await;
    let warned = |body: &Body, what: &str| {
        let warnings = plan_of(body, "people")["warnings"].as_array().unwrap();
        assert!(warnings.iter().any(|warning| warning.as_str().unwrap().contains(what)), "{what}: {body}");
    };
    let body = site.json(&["plan"]).await;
    for what in ["byte by byte", "blanks at the end", "may be NULL", "nolock", "min_rows is 5", "must be quoted in SQL: \"Code\""] {
        warned(&body, what);
    }
    site.db.execute("CREATE TABLE people (\"Code\" varchar(10), \"Name\" text); INSERT INTO people VALUES ('a', 'b'); ALTER TABLE people OWNER TO sync").await;
    warned(&site.json(&["plan"]).await, "no unique constraint");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_cannot_be_planned_shows_its_error_and_the_others_go_on() {
    let mut site = Site::over(Source::sample(10).await).await;
    site.config["tables"]["customer"]["sql_table"] = json!("[McTM].[dbo].[Nobody]");
    site.db.execute("CREATE TABLE mctm_module (id uuid)").await;
    let body = site.json(&["plan"]).await;
    assert_eq!((body.code, &body["success"], &body["failed_tables"]), (Some(1), &json!(false), &json!(2)), "{body}");
    let plans = body["plans"].as_object().unwrap();
    assert_eq!(plans.keys().collect::<Vec<_>>(), ["customer", "mctm_module", "voipdb_customer", "voipdb_useragent"]);
    assert!(plans["customer"]["error"].as_str().unwrap().contains("[McTM].[dbo].[Nobody]"), "{body}");
    assert!(plans["mctm_module"]["error"].as_str().unwrap().contains("mctm_module"), "{body}");
    assert!(body["error"].as_str().unwrap().contains("table customer: "), "{body}");
    assert_eq!([&plans["voipdb_customer"]["success"], &plans["voipdb_useragent"]["success"]], [true, true]);
    assert_eq!(site.source.logins(), 2, "a missing table costs no login");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_reads_the_plan_as_text() {
    let mut site = people(json!({"create_tables": true})).await;
    let finished = site.run(&["plan"]).await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    for part in [
        "people: dbo.People -> people",
        "straight: the target table is missing",
        "CREATE TABLE",
        "ADD PRIMARY KEY",
        "nvarchar(50)",
        "nothing was written",
    ] {
        assert!(finished.stdout.contains(part), "{part}: {finished:?}");
    }
    site.config["tables"]["people"]["sql_table"] = json!("dbo.Nobody");
    let finished = site.run(&["plan"]).await;
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stdout.contains("fails") && finished.stderr.contains("error in table people"), "{finished:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn masked_columns_are_a_warning_to_a_login_that_sees_the_masks() {
    let table =
        TableDef::new("McTM", "dbo", "People").required("Id", "int").column("Name", "nvarchar(50)").masked().column("Note", "nvarchar(50)");
    let rows = table.key(&["Id"]).row([Value::Int(1), Value::text("xxxx"), Value::Null]);
    let mut site = Site::defined(vec![("People", rows)], json!({"create_tables": true})).await;
    assert!(!site.json(&["plan"]).await.to_string().contains("masks"), "the login sees the values");
    site.source.deny("UNMASK");
    let body = site.json(&["plan"]).await;
    assert!(body.to_string().contains("masks these columns for the login"), "{body}");
    assert!(site.sync().await.to_string().contains("(grant it UNMASK): Name"), "{body}");
    assert!(site.json(&["verify"]).await.to_string().contains("masks these columns for the login"), "verify compares with the masks");
    site.config["tables"]["people"]["columns"] = json!(["Id", "Note"]);
    assert!(!site.json(&["plan"]).await.to_string().contains("masks"), "the masked one is not read");
}

/// Two people, in a table with a key.
async fn people(options: Json) -> Site {
    let table = Planted::new("People", &[("Id", "int"), ("Name", "nvarchar(50)")], 1);
    let rows = vec![vec![Value::Int(1), Value::text("Ann")], vec![Value::Int(2), Value::text("Bob")]];
    Site::planted(vec![table.rows(rows)], options).await
}

fn plan_of<'a>(body: &'a Body, table: &str) -> &'a Json {
    let plan = &body["plans"][table];
    assert!(plan.is_object(), "no plan of {table}: {body}");
    plan
}
