//! Full refreshes, in every way, and the other modes.

use serde_json::json;

use super::site::{PgSite, dsn};

const ASSETS: &str = "CREATE TABLE assets (id bigint PRIMARY KEY, name text NOT NULL, seen timestamptz, tags text[]); \
    INSERT INTO assets SELECT n, 'asset ' || n, '2026-01-01'::timestamptz + n * interval '1.000001 s', ARRAY['a', NULL, n::text] \
    FROM generate_series(1, 5000) AS n";

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_made_and_filled_and_the_second_run_writes_nothing() {
    let site = PgSite::new(ASSETS, &["assets"]).await;
    let body = site.sync().await;
    assert_eq!((body.counts("assets"), &body.table("assets")["refresh"]), ([5000, 5000, 0, 0, 0], &json!("straight")));
    site.assert_same("assets").await;
    let body = site.sync().await;
    assert_eq!((body.counts("assets"), &body.table("assets")["refresh"]), ([5000, 0, 0, 0, 5000], &json!("merge")));
}
