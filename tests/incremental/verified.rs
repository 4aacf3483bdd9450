//! What `verify` says of a table that gets only what is new: what differs by right is no difference, and told.

use serde_json::{Value as Json, json};

use super::kinds::tracked;
use super::postgres::{FINDINGS, Pair};
use super::{DAY, NOON, SECOND, add, change, event, events, incremental};
use crate::support::body::Body;
use crate::support::site::Site;
use crate::support::source::{Planted, Value};

/// Rows that differ, are missing and are extra; and those not synced yet, kept and left alone.
fn counts(body: &Body, table: &str) -> [u64; 6] {
    ["differing_rows", "missing_rows", "extra_rows", "not_synced_yet", "kept_rows", "left_alone_rows"]
        .map(|field| body.table(table)[field].as_u64().unwrap_or_else(|| panic!("{field}: {body}")))
}

async fn verify(site: &Site, table: &str, expected: [u64; 6]) -> Body {
    let body = site.json(&["verify"]).await;
    assert_eq!(counts(&body, table), expected, "{body}");
    let agrees = expected[..3] == [0; 3];
    assert_eq!((body.code, body["success"].as_bool()), (Some(i32::from(!agrees)), Some(agrees)), "{body}");
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_no_run_has_reached_and_those_that_none_looks_for_are_no_difference() {
    let site = events(json!({})).await;
    add(&site, 1..=6, NOON);
    incremental(&site, &[]).await;
    verify(&site, "events", [0; 6]).await;
    site.source.clock().set(DAY, NOON + 3_600 * SECOND);
    add(&site, 7..=8, NOON + 500 * SECOND);
    change(&site, 2, NOON + 3_000 * SECOND, "changed");
    change(&site, 3, NOON, "changed, and its moment set back");
    let events = site.source.table("Events");
    events.delete(|row| row[0] == Value::Int(4)).unwrap();
    events.insert(vec![Value::Int(9), Value::Null, Value::text("never")]).unwrap();
    let body = verify(&site, "events", [0, 0, 0, 4, 1, 1]).await;
    let warnings = body["warnings"].to_string();
    for said in [
        "4 rows differ that no run has reached yet (Changed after 2026-02-05T12:05:00, which is the watermark less 300 s, or NULL)",
        "1 row is in the target only",
        "1 row differs and is left alone",
    ] {
        assert!(warnings.contains(said), "{said}: {body}");
    }
    let shown = site.run(&["verify"]).await;
    assert!(shown.stdout.contains("1 of 1 tables agree") && shown.stderr.contains("4 rows differ that no run has reached"), "{shown:?}");
    site.db.execute("DELETE FROM events WHERE id = 5").await;
    let body = verify(&site, "events", [0, 1, 0, 4, 1, 1]).await;
    assert_eq!(body.table("events")["differences"], json!([{"kind": "missing", "key": "Id=5", "columns": []}]), "{body}");
    incremental(&site, &[]).await;
    // The run has brought what it could: 2 is left alone now, and 9 has no moment still.
    verify(&site, "events", [0, 1, 0, 1, 1, 2]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_should_have_written_or_deleted_is_a_difference() {
    let site = events(json!({"on_conflict": "update", "deletes": "keys"})).await;
    add(&site, 1..=4, NOON);
    incremental(&site, &[]).await;
    site.source.clock().set(DAY, NOON + 3_600 * SECOND);
    change(&site, 1, NOON + 3_000 * SECOND, "changed");
    site.db.execute("UPDATE events SET note = 'ours' WHERE id = 2; INSERT INTO events VALUES (7, NULL, 'ours')").await;
    let body = verify(&site, "events", [1, 0, 1, 1, 0, 0]).await;
    assert!(body["warnings"].to_string().contains("the next run that compares them deletes them"), "{body}");
    let named: Vec<_> = body.table("events")["differences"].as_array().unwrap().iter().map(|found| found["key"].clone()).collect();
    assert_eq!(named, ["Id=2", "Id=7"], "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_rows_tell_what_no_run_has_reached() {
    // Rows are not compared byte for byte, and keys are of two columns.
    let columns = [("Place", "nvarchar(10)"), ("Id", "int"), ("Price", "decimal(10,2)"), ("Ver", "rowversion")];
    let options = json!({"sync": {"mode": "incremental", "kind": "rowversion"}});
    let site = Site::planted(vec![Planted::new("Stock", &columns, 2)], options).await;
    let stock = site.source.table("Stock");
    let row = |id: i64| vec![Value::text("north"), Value::Int(id), Value::Decimal(1_000, 2), Value::Null];
    (1..=4).for_each(|id| stock.insert(row(id)).unwrap());
    incremental(&site, &[]).await;
    stock.update("Price", Value::Decimal(1_100, 2), |row| row[1] == Value::Int(1)).unwrap();
    stock.insert(row(5)).unwrap();
    stock.delete(|row| row[1] == Value::Int(2)).unwrap();
    verify(&site, "stock", [0, 0, 0, 2, 1, 0]).await;
    site.db.execute("UPDATE stock SET price = 0 WHERE id IN (1, 3)").await;
    let body = verify(&site, "stock", [1, 0, 0, 2, 1, 0]).await;
    assert_eq!(body.table("stock")["differences"][0]["key"], "Place=north, Id=3", "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_change_tracking_will_tell_is_no_difference_and_all_else_is() {
    let site = tracked().await;
    incremental(&site, &[]).await;
    let stock = site.source.table("Stock");
    stock.update("Pieces", Value::Int(11), |row| row[0] == Value::Int(1)).unwrap();
    stock.delete(|row| row[0] == Value::Int(2)).unwrap();
    stock.insert(vec![Value::Int(4), Value::Int(40)]).unwrap();
    verify(&site, "stock", [0, 0, 0, 3, 0, 0]).await;
    site.db.execute("UPDATE stock SET pieces = 0 WHERE id = 3; INSERT INTO stock VALUES (7, 70)").await;
    verify(&site, "stock", [1, 0, 1, 3, 0, 0]).await;
    stock.clean_up_changes(9).unwrap();
    let body = site.json(&["verify"]).await;
    assert!(body.error_of("stock").contains("--reset stock"), "which rows have changed is not known any more: {body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_that_was_broken_off_left_for_the_next_one_is_no_difference() {
    for sync in [json!({"column": "Changed", "lag": "0"}), json!({"kind": "change_tracking"})] {
        let table = Planted::new("Events", &[("Id", "int"), ("Changed", "datetime2(7)"), ("Note", "nvarchar(50)")], 1).indexed("Changed");
        let mut options = json!({"batch_size": 1, "sync": {"mode": "incremental"}});
        options["sync"].as_object_mut().unwrap().extend(sync.as_object().unwrap().clone());
        // Rows of one moment lie on both sides of the place: 51 to 199.
        let rows = (1..=250).map(|id| event(id, NOON + u64::try_from((id + 149) / 200).unwrap() * 60 * SECOND, "new")).collect();
        let mut site = Site::planted(vec![table.rows(rows)], options).await;
        site.source.track_changes("Events");
        site.source.clock().set(DAY, NOON + 600 * SECOND);
        site.db.execute("CREATE TABLE events (id int PRIMARY KEY, changed timestamp, note text); ALTER TABLE events OWNER TO sync").await;
        let body = site.json(&["verify"]).await;
        assert_eq!((&body.table("events")["missing_rows"], &body.table("events")["not_synced_yet"]), (&json!(250), &Json::Null), "{body}");
        assert!(body["warnings"].to_string().contains("no run has brought rows of it yet"), "{body}");
        site.set("FAILPOINTS", "step_committed=return");
        assert_eq!(site.run(&["incremental_sync"]).await.signal, Some(9));
        site.unset("FAILPOINTS");
        assert_eq!(site.db.value("SELECT count(*) FROM events").await, "100");
        verify(&site, "events", [0, 0, 0, 150, 0, 0]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_postgresql_too_rows_ahead_are_told_from_rows_that_are_missing() {
    let mut pair = Pair::new(FINDINGS).await;
    pair.configure(json!({"sync": {"mode": "incremental", "column": "created_at", "lag": "60"}}));
    pair.from.execute("INSERT INTO findings SELECT n, 'high', NULL, now() - interval '1 h' FROM generate_series(1, 5) n").await;
    pair.sync().await;
    let since = "INSERT INTO findings VALUES (6, 'high', NULL, now()); DELETE FROM findings WHERE id = 2; \
        UPDATE findings SET created_at = now(), severity = 'low' WHERE id = 1";
    pair.from.execute(since).await;
    let body = Body::of(pair.run(&["verify", "--json"]).await);
    assert_eq!((body.code, counts(&body, "all")), (Some(0), [0, 0, 0, 2, 1, 0]), "{body}");
    pair.to.execute("DELETE FROM findings WHERE id = 3").await;
    let body = Body::of(pair.run(&["verify", "--json"]).await);
    assert_eq!((body.code, counts(&body, "all")), (Some(1), [0, 1, 0, 2, 1, 0]), "{body}");
}
