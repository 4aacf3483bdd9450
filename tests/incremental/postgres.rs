//! From one PostgreSQL into another, as the service before did it: `SOURCE_DSN`, `TARGET_DSN`, `config.json`, `sync_meta`, `DRY_RUN`.

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::support::body::Body;
use crate::support::postgres::{Database, PASSWORD};
use crate::support::process::{Finished, Running};
use crate::support::site::TABLESYNC;

/// The tables of both sides.
pub(crate) const FINDINGS: &str = "CREATE TABLE findings (id bigint PRIMARY KEY, severity text, detail jsonb, created_at timestamptz NOT NULL DEFAULT now()); \
    CREATE INDEX ON findings (created_at, id); ALTER TABLE findings OWNER TO sync";

/// An installation.
pub(crate) struct Pair {
    pub(crate) from: Database,
    pub(crate) to: Database,
    pub(crate) config: Json,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) dir: TempDir,
}

impl Pair {
    pub(crate) async fn new(sql: &str) -> Self {
        let (from, to) = (Database::create().await, Database::create().await);
        from.execute(sql).await;
        to.execute(sql).await;
        let dsn = |database: &Database| format!("postgres://sync:{PASSWORD}@127.0.0.1:{}/{}", database.cluster.port, database.name);
        let env = [("SOURCE_DSN", dsn(&from)), ("TARGET_DSN", dsn(&to))].map(|(name, value)| (name.to_owned(), value)).to_vec();
        let config = json!([{"name": "findings", "key_columns": ["id"]}]);
        Self { from, to, config, env, dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.env.retain(|(other, _)| other != name);
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Has the incremental tables of a configuration run in place of a list: one, `all`, with these fields.
    pub(super) fn configure(&mut self, fields: Json) {
        let dsn = self.env.iter().find(|(name, _)| name == "SOURCE_DSN").unwrap().1.clone();
        self.set("SOURCE_SCOUT_DSN", &dsn).set("CONFIG_PATH", "nowhere.json");
        let sync = json!({"mode": "incremental", "column": "created_at"});
        let mut table = json!({"db_type": "scout", "sql_table": "findings", "pg_table": "findings", "sync": sync});
        table.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        std::fs::write(self.dir.path().join("table_configs.json"), json!({"tables": {"all": table}}).to_string()).unwrap();
    }

    pub(crate) async fn run(&self, args: &[&str]) -> Finished {
        std::fs::write(self.dir.path().join("config.json"), self.config.to_string()).unwrap();
        Running::start(TABLESYNC, args, &self.env, self.dir.path()).finish().await
    }

    pub(super) async fn json(&self, more: &[&str]) -> Body {
        self.asked(&[&["incremental_sync"], more].concat()).await
    }

    /// The answer to any command.
    pub(crate) async fn asked(&self, command: &[&str]) -> Body {
        Body::of(self.run(&[command, &["--json"]].concat()).await)
    }

    pub(crate) async fn sync(&self) -> Body {
        let body = self.json(&[]).await;
        assert_eq!((body.code, body["success"].as_bool()), (Some(0), Some(true)), "{body}");
        body
    }

    pub(super) async fn assert_same(&self) {
        self.assert_same_by("id").await;
    }

    pub(super) async fn assert_same_by(&self, key: &str) {
        let sql = format!("SELECT t::text FROM findings AS t ORDER BY {key}");
        let (from, to) = (self.from.rows(&sql).await, self.to.rows(&sql).await);
        assert!(from == to, "{} rows at the source, {} in the target", from.len(), to.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_contract_of_the_service_before_is_kept() {
    let pair = Pair::new(FINDINGS).await;
    pair.from.execute("INSERT INTO findings SELECT n, 'high', jsonb_build_object('n', n), '2026-01-01 00:00:00.123456+00' FROM generate_series(1, 5) n").await;
    pair.to.execute("INSERT INTO findings VALUES (3, 'ours', '{}', '2025-12-31 00:00:00+00')").await;
    let body = pair.sync().await;
    assert_eq!(body.counts("findings"), [5, 4, 0, 0, 1], "{body}");
    assert_eq!(pair.to.value("SELECT severity FROM findings WHERE id = 3").await, "ours", "a row that is there is left alone");
    pair.from.execute("INSERT INTO findings VALUES (6, 'low', NULL, now() - interval '1 minute')").await;
    assert_eq!(pair.sync().await.counts("findings"), [1, 1, 0, 0, 0]);
    let meta = "SELECT concat_ws(' ', table_name, watermark_kind, key, rows, watermark ~ '^20..-..-..T..:..:..[.].*Z$', now() - watermark::timestamptz < '1 min') FROM sync_meta";
    assert_eq!(pair.to.value(meta).await, "findings timestamp {\"by\": [\"created_at\", \"id\"]} 1 t t");
    assert!(pair.sync().await.stderr.find(PASSWORD).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_open_during_a_run_is_caught_by_the_next_one() {
    let pair = Pair::new(FINDINGS).await;
    let writer = pair.from.connect().await;
    writer.batch_execute("BEGIN; INSERT INTO findings VALUES (1, 'late', NULL, now())").await.unwrap();
    pair.from.execute("INSERT INTO findings VALUES (2, 'soon', NULL, now())").await;
    assert_eq!(pair.sync().await.counts("findings"), [1, 1, 0, 0, 0]);
    writer.batch_execute("COMMIT").await.unwrap();
    assert_eq!(pair.sync().await.counts("findings"), [2, 1, 0, 0, 1]);
    pair.assert_same().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_run_that_dies_at_every_step_goes_on_behind_the_last_one() {
    let sql = "CREATE TABLE findings (tenant text, \"Id\" bigint, note text, created_at timestamp(3) NOT NULL, PRIMARY KEY (\"Id\", tenant)); CREATE INDEX ON findings (created_at); ALTER TABLE findings OWNER TO sync";
    let mut pair = Pair::new(sql).await;
    pair.config = json!({"tables": [{"name": "public.findings", "key_columns": ["tenant", "Id"]}]});
    // A tie of three steps between others, keys with what has to be quoted.
    let rows = "INSERT INTO findings SELECT (ARRAY['a', 'O''Neil', 'b\\', '客'])[n % 4 + 1], n, repeat('x', n % 50), \
        '2026-01-01'::timestamp + CASE WHEN n BETWEEN 100 AND 400 THEN interval '1 hour' ELSE n * interval '1 ms' + (n / 450) * interval '2 hour' END \
        FROM generate_series(1, 600) n";
    pair.from.execute(rows).await;
    pair.set("BATCH_SIZE", "1").set("FAILPOINTS", "step_committed=return");
    let mut deaths = 0;
    while pair.run(&["incremental_sync", "--json"]).await.signal == Some(9) {
        deaths += 1;
        assert!(deaths < 20);
        let place = pair.to.rows("SELECT watermark, key->'after'->>0, key->'after'->>1 FROM sync_meta").await.remove(0);
        if place[1].is_none() {
            // All that the first run had before it is copied; what came since is ahead.
            continue;
        }
        let [watermark, tenant, id] = [0, 1, 2].map(|at| place[at].clone().unwrap().replace('\'', "''"));
        let upto = format!("SELECT count(*) FROM findings WHERE (created_at, tenant, \"Id\") <= ('{watermark}', '{tenant}', {id})");
        assert_eq!(pair.to.value(&upto).await, pair.from.value(&upto).await, "the watermark is not ahead of the rows");
        assert_eq!(pair.to.value("SELECT count(*) FROM findings").await, (deaths * 100).to_string(), "nothing is read twice");
    }
    assert_eq!(deaths, 7);
    let sql = "SELECT t::text FROM findings AS t ORDER BY 1";
    assert_eq!(pair.to.rows(sql).await, pair.from.rows(sql).await);
    assert_eq!(pair.to.value("SELECT NOT key ? 'after' FROM sync_meta").await, "t");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_change_between_the_steps_of_a_first_run_come_once_more() {
    let mut pair = Pair::new(FINDINGS).await;
    pair.config[0]["on_conflict"] = json!("update");
    pair.from
        .execute(
            "INSERT INTO findings SELECT n, 'high', NULL, '2026-01-01'::timestamptz + n * interval '1 ms' FROM generate_series(1, 250) n",
        )
        .await;
    pair.set("BATCH_SIZE", "1").set("FAILPOINTS", "step_committed=return");
    assert_eq!(pair.run(&["incremental_sync"]).await.signal, Some(9));
    // What was copied is changed, and stands behind the place now.
    pair.from.execute("UPDATE findings SET severity = 'low', created_at = '2026-01-02' WHERE id <= 3").await;
    pair.env.retain(|(name, _)| name != "FAILPOINTS");
    pair.sync().await;
    pair.assert_same().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_ends_sessions_which_wait_is_asked_over_others() {
    let mut pair = Pair::new(FINDINGS).await;
    let impatient =
        "DO $$ BEGIN EXECUTE format('ALTER ROLE sync IN DATABASE %I SET idle_session_timeout = 200', current_database()); END $$";
    pair.from.execute(impatient).await;
    pair.from.execute("INSERT INTO findings SELECT n, 'high', NULL, '2026-01-01' FROM generate_series(1, 350) n").await;
    // Each step takes longer than a session may wait.
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.6); RETURN NULL; END $$; \
        CREATE TRIGGER slow AFTER INSERT ON findings FOR EACH STATEMENT EXECUTE FUNCTION slow()";
    pair.to.execute(slow).await;
    pair.set("BATCH_SIZE", "1").set("MAX_RETRIES", "0");
    assert_eq!(pair.sync().await.counts("findings"), [350, 350, 0, 0, 0]);
    pair.assert_same().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dry_run_true_leaves_the_target_byte_for_byte() {
    let mut pair = Pair::new(FINDINGS).await;
    pair.config[0]["on_conflict"] = json!("update");
    pair.config[0]["deletes"] = json!("keys");
    pair.from.execute("INSERT INTO findings SELECT n, 'high', NULL, now() FROM generate_series(1, 5) n").await;
    for expected in [[5, 5, 0, 0], [4, 1, 2, 2]] {
        pair.to.settled().await;
        let before = pair.to.dump(&[]);
        pair.set("DRY_RUN", "true");
        let body = pair.sync().await;
        let counted = ["rows_in_window", "would_insert", "would_update", "would_delete"];
        let counted = counted.map(|field| body.table("findings")[field].as_u64().unwrap());
        assert_eq!((counted, &body.table("findings")["refresh"]), (expected, &json!("incremental_keys")), "{body}");
        assert!(pair.to.dump(&[]) == before, "the target is as it was");
        pair.set("DRY_RUN", "false");
        let [read, inserted, updated, deleted, _] = pair.sync().await.counts("findings");
        assert_eq!([read, inserted, updated, deleted], expected);
        pair.from
            .execute(
                "UPDATE findings SET severity = 'low' WHERE id <= 2; DELETE FROM findings WHERE id IN (3, 4); \
                 INSERT INTO findings VALUES (6, 'high', NULL, now()) ON CONFLICT DO NOTHING",
            )
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_gone_are_found_by_comparing_keys() {
    let mut pair = Pair::new(FINDINGS).await;
    pair.config[0]["deletes"] = json!("keys");
    pair.from.execute("INSERT INTO findings SELECT n, 'high', NULL, now() FROM generate_series(1, 5) n").await;
    pair.sync().await;
    pair.from.execute("DELETE FROM findings WHERE id IN (2, 4)").await;
    assert_eq!(pair.sync().await.counts("findings")[3], 2);
    pair.assert_same().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_before_a_row_moves() {
    let mut pair = Pair::new(FINDINGS).await;
    pair.config[0]["sync_colum"] = json!("created_at");
    let refused = pair.json(&[]).await;
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(refused["error"].as_str().unwrap().contains("[0].sync_colum: unknown field"), "{refused}");
    pair.config = json!([{"name": "findings", "key_columns": ["id"], "sync_column": "severity"}]);
    let refused = pair.json(&[]).await;
    assert!(refused.error_of("findings").contains("severity of \"public\".\"findings\" is text, not a timestamp"), "{refused}");
    pair.config = json!([{"name": "findings", "key_columns": ["severity"]}]);
    let refused = pair.json(&[]).await;
    assert!(refused.error_of("findings").contains(r#"ALTER TABLE "public"."findings" ADD UNIQUE ("severity")"#), "{refused}");
    pair.config = json!([{"name": "findings", "key_columns": ["id"]}]);
    pair.from.execute("ALTER TABLE findings ADD COLUMN owner text").await;
    let refused = pair.json(&[]).await;
    assert!(refused.error_of("findings").contains("the target table has no column owner"), "{refused}");
    let env = pair.env.clone();
    pair.env.retain(|(name, _)| name != "TARGET_DSN");
    let refused = pair.json(&[]).await;
    assert!(refused.code == Some(2) && refused["error"].as_str().unwrap().contains("TARGET_DSN"), "{refused}");
    pair.env = env;
    pair.env.retain(|(name, _)| name != "SOURCE_DSN");
    let refused = pair.json(&[]).await;
    assert!(refused.code == Some(2) && refused["error"].as_str().unwrap().contains("SOURCE_DSN"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_list_the_incremental_tables_of_the_configuration_are_run() {
    let mut pair = Pair::new(FINDINGS).await;
    pair.configure(json!({}));
    pair.from.execute("INSERT INTO findings SELECT n, 'high', NULL, now() FROM generate_series(1, 5) n").await;
    assert_eq!(pair.sync().await.counts("all"), [5, 5, 0, 0, 0]);
    pair.assert_same().await;
}
