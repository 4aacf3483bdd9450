//! The main job: four tables in, four tables out, exactly; and again, with nothing to do.

use serde_json::json;

use crate::support::site::{FOUR_TABLES, Site};
use crate::support::source::{ROWS_TO_READ as ROWS, Source};

#[tokio::test(flavor = "multi_thread")]
async fn four_tables_arrive_exactly_as_they_stand_in_the_source() {
    let site = Site::over(Source::to_read().await).await;
    let body = site.sync().await;
    assert_eq!(body["total_transferred"], json!(4 * ROWS));
    assert_eq!([&body["processed_tables"], &body["successful_tables"], &body["failed_tables"]], [4, 4, 0]);
    for (name, target) in FOUR_TABLES {
        assert_eq!(body.counts(name), [ROWS, ROWS, 0, 0, 0], "{name}");
        assert_eq!(body.table(name)["validation_passed"], true);
        assert_same_rows(&site, name, target).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refresh_leaves_the_same_rows() {
    for refresh in ["merge", "replace", "truncate"] {
        let mut site = Site::over(Source::to_read().await).await;
        site.default("refresh", json!(refresh));
        // A table that has to be made first is loaded straight, whatever the way; the second run goes the way asked for.
        for way in ["straight", refresh] {
            let body = site.sync().await;
            for (name, target) in FOUR_TABLES {
                assert_eq!(body.table(name)["refresh"], way, "{name}");
                assert_same_rows(&site, name, target).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn auto_loads_straight_into_an_empty_target_and_merges_into_a_full_one() {
    let site = Site::over(Source::to_read().await).await;
    for refresh in ["straight", "merge"] {
        let body = site.sync().await;
        for (name, _) in FOUR_TABLES {
            assert_eq!(body.table(name)["refresh"], refresh, "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn second_run_writes_no_row() {
    let site = Site::over(Source::to_read().await).await;
    site.sync().await;
    let before = written(&site).await;
    let body = site.sync().await;
    for (name, _) in FOUR_TABLES {
        assert_eq!(body.counts(name), [ROWS, 0, 0, 0, ROWS], "{name}");
    }
    assert_eq!(written(&site).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn four_tables_at_a_time_leave_the_same_as_one_after_the_other() {
    let mut site = Site::over(Source::to_read().await).await;
    site.set("MAX_PARALLEL_TABLES", "4");
    let body = site.sync().await;
    assert_eq!(body["execution_mode"], "parallel");
    let order: Vec<_> = body["table_results"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(order, FOUR_TABLES.map(|(name, _)| name), "results stand in run order");
    for (name, target) in FOUR_TABLES {
        assert_same_rows(&site, name, target).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_does_not_grow_with_the_table() {
    let mut peaks = Vec::new();
    for rows in [2_000, 40_000] {
        let mut site = Site::over(Source::sample(rows).await).await;
        site.keep(&["customer"]);
        let finished = site.run(&["multi_sync", "--json"]).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        peaks.push(finished.peak_kib);
    }
    // Twenty times the rows (8 MB of them) may fill buffers that the small table left empty, not more.
    assert!(peaks[1] < peaks[0] + 16 * 1024, "peak memory in KiB: {peaks:?}");
    assert!(peaks[1] < 64 * 1024, "peak memory in KiB: {peaks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_source_is_read_with_locks_unless_dirty_reads_are_asked_for() {
    let mut site = Site::over(Source::sample(10).await).await;
    site.keep(&["customer"]).sync().await;
    assert!(!site.source.has_seen("NOLOCK"));
    site.default("isolation", json!("nolock")).sync().await;
    assert!(site.source.has_seen("FROM [McTM].[dbo].[Customer] WITH (NOLOCK)"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_asked_for_where_the_database_allows_it() {
    let mut site = Site::over(Source::sample(10).await).await;
    site.keep(&["customer"]).default("isolation", json!("snapshot")).sync().await;
    assert!(site.source.has_seen("snapshot_isolation_state"));
    assert!(site.source.has_seen("SET TRANSACTION ISOLATION LEVEL SNAPSHOT"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sample_customers_are_as_large_as_real_ones() {
    let mut site = Site::over(Source::sample(20_000).await).await;
    site.keep(&["customer"]).sync().await;
    let shape = "SELECT avg_bytes BETWEEN 170 AND 200 AND nulls BETWEEN 0.32 AND 0.35 AND long BETWEEN 0.0005 AND 0.002 FROM \
        (SELECT bytes / rows_read AS avg_bytes FROM tablesync.runs) AS run, (SELECT avg((note IS NULL)::int) AS nulls, \
        avg((coalesce(octet_length(note), 0) > 4096)::int) AS long FROM mctm_customer) AS notes";
    assert_eq!(site.db.value(shape).await, "t");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_run_leaves_its_trace() {
    let site = Site::over(Source::sample(100).await).await;
    site.sync().await;
    site.sync().await;
    let runs = site
        .db
        .rows(
            "SELECT table_name, mode, outcome, refresh, rows_read, inserted, updated, deleted, unchanged, error, version, \
             finished_at >= started_at AND seconds >= 0 AND bytes > 0 FROM tablesync.runs ORDER BY started_at",
        )
        .await;
    let expected = ["straight", "merge"].into_iter().flat_map(|refresh| {
        FOUR_TABLES.map(|(name, _)| {
            let [inserted, unchanged] = if refresh == "straight" { ["100", "0"] } else { ["0", "100"] };
            let row = [name, "multi_sync", "succeeded", refresh, "100", inserted, "0", "0", unchanged];
            let mut row: Vec<_> = row.map(|text| Some(text.to_owned())).to_vec();
            row.extend([None, Some(env!("CARGO_PKG_VERSION").to_owned()), Some("t".to_owned())]);
            row
        })
    });
    assert_eq!(runs, expected.collect::<Vec<_>>());
    assert_eq!(site.db.value("SELECT count(DISTINCT run_id) FROM tablesync.runs").await, "2");
    let staging = "SELECT count(*) FROM pg_tables WHERE schemaname = 'tablesync' AND tablename NOT IN ('runs', 'schema_version', 'quarantine', 'source_columns', 'locks')";
    assert_eq!(site.db.value(staging).await, "0", "staging tables are gone");
}

/// Compares a target with what the source holds, row by row, as PostgreSQL writes the values.
async fn assert_same_rows(site: &Site, name: &str, target: &str) {
    let columns: Vec<_> =
        site.config["tables"][name]["pg_columns"].as_array().unwrap().iter().map(|c| format!("\"{}\"", c.as_str().unwrap())).collect();
    let mut arrived = site.db.rows(&format!("SELECT {} FROM {target}", columns.join(", "))).await;
    let mut expected = site.source.rows_of(name);
    arrived.sort();
    expected.sort();
    assert_eq!(arrived.len(), expected.len(), "{name}");
    for (arrived, expected) in arrived.iter().zip(&expected) {
        assert_eq!(arrived, expected, "{name}");
    }
}

/// What PostgreSQL has counted as written in the target tables.
async fn written(site: &Site) -> Vec<Vec<Option<String>>> {
    site.db.settled().await;
    site.db
        .rows("SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE schemaname = 'public' ORDER BY relname")
        .await
}
