//! What a dry run says, and the run then does.

use serde_json::{Value as Json, json};

use super::kinds::{row, tracked};
use super::{DAY, NOON, SECOND, add, change, events, incremental};
use crate::support::body::Body;
use crate::support::site::Site;
use crate::support::source::{Planted, Value};

/// A dry run, which must leave the target byte for byte, and then the run, whose counts must be those foreseen. Returns both.
async fn foreseen_and_done(site: &Site, table: &str, expected: [u64; 4]) -> (Body, Body) {
    site.db.settled().await;
    let before = site.db.dump(&[]);
    let dry = site.json(&["incremental_sync", "--dry-run"]).await;
    assert_eq!((dry.code, counts(&dry, table)), (Some(0), expected.map(Json::from)), "{dry}");
    assert!(site.db.dump(&[]) == before, "the target is as it was");
    let done = incremental(site, &[]).await;
    let [read, inserted, updated, deleted, _] = done.counts(table);
    assert_eq!([read, inserted, updated, deleted], expected, "{done}");
    (dry, done)
}

fn counts(dry: &Body, table: &str) -> [Json; 4] {
    ["rows_in_window", "would_insert", "would_update", "would_delete"].map(|field| dry.table(table)[field].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_leaves_the_target_byte_for_byte_and_counts_what_the_run_then_does() {
    let site = events(json!({"on_conflict": "update", "deletes": "keys", "deletes_every": 2})).await;
    add(&site, 1..=3, NOON);
    let (dry, _) = foreseen_and_done(&site, "events", [3, 3, 0, 0]).await;
    let way = |body: &Body| ["from", "to", "refresh"].map(|field| body.table("events")[field].clone());
    assert_eq!(way(&dry), [Json::Null, json!("2026-02-05T12:10:00"), json!("incremental")], "{dry}");
    site.source.clock().set(DAY, NOON + 3_600 * SECOND);
    change(&site, 2, NOON + 3_000 * SECOND, "changed");
    change(&site, 3, NOON + 3_000 * SECOND, "new");
    add(&site, 4..=8, NOON + 3_100 * SECOND);
    site.source.table("Events").delete(|row| matches!(row[0], Value::Int(1 | 8))).unwrap();
    // Row 3 has another moment, too.
    let (dry, done) = foreseen_and_done(&site, "events", [6, 4, 2, 1]).await;
    assert_eq!(way(&dry), [json!("2026-02-05T12:10:00"), json!("2026-02-05T13:00:00"), json!("incremental_keys")], "{dry}");
    assert_eq!(way(&done), way(&dry));
    site.source.table("Events").delete(|row| matches!(row[0], Value::Int(2))).unwrap();
    let (dry, _) = foreseen_and_done(&site, "events", [0, 0, 0, 0]).await;
    assert_eq!(dry.table("events")["refresh"], "incremental", "keys are compared in each second run: {dry}");
    foreseen_and_done(&site, "events", [0, 0, 0, 1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_gone_are_foreseen_and_found_though_no_row_version_is_new() {
    let table = Planted::new("Stock", &[("Id", "int"), ("Pieces", "int"), ("Ver", "rowversion")], 1);
    let site = Site::planted(vec![table], json!({"sync": {"mode": "incremental", "kind": "rowversion", "deletes": "keys"}})).await;
    let stock = site.source.table("Stock");
    (1..=4).for_each(|id| stock.insert(row(id, 10)).unwrap());
    foreseen_and_done(&site, "stock", [4, 4, 0, 0]).await;
    stock.update("Pieces", Value::Int(11), |row| row[0] == Value::Int(1)).unwrap();
    stock.delete(|row| row[0] == Value::Int(2)).unwrap();
    foreseen_and_done(&site, "stock", [1, 0, 1, 1]).await;
    stock.delete(|row| row[0] == Value::Int(3)).unwrap();
    foreseen_and_done(&site, "stock", [0, 0, 0, 1]).await;
    foreseen_and_done(&site, "stock", [0, 0, 0, 0]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_change_tracking_tells_is_foreseen_with_its_deletes() {
    let site = tracked().await;
    let stock = site.source.table("Stock");
    foreseen_and_done(&site, "stock", [3, 3, 0, 0]).await;
    stock.update("Pieces", Value::Int(11), |row| row[0] == Value::Int(1)).unwrap();
    stock.delete(|row| row[0] == Value::Int(2)).unwrap();
    (4..=5).for_each(|id| stock.insert(vec![Value::Int(id), Value::Int(id * 10)]).unwrap());
    stock.delete(|row| row[0] == Value::Int(5)).unwrap();
    foreseen_and_done(&site, "stock", [2, 1, 1, 1]).await;
    foreseen_and_done(&site, "stock", [0, 0, 0, 0]).await;
    // All rows again, and those that only the target has are gone.
    site.db.execute("DELETE FROM sync_meta; INSERT INTO stock VALUES (7, 70); UPDATE stock SET pieces = 0 WHERE id = 3").await;
    foreseen_and_done(&site, "stock", [3, 0, 1, 1]).await;
    stock.update("Pieces", Value::Int(1), |_| true).unwrap();
    stock.clean_up_changes(9).unwrap();
    let dry = site.json(&["incremental_sync", "--dry-run"]).await;
    assert!(dry.error_of("stock").contains("--reset stock"), "what the run would fail with: {dry}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_the_guards_would_refuse() {
    let mut site = events(json!({"deletes": "keys"})).await;
    add(&site, 1..=4, NOON);
    incremental(&site, &[]).await;
    site.source.table("Events").delete(|row| matches!(row[0], Value::Int(1..=3))).unwrap();
    site.default("max_shrink", json!(0.5));
    let dry = site.json(&["incremental_sync", "--dry-run"]).await;
    assert_eq!(counts(&dry, "events"), [0, 0, 0, 3].map(Json::from), "{dry}");
    let refused = "3 of 4 rows would vanish from the target and max_shrink is 0.5";
    assert!(dry["warnings"].to_string().contains(&format!("the publish would be refused: {refused}")), "{dry}");
    let told = site.run(&["incremental_sync", "--dry-run"]).await;
    assert!(told.stdout.contains("0 rows, 0 would be inserted, 0 updated and 3 deleted"), "{told:?}");
    let done = site.json(&["incremental_sync"]).await;
    assert!(done.error_of("events").contains(refused), "{done}");
    let dry = site.json(&["incremental_sync", "--dry-run", "--allow-shrink"]).await;
    assert!(!dry["warnings"].to_string().contains("refused"), "{dry}");
    assert_eq!(incremental(&site, &["--allow-shrink"]).await.counts("events")[3], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_left_that_was_broken_off_is_foreseen_with_what_has_come_since() {
    // Change Tracking reads rows by their key, so that new ones come twice: once among the rest, once as changes.
    for (sync, read) in
        [(json!({"column": "Changed", "on_conflict": "update", "deletes": "keys"}), 155), (json!({"kind": "change_tracking"}), 160)]
    {
        let table = Planted::new("Events", &[("Id", "int"), ("Changed", "datetime2(7)"), ("Note", "nvarchar(50)")], 1).indexed("Changed");
        let mut options = json!({"batch_size": 1, "sync": {"mode": "incremental"}});
        options["sync"].as_object_mut().unwrap().extend(sync.as_object().unwrap().clone());
        let mut site = Site::planted(vec![table], options).await;
        site.source.track_changes("Events");
        site.source.clock().set(DAY, NOON + 600 * SECOND);
        add(&site, 1..=250, NOON);
        site.set("FAILPOINTS", "step_committed=return");
        assert_eq!(site.run(&["incremental_sync"]).await.signal, Some(9));
        site.unset("FAILPOINTS");
        assert_eq!(site.db.value("SELECT count(*) FROM events").await, "100");
        site.source.clock().set(DAY, NOON + 3_600 * SECOND);
        change(&site, 7, NOON + 3_000 * SECOND, "changed");
        add(&site, 251..=255, NOON + 3_100 * SECOND);
        site.source.table("Events").delete(|row| matches!(row[0], Value::Int(8 | 200))).unwrap();
        let planned = site.json(&["plan"]).await;
        let modes = planned["plans"]["events"]["locks"].as_array().unwrap().iter().map(|lock| lock["mode"].as_str().unwrap());
        assert_eq!(modes.collect::<Vec<_>>(), ["ROW EXCLUSIVE", "SHARE ROW EXCLUSIVE"], "{planned}");
        let (dry, _) = foreseen_and_done(&site, "events", [read, 154, 1, 1]).await;
        assert!(dry.table("events")["refresh_reason"].as_str().unwrap().contains("a run before was ended at"), "{sync}: {dry}");
    }
}
