//! Trouble on the way: rows that do not all come are never taken for all rows.

use std::time::{Duration, Instant};

use super::site::{PgSite, dsn};
use crate::support::pgbouncer::Pool;
use crate::support::proxy::{Direction, Place, Proxy, Trouble};

/// About 400 KB.
const ROWS: &str = "CREATE TABLE rows (id integer PRIMARY KEY, t text NOT NULL); INSERT INTO rows SELECT n, repeat('x', 380) FROM generate_series(1, 1000) AS n";

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_is_never_the_end_of_the_rows() {
    let mut site = PgSite::new(ROWS, &["rows"]).await;
    let proxy = Proxy::before(site.from.cluster.port).await;
    // Without TLS, so that a byte of the stream is a byte of a row.
    let through = dsn(&site.from.name, proxy.port, "sslmode=disable");
    site.set("SOURCE_SCOUT_DSN", &through).set("MAX_RETRIES", "0");
    site.sync().await;
    site.from.execute("UPDATE rows SET t = t || 'y'").await;
    let before = site.to.checksum("rows").await;
    let passed = proxy.passed(Direction::ToClient);
    for share in [1, 20, 60, 95, 99] {
        for trouble in [Trouble::Cut, Trouble::Reset] {
            proxy.plan(Some((trouble, Place::Byte(Direction::ToClient, passed * share / 100))));
            let body = site.json(&["multi_sync"]).await;
            assert!(proxy.has_struck(), "{share} {trouble:?}");
            body.error_of("rows");
            assert_eq!(site.to.checksum("rows").await, before, "{share} {trouble:?}");
        }
    }
    proxy.plan(Some((Trouble::Cut, Place::Byte(Direction::ToClient, passed / 2))));
    let body = site.set("MAX_RETRIES", "2").sync().await;
    assert_eq!(body.counts("rows"), [1000, 0, 1000, 0, 0], "begun again: {body}");
    site.assert_same("rows").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_falls_silent_in_mid_stream_is_given_up() {
    let mut site = PgSite::new(ROWS, &["rows"]).await;
    let proxy = Proxy::before(site.from.cluster.port).await;
    let through = dsn(&site.from.name, proxy.port, "sslmode=disable");
    site.set("SOURCE_SCOUT_DSN", &through).set("MAX_RETRIES", "0").set("SOURCE_IDLE_TIMEOUT", "1");
    proxy.plan(Some((Trouble::Stall, Place::Byte(Direction::ToClient, 200_000))));
    let begun = Instant::now();
    let body = site.json(&["multi_sync"]).await;
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    let error = body.error_of("rows");
    assert!(error.contains("has not answered for 1s") && error.contains("SOURCE_IDLE_TIMEOUT"), "{error}");
    assert_eq!(site.to.value("SELECT to_regclass('rows') IS NULL").await, "t");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_ends_the_session_or_fails_half_way_leaves_the_target_as_it_was() {
    let sql = format!("{ROWS}; CREATE VIEW broken AS SELECT id, 1 / (900 - id) AS t FROM rows");
    let mut site = PgSite::new(&sql, &["rows", "broken"]).await;
    let body = site.json(&["multi_sync"]).await;
    assert_eq!(body.counts("rows")[0], 1000);
    let error = body.error_of("broken");
    assert!(error.contains("22012"), "division by zero after 899 rows: {error}");
    assert_eq!(site.to.value("SELECT to_regclass('broken') IS NULL").await, "t");
    site.from.execute("SET ROLE sync; DROP VIEW broken; CREATE VIEW broken AS SELECT id, CASE WHEN id = 900 THEN pg_terminate_backend(pg_backend_pid()) END AS t FROM rows").await;
    let body = site.set("MAX_RETRIES", "0").json(&["multi_sync"]).await;
    assert!(body.error_of("broken").contains("57P01"), "{body}");
    assert_eq!(site.to.value("SELECT to_regclass('broken') IS NULL").await, "t");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_may_stand_before_the_source_and_nothing_is_left_in_it() {
    let mut site = PgSite::new(ROWS, &["rows"]).await;
    let pool = Pool::before(&site.from, 1);
    site.set("SOURCE_SCOUT_DSN", &dsn(&site.from.name, pool.port, "sslmode=disable"));
    for mode in ["multi_sync", "multi_test", "plan", "verify", "info", "multi_sync"] {
        let body = site.json(&[mode]).await;
        assert_eq!((body.code, body["success"].as_bool()), (Some(0), Some(true)), "{mode}: {body}");
        assert_eq!(pool.left_behind().await, Vec::<String>::new(), "after {mode}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_does_not_grow_with_the_table() {
    let mut peaks = Vec::new();
    for rows in [1_000, 60_000] {
        let site = PgSite::new(&ROWS.replace("1000", &rows.to_string()), &["rows"]).await;
        let finished = site.run(&["multi_sync", "--json"]).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        peaks.push(finished.peak_kib);
    }
    // 24 MB of rows may fill buffers that the small table left empty, not more.
    assert!(peaks[1] < peaks[0] + 12 * 1024, "peak memory in KiB: {peaks:?}");
    assert!(peaks[1] < 64 * 1024, "peak memory in KiB: {peaks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_hidden_by_a_policy_are_an_error_and_not_missing() {
    let site = PgSite::new(ROWS, &["rows"]).await;
    site.from
        .execute("ALTER TABLE rows OWNER TO postgres; GRANT SELECT ON rows TO sync; ALTER TABLE rows ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON rows USING (id < 10)")
        .await;
    let body = site.json(&["multi_sync"]).await;
    assert!(body.error_of("rows").contains("BYPASSRLS"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_rows_are_of_one_moment_whatever_is_written_meanwhile() {
    let mut site = PgSite::new(ROWS, &["rows"]).await;
    let proxy = Proxy::before(site.from.cluster.port).await;
    site.set("SOURCE_SCOUT_DSN", &dsn(&site.from.name, proxy.port, "sslmode=disable"));
    proxy.plan(Some((Trouble::Delay, Place::Byte(Direction::ToClient, 100_000))));
    let running = site.start(&["multi_sync", "--json"]);
    while !proxy.has_struck() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    site.from.execute("UPDATE rows SET t = 'later'; DELETE FROM rows WHERE id % 2 = 0").await;
    let finished = running.finish().await;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(
        site.to.rows("SELECT count(*), count(*) FILTER (WHERE t = 'later') FROM rows").await,
        [["1000", "0"].map(|n| Some(n.to_owned()))]
    );
}
