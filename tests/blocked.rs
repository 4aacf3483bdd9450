//! A publish that cannot get its locks: it tries a few times, gives up with the target as it was, and says who keeps them.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio_postgres::{Client, NoTls};

use crate::support::body::Body;
use crate::support::postgres::PASSWORD;
use crate::support::site::Site;
use crate::support::source::{Planted, Value};

/// The product's own role may see all of a session that is its own too.
const SHOWN: &str = "nightly report of role sync from 127.0.0.1 (PostgreSQL process PID, idle in transaction, its transaction began 20";
/// Of another role's it sees who it is.
const OF_OTHERS: &str = "somebody else of role postgres (PostgreSQL process PID)";

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_written_to_the_table_is_named_when_a_publish_gives_up() {
    for refresh in ["merge", "replace"] {
        let site = people(refresh).await;
        let writer = Holder::of_the_same_role(&site, "INSERT INTO people VALUES (7, 'not yet there')").await;
        let error = gives_up(&site, &writer, SHOWN).await;
        assert!(error.contains("tried 4 times") && !error.contains("not yet there"), "{error}");
        assert_eq!(site.db.value("SELECT error FROM tablesync.runs ORDER BY started_at DESC LIMIT 1").await, error);
        // What holds no more is no hindrance.
        writer.client.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(site.sync().await.table("people")["status"], "ok");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_deleted_rows_is_named_when_a_publish_gives_up() {
    let site = people("merge").await;
    let writer = Holder::of_another_role(&site, "DELETE FROM people WHERE id = 1").await;
    gives_up(&site, &writer, OF_OTHERS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_locked_a_row_alone_is_named_among_others_who_have_locked_none_of_its_rows() {
    let site = people("merge").await;
    // Its row is not written: it keeps nobody waiting.
    let _bystander = Holder::of_the_same_role(&site, "SELECT FROM people WHERE id = 2 FOR UPDATE").await;
    let locker = Holder::of_another_role(&site, "SELECT FROM people WHERE id = 1 FOR UPDATE").await;
    let error = gives_up(&site, &locker, OF_OTHERS).await;
    assert!(!error.contains("nightly report"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_keeps_even_readers_out_is_named() {
    let mut site = people("merge").await;
    site.set("MAX_RETRIES", "0");
    let owner = Holder::of_another_role(&site, "LOCK TABLE people IN ACCESS EXCLUSIVE MODE").await;
    let error = gives_up(&site, &owner, OF_OTHERS).await;
    assert!(!site.source.has_seen("[dbo].[People]"), "nothing was read in vain: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_straight_load_names_whoever_fills_the_table_at_the_same_time() {
    let mut site = people("auto").await;
    site.db.execute("DELETE FROM people").await;
    site.set("MAX_RETRIES", "0");
    let writer = Holder::of_the_same_role(&site, "INSERT INTO people VALUES (7, 'not yet there')").await;
    gives_up(&site, &writer, SHOWN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncate_gives_up_before_a_reader_that_stays() {
    let site = people("truncate").await;
    let reader = Holder::of_another_role(&site, "SELECT FROM people").await;
    gives_up(&site, &reader, OF_OTHERS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_that_is_given_back_meanwhile_is_had() {
    let site = people("merge").await;
    let writer = Holder::of_the_same_role(&site, "LOCK TABLE people IN ROW EXCLUSIVE MODE").await;
    let running = site.start(&["multi_sync", "--json"]);
    // It waits for the lock, and has given up once when it waits no more.
    for expected in ["1", "0"] {
        let begun = Instant::now();
        while site.db.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'people'::regclass").await != expected {
            assert!(begun.elapsed() < Duration::from_secs(30), "it never came to that");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    writer.client.batch_execute("COMMIT").await.unwrap();
    let body = Body::of(running.finish().await);
    assert_eq!(body.counts("people"), [2, 0, 1, 0, 1], "{body}");
    assert_eq!(site.db.value("SELECT name FROM people WHERE id = 1").await, "Ann");
}

/// A session that keeps a lock in a transaction that it does not end.
struct Holder {
    client: Client,
    pid: i32,
}

impl Holder {
    async fn of_the_same_role(site: &Site, sql: &str) -> Self {
        let url = format!(
            "host=127.0.0.1 port={} dbname={} user=sync password={PASSWORD} application_name='nightly report'",
            site.db.cluster.port, site.db.name
        );
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        Self::begin(client, sql).await
    }

    async fn of_another_role(site: &Site, sql: &str) -> Self {
        let client = site.db.connect().await;
        client.batch_execute("SET application_name = 'somebody else'").await.unwrap();
        Self::begin(client, sql).await
    }

    async fn begin(client: Client, sql: &str) -> Self {
        let pid = client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
        client.batch_execute(&format!("BEGIN; {sql}")).await.unwrap();
        Self { client, pid }
    }

    /// The table as the holder sees it, whom nobody keeps out.
    async fn contents(&self) -> String {
        self.client
            .query_one("SELECT string_agg(t::text, ';' ORDER BY id) FROM people AS t", &[])
            .await
            .unwrap()
            .get::<_, Option<String>>(0)
            .unwrap_or_default()
    }
}

/// A run that fails in bounded time, names `holder` as `shown`, and leaves the target as it was; returns the error.
async fn gives_up(site: &Site, holder: &Holder, shown: &str) -> String {
    let before = holder.contents().await;
    let begun = Instant::now();
    let body = site.json(&["multi_sync"]).await;
    assert!(begun.elapsed() < Duration::from_secs(60), "after {:?}", begun.elapsed());
    let error = body.error_of("people").to_owned();
    assert!(error.contains(&shown.replace("PID", &holder.pid.to_string())), "{error}");
    assert!(error.contains(&format!("pg_terminate_backend({})", holder.pid)), "{error}");
    assert_eq!(holder.contents().await, before);
    assert_eq!(site.db.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'tablesync' AND tablename LIKE 'staging%'").await, "0");
    error
}

/// A site with `People` (1 Ann, 2 Bob) at the source and (1 Anna, 2 Bob) in the target.
async fn people(refresh: &str) -> Site {
    let table = Planted::new("People", &[("Id", "int"), ("Name", "nvarchar(50)")], 1);
    let person = |id: i64, name: &str| vec![Value::Int(id), Value::text(name)];
    let mut site = Site::planted(vec![table.rows(vec![person(1, "Ann"), person(2, "Bob")])], json!({})).await;
    site.default("refresh", json!(refresh));
    let target = "SET ROLE sync; CREATE TABLE people (id integer PRIMARY KEY, name varchar(50)); \
        INSERT INTO people VALUES (1, 'Anna'), (2, 'Bob'); RESET ROLE";
    site.db.execute(target).await;
    site
}
