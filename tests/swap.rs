//! `swap`: a new table, or partition, takes the place of the old one, where nothing hangs on that; whoever looks sees one of the two, whole.

use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tokio_postgres::IsolationLevel;

use crate::support::postgres::Database;
use crate::support::site::Site;
use crate::support::source::{Planted, Value};

/// Everything that can belong to a table itself.
const FURNISHED: &str = "\
    CREATE TABLE regions (id integer PRIMARY KEY); ALTER TABLE regions OWNER TO sync; INSERT INTO regions SELECT generate_series(1, 5); \
    CREATE TABLE people (gone text, id integer GENERATED ALWAYS AS IDENTITY (START 100 INCREMENT 5 CACHE 7), name varchar(50) COLLATE \"C\" NOT NULL DEFAULT 'x''y', \
        note text COMPRESSION pglz, ser serial, region integer DEFAULT 3 CONSTRAINT in_region REFERENCES regions DEFERRABLE, \
        twice integer GENERATED ALWAYS AS (region * 2) STORED, span int4range, tags text[], CONSTRAINT named CHECK (name <> ''), \
        CONSTRAINT \"the key\" PRIMARY KEY (id) INCLUDE (region) WITH (fillfactor = 80), \
        CONSTRAINT uq UNIQUE (name, region, id) DEFERRABLE INITIALLY DEFERRED, CONSTRAINT ex EXCLUDE USING gist (span WITH &&)) \
        WITH (fillfactor = 70, toast.autovacuum_enabled = false); \
    ALTER TABLE people DROP COLUMN gone; CREATE TABLE former_child () INHERITS (people); DROP TABLE former_child; \
    ALTER TABLE people ADD CONSTRAINT later CHECK (region < 1000) NOT VALID; \
    ALTER TABLE people ALTER note SET STORAGE EXTERNAL, ALTER note SET STATISTICS 500, ALTER region SET (n_distinct = 5); \
    CREATE INDEX \"by name\" ON people (lower(name) text_pattern_ops DESC NULLS LAST, region) INCLUDE (note) WITH (fillfactor = 60) WHERE region > 0; \
    ALTER INDEX \"by name\" ALTER COLUMN 1 SET STATISTICS 77; \
    CREATE UNIQUE INDEX other_key ON people (ser, id) NULLS NOT DISTINCT; CREATE INDEX brin ON people USING brin (region); \
    CREATE STATISTICS both_columns (ndistinct, mcv) ON region, name FROM people; ALTER STATISTICS both_columns SET STATISTICS 44; \
    CREATE STATISTICS of_expression ON (region + 1), name FROM people; \
    COMMENT ON TABLE people IS 'it''s people'; COMMENT ON COLUMN people.name IS 'theirs'; COMMENT ON CONSTRAINT named ON people IS 'has a name'; \
    COMMENT ON CONSTRAINT \"the key\" ON people IS 'key'; COMMENT ON INDEX \"the key\" IS 'of the key'; COMMENT ON INDEX \"by name\" IS 'fast'; \
    COMMENT ON CONSTRAINT in_region ON people IS 'where'; COMMENT ON STATISTICS both_columns IS 'two'; COMMENT ON SEQUENCE people_id_seq IS 'numbers'; \
    ALTER TABLE people CLUSTER ON \"the key\"; ALTER TABLE people REPLICA IDENTITY FULL; \
    ALTER TABLE people OWNER TO sync; ALTER STATISTICS both_columns OWNER TO sync; ALTER STATISTICS of_expression OWNER TO sync; \
    GRANT SELECT, INSERT ON people TO tls_only WITH GRANT OPTION; GRANT SELECT (name), UPDATE (region) ON people TO postgres; \
    GRANT REFERENCES ON people TO PUBLIC; REVOKE TRUNCATE ON people FROM sync; GRANT USAGE ON SEQUENCE people_id_seq TO tls_only; \
    GRANT CREATE ON SCHEMA public TO sync; ALTER DEFAULT PRIVILEGES FOR ROLE sync GRANT SELECT ON TABLES TO PUBLIC; \
    INSERT INTO people (name) VALUES ('old')";

/// One partition for everything.
const PARTITIONED: &str = "\
    CREATE TABLE people (id integer NOT NULL, name varchar(50) CHECK (name <> '-'), PRIMARY KEY (id)) PARTITION BY RANGE (id); \
    CREATE TABLE people_all PARTITION OF people FOR VALUES FROM (MINVALUE) TO (MAXVALUE); \
    CREATE INDEX by_name ON people (name); CREATE INDEX of_its_own ON people_all (lower(name)); COMMENT ON INDEX of_its_own IS 'own'; \
    CREATE VIEW named AS SELECT name FROM people; GRANT SELECT ON people TO tls_only; GRANT SELECT ON people_all TO tls_only; \
    ALTER TABLE people OWNER TO sync; ALTER TABLE people_all OWNER TO sync; GRANT CREATE ON SCHEMA public TO sync; \
    INSERT INTO people VALUES (1, 'old')";

#[tokio::test(flavor = "multi_thread")]
async fn the_new_table_is_the_same_to_everybody_but_for_its_rows() {
    let site = people(3).await;
    site.db.execute(FURNISHED).await;
    let numbers = site.db.value("SELECT last_value || ' ' || is_called FROM people_id_seq").await;
    let (before, oid) = (dump(&site.db), oid(&site, "people").await);
    let body = site.sync().await;
    assert_eq!(body.table("people")["refresh"], "swap");
    assert_eq!(body.counts("people"), [3, 3, 0, 1, 0]);
    assert_eq!(contents(&site).await, "1 new,2 new,3 new");
    assert_eq!(dump(&site.db), before);
    assert_ne!(self::oid(&site, "people").await, oid, "it was swapped, not filled");
    assert_eq!(site.db.value("SELECT last_value || ' ' || is_called FROM people_id_seq").await, numbers, "the sequence goes on");
    assert_eq!(site.db.value("SELECT string_agg(ser::text, ',' ORDER BY ser) FROM people").await, "2,3,4", "and so does the other");
    assert_eq!(site.db.value("SELECT count(*) FROM pg_stats WHERE tablename = 'people' AND attname = 'id'").await, "1", "it is analyzed");
    site.sync().await;
    assert_eq!(dump(&site.db), before, "a second time too");
    nothing_left(&site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_partition_is_swapped_and_the_table_itself_stays() {
    let site = people(3).await;
    site.db.execute(PARTITIONED).await;
    let before = dump(&site.db);
    let (table, partition) = (oid(&site, "people").await, oid(&site, "people_all").await);
    assert_eq!(site.sync().await.counts("people"), [3, 3, 0, 1, 0]);
    assert_eq!(contents(&site).await, "1 new,2 new,3 new");
    assert_eq!(site.db.value("SELECT count(*) FROM named").await, "3", "views see the new rows");
    assert_eq!(dump(&site.db), before);
    assert_eq!(oid(&site, "people").await, table);
    assert_ne!(oid(&site, "people_all").await, partition);
    nothing_left(&site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_partition_and_one_with_foreign_keys_are_swapped() {
    let site = people(3).await;
    site.db
        .execute(
            "CREATE TABLE regions (id integer PRIMARY KEY); INSERT INTO regions VALUES (1), (2), (3); ALTER TABLE regions OWNER TO sync; \
             CREATE TABLE people (id integer NOT NULL REFERENCES regions, name varchar(50)) PARTITION BY LIST (name); \
             CREATE TABLE rest PARTITION OF people DEFAULT; ALTER TABLE people OWNER TO sync; ALTER TABLE rest OWNER TO sync; \
             GRANT CREATE ON SCHEMA public TO sync; INSERT INTO people VALUES (1, 'old')",
        )
        .await;
    let before = dump(&site.db);
    assert_eq!(site.sync().await.counts("people"), [3, 3, 0, 1, 0]);
    assert_eq!(dump(&site.db), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_hangs_on_the_table_is_named_before_a_row_moves() {
    let cases = [
        ("CREATE VIEW named AS SELECT name FROM people", "view named"),
        ("CREATE MATERIALIZED VIEW kept AS SELECT name FROM people", "materialized view kept"),
        ("CREATE TABLE visits (person integer REFERENCES people (id))", "foreign key visits_person_fkey of visits"),
        ("ALTER TABLE people ADD boss integer REFERENCES people (id)", "foreign key people_boss_fkey of people"),
        ("CREATE TRIGGER t BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()", "trigger t"),
        ("CREATE RULE r AS ON DELETE TO people DO ALSO NOTHING", "rule r"),
        ("ALTER TABLE people ENABLE ROW LEVEL SECURITY", "row security"),
        ("CREATE POLICY p ON people USING (true)", "row security"),
        ("CREATE PUBLICATION p FOR TABLE people", "publication p"),
        ("CREATE PUBLICATION p FOR ALL TABLES", "publication p"),
        ("CREATE TABLE child () INHERITS (people)", "child, which is a child of it"),
        ("CREATE TABLE parent (name varchar(50)); ALTER TABLE people INHERIT parent", "parent, of which it is a child"),
        ("CREATE FUNCTION f(people) RETURNS integer LANGUAGE sql AS 'SELECT 1'", "function f(people)"),
        ("CREATE TABLE copies (was people)", "column was of table copies"),
        (
            "SET ROLE sync; GRANT SELECT ON people TO tls_only WITH GRANT OPTION; SET ROLE tls_only; GRANT SELECT ON people TO postgres; RESET ROLE",
            "a privilege that tls_only granted",
        ),
    ];
    for (statement, named) in cases {
        let site = people(3).await;
        site.db.execute(PLAIN).await;
        site.sync().await;
        site.db.execute(statement).await;
        refused(&site, named).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partitioned_table_with_more_partitions_or_references_is_refused() {
    let cases = [
        ("CREATE TABLE people (id integer, name varchar(50)) PARTITION BY RANGE (id)", "0 partitions"),
        (
            "CREATE TABLE people (id integer, name varchar(50)) PARTITION BY RANGE (id); CREATE TABLE a PARTITION OF people DEFAULT; \
             CREATE TABLE b PARTITION OF people FOR VALUES FROM (100) TO (200)",
            "2 partitions",
        ),
        (
            "CREATE TABLE people (id integer PRIMARY KEY, name varchar(50)) PARTITION BY RANGE (id); CREATE TABLE a PARTITION OF people DEFAULT; \
             ALTER TABLE a OWNER TO sync; CREATE TABLE visits (person integer REFERENCES people (id))",
            "foreign key visits_person_fkey of visits",
        ),
        (
            "CREATE TABLE people (id integer PRIMARY KEY, name varchar(50)) PARTITION BY RANGE (id); CREATE TABLE a PARTITION OF people DEFAULT; \
             ALTER TABLE a OWNER TO sync; CREATE VIEW through AS SELECT name FROM a",
            "view through",
        ),
    ];
    for (statements, named) in cases {
        let site = people(3).await;
        site.db.execute(statements).await;
        site.db.execute("ALTER TABLE people OWNER TO sync; GRANT CREATE ON SCHEMA public TO sync").await;
        refused(&site, named).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_not_the_owner_is_told_so() {
    let site = people(3).await;
    site.db.execute("CREATE TABLE people (id integer PRIMARY KEY, name varchar(50)); GRANT ALL ON people TO sync; ALTER SCHEMA public OWNER TO postgres").await;
    refused(&site, "the role is not the owner of").await;
    site.db.execute("ALTER TABLE people OWNER TO sync").await;
    refused(&site, "the role lacks CREATE on the schema of").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_holds_the_table_makes_the_swap_give_up_and_nothing_has_changed() {
    let site = people(3).await;
    site.db.execute(PLAIN).await;
    let (before, oid) = (site.db.checksum("people").await, oid(&site, "people").await);
    let mut reader = site.db.connect().await;
    let reading = reader.transaction().await.unwrap();
    let reader_pid: i32 = reading.query_one("SELECT pg_backend_pid(), count(*) FROM people", &[]).await.unwrap().get(0);
    let waiting = site.start(&["multi_sync", "--json"]);
    let other = longest_wait(&site, async || waiting.finish().await).await;
    assert!(other.1 < Duration::from_secs(1), "another reader waited {:?}", other.1);
    let body = crate::support::body::Body::of(other.0);
    assert!(body.error_of("people").contains(&format!("pg_terminate_backend({reader_pid})")), "the blocking session is named: {body}");
    reading.rollback().await.unwrap();
    assert_eq!((site.db.checksum("people").await, self::oid(&site, "people").await), (before, oid));
    nothing_left(&site).await;
    assert_eq!(site.sync().await.counts("people"), [3, 3, 0, 1, 0], "the next run has its way");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_older_than_the_swap_sees_all_new_rows_and_never_none() {
    for furniture in [PLAIN, PARTITIONED] {
        let site = people(3).await;
        site.db.execute(furniture).await;
        let mut reader = site.db.connect().await;
        let reading = reader.build_transaction().isolation_level(IsolationLevel::RepeatableRead).start().await.unwrap();
        // The snapshot is taken here, and holds nothing of the table.
        reading.query_one("SELECT 1", &[]).await.unwrap();
        site.sync().await;
        for _ in 0..2 {
            let row = reading.query_one("SELECT count(*), min(name), max(name) FROM people", &[]).await.unwrap();
            assert_eq!((row.get::<_, i64>(0), row.get(1), row.get(2)), (3, Some("new"), Some("new")));
        }
        let by_index = reading.query_one("SELECT count(*) FROM people WHERE id = 2", &[]).await.unwrap();
        assert_eq!(by_index.get::<_, i64>(0), 1, "by the index too");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guards_keys_and_constraints_refuse_a_swap_as_they_do_every_refresh() {
    let mut site = people(3).await;
    site.db.execute(PLAIN).await;
    let before = site.db.checksum("people").await;
    site.default("min_rows", json!(5));
    let refusal = site.json(&["multi_sync"]).await;
    assert!(refusal.error_of("people").contains("min_rows"), "{refusal}");
    site.default("min_rows", json!(1));
    site.source.replace_rows("People", vec![person(1, "a"), person(2, "b"), person(2, "c"), person(3, "d")]);
    let refusal = site.json(&["multi_sync"]).await;
    assert!(refusal.error_of("people").contains("not unique: 2 (2 rows)"), "{refusal}");
    site.source.replace_rows("People", vec![person(1, "a"), person(7, "-")]);
    let refusal = site.json(&["multi_sync"]).await;
    assert!(refusal.error_of("people").contains("no_dash") && refusal.error_of("people").ends_with("the constraint"), "{refusal}");
    assert_eq!(site.db.checksum("people").await, before);
    nothing_left(&site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_changed_while_it_is_swapped_stays() {
    let site = people(3).await;
    site.db.execute(PLAIN).await;
    let mut reader = site.db.connect().await;
    let reading = reader.transaction().await.unwrap();
    reading.query_one("SELECT count(*) FROM people", &[]).await.unwrap();
    let running = site.start(&["multi_sync", "--json"]);
    let asked = "SELECT count(*) FROM pg_locks WHERE relation = 'people'::regclass AND mode = 'AccessExclusiveLock' AND NOT granted";
    while site.db.value(asked).await == "0" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    site.db.execute("GRANT SELECT ON people TO tls_only").await;
    reading.rollback().await.unwrap();
    let body = crate::support::body::Body::of(running.finish().await);
    assert!(body.error_of("people").contains("a swap would change"), "{body}");
    assert_eq!(contents(&site).await, "1 old");
    nothing_left(&site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_tells_what_a_swap_locks_and_what_stands_in_its_way() {
    let site = people(3).await;
    site.db.execute(PLAIN).await;
    let body = site.json(&["plan"]).await;
    let plan = &body["plans"]["people"];
    assert_eq!(plan["refresh"], "swap", "{body}");
    let modes: Vec<_> = plan["locks"].as_array().unwrap().iter().map(|lock| lock["mode"].as_str().unwrap()).collect();
    assert_eq!(modes, ["SHARE ROW EXCLUSIVE", "ACCESS EXCLUSIVE"]);
    assert!(plan["ddl"].to_string().contains("DROP TABLE") && plan["refresh_reason"].as_str().unwrap().contains("room for two"), "{body}");
    site.db.execute("CREATE VIEW named AS SELECT name FROM people").await;
    let refused = site.json(&["plan"]).await;
    assert!(refused["plans"]["people"]["error"].as_str().unwrap().contains("view named"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn new_columns_rows_put_aside_and_a_first_load_go_with_a_swap() {
    let mut site = people(2).await;
    site.default("on_bad_row", json!("quarantine"));
    assert_eq!(site.sync().await.table("people")["refresh"], "straight", "the table is made first");
    site.db.execute("ALTER TABLE people ADD CONSTRAINT kept CHECK (id > 0)").await;
    let before = dump(&site.db);
    site.source.replace_rows("People", vec![person(1, "a"), person(2, "nul\u{0}"), person(3, "c")]);
    let body = site.sync().await;
    assert_eq!((body.table("people")["refresh"].as_str(), &body.table("people")["quarantined_count"]), (Some("swap"), &json!(1)), "{body}");
    assert_eq!(contents(&site).await, "1 a,3 c");
    assert_eq!(dump(&site.db), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_keys_of_our_own_making_give_way_and_none_is_made_that_points_at_a_swapped_table() {
    let site = people(3).await;
    site.db
        .execute(
            "CREATE TABLE regions (id integer PRIMARY KEY); ALTER TABLE regions OWNER TO sync; \
             CREATE TABLE people (id integer PRIMARY KEY CONSTRAINT ours REFERENCES regions DEFERRABLE INITIALLY DEFERRED, name varchar(50)); \
             COMMENT ON CONSTRAINT ours ON people IS 'Made by tablesync after a foreign key of the source; a refresh that it would stop takes it down until the end of the run'; \
             ALTER TABLE people OWNER TO sync; GRANT CREATE ON SCHEMA public TO sync",
        )
        .await;
    let body = site.sync().await;
    assert_eq!(body.counts("people"), [3, 3, 0, 0, 0]);
    let warned = body["warnings"].as_array().unwrap().iter().any(|warning| warning.as_str().unwrap().contains("foreign key ours"));
    assert!(warned, "{body}");
    site.db.execute("ALTER TABLE people ADD CONSTRAINT theirs FOREIGN KEY (id) REFERENCES regions NOT VALID").await;
    let refused = site.json(&["multi_sync"]).await;
    assert_eq!(refused.code, Some(0), "one that is not valid holds no row that is loaded before it: {refused}");
    site.db.execute("ALTER TABLE people DROP CONSTRAINT theirs; INSERT INTO regions VALUES (1), (2), (3)").await;
    site.db.execute("ALTER TABLE people ADD CONSTRAINT theirs FOREIGN KEY (id) REFERENCES regions").await;
    site.source.replace_rows("People", vec![person(1, "a"), person(9, "b")]);
    let refused = site.json(&["multi_sync"]).await;
    assert!(refused.error_of("people").contains("theirs"), "{refused}");
    assert_eq!(contents(&site).await, "1 new,2 new,3 new");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_column_comes_with_a_swap() {
    let mut site = people(2).await;
    site.default("on_drift", json!("add_columns"));
    site.sync().await;
    site.source.table("People").add_column("Town", "nvarchar(20)", Value::text("Ulm")).unwrap();
    let body = site.sync().await;
    assert_eq!((&body.table("people")["refresh"], body.counts("people")), (&json!("swap"), [2, 2, 0, 2, 0]), "{body}");
    assert_eq!(site.db.value("SELECT string_agg(name || ' ' || town, ',' ORDER BY id) FROM people").await, "new Ulm,new Ulm");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_of_the_table_that_a_foreign_key_points_at_holds_the_swap_up_too() {
    let site = people(3).await;
    site.db
        .execute(
            "CREATE TABLE regions (id integer PRIMARY KEY); INSERT INTO regions VALUES (1), (2), (3); ALTER TABLE regions OWNER TO sync; \
             CREATE TABLE people (id integer PRIMARY KEY REFERENCES regions, name varchar(50)); ALTER TABLE people OWNER TO sync; \
             INSERT INTO people VALUES (1, 'old')",
        )
        .await;
    let mut reader = site.db.connect().await;
    let reading = reader.transaction().await.unwrap();
    reading.query_one("SELECT count(*) FROM regions", &[]).await.unwrap();
    let running = site.start(&["multi_sync", "--json"]);
    let asked = "SELECT count(*) FROM pg_locks WHERE relation = 'regions'::regclass AND mode = 'AccessExclusiveLock' AND NOT granted";
    while site.db.value(asked).await == "0" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    reading.rollback().await.unwrap();
    assert_eq!(crate::support::body::Body::of(running.finish().await).counts("people"), [3, 3, 0, 1, 0], "it is asked for again");
    nothing_left(&site).await;
}

/// A table that nothing hangs on.
const PLAIN: &str = "CREATE TABLE people (id integer PRIMARY KEY, name varchar(50) CONSTRAINT no_dash CHECK (name <> '-')); \
    ALTER TABLE people OWNER TO sync; GRANT CREATE ON SCHEMA public TO sync; INSERT INTO people VALUES (1, 'old')";

/// A site with one small table that is swapped, `people (id, name)`.
async fn people(rows: i64) -> Site {
    let table = Planted::new("People", &[("Id", "int"), ("Name", "nvarchar(50)")], 1);
    let site = Site::planted(vec![table.rows((1..=rows).map(|id| person(id, "new")).collect())], json!({"refresh": "swap"})).await;
    site.db.execute("CREATE EXTENSION IF NOT EXISTS btree_gist").await;
    site
}

fn person(id: i64, name: &str) -> Vec<Value> {
    vec![Value::Int(id), Value::text(name)]
}

async fn refused(site: &Site, named: &str) {
    let before = dump(&site.db);
    let body = site.json(&["multi_sync"]).await;
    let error = body.error_of("people");
    assert!(error.contains(named) && error.contains("choose \"merge\"") | error.contains("Choose \"merge\""), "{named}: {error}");
    assert_eq!(body.table("people")["transferred_count"], 0, "{named}: before a row moves");
    assert_eq!(dump(&site.db), before, "{named}");
}

async fn contents(site: &Site) -> String {
    site.db.value("SELECT string_agg(id || ' ' || name, ',' ORDER BY id) FROM people").await
}

async fn oid(site: &Site, table: &str) -> String {
    site.db.value(&format!("SELECT '{table}'::regclass::oid")).await
}

/// No table, index, sequence or schema of ours is in the way of anybody.
async fn nothing_left(site: &Site) {
    let left = "SELECT string_agg(relname, ',') FROM pg_class WHERE relname LIKE '%swap%' OR relname LIKE 'staging%'";
    assert_eq!(site.db.value(left).await, "");
}

/// Polls the table while something is done: what that came to, and how long one look took at most.
async fn longest_wait<T>(site: &Site, work: impl AsyncFnOnce() -> T) -> (T, Duration) {
    let looker = site.db.connect().await;
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = std::sync::Arc::clone(&done);
    let looking = tokio::spawn(async move {
        let mut longest = Duration::ZERO;
        while !seen.load(std::sync::atomic::Ordering::Relaxed) {
            let asked = std::time::Instant::now();
            looker.query_one("SELECT count(*) FROM people", &[]).await.unwrap();
            longest = longest.max(asked.elapsed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        longest
    });
    let came_to = work().await;
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    (came_to, looking.await.unwrap())
}

/// The schema as `pg_dump` writes it, the state schema apart.
fn dump(db: &Database) -> String {
    let dump = Command::new("pg_dump")
        .args(["--schema-only", "--exclude-schema=tablesync", "--username=postgres", "--host"])
        .arg(&db.cluster.dir)
        .args(["--port", &db.cluster.port.to_string(), &db.name])
        .output()
        .expect("pg_dump is installed beside PostgreSQL");
    assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
    let text = String::from_utf8(dump.stdout).unwrap();
    // Newer versions write a number of their own at both ends.
    text.lines().filter(|line| !line.contains("restrict ")).collect::<Vec<_>>().join("\n")
}
