//! What is seldom met: moments before the first year, sides with settings of their own, targets that were dropped or emptied, a `sync_meta` that is odd.

use serde_json::{Value as Json, json};

use super::postgres::{FINDINGS, Pair};

/// Rows from `from` to `to`, a minute apart, of which the last few lie within the lag.
fn rows(from: u32, to: u32) -> String {
    format!("INSERT INTO findings SELECT n, 'high', NULL, now() - n * interval '1 minute' FROM generate_series({from}, {to}) n")
}

#[tokio::test(flavor = "multi_thread")]
async fn moments_before_the_first_year_are_steps_like_others() {
    for of_type in ["timestamptz", "timestamp"] {
        let sql = FINDINGS.replace("timestamptz", of_type);
        let mut pair = Pair::new(&sql).await;
        pair.set("BATCH_SIZE", "1");
        // 4 BC and 1 BC, which some call -3 and 0; ends of steps among them.
        let rows = "INSERT INTO findings SELECT n, 'old', NULL, '0004-02-28 23:30:00.25 BC'::timestamp + n * interval '1 month' FROM generate_series(1, 120) n; \
            INSERT INTO findings SELECT n, 'none', NULL, '-infinity' FROM generate_series(201, 310) n; \
            INSERT INTO findings VALUES (400, 'new', NULL, now() - interval '1 minute')";
        pair.from.execute(rows).await;
        assert_eq!(pair.sync().await.counts("findings"), [231, 231, 0, 0, 0]);
        pair.assert_same().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_before_that_began_at_the_zero_of_its_clock_is_gone_on_with() {
    let mut pair = Pair::new(FINDINGS).await;
    // Two rows of one table, and moments of the rows themselves beside.
    let meta = "CREATE TABLE sync_meta (table_name text, last_synced timestamptz, updated_at timestamptz DEFAULT now()); ALTER TABLE sync_meta OWNER TO sync; \
        INSERT INTO sync_meta VALUES ('public.findings', '2026-01-01'), ('public.findings', '0001-01-01 00:00:00+00'), ('public.findings', NULL)";
    pair.to.execute(meta).await;
    pair.from.execute(&rows(1, 20)).await;
    pair.set("DRY_RUN", "true");
    assert_eq!(pair.sync().await.table("findings")["would_insert"], 20);
    pair.set("DRY_RUN", "false");
    let body = pair.sync().await;
    assert_eq!((body.counts("findings"), &body.table("findings")["from"]), ([20, 20, 0, 0, 0], &json!("0001-01-01T00:00:00Z")), "{body}");
    pair.assert_same().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn isolation_that_a_database_asks_for_is_not_the_runs() {
    let pair = Pair::new(FINDINGS).await;
    for level in ["serializable", "repeatable read"] {
        pair.to.execute(&format!("ALTER DATABASE {} SET default_transaction_isolation = '{level}'", pair.to.name)).await;
        for _ in 0..2 {
            let body = pair.sync().await;
            assert!(!body["warnings"].to_string().contains("ended without a word"), "the lock was given back: {body}");
        }
        assert_eq!(pair.to.value("SELECT count(*) FROM tablesync.locks WHERE expires_at IS NOT NULL").await, "0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_is_gone_gets_all_rows_once_more_and_one_that_was_emptied_is_told_of() {
    let mut pair = Pair::new(FINDINGS).await;
    pair.configure(json!({"create_tables": true, "primary_key": ["id"]}));
    pair.from.execute(&rows(1, 20)).await;
    assert_eq!(pair.sync().await.counts("all")[1], 20);
    pair.to.execute("TRUNCATE findings").await;
    let body = pair.sync().await;
    assert!(body["warnings"].to_string().contains("is empty, and \\\"public\\\".\\\"sync_meta\\\" says"), "{body}");
    assert!(body["warnings"].to_string().contains("--reset all"), "{body}");
    pair.to.execute("DROP TABLE findings").await;
    pair.set("DRY_RUN", "true");
    let dry = pair.sync().await;
    assert_eq!((&dry.table("all")["from"], &dry.table("all")["would_insert"]), (&Json::Null, &json!(20)), "{dry}");
    assert_eq!(pair.to.value("SELECT count(*) FROM sync_meta").await, "1", "a dry run forgets nothing");
    pair.set("DRY_RUN", "false");
    let body = pair.sync().await;
    assert_eq!((body.counts("all"), &body.table("all")["from"]), ([20, 20, 0, 0, 0], &Json::Null), "{body}");
    assert!(body["warnings"].to_string().contains("is not there any more"), "{body}");
    let body = pair.sync().await;
    assert!(!body["warnings"].to_string().contains("findings"), "once is enough: {body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_meta_that_cannot_be_written_is_told_before_a_row_moves() {
    let shape = "table_name text, watermark text, watermark_kind text, key jsonb, rows bigint, run_id uuid, updated_at timestamptz";
    for (sql, expected) in [
        (format!("CREATE TABLE sync_meta ({shape}); GRANT SELECT ON sync_meta TO sync"), "GRANT SELECT, INSERT, UPDATE, DELETE ON"),
        (format!("CREATE TABLE sync_meta ({shape}); ALTER TABLE sync_meta OWNER TO sync"), "Let it have this shape: CREATE TABLE"),
        ("CREATE TABLE sync_meta (table_name text, last_synced timestamp); GRANT ALL ON sync_meta TO sync".to_owned(), "OWNER TO"),
        (
            "CREATE TABLE sync_meta (table_name text, last_synced timestamp); ALTER TABLE sync_meta OWNER TO sync; CREATE TABLE sync_meta_before_tablesync (a int)"
                .to_owned(),
            "rename or drop it",
        ),
    ] {
        let pair = Pair::new(FINDINGS).await;
        pair.from.execute(&rows(1, 3)).await;
        pair.to.execute(&sql).await;
        let refused = pair.json(&[]).await;
        assert!(refused.error_of("findings").contains(expected), "{sql}: {refused}");
        assert_eq!(pair.to.value("SELECT count(*) FROM findings").await, "0");
    }
}
