//! Runs that are killed between and within steps: the next one ends with the same rows, and the watermark is never ahead of them.

use futures_util::{StreamExt, stream};
use serde_json::json;

use super::{DAY, NOON, SECOND, event};
use crate::chaos::seeds;
use crate::support::site::Site;
use crate::support::source::{Planted, Value};

/// Rows of a step: a hundred batches of one row.
const STEP: i64 = 100;
/// How many rows have one moment.
const GROUPS: [i64; 6] = [1, 2, STEP - 1, STEP, STEP + 1, 3 * STEP];
/// Cells that are run side by side.
const AT_ONCE: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn groups_of_one_moment_are_copied_whole_by_runs_that_die_at_every_step() {
    for group in GROUPS {
        let mut site = ties(group).await;
        site.set("FAILPOINTS", "step_committed=return");
        let mut deaths = 0;
        while site.run(&["incremental_sync", "--json"]).await.signal == Some(9) {
            deaths += 1;
            assert!(deaths < 20, "each run goes a step further");
            check_watermark(&site).await;
        }
        assert!(deaths >= 3, "{deaths}");
        site.unset("FAILPOINTS");
        check_rows(&site).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_point_leaves_a_watermark_that_is_not_ahead_of_the_rows() {
    let points = [
        "source_described",
        "target_made",
        "planned",
        "straight_begun",
        "batch_sent",
        "copy_done",
        "step_recorded",
        "success_recorded",
        "committed",
    ];
    let cells = cells(points.len()).map(|(seed, point)| async move {
        let mut rng = fastrand::Rng::with_seed(seed);
        let group = if seed == 0 { STEP / 2 } else { *rng.choice(&GROUPS).unwrap() };
        // Once in each step, and there are three of them at least.
        let hit = if matches!(points[point], "batch_sent" | "copy_done" | "step_recorded") { rng.usize(1..=3) } else { 1 };
        killed_then_whole(ties(group).await, points[point], hit).await;
    });
    stream::iter(cells).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_point_of_a_merge_leaves_it_undone() {
    let points = [
        "staging_made",
        "batch_sent",
        "source_unchanged",
        "keys_loaded",
        "publish_begun",
        "rows_inserted",
        "rows_deleted",
        "success_recorded",
        "committed",
    ];
    let cells = cells(points.len()).map(|(seed, point)| async move {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut site = ties(STEP / 2).await;
        site.config["tables"]["events"]["sync"]["deletes"] = json!("keys");
        check_rows(&site).await;
        site.source.clock().set(DAY, NOON + 700 * SECOND);
        for new in 0..rng.i64(1..=3 * STEP / 2) {
            let moment = NOON + rng.u64(601..700) * SECOND;
            site.source.table("Events").insert(event(20_000 + new, moment, "new")).unwrap();
        }
        site.source.table("Events").delete(|row| matches!(row[0], Value::Int(7_919))).unwrap();
        killed_then_whole(site, points[point], 1).await;
    });
    stream::iter(cells).buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_late_while_a_first_run_was_broken_off_is_not_missed() {
    let mut site = ties(STEP).await;
    let table = site.source.table("Events");
    let mut late = table.begin().unwrap();
    // Behind the place where the run dies, and within the lag of its end.
    late.insert(&table, event(9_999, NOON + SECOND / 2, "late")).unwrap();
    site.source.clock().set(DAY, NOON + 60 * SECOND);
    site.set("FAILPOINTS", "step_committed=2*off->return");
    assert_eq!(site.run(&["incremental_sync", "--json"]).await.signal, Some(9));
    site.unset("FAILPOINTS");
    late.commit().unwrap();
    site.source.clock().set(DAY, NOON + 7_200 * SECOND);
    check_rows(&site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_run_by_change_tracking_that_dies_at_every_step_ends_with_what_changed_meanwhile() {
    let table = Planted::new("Stock", &[("Place", "nvarchar(10)"), ("Id", "int"), ("Pieces", "int")], 2);
    let row = |id: i64, pieces: i64| vec![Value::text(["north", "south"][usize::from(id % 3 == 0)]), Value::Int(id), Value::Int(pieces)];
    let rows = (0..7 * STEP / 2).map(|id| row(id, 0)).collect();
    let options = json!({"batch_size": 1, "sync": {"mode": "incremental", "kind": "change_tracking"}});
    let mut site = Site::planted(vec![table.rows(rows)], options).await;
    site.source.track_changes("Stock");
    let stock = site.source.table("Stock");
    site.set("FAILPOINTS", "step_committed=return");
    let mut deaths = 0;
    while site.run(&["incremental_sync", "--json"]).await.signal == Some(9) {
        deaths += 1;
        assert!(deaths < 20, "each run goes a step further");
        let reached = site.db.value("SELECT concat_ws(' ', watermark, coalesce(key->>'until', 'done')) FROM sync_meta").await;
        assert!(reached == "0 0" || (reached == "0 done" && deaths > 3), "the copy is one of the first version: {reached}");
        // Before the place of the copy, and behind it.
        for id in [deaths, 7 * STEP / 2 - deaths] {
            stock.update("Pieces", Value::Int(deaths), |row| row[1] == Value::Int(id)).unwrap();
            stock.delete(|row| row[1] == Value::Int((id + 50) % 300)).unwrap();
            stock.insert(row(1_000 + id, deaths)).unwrap();
        }
    }
    assert!(deaths >= 3, "{deaths}");
    site.unset("FAILPOINTS");
    super::incremental(&site, &[]).await;
    let mut wanted = site.source.rows_of("Stock");
    wanted.sort();
    let mut stands = site.db.rows("SELECT place, id, pieces FROM stock").await;
    stands.sort();
    assert!(stands == wanted, "{} rows stand and {} are wanted", stands.len(), wanted.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_by_change_tracking_that_dies_takes_out_what_was_gone_before_it_began() {
    let table = Planted::new("Stock", &[("Id", "int"), ("Pieces", "int")], 1);
    let rows = (0..5 * STEP / 2).map(|id| vec![Value::Int(id), Value::Int(0)]).collect();
    let options = json!({"batch_size": 1, "sync": {"mode": "incremental", "kind": "change_tracking"}});
    let mut site = Site::planted(vec![table.rows(rows)], options).await;
    site.source.track_changes("Stock");
    super::incremental(&site, &[]).await;
    let stock = site.source.table("Stock");
    stock.delete(|row| row[0] == Value::Int(7)).unwrap();
    stock.clean_up_changes(1).unwrap();
    site.set("FAILPOINTS", "step_committed=return");
    assert_eq!(site.run(&["incremental_sync", "--json", "--reset=stock"]).await.signal, Some(9));
    site.unset("FAILPOINTS");
    assert_eq!(site.db.value("SELECT count(*) FROM stock").await, "250");
    super::incremental(&site, &[]).await;
    assert_eq!(site.db.value("SELECT count(*), bool_or(id = 7) FROM stock").await, "249");
}

/// Every point, as often as there are seeds (`make chaos`).
fn cells(points: usize) -> impl Iterator<Item = (u64, usize)> {
    (0..seeds()).flat_map(move |seed| (0..points).map(move |point| (seed, point)))
}

/// Groups whose rows have one moment each; keys do not ascend with the moments.
async fn ties(group: i64) -> Site {
    let table = Planted::new("Events", &[("Id", "int"), ("Changed", "datetime2(7)"), ("Note", "nvarchar(50)")], 1);
    let row = |at: i64| event((at * 7_919) % 10_007, NOON + u64::try_from(at / group).unwrap() * SECOND, "new");
    let rows: Vec<Vec<Value>> = (0..(3 * group).max(7 * STEP / 2)).map(row).collect();
    let options = json!({"batch_size": 1, "sync": {"mode": "incremental", "column": "Changed"}});
    let site = Site::planted(vec![table.rows(rows).indexed("Changed")], options).await;
    site.source.clock().set(DAY, NOON + 600 * SECOND);
    site
}

async fn killed_then_whole(mut site: Site, point: &str, hit: usize) {
    let skipped = if hit == 1 { String::new() } else { format!("{}*off->", hit - 1) };
    site.set("FAILPOINTS", &format!("{point}={skipped}return"));
    let finished = site.run(&["incremental_sync", "--json"]).await;
    assert_eq!(finished.signal, Some(9), "{point}: {finished:?}");
    site.unset("FAILPOINTS");
    check_watermark(&site).await;
    check_rows(&site).await;
}

/// Every row of the source up to the place that `sync_meta` tells stands in the target.
async fn check_watermark(site: &Site) {
    if site.db.value("SELECT to_regclass('sync_meta') IS NULL").await == "t" {
        return;
    }
    let place = site.db.rows("SELECT watermark, (key->'after'->>0)::int FROM sync_meta").await;
    let Some([Some(watermark), key]) = place.first().map(Vec::as_slice) else { return };
    let key: i64 = key.as_ref().map_or(i64::MAX, |key| key.parse().unwrap());
    let rows = site.db.rows("SELECT id FROM events").await;
    let stands: Vec<&str> = rows.iter().filter_map(|row| row[0].as_deref()).collect();
    for row in site.source.rows_of("Events") {
        let (id, changed) = (row[0].clone().unwrap(), row[1].clone().unwrap().replace(' ', "T"));
        let is_before = (changed.as_str(), id.parse::<i64>().unwrap()) <= (watermark.as_str(), key);
        assert!(!is_before || stands.contains(&id.as_str()), "row {id} of {changed} is missed: the watermark is {watermark} {key}");
    }
}

/// The next run ends with the source's rows, and leaves nothing behind.
async fn check_rows(site: &Site) {
    super::incremental(site, &[]).await;
    let mut wanted = site.source.rows_of("Events");
    wanted.sort();
    let mut stands = site.db.rows("SELECT id, changed, note FROM events").await;
    stands.sort();
    assert!(stands == wanted, "{} rows stand and {} are wanted", stands.len(), wanted.len());
    assert_eq!(site.db.value("SELECT NOT key ? 'after' FROM sync_meta").await, "t");
    let helpers =
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'tablesync'::regnamespace AND relname ~ '^(staging|difference|keys)_'";
    assert_eq!(site.db.value(helpers).await, "0");
}
