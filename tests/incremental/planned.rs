//! What a plan says of a table that gets only what is new.

use serde_json::{Value as Json, json};

use super::kinds::tracked;
use super::{DAY, NOON, SECOND, add, event, events, incremental};
use crate::support::body::Body;
use crate::support::site::Site;
use crate::support::source::{IndexDef, TableDef, Value};

/// The plan of a table, which must leave the target byte for byte.
async fn plan(site: &Site, table: &str) -> (Body, Json) {
    site.db.settled().await;
    let before = site.db.dump(&[]);
    let body = site.json(&["plan"]).await;
    assert!(site.db.dump(&[]) == before, "the target is as it was");
    let plan = body["plans"][table].clone();
    (body, plan)
}

fn fields(plan: &Json) -> [Json; 6] {
    ["refresh", "way", "from", "to", "rows_in_window", "compares_keys"].map(|field| plan[field].clone())
}

fn modes(plan: &Json) -> Vec<&str> {
    plan["locks"].as_array().unwrap().iter().map(|lock| lock["mode"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_from_where_to_where_in_which_way_and_under_which_locks() {
    let site = events(json!({"deletes": "keys", "deletes_every": 2})).await;
    add(&site, 1..=3, NOON);
    let (body, first) = plan(&site, "events").await;
    let to = json!("2026-02-05T12:10:00");
    assert_eq!(fields(&first), [json!("incremental"), json!("straight"), Json::Null, to.clone(), json!(3), json!(false)], "{body}");
    assert_eq!(modes(&first), ["ACCESS EXCLUSIVE", "ROW EXCLUSIVE"], "{body}");
    let ddl = first["ddl"].to_string();
    assert!(ddl.contains("sync_meta") && ddl.contains("CREATE TABLE \\\"public\\\".\\\"events\\\""), "{body}");
    assert!(first["refresh_reason"].as_str().unwrap().contains("committed every 100000000 rows"), "each step scans the source: {body}");
    incremental(&site, &[]).await;
    site.source.clock().set(DAY, NOON + 3_600 * SECOND);
    add(&site, 4..=5, NOON + 3_500 * SECOND);
    let (body, second) = plan(&site, "events").await;
    let expected = [json!("incremental_keys"), json!("merge"), to, json!("2026-02-05T13:00:00"), Json::Null, json!(true)];
    assert_eq!(fields(&second), expected, "no index finds the rows, so none were counted: {body}");
    assert_eq!((modes(&second), &second["ddl"]), (vec!["SHARE ROW EXCLUSIVE"], &json!([])), "{body}");
    let said = second["refresh_reason"].as_str().unwrap();
    assert!(said.contains("by Changed, 300 s of it read again") && said.contains("all keys are compared"), "{body}");
    let told = site.run(&["plan"]).await.stdout;
    assert!(told.contains("window     from 2026-02-05T12:10:00 to 2026-02-05T13:00:00, rows not counted"), "{told}");
    let done = incremental(&site, &[]).await;
    let way = |body: &Body| ["refresh", "from", "to"].map(|field| body.table("events")[field].clone());
    assert_eq!(way(&done), ["refresh", "from", "to"].map(|field| second[field].clone()), "the run does what was planned");
    site.source.clock().set(DAY, NOON);
    let (body, plan) = plan(&site, "events").await;
    assert_eq!((body.code, &plan["refresh"], modes(&plan)), (Some(1), &json!("incremental"), vec![]), "{body}");
    assert!(plan["error"].as_str().unwrap().contains("--reset events"), "what the run would fail with: {body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_an_index_finds_are_counted_and_references_are_safe_where_nothing_is_deleted() {
    let table = TableDef::new("McTM", "dbo", "Events").required("Id", "int").column("Changed", "datetime2(7)");
    let table = table.column("Note", "nvarchar(50)").key(&["Id"]).index(IndexDef::new("IX_Changed", &["Changed"]));
    let mut site = Site::defined(vec![("Events", table)], json!({"sync": {"mode": "incremental", "column": "Changed"}})).await;
    site.source.clock().set(DAY, NOON + 600 * SECOND);
    site.db.execute("CREATE TABLE events (id int PRIMARY KEY, changed timestamp, note text); ALTER TABLE events OWNER TO sync").await;
    add(&site, 1..=2, NOON);
    let (body, first) = plan(&site, "events").await;
    assert_eq!((first["way"].as_str(), modes(&first)), (Some("straight"), vec!["ROW EXCLUSIVE"]), "{body}");
    incremental(&site, &[]).await;
    site.db.execute("CREATE TABLE notes (event int CONSTRAINT noted REFERENCES events ON DELETE CASCADE)").await;
    add(&site, 3..=7, NOON + 500 * SECOND);
    let (body, second) = plan(&site, "events").await;
    assert_eq!((&second["rows_in_window"], &second["expected_rows"]), (&json!(5), &json!(5)), "{body}");
    assert_eq!(second["dependents"][0]["effect"], "stays; nothing is deleted", "{body}");
    site.config["tables"]["events"]["sync"]["deletes"] = json!("keys");
    let (body, third) = plan(&site, "events").await;
    assert!(third["dependents"][0]["effect"].as_str().unwrap().contains("rows that vanished are deleted"), "{body}");
    // A target that was emptied is filled by a merge still, for the watermark stands.
    site.db.execute("TRUNCATE events CASCADE").await;
    assert_eq!(plan(&site, "events").await.1["way"], "merge");
    site.source.table("Events").insert(event(8, NOON + 550 * SECOND, "new")).unwrap();
    assert_eq!(incremental(&site, &[]).await.counts("events")[..2], [6, 6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_by_change_tracking_goes_straight_then_by_a_merge_and_then_nowhere() {
    let site = tracked().await;
    let (body, first) = plan(&site, "stock").await;
    let way = |plan: &Json| ["way", "rows_in_window", "compares_keys"].map(|field| plan[field].clone());
    assert_eq!(way(&first), [json!("straight"), json!(3), json!(false)], "{body}");
    assert_eq!(modes(&first), ["ACCESS EXCLUSIVE", "ROW EXCLUSIVE"], "{body}");
    incremental(&site, &[]).await;
    let (body, nothing) = plan(&site, "stock").await;
    assert_eq!((way(&nothing), modes(&nothing)), ([json!("nothing"), json!(0), json!(false)], vec![]), "{body}");
    site.source.table("Stock").update("Pieces", Value::Int(11), |_| true).unwrap();
    let (body, changed) = plan(&site, "stock").await;
    assert_eq!((way(&changed), modes(&changed)), ([json!("merge"), Json::Null, json!(false)], vec!["SHARE ROW EXCLUSIVE"]), "{body}");
    site.db.execute("DELETE FROM sync_meta").await;
    let (body, anew) = plan(&site, "stock").await;
    assert_eq!(way(&anew), [json!("merge"), json!(3), json!(true)], "what is there and not at the source is taken out: {body}");
}
