//! Trouble that passes: the table is begun again and then right, nothing is published twice. Trouble that does not: it is named at once.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::support::body::Body;
use crate::support::postgres::{Cluster, Database};
use crate::support::proxy::{Direction, Place, Proxy, Trouble};
use crate::support::site::Site;
use crate::support::source::{Fault, LoginFault, Planted, Source, Value, error_after};

const ROWS: i32 = 40;

/// Small tables of one text column besides the key, refreshed side by side so that their pauses are.
async fn tables(names: &[String]) -> Site {
    let planted = names.iter().map(|name| Planted::new(name, &[("Id", "int"), ("Name", "nvarchar(50)")], 1).rows(rows("old"))).collect();
    let mut site = Site::planted(planted, json!({})).await;
    site.set("MAX_PARALLEL_TABLES", "12").set("MAX_PARALLEL_PER_SOURCE", "12");
    site
}

fn rows(text: &str) -> Vec<Vec<Value>> {
    (0..ROWS).map(|id| vec![Value::Int(id.into()), Value::text(text)]).collect()
}

/// What stands in a target: rows, and those with this text.
async fn standing(site: &Site, table: &str, text: &str) -> [String; 2] {
    let row = site.db.rows(&format!("SELECT count(*), count(*) FILTER (WHERE name = '{text}') FROM {}", table.to_lowercase())).await;
    [0, 1].map(|column| row[0][column].clone().unwrap())
}

async fn assert_all(site: &Site, table: &str, text: &str, body: &Body) {
    assert_eq!(standing(site, table, text).await, [ROWS.to_string(), ROWS.to_string()], "{table}: {body}");
}

fn assert_attempts(body: &Body, table: &str, attempts: u64, named: &str) {
    let result = body.table(&table.to_lowercase());
    assert_eq!(result["attempts"], attempts, "{table}: {body}");
    let failed = format!("table {}: attempt ", table.to_lowercase());
    let told: Vec<_> =
        body["warnings"].as_array().unwrap().iter().map(|w| w.as_str().unwrap()).filter(|w| w.starts_with(&failed)).collect();
    assert_eq!(told.len() as u64, attempts - 1, "each attempt that failed is told: {body}");
    assert!(told.iter().all(|warning| warning.contains(named)), "{named}: {told:?}");
}

/// Nothing of any run is left in the state schema, and every run's row has an end.
async fn assert_nothing_left(site: &Site) {
    site.db.settled().await;
    let left = "SELECT count(*) FROM pg_tables WHERE schemaname = 'tablesync' AND tablename ~ '^(staging|difference)_'";
    assert_eq!(site.db.value(left).await, "0");
    assert_eq!(site.db.value("SELECT count(*) FROM tablesync.runs WHERE outcome = 'started'").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_met_passing_trouble_is_begun_again_whatever_the_way() {
    let half = u64::try_from(ROWS / 2).unwrap();
    let error = |number, class, message| error_after(half, number, class, message);
    let cases = [
        ("Deadlock", error(1205, 13, "Transaction (Process ID 52) was deadlocked on lock resources with another process."), "1205"),
        ("LockTimeout", error(1222, 16, "Lock request time out period exceeded."), "1222"),
        ("Moving", error(601, 12, "Could not continue scan with NOLOCK due to data movement."), "601"),
        ("Snapshot", error(3960, 16, "Snapshot isolation transaction aborted due to update conflict."), "3960"),
        ("Killed", error(596, 21, "Cannot continue the execution because the session is in the kill state."), "596"),
        ("Service", error(40197, 20, "The service has encountered an error processing your request. Please try again."), "40197"),
        ("Busy", error(40501, 20, "The service is currently busy. Retry the request after 10 seconds."), "40501"),
        ("Workers", error(10928, 16, "Resource ID: 1. The request limit for the database is 60 and has been reached."), "10928"),
        ("CutRows", Fault::CutAfterRows(half), "connection"),
        ("CutBytes", Fault::CutAfterBytes(300), "connection"),
    ];
    let names: Vec<_> = cases.iter().map(|(name, ..)| (*name).to_owned()).collect();
    let mut site = tables(&names).await;
    for (way, text) in [("auto", "old"), ("auto", "newer"), ("replace", "newest")] {
        site.default("refresh", json!(way));
        for (name, fault, _) in &cases {
            site.source.replace_rows(name, rows(text));
            site.source.fault_times(name, fault.clone(), 1);
        }
        let body = site.sync().await;
        for (name, _, named) in &cases {
            assert_attempts(&body, name, 2, named);
            assert_all(&site, name, text, &body).await;
            assert_eq!(body.counts(&name.to_lowercase())[0], u64::try_from(ROWS).unwrap(), "{body}");
        }
        assert_nothing_left(&site).await;
    }
    assert_eq!(site.db.value("SELECT count(*) FROM tablesync.runs").await, "30", "one row a table and run, however many attempts");
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_that_does_not_pass_is_named_at_once() {
    let half = u64::try_from(ROWS / 2).unwrap();
    let cases = [
        ("Corrupt", error_after(half, 824, 24, "SQL Server detected a logical consistency-based I/O error."), "824"),
        ("Denied", error_after(0, 229, 14, "The SELECT permission was denied on the object."), "229"),
        ("Overflow", error_after(half, 8115, 16, "Arithmetic overflow error."), "8115"),
        // A login refused, a database that is not there.
        ("Gone", error_after(0, 208, 16, "Invalid object name."), "208"),
        // Repeated by a dirty read: what is a doubled key is told as one.
        ("Repeated", Fault::RepeatRow(7), "7"),
    ];
    let names: Vec<_> = cases.iter().map(|(name, ..)| (*name).to_owned()).collect();
    let mut site = tables(&names).await;
    site.sync().await;
    site.default("isolation", json!("nolock"));
    for (name, fault, _) in &cases {
        site.source.replace_rows(name, rows("new"));
        site.source.fault_times(name, fault.clone(), 1);
    }
    let body = site.json(&["multi_sync"]).await;
    for (name, _, named) in &cases {
        let error = body.error_of(&name.to_lowercase());
        assert!(error.contains(named), "{error}");
        assert_attempts(&body, name, 1, "");
        assert_all(&site, name, "old", &body).await;
    }
    assert!(body.error_of("repeated").contains("dirty"), "{body}");
    // What was refused is kept until the next run.
    site.sync().await;
    assert_nothing_left(&site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_starting_is_waited_for_and_a_login_that_is_refused_is_not() {
    let error = |number, class, message: &str| match error_after(0, number, class, message) {
        Fault::ErrorAfterRows(_, error) => LoginFault::Error(error),
        other => panic!("{other:?}"),
    };
    let unavailable = "Database 'McTM' on server 'a' is not currently available. Please retry the connection later.";
    let cases = [
        (error(18401, 14, "Login failed for user 'sync'. Reason: Server is in script upgrade mode."), 2, "18401"),
        (error(40613, 17, unavailable), 2, "40613"),
        (error(4060, 11, unavailable), 2, "4060"),
        (LoginFault::Close, 2, "connection was lost"),
        (error(4060, 11, "Cannot open database \"McTM\" requested by the login. The login failed."), 1, "4060"),
        (error(18456, 14, "Login failed for user 'sync'."), 1, "18456"),
    ];
    let site = tables(&["T".to_owned()]).await;
    for (fault, attempts, named) in cases {
        site.source.fault_logins(Some(fault), Some(1));
        let body = site.json(&["multi_sync"]).await;
        assert_eq!(body.code, Some(i32::from(attempts == 1)), "{body}");
        assert_attempts(&body, "T", attempts, named);
        if attempts == 1 {
            assert!(body.error_of("t").contains(named), "{body}");
        } else {
            assert_all(&site, "T", "old", &body).await;
        }
    }
    assert_nothing_left(&site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_begun_again_no_oftener_than_configured() {
    let mut site = tables(&["T".to_owned()]).await;
    site.sync().await;
    site.source.fault("T", error_after(1, 1205, 13, "Transaction was deadlocked."));
    for (retries, attempts) in [("0", 1), ("1", 2)] {
        site.set("MAX_RETRIES", retries);
        let body = site.json(&["multi_sync"]).await;
        assert_attempts(&body, "T", attempts, "1205");
        let error = body.error_of("t");
        assert!(error.contains("1205") && error.contains("same locks"), "named, with what to do: {error}");
        assert_eq!(error.contains("tried 2 times"), attempts == 2, "{error}");
        assert_all(&site, "T", "old", &body).await;
    }
    assert_nothing_left(&site).await;
}

/// Makes the first change of a table end in an error of this code, and the later ones sound. The sequence is no part of what is rolled back.
async fn fails_once(site: &Site, table: &str, doing: &str) {
    let sql = format!(
        "CREATE SEQUENCE trouble_{table}; \
         CREATE FUNCTION trouble_{table}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN \
         IF nextval('trouble_{table}') = 1 THEN {doing}; END IF; RETURN NULL; END $$; \
         CREATE TRIGGER trouble BEFORE INSERT OR UPDATE OR DELETE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION trouble_{table}()"
    );
    site.db.execute(&sql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_in_passing_trouble_gets_the_publish_again_or_the_whole_table() {
    let raise = |code: &str| format!("RAISE EXCEPTION 'trouble on purpose' USING ERRCODE = '{code}'");
    let cases = [
        // What only lacked a lock or an order is published again from what is staged.
        ("Deadlock", raise("40P01"), 1, 1, ""),
        ("Serialization", raise("40001"), 1, 1, ""),
        ("NoLock", raise("55P03"), 1, 1, ""),
        ("Busy", raise("53300"), 2, 2, "53300"),
        ("ReadOnly", raise("25006"), 2, 2, "25006"),
        ("Starting", raise("57P03"), 2, 2, "57P03"),
        ("Ended", "PERFORM pg_terminate_backend(pg_backend_pid())".to_owned(), 2, 2, "PostgreSQL"),
        // Never: a full disk, a cancelled statement.
        ("DiskFull", raise("53100"), 1, 1, "53100"),
        ("Cancelled", raise("57014"), 1, 1, "57014"),
    ];
    let names: Vec<_> = cases.iter().map(|(name, ..)| (*name).to_owned()).collect();
    let site = tables(&names).await;
    site.sync().await;
    for (name, doing, ..) in &cases {
        fails_once(&site, &name.to_lowercase(), doing).await;
        site.source.replace_rows(name, rows("new"));
    }
    let reads = |name: &str| site.source.times_seen(&format!("[dbo].[{name}]"));
    let before: Vec<_> = names.iter().map(|name| reads(name)).collect();
    let body = site.json(&["multi_sync"]).await;
    assert_eq!(body["failed_tables"], 2, "{body}");
    for ((name, _, attempts, expected, named), before) in cases.iter().zip(before) {
        assert_eq!(reads(name) - before, *expected, "so often the rows of {name} were read: {body}");
        assert_attempts(&body, name, *attempts, named);
        if ["DiskFull", "Cancelled"].contains(name) {
            assert!(body.error_of(&name.to_lowercase()).contains(named), "{body}");
            assert_all(&site, name, "old", &body).await;
        } else {
            assert_all(&site, name, "new", &body).await;
        }
    }
    assert_nothing_left(&site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_reply_is_lost_is_looked_up_and_not_made_twice() {
    let mut site = tables(&["T".to_owned()]).await;
    let proxy = Proxy::before(site.db.cluster.port).await;
    site.set("PG_PORT", &proxy.port.to_string()).set("PG_SSLMODE", "disable").set("TARGET_IDLE_TIMEOUT", "2s");
    site.sync().await;
    site.db
        .execute(
            "CREATE TABLE publishes (at timestamptz DEFAULT clock_timestamp()); GRANT INSERT ON publishes TO sync; \
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO publishes DEFAULT VALUES; RETURN NULL; END $$; \
        CREATE TRIGGER note AFTER UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION note()",
        )
        .await;
    for (text, trouble) in [("cut", Trouble::Cut), ("reset", Trouble::Reset), ("stalled", Trouble::Stall)] {
        site.db.settled().await;
        site.source.replace_rows("T", rows(text));
        site.db.execute("TRUNCATE publishes").await;
        // What the publish says last but COMMIT is what was seen of the source.
        proxy.plan(Some((trouble, Place::After(".source_columns (", Direction::ToClient, "COMMIT"))));
        let body = site.json(&["multi_sync"]).await;
        assert!(proxy.has_struck(), "{body}");
        proxy.plan(None);
        assert_eq!(body.code, Some(0), "{body}");
        assert_eq!(body.counts("t"), [40, 0, 40, 0, 0], "{body}");
        assert_all(&site, "T", text, &body).await;
        assert_eq!(site.db.value("SELECT count(*) FROM publishes").await, "1", "{body}");
        assert!(body["warnings"].to_string().contains("was committed, but its reply was lost"), "{body}");
    }
    assert_eq!(site.db.value("SELECT count(*) FROM tablesync.runs WHERE outcome = 'succeeded'").await, "4");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_another_run_takes_between_two_attempts_is_left_to_it() {
    let site = tables(&["T".to_owned()]).await;
    site.sync().await;
    // Its lock has a session of its own, which ends first.
    let ended = "PERFORM pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'tablesync %' \
        ORDER BY pid = pg_backend_pid()) AS s";
    fails_once(&site, "t", ended).await;
    site.source.replace_rows("T", rows("new"));
    let first = site.start(&["multi_sync", "--json"]);
    let asked = Instant::now();
    while !first.stderr_so_far().contains("attempt 1 failed") {
        assert!(asked.elapsed() < Duration::from_secs(60), "{}", first.stderr_so_far());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    site.source.fault("T", Fault::StallAfterRows(1));
    let second = site.start(&["multi_sync", "--json"]);
    let first = Body::of(first.finish().await);
    assert_eq!(first.code, Some(0), "a locked table alone is no failure: {first}");
    assert_eq!(first.table("t")["status"], "skipped", "{first}");
    assert!(first.table("t")["held_by"].as_str().unwrap().contains("tablesync"), "{first}");
    assert_attempts(&first, "T", 2, "PostgreSQL");
    second.signal(Signal::INT);
    second.finish().await;
    assert_nothing_left(&site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_restart_in_mid_run_are_waited_for() {
    let planted = Planted::new("T", &[("Id", "int"), ("Name", "nvarchar(50)")], 1).rows(rows("old"));
    let cluster: &'static Cluster = Box::leak(Box::new(Cluster::start(&[])));
    let mut site = Site::between(Source::planted(vec![planted]).await, Database::create_on(cluster).await);
    site.keep(&[]).configure("t", "dbo.T", &json!({}));
    site.sync().await;

    // The target, while the change is written.
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(20); RETURN NULL; END $$; \
        CREATE TRIGGER slow BEFORE UPDATE ON t FOR EACH STATEMENT EXECUTE FUNCTION slow()";
    site.db.execute(slow).await;
    site.source.replace_rows("T", rows("new"));
    let running = site.start(&["multi_sync", "--json"]);
    while site.db.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'").await == "0" {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    site.db.crash_server().await;
    site.db.execute("DROP TRIGGER slow ON t").await;
    let body = Body::of(running.finish().await);
    assert_all(&site, "T", "new", &body).await;
    assert!(body.table("t")["attempts"].as_u64().unwrap() > 1, "{body}");

    // The source, while its rows are read.
    site.source.replace_rows("T", rows("newest"));
    site.source.fault_times("T", Fault::StallAfterRows(1), 1);
    let running = site.start(&["multi_sync", "--json"]);
    let read = site.source.times_seen("[dbo].[T]");
    while site.source.times_seen("[dbo].[T]") == read {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    site.source.restart().await;
    let body = Body::of(running.finish().await);
    assert_all(&site, "T", "newest", &body).await;
    assert_attempts(&body, "T", 2, "SQL Server");
    assert_nothing_left(&site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_not_waited_for_by_every_table() {
    let mut site = Site::over(Source::sample(10).await).await;
    site.set("SQL_SERVER_MCTM_PORT", "1").set("MAX_RETRIES", "1");
    let body = site.json(&["multi_sync"]).await;
    let attempts = ["customer", "mctm_module", "voipdb_customer"].map(|table| body.table(table)["attempts"].as_u64().unwrap());
    assert_eq!(attempts, [2, 1, 1], "{body}");
    for table in ["customer", "mctm_module"] {
        assert!(body.error_of(table).contains("127.0.0.1:1 cannot be reached"), "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_attempt_is_begun_that_the_deadline_would_cut_before_it_starts() {
    let mut site = tables(&["T".to_owned()]).await;
    site.source.fault("T", error_after(1, 1205, 13, "Transaction was deadlocked."));
    // The pause before the second attempt fits, the one before the third, of four seconds at least, does not.
    let body = site.set("MAX_RETRIES", "5").json(&["multi_sync", "--deadline", "6s"]).await;
    let error = body.error_of("t");
    assert!(error.contains("1205") && error.contains("no time left"), "{body}");
    assert_attempts(&body, "T", 2, "1205");
    assert_nothing_left(&site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_ends_the_pause_before_another_attempt() {
    let site = tables(&["T".to_owned()]).await;
    site.source.fault("T", error_after(1, 1205, 13, "Transaction was deadlocked."));
    let running = site.start(&["multi_sync", "--json"]);
    while !running.stderr_so_far().contains("attempt 2 failed") {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // The pause is four seconds by now, at least.
    let asked = Instant::now();
    running.signal(Signal::TERM);
    let body = Body::of(running.finish().await);
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    assert_eq!(body.code, Some(143), "{body}");
    assert!(body.error_of("t").contains("1205"), "{body}");
    assert_attempts(&body, "T", 2, "1205");
    assert_nothing_left(&site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_and_a_target_that_is_not_there_yet_are_tried_again_too() {
    let mut site = Site::over(Source::sample(100).await).await;
    site.keep(&["customer"]);
    site.source.fault_logins(Some(LoginFault::Close), Some(1));
    let body = site.json(&["multi_sync", "--dry-run"]).await;
    assert_eq!(
        (body.code, &body.table("customer")["attempts"], &body.table("customer")["source_rows"]),
        (Some(0), &json!(2), &json!(100)),
        "{body}"
    );
    // The first login at the target is one too many.
    let limit = async |limit: i32| site.db.execute(&format!("ALTER DATABASE {} CONNECTION LIMIT {limit}", site.db.name)).await;
    limit(0).await;
    let running = site.start(&["multi_sync", "--json"]);
    while !running.stderr_so_far().contains("attempt 1 failed") {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    limit(-1).await;
    let body = Body::of(running.finish().await);
    assert_eq!(body.counts("customer"), [100, 100, 0, 0, 0], "{body}");
    assert_eq!(body.table("customer")["attempts"], 2, "{body}");
}
