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
        pair.from.execute("INSERT INTO findings VALUES (500, 'never', NULL, 'infinity')").await;
        let body = pair.sync().await;
        assert!(body["warnings"].to_string().contains("1 rows of \\\"public\\\".\\\"findings\\\" have no moment in created_at"), "{body}");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_both_sides_compute_is_left_to_the_target_and_domains_may_be_of_domains() {
    let sql = "CREATE DOMAIN number AS bigint; CREATE DOMAIN id AS number CHECK (value > 0); CREATE DOMAIN address AS inet; CREATE DOMAIN moment AS timestamptz(3); \
        CREATE DOMAIN made AS moment NOT NULL; CREATE TABLE findings (id id PRIMARY KEY, host address, created_at made, \
        twice bigint GENERATED ALWAYS AS (id * 2) STORED); CREATE INDEX ON findings (created_at); ALTER TABLE findings OWNER TO sync";
    let mut pair = Pair::new(sql).await;
    pair.set("BATCH_SIZE", "1");
    pair.config[0]["on_conflict"] = json!("update");
    pair.from.execute("INSERT INTO findings SELECT n, '10.0.0.1', now() - n * interval '1 second' FROM generate_series(1, 130) n").await;
    assert_eq!(pair.sync().await.counts("findings"), [130, 130, 0, 0, 0]);
    pair.from.execute("UPDATE findings SET host = '10.0.0.2', created_at = now() WHERE id < 4").await;
    assert_eq!(pair.sync().await.counts("findings")[2], 3);
    pair.assert_same().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_without_a_key_is_refused_wherever_it_stands() {
    let sql = "CREATE TABLE findings (id bigint UNIQUE, created_at timestamptz NOT NULL); CREATE INDEX ON findings (created_at); ALTER TABLE findings OWNER TO sync";
    // Alone in a first run; and behind a step's end, at its moment.
    for count in [1, 100, 150] {
        let mut pair = Pair::new(sql).await;
        pair.set("BATCH_SIZE", "1");
        pair.from.execute(&format!("INSERT INTO findings SELECT n, '2026-01-01' FROM generate_series(1, {count}) n; INSERT INTO findings VALUES (NULL, '2026-01-01')")).await;
        let refused = pair.json(&[]).await;
        assert!(refused.error_of("findings").contains("rows without a key (id)"), "{count}: {refused}");
        assert_eq!(pair.to.value("SELECT count(*) FROM findings WHERE id IS NULL").await, "0");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_break_a_constraint_with_rows_that_stand_are_named() {
    let sql = "CREATE TABLE findings (id bigint PRIMARY KEY, code text CONSTRAINT codes UNIQUE, parent bigint CONSTRAINT parents REFERENCES findings, created_at timestamptz NOT NULL); \
        ALTER TABLE findings OWNER TO sync";
    let mut pair = Pair::new(sql).await;
    pair.config[0]["on_conflict"] = json!("update");
    pair.from.execute("ALTER TABLE findings DROP CONSTRAINT parents; INSERT INTO findings VALUES (1, 'a', NULL, '2026-01-01'), (2, 'b', 1, '2026-01-01')").await;
    pair.sync().await;
    // In the target, 9 has the code of 3, the parent of 3 stands, and that of 4 is nowhere.
    pair.to.execute("INSERT INTO findings VALUES (9, 'c', NULL, '2026-01-01')").await;
    pair.from.execute("INSERT INTO findings VALUES (3, 'c', 1, now())").await;
    let refused = pair.json(&[]).await;
    assert!(
        refused.error_of("findings").contains("constraint codes of \"public\".\"findings\", column code; the first of them, by id: 3."),
        "{refused}"
    );
    pair.from
        .execute(
            "UPDATE findings SET code = 'd'; INSERT INTO findings VALUES (4, 'e', 77, now())"
                .replace("code = 'd'", "code = 'd' WHERE id = 3")
                .as_str(),
        )
        .await;
    let refused = pair.json(&[]).await;
    assert!(
        refused.error_of("findings").contains("constraint parents of \"public\".\"findings\", column parent; the first of them, by id: 4."),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_was_left_in_another_order_is_not_gone_on_from() {
    let sql = "CREATE TABLE findings (a int, b int, created_at timestamptz NOT NULL, changed_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (a, b)); \
        CREATE INDEX ON findings (created_at); CREATE INDEX ON findings (changed_at); ALTER TABLE findings OWNER TO sync";
    let mut pair = Pair::new(sql).await;
    pair.config[0]["key_columns"] = json!(["a", "b"]);
    pair.from.execute("INSERT INTO findings SELECT n, 500 - n, '2026-01-01' FROM generate_series(1, 250) n").await;
    pair.set("BATCH_SIZE", "1").set("FAILPOINTS", "step_committed=return");
    assert_eq!(pair.run(&["incremental_sync"]).await.signal, Some(9));
    pair.set("FAILPOINTS", "");
    for (field, value, order) in
        [("key_columns", json!(["b", "a"]), "created_at, b, a"), ("sync_column", json!("changed_at"), "changed_at, a, b")]
    {
        let before = pair.config.clone();
        pair.config[0][field] = value;
        let refused = pair.json(&[]).await;
        let error = refused.error_of("findings");
        assert!(error.contains(&format!("in the order of created_at, a, b, and the order now is that of {order}")), "{refused}");
        assert!(error.contains("--reset findings"), "{refused}");
        pair.config = before;
    }
    assert_eq!(pair.sync().await.counts("findings")[0], 150);
    pair.assert_same_by("a").await;
    // What one column tells of, another may not have been asked for.
    pair.config[0]["sync_column"] = json!("changed_at");
    let refused = pair.json(&[]).await;
    assert!(refused.error_of("findings").contains("by created_at, and its sync column now is changed_at"), "{refused}");
    pair.config[0]["on_conflict"] = json!("update");
    let body = pair.json(&["--reset=findings"]).await;
    assert_eq!(body.counts("findings")[0], 250, "{body}");
    assert_eq!(pair.to.value("SELECT key->'by'->>0 FROM sync_meta").await, "changed_at");
    pair.sync().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_asked_how_far_it_is_and_not_what_its_clock_shows() {
    let pair = Pair::new(FINDINGS).await;
    // A standby's answers, for a role that looks here first; that of shared storage has no such function.
    let name = &pair.from.name;
    let standby = "CREATE SCHEMA standby; GRANT USAGE ON SCHEMA standby TO PUBLIC; \
        CREATE FUNCTION standby.pg_is_in_recovery() RETURNS boolean LANGUAGE sql AS 'SELECT true'; \
        CREATE FUNCTION standby.pg_last_xact_replay_timestamp() RETURNS timestamptz LANGUAGE sql AS $$SELECT now() - interval '1 hour'$$";
    pair.from.execute(&format!("{standby}; ALTER DATABASE {name} SET search_path = standby, pg_catalog, public; INSERT INTO findings VALUES (1, 'high', NULL, now() - interval '2 hours')")).await;
    let behind = "SELECT watermark::timestamptz BETWEEN now() - interval '61 min' AND now() - interval '60 min' FROM sync_meta";
    pair.sync().await;
    assert_eq!(pair.to.value(behind).await, "t");
    // What the standby learns of later was written before.
    pair.from.execute("INSERT INTO findings VALUES (2, 'late', NULL, now() - interval '50 minutes')").await;
    let without = "CREATE OR REPLACE FUNCTION standby.pg_last_xact_replay_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS \
        $$BEGIN RAISE EXCEPTION 'not supported here' USING ERRCODE = '0A000'; END$$";
    pair.from.execute(without).await;
    assert_eq!(pair.sync().await.counts("findings")[1], 1);
    assert_eq!(pair.to.value(behind).await, "f");
    pair.assert_same().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_postgres_source_has_not_and_what_a_role_may_not_read_is_said_by_name() {
    let mut pair = Pair::new(FINDINGS).await;
    pair.configure(json!({"sync": {"mode": "incremental", "kind": "rowversion"}}));
    let refused = pair.json(&[]).await;
    let error = refused["error"].as_str().unwrap();
    assert!(refused.code == Some(2) && error.contains("tables.all.sync.kind: \"rowversion\" is SQL Server's"), "{refused}");
    pair.configure(json!({"on_drift": "add_columns"}));
    pair.from.execute(&rows(1, 3)).await;
    pair.sync().await;
    pair.from.execute("ALTER TABLE findings ADD COLUMN owner text DEFAULT 'us'").await;
    assert!(pair.sync().await["warnings"].to_string().contains("have nothing in the new columns, unless with --reset all"));
    pair.from.execute("ALTER TABLE findings OWNER TO postgres; REVOKE ALL ON findings FROM sync; GRANT SELECT (id, created_at, owner) ON findings TO sync").await;
    let refused = pair.json(&[]).await;
    assert!(refused.error_of("all").contains("severity (text): the role lacks SELECT on it; detail (jsonb)"), "{refused}");
}
