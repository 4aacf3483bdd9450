//! Sources whose columns change between runs, and under the readers' hands.

use serde_json::{Value as Json, json};

use crate::support::site::Site;
use crate::support::source::{Fault, Planted, Value};

const CONTENTS: &str = "SELECT string_agg(p::text, ';' ORDER BY id) FROM people AS p";
const STANDING: &str = "(1,Ann,30);(2,Bob,40)";

#[tokio::test(flavor = "multi_thread")]
async fn every_change_fails_by_name_before_a_row_moves() {
    let changes: [(Change, &str); 5] = [
        (|people| people.add_column("Town", "int", Value::Int(7)).unwrap(), "column Town (int) was added"),
        (|people| people.drop_column("Age").unwrap(), "column Age (int) was dropped"),
        (|people| people.rename_column("Name", "FullName").unwrap(), "column Name was renamed to FullName"),
        (|people| people.retype_column("Age", "bigint").unwrap(), "column Age was int and is bigint now"),
        (|people| people.retype_column("Age", "smallint").unwrap(), "column Age was int and is smallint now"),
    ];
    for (change, named) in changes {
        for refresh in ["merge", "replace", "truncate"] {
            let site = synced(json!({"create_tables": true, "refresh": refresh})).await;
            change(&site.source.table("People"));
            let body = site.json(&["multi_sync"]).await;
            let error = body.error_of("people");
            assert!(error.contains(named) && error.contains("accept_drift"), "{refresh}: {error}");
            assert_eq!(body.code, Some(1));
            assert_eq!(site.db.value(CONTENTS).await, STANDING);
            let reads = site.db.value("SELECT rows_read FROM tablesync.runs WHERE outcome = 'failed'").await;
            assert_eq!(reads, "0", "no row of the table moved: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_may_be_null_now_fails_by_name() {
    let table = Planted::new("People", &[("Id", "int"), ("Name", "nvarchar(50)"), ("Age", "int")], 3);
    let site = Site::planted(vec![table.rows(people())], json!({"create_tables": true, "primary_key": "Id"})).await;
    site.sync().await;
    site.source.table("People").set_nullable("Age", true).unwrap();
    let body = site.json(&["multi_sync"]).await;
    assert!(body.error_of("people").contains("column Age (int) was NOT NULL and may be NULL now"), "{body}");
    site.db.execute("ALTER TABLE people ALTER COLUMN age DROP NOT NULL").await;
    site.sync().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn new_columns_are_added_with_their_values_where_the_configuration_says_so() {
    for refresh in ["merge", "replace", "truncate", "auto"] {
        let site = synced(json!({"create_tables": true, "refresh": refresh, "on_drift": "add_columns", "keep_offset": true})).await;
        let people = site.source.table("People");
        people.add_column("Town", "nvarchar(20)", Value::text("Ulm")).unwrap();
        people.add_column("Since", "datetimeoffset(3)", Value::Null).unwrap();
        if refresh == "auto" {
            site.db.execute("TRUNCATE people").await;
        }
        let plan = site.json(&["plan"]).await;
        let ddl = plan["plans"]["people"]["ddl"].to_string();
        assert!(ddl.contains("ADD COLUMN IF NOT EXISTS \\\"town\\\" varchar(20)") && ddl.contains("since_offset"), "{plan}");
        assert_eq!(plan["plans"]["people"]["locks"][0]["mode"], "ACCESS EXCLUSIVE", "{plan}");
        let body = site.sync().await;
        assert!(body["warnings"].to_string().contains("column Town (nvarchar(20)) was added: the target gets it too"), "{body}");
        assert_eq!(site.db.value(CONTENTS).await, "(1,Ann,30,Ulm,,);(2,Bob,40,Ulm,,)", "{refresh}");
        let types = "SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull), ', ' ORDER BY attnum) FROM pg_attribute \
            WHERE attrelid = 'people'::regclass AND attnum > 3";
        let expected = "town character varying(20) f, since timestamp with time zone f, since_offset smallint f";
        assert_eq!(site.db.value(types).await, expected);
        let again = site.sync().await;
        assert!(!again["warnings"].to_string().contains("Town"), "told once: {again}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_on_the_target_is_named_as_what_kept_columns_from_being_added() {
    let site = synced(json!({"create_tables": true, "on_drift": "add_columns"})).await;
    site.source.table("People").add_column("Town", "int", Value::Int(7)).unwrap();
    let other = site.db.connect().await;
    other.batch_execute("BEGIN; LOCK TABLE people IN ACCESS SHARE MODE").await.unwrap();
    let body = site.json(&["multi_sync"]).await;
    let error = body.error_of("people");
    assert!(error.contains("add columns") && error.contains("the lock is kept by") && !error.contains("owner"), "{error}");
    other.batch_execute("COMMIT").await.unwrap();
    assert_eq!(site.db.value(CONTENTS).await, STANDING);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_renamed_and_retyped_columns_fail_where_new_ones_are_added_too() {
    let changes: [Change; 3] = [
        |people| people.drop_column("Age").unwrap(),
        |people| people.rename_column("Name", "FullName").unwrap(),
        |people| people.retype_column("Age", "bigint").unwrap(),
    ];
    for change in changes {
        let site = synced(json!({"create_tables": true, "on_drift": "add_columns"})).await;
        let people = site.source.table("People");
        people.add_column("Town", "int", Value::Null).unwrap();
        change(&people);
        let body = site.json(&["multi_sync"]).await;
        body.error_of("people");
        assert_eq!(site.db.value(CONTENTS).await, STANDING, "nothing was added either: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_over_once_the_target_has_followed() {
    let changes: [(Change, &str, &str); 4] = [
        (|people| people.add_column("Town", "int", Value::Int(7)).unwrap(), "ADD COLUMN town int", "(1,Ann,30,7);(2,Bob,40,7)"),
        (|people| people.drop_column("Age").unwrap(), "DROP COLUMN age", "(1,Ann);(2,Bob)"),
        (|people| people.rename_column("Name", "FullName").unwrap(), "RENAME COLUMN name TO fullname", STANDING),
        (|people| people.retype_column("Age", "bigint").unwrap(), "ALTER COLUMN age TYPE bigint", STANDING),
    ];
    for (change, answer, contents) in changes {
        let site = synced(json!({"create_tables": true})).await;
        change(&site.source.table("People"));
        site.json(&["multi_sync"]).await.error_of("people");
        site.db.execute(&format!("ALTER TABLE people {answer}")).await;
        let body = site.sync().await;
        assert!(body["warnings"].to_string().contains("column "), "said once more: {body}");
        assert_eq!(site.db.value(CONTENTS).await, contents);
        assert!(silent(&site).await, "and never again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_can_accept_a_change_for_one_run() {
    let site = synced(json!({"create_tables": true})).await;
    site.source.table("People").retype_column("Age", "smallint").unwrap();
    site.json(&["multi_sync"]).await.error_of("people");
    let body = site.json(&["multi_sync", "--accept-drift"]).await;
    assert_eq!(body.code, Some(0), "{body}");
    assert!(body["warnings"].to_string().contains("column Age was int and is smallint now: accepted (accept_drift)"), "{body}");
    assert!(silent(&site).await);

    site.source.table("People").retype_column("Age", "nvarchar(10)").unwrap();
    let body = site.json(&["multi_sync", "--accept-drift"]).await;
    assert!(body.error_of("people").contains("does not fit"), "what does not fit cannot be accepted: {body}");
    assert_eq!(site.db.value(CONTENTS).await, STANDING);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_configured_columns_count_and_new_ones_are_told_once() {
    let columns = json!({"create_tables": true, "columns": ["Id", "Name"], "pg_columns": ["id", "name"]});
    let mut site = synced_into(columns, "(1,Ann);(2,Bob)").await;
    let people = site.source.table("People");
    people.drop_column("Age").unwrap();
    people.add_column("Town", "int", Value::Int(7)).unwrap();
    let body = site.sync().await;
    assert!(body["warnings"].to_string().contains("column Town (int) was added: it is not among the configured columns"), "{body}");
    assert!(silent(&site).await, "once per change");

    people.rename_column("Name", "FullName").unwrap();
    let body = site.json(&["multi_sync"]).await;
    assert!(body.error_of("people").contains("column Name was renamed to FullName"), "{body}");
    site.config["tables"]["people"]["columns"] = json!(["Id", "FullName"]);
    site.sync().await;
    assert_eq!(site.db.value(CONTENTS).await, "(1,Ann);(2,Bob)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_during_the_read_fails_by_name_and_leaves_the_target_as_it_was() {
    let changes: [(Change, &str); 4] = [
        (|people| people.add_column("Town", "int", Value::Int(7)).unwrap(), "column Town (int) was added"),
        (|people| people.drop_column("Age").unwrap(), "column Age (int) was dropped"),
        (|people| people.rename_column("Name", "FullName").unwrap(), "column Name was renamed to FullName"),
        (|people| people.retype_column("Age", "bigint").unwrap(), "column Age was int and is bigint now"),
    ];
    for (change, named) in changes {
        for (refresh, emptied) in [("merge", false), ("auto", true)] {
            let site = synced(json!({"create_tables": true, "refresh": refresh})).await;
            if emptied {
                site.db.execute("TRUNCATE people").await;
            }
            let before = site.db.checksum("people").await;
            site.source.table("People").update("Age", Value::Int(99), |_| true).unwrap();
            site.source.fault("People", Fault::change_after_rows(1, change));
            let body = site.json(&["multi_sync"]).await;
            let error = body.error_of("people");
            assert!(error.contains("changed while it was read") && error.contains(named), "{error}");
            assert_eq!(site.db.checksum("people").await, before, "{error}");
            assert_eq!(
                site.db.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'tablesync' AND tablename LIKE 'staging%'").await,
                "0"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_added_during_the_read_waits_for_the_next_run_where_new_ones_are_added() {
    let site = synced(json!({"create_tables": true, "on_drift": "add_columns"})).await;
    site.source.fault("People", Fault::change_after_rows(1, |people| people.add_column("Town", "int", Value::Int(7)).unwrap()));
    let body = site.sync().await;
    assert!(body["warnings"].to_string().contains("column Town (int) was added while it was read"), "{body}");
    assert_eq!(site.db.value(CONTENTS).await, STANDING);
    site.source.clear_faults("People");
    site.sync().await;
    assert_eq!(site.db.value(CONTENTS).await, "(1,Ann,30,7);(2,Bob,40,7)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_and_a_dry_run_find_what_a_run_would_fail_with() {
    let site = synced(json!({"create_tables": true})).await;
    site.source.table("People").retype_column("Age", "smallint").unwrap();
    let plan = site.json(&["plan"]).await;
    let people = &plan["plans"]["people"];
    assert_eq!(
        (plan.code, &people["success"], &people["drift"]),
        (Some(1), &json!(false), &json!(["column Age was int and is smallint now"])),
        "{plan}"
    );
    assert_eq!(people["refresh"], "merge", "what would be done is there all the same: {plan}");
    let dry = site.json(&["multi_sync", "--dry-run"]).await;
    assert!(dry.error_of("people").contains("column Age was int and is smallint now"), "{dry}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_run_remembers_nothing_and_a_target_made_anew_needs_no_answer() {
    let site = synced(json!({"create_tables": true, "min_rows": 2})).await;
    let people = site.source.table("People");
    people.add_column("Town", "int", Value::Int(7)).unwrap();
    for _ in 0..2 {
        assert!(site.json(&["multi_sync"]).await.error_of("people").contains("Town"));
    }
    site.db.execute("DROP TABLE people").await;
    site.sync().await;
    assert_eq!(site.db.value(CONTENTS).await, "(1,Ann,30,7);(2,Bob,40,7)");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_schema_of_an_older_version_is_brought_forward() {
    let site = synced(json!({"create_tables": true})).await;
    let version = "SELECT version FROM tablesync.schema_version";
    let newest = site.db.value(version).await;
    site.db.execute("DROP TABLE tablesync.source_columns, tablesync.locks; UPDATE tablesync.schema_version SET version = 2").await;
    let body = site.json(&["plan"]).await;
    assert_eq!(body.code, Some(0), "a plan does without: {body}");
    site.sync().await;
    assert_eq!(site.db.value(version).await, newest);
    assert_eq!(site.db.value("SELECT string_agg(name, ',') FROM tablesync.source_columns").await, "Id,Name,Age");
}

/// What happens to the table at its source.
type Change = fn(&tds_stand_in::TableHandle);

fn people() -> Vec<Vec<Value>> {
    vec![vec![Value::Int(1), Value::text("Ann"), Value::Int(30)], vec![Value::Int(2), Value::text("Bob"), Value::Int(40)]]
}

/// Runs again; whether nothing is said of columns.
async fn silent(site: &Site) -> bool {
    !site.sync().await["warnings"].to_string().contains("column ")
}

/// Two people who have been synced once.
async fn synced(options: Json) -> Site {
    synced_into(options, STANDING).await
}

async fn synced_into(options: Json, contents: &str) -> Site {
    let table = Planted::new("People", &[("Id", "int"), ("Name", "nvarchar(50)"), ("Age", "int")], 1);
    let site = Site::planted(vec![table.rows(people())], options).await;
    site.sync().await;
    assert_eq!(site.db.value(CONTENTS).await, contents);
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_recorded_of_a_table_that_is_made_is_what_its_catalogue_says_of_it() {
    const COLUMNS: &[(&str, &str)] = &[
        ("Id", "int"),
        ("a", "bit"),
        ("b", "tinyint"),
        ("c", "smallint"),
        ("d", "bigint"),
        ("e", "real"),
        ("f", "float"),
        ("g", "decimal(38,10)"),
        ("h", "money"),
        ("i", "smallmoney"),
        ("j", "date"),
        ("k", "datetime"),
        ("l", "smalldatetime"),
        ("m", "datetime2(7)"),
        ("n", "datetime2(3)"),
        ("o", "datetimeoffset(7)"),
        ("p", "time(7)"),
        ("q", "time(2)"),
        ("r", "varchar(10)"),
        ("s", "nchar(10)"),
        ("t", "nvarchar(max)"),
        ("u", "varbinary(10)"),
        ("v", "rowversion"),
        ("w", "uniqueidentifier"),
        ("x", "xml"),
        ("y", "sql_variant"),
        ("z", "geometry"),
        ("aa", "decimal(5,0)"),
        ("bb", "datetime2(0)"),
        ("cc", "hierarchyid"),
    ];
    let site = Site::planted(vec![Planted::new("People", COLUMNS, 1)], json!({"create_tables": true, "keep_offset": true})).await;
    const RECORDED: &str = "SELECT name, target, target_type FROM tablesync.source_columns ORDER BY column_id";
    site.sync().await;
    let made = site.db.rows(RECORDED).await;
    site.sync().await;
    assert_eq!(site.db.rows(RECORDED).await, made);
    assert_eq!(made.len(), COLUMNS.len());
}
