//! What is checked before a row moves, with what to do about it; and `sync_meta` as others may have left it.

use serde_json::json;

use super::{DAY, NOON, SECOND, add, events, ids, incremental};
use crate::support::site::Site;
use crate::support::source::{Planted, Value};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_a_unique_constraint_is_refused_with_the_statement_that_adds_it() {
    let site = events(json!({})).await;
    add(&site, 1..=2, NOON);
    site.db.execute("CREATE TABLE events (id int NOT NULL, changed timestamp, note text); ALTER TABLE events OWNER TO sync").await;
    let refused = site.json(&["incremental_sync"]).await;
    let error = refused.error_of("events");
    assert!(error.contains("(id)") && error.contains(r#"ALTER TABLE "public"."events" ADD UNIQUE ("id")"#), "{refused}");
    site.db.execute(r#"ALTER TABLE "public"."events" ADD UNIQUE ("id")"#).await;
    assert_eq!(incremental(&site, &[]).await.counts("events"), [2, 2, 0, 0, 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_column_that_cannot_be_one_is_refused_by_name() {
    for (column, expected) in [
        ("Chnged", r#"no sync column "Chnged" (did you mean "Changed"?); its timestamps are Changed"#),
        ("Note", "sync column Note of [dbo].[Events] is nvarchar(50), not a timestamp"),
    ] {
        let site = events(json!({"column": column})).await;
        let refused = site.json(&["incremental_sync"]).await;
        assert!(refused.error_of("events").contains(expected), "{refused}");
        assert!(!site.source.has_seen("FROM [dbo].[Events]"), "no row was asked for");
    }
    let site = events(json!({"column": null, "kind": "rowversion"})).await;
    let refused = site.json(&["incremental_sync"]).await;
    assert!(refused.error_of("events").contains("no rowversion column"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_without_a_moment_are_counted_and_a_missing_index_is_told() {
    let site = events(json!({})).await;
    add(&site, 1..=2, NOON);
    site.source.table("Events").insert(vec![Value::Int(3), Value::Null, Value::text("never")]).unwrap();
    let body = incremental(&site, &[]).await;
    let warnings = body["warnings"].to_string();
    assert!(warnings.contains("1 rows of [dbo].[Events] have no moment in Changed"), "{body}");
    assert!(warnings.contains("no index of the source begins with the sync column Changed"), "{body}");
    assert_eq!(ids(&site).await, "1,2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_behind_the_watermark_is_an_error() {
    let site = events(json!({})).await;
    add(&site, 1..=2, NOON);
    incremental(&site, &[]).await;
    site.source.clock().set(DAY, NOON + 400 * SECOND);
    incremental(&site, &[]).await;
    assert_eq!(site.db.value("SELECT watermark FROM sync_meta").await, "2026-02-05T12:10:00", "a clock put back a little");
    site.source.clock().set(DAY, NOON + 200 * SECOND);
    let failed = site.json(&["incremental_sync"]).await;
    assert!(failed.error_of("events").contains("--reset events"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_watermarks_of_the_service_before_are_taken_over() {
    let site = events(json!({})).await;
    site.db
        .execute(
            "CREATE TABLE events (id int PRIMARY KEY, changed timestamp, note text); ALTER TABLE events OWNER TO sync; \
             CREATE TABLE sync_meta (table_name text PRIMARY KEY, last_synced_at timestamptz NOT NULL); ALTER TABLE sync_meta OWNER TO sync; \
             INSERT INTO sync_meta VALUES ('public.events', '2026-02-05 21:05:00+09'), ('public.others', '2026-01-01 00:00:00Z')",
        )
        .await;
    add(&site, 1..=1, NOON - 3_600 * SECOND);
    add(&site, 2..=3, NOON + 60 * SECOND);
    let before = site.db.dump(&[]);
    let dry = site.json(&["incremental_sync", "--dry-run"]).await;
    assert_eq!((&dry.table("events")["from"], &dry.table("events")["would_insert"]), (&json!("2026-02-05T12:05:00Z"), &json!(2)), "{dry}");
    assert!(site.db.dump(&[]) == before, "a dry run renames nothing");
    let body = incremental(&site, &[]).await;
    assert_eq!(ids(&site).await, "2,3", "{body}");
    assert!(body["warnings"].to_string().contains("sync_meta_before_tablesync"), "{body}");
    let meta = "SELECT string_agg(table_name || ' ' || watermark, ', ' ORDER BY table_name) FROM sync_meta";
    assert_eq!(site.db.value(meta).await, "events 2026-02-05T12:10:00, public.others 2026-01-01T00:00:00.000000Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_meta_that_tells_nothing_is_refused_with_what_to_do() {
    let site = events(json!({})).await;
    site.db.execute("CREATE TABLE sync_meta (a int, b text); ALTER TABLE sync_meta OWNER TO sync").await;
    let refused = site.json(&["incremental_sync"]).await;
    let error = refused.error_of("events");
    assert!(error.contains("a integer, b text") && error.contains("Rename it"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watermark_that_somebody_else_moved_keeps_the_rows_out() {
    let mut site = events(json!({})).await;
    add(&site, 1..=2, NOON);
    incremental(&site, &[]).await;
    add(&site, 3..=3, NOON + 500 * SECOND);
    site.db.execute("CREATE FUNCTION moved() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN UPDATE sync_meta SET watermark = '2026-02-05T12:11:00'; RETURN NEW; END $$; \
        CREATE TRIGGER moved AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION moved()").await;
    site.set("MAX_RETRIES", "0");
    let failed = site.json(&["incremental_sync"]).await;
    assert!(failed.error_of("events").contains("is not what this run began with"), "{failed}");
    assert_eq!(ids(&site).await, "1,2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_in_another_zone_is_told_of_where_rows_seem_to_be_ahead() {
    let site = events(json!({})).await;
    site.source.clock().zone(540);
    // Written on the server's own clock, nine hours ahead of UTC.
    add(&site, 1..=2, NOON + 32_400 * SECOND);
    let body = incremental(&site, &[]).await;
    assert!(body["warnings"].to_string().contains("source_time_zone"), "{body}");
    assert_eq!(ids(&site).await, "", "nothing is missed by waiting");
    let table = Planted::new("Events", &[("Id", "int"), ("Changed", "datetime2(7)")], 1)
        .rows(vec![vec![Value::Int(1), Value::DateTime2(DAY, NOON + 32_400 * SECOND)]]);
    let options = json!({"source_time_zone": "Asia/Tokyo", "sync": {"mode": "incremental", "column": "Changed"}});
    let site = Site::planted(vec![table], options).await;
    site.source.clock().set(DAY, NOON + 600 * SECOND);
    incremental(&site, &[]).await;
    assert_eq!(ids(&site).await, "1");
    assert_eq!(site.db.value("SELECT watermark FROM sync_meta").await, "2026-02-05T21:10:00");
}
