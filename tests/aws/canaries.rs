//! Secrets in every place that one can come from: none is in anything that comes out, however much is logged.

use std::fs;
use std::time::Duration;

use serde_json::json;

use super::site;
use crate::incremental::postgres::{FINDINGS, Pair};
use crate::support::aws::Aws;
use crate::support::lambda::{Ending, Function};
use crate::support::postgres::PASSWORD;
use crate::support::process::Finished;
use crate::support::site::Site;
use crate::support::source::PASSWORD as SOURCE_PASSWORD;

/// All of them begin so: the passwords of both sides, the access key's secret and its session's token, and those below.
const CANARY: &str = "canary";

/// What came out of one or more runs, in whatever way.
#[derive(Default)]
struct Heard(Vec<(String, String)>);

impl Heard {
    fn add(&mut self, what: &str, text: impl Into<String>) {
        self.0.push((what.to_owned(), text.into()));
    }

    fn run(&mut self, what: &str, finished: Finished) {
        assert!(finished.signal.is_none(), "{what}: {finished:?}");
        self.add(&format!("standard output of {what}"), finished.stdout);
        self.add(&format!("standard error of {what}"), finished.stderr);
    }

    /// The function, invoked with each event: what it logs, answers, and fails with.
    async fn invocations(&mut self, what: &str, site: &Site, events: &[&str]) {
        let mut function = site.deploy().await;
        for event in events {
            let ending = function.invoke(event, Duration::from_secs(60)).await;
            self.add(&format!("the answer of {what}"), format!("{ending:?}"));
        }
        self.run(what, function.shut_down().await);
    }

    fn is_silent(&self) {
        assert!(self.0.iter().any(|(_, text)| text.contains("TRACE")), "trace was on");
        for (what, text) in &self.0 {
            let place = text.find(CANARY).map(|at| {
                let [from, to] = [at.saturating_sub(300), (at + 60).min(text.len())].map(|place| text.floor_char_boundary(place));
                &text[from..to]
            });
            assert_eq!(place, None, "{what}");
        }
    }
}

/// A scheduled event: what fails is a function error.
const SCHEDULED: &str = r#"{"trigger": "schedule"}"#;

/// A site whose passwords come from secrets, whose configuration and reports are in S3, and which logs everything.
async fn talkative(aws: &Aws) -> (Site, String) {
    let mut site = site(aws).await;
    let bucket = aws.add_bucket().await;
    aws.put(&bucket, "t.json", &site.config.to_string()).await;
    let target = aws.add_secret(&json!({"username": "sync", "password": "canary-of-the-version-before"})).await;
    aws.rotate(&target, &json!({"username": "sync", "password": PASSWORD, "masterpassword": "canary-of-another-field"})).await;
    let source = aws.add_secret(&json!({"username": "sync", "password": SOURCE_PASSWORD})).await;
    site.unset("PG_PASSWORD").unset("PG_USER").set("PG_SECRET_ID", &target);
    for db_type in ["MCTM", "VOIPDB"] {
        site.unset(&format!("SQL_SERVER_{db_type}_PASSWORD")).set(&format!("SQL_SERVER_{db_type}_SECRET_ID"), &source);
    }
    site.set("TABLE_CONFIGS", &format!("s3://{bucket}/t.json")).set("REPORT_URL", &format!("s3://{bucket}/reports"));
    site.set("RUST_LOG", "trace,aws_smithy_runtime::client=trace,aws_sigv4=trace,hyper=trace");
    (site, bucket)
}

/// State tables and reports.
async fn left_behind(heard: &mut Heard, site: &Site, aws: &Aws, bucket: &str) {
    let tables = "SELECT oid::regclass FROM pg_class WHERE relnamespace = 'tablesync'::regnamespace AND relkind = 'r'";
    for table in site.db.rows(tables).await {
        let table = table[0].clone().unwrap();
        heard.add(&table, site.db.value(&format!("SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} AS t")).await);
    }
    let reports = aws.keys(bucket).await;
    assert!(reports.len() > 10, "{reports:?}");
    for key in reports {
        heard.add(&key, aws.get(bucket, &key).await.1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_comes_out_of_a_run_that_goes_well_or_panics() {
    let aws = Aws::ministack();
    let (mut site, bucket) = talkative(&aws).await;
    let mut heard = Heard::default();
    for command in [&["multi_sync"][..], &["multi_test", "--json"], &["verify"], &["plan"], &["info"], &["config", "check"]] {
        let finished = site.run(command).await;
        assert_eq!(finished.code, Some(0), "{command:?}: {finished:?}");
        heard.run(&format!("{command:?}"), finished);
    }
    heard.invocations("the function", &site, &["{}", SCHEDULED]).await;
    // In the middle of a table, and before any is begun.
    for place in ["source_described", "copy_done", "configuration_read"] {
        site.set("FAILPOINTS", &format!("{place}=panic(canary-panic)"));
        let body = site.json(&["multi_sync"]).await;
        assert!(body.code == Some(1) && body.stderr.contains("a task panicked"), "{place}: {body}");
        heard.add("a command that panics", format!("{body}"));
        heard.invocations("a function that panics", &site, &["{}", SCHEDULED]).await;
    }
    // While the answer is made, in which case there is none.
    site.set("FAILPOINTS", "concluding=panic(canary-panic)");
    heard.run("a command without an answer", site.run(&["multi_sync", "--json"]).await);
    let ending = site.deploy().await.invoke("{}", Duration::from_secs(60)).await;
    assert!(matches!(&ending, Ending::Error { error_type, .. } if error_type == "InternalError"), "{ending:?}");
    heard.invocations("a function without an answer", &site, &["{}"]).await;
    left_behind(&mut heard, &site, &aws, &bucket).await;
    heard.is_silent();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_comes_out_of_a_run_with_a_wrong_one_or_with_one_in_a_wrong_place() {
    let aws = Aws::ministack();
    let (mut site, bucket) = talkative(&aws).await;
    site.sync().await;
    let mut heard = Heard::default();
    for (name, value) in wrong(&aws).await {
        let before = site.env().to_vec();
        site.set(name, &value);
        for command in [&["multi_sync", "--json"][..], &["config", "check"]] {
            let failed = site.run(command).await;
            assert!(failed.code != Some(0) || command[0] == "config", "{name}={value}: {failed:?}");
            heard.run(&format!("{name}={value}"), failed);
        }
        heard.invocations(&format!("{name}={value} in a function"), &site, &[SCHEDULED]).await;
        super::pointed(&mut site, &before);
        if !before.iter().any(|(other, _)| other == name) {
            site.unset(name);
        }
    }
    left_behind(&mut heard, &site, &aws, &bucket).await;
    heard.is_silent();
}

/// Variables with a secret in the wrong place, or a wrong secret.
async fn wrong(aws: &Aws) -> Vec<(&'static str, String)> {
    let refused = aws.add_secret(&json!({"username": "sync", "password": "canary-wrong"})).await;
    aws.rotate(&refused, &json!({"username": "sync", "password": "canary-wrong-too"})).await;
    let no_json = aws.add_secret(&json!("canary-no-json")).await;
    let no_host = aws.add_secret(&json!({"password": "canary", "host": "sqlserver://canary@h"})).await;
    let text = |name, value: &str| (name, value.to_owned());
    vec![
        ("PG_SECRET_ID", refused.clone()),
        ("SQL_SERVER_MCTM_SECRET_ID", refused),
        ("PG_SECRET_ID", no_json),
        ("SQL_SERVER_VOIPDB_SECRET_ID", no_host),
        text("PG_SECRET_ID", r#"{"username": "sync", "password": "canary-value"}"#),
        text("SQL_SERVER_MCTM_SECRET_ID", "Server=h;Password=canary-value"),
        text("PG_PASSWORD", "canary-wrong"),
        text("SQL_SERVER_MCTM_PASSWORD", "canary-wrong"),
        text("PG_HOST", "postgres://sync:canary-dsn@127.0.0.1/db"),
        text("PG_HOST", "host=127.0.0.1 password=canary-dsn"),
        text("PG_PORT", "5432;password=canary-dsn"),
        text("PG_DB", "postgres://sync:canary-dsn@127.0.0.1/db"),
        text("PG_DB", "dbname=db password=canary-dsn"),
        text("PG_USER", "postgres://sync:canary-dsn@127.0.0.1/db"),
        text("STATE_SCHEMA", "postgres://sync:canary-dsn@127.0.0.1/db"),
        text("SQL_SERVER_MCTM_HOST", "Server=127.0.0.1;Password=canary-dsn"),
        text("SQL_SERVER_MCTM_HOST", "sqlserver://sync:canary-dsn@127.0.0.1"),
        text("SQL_SERVER_MCTM_DB", "Server=127.0.0.1;Database=McTM;Password=canary-dsn"),
        text("SQL_SERVER_MCTM_USER", "Server=127.0.0.1;User=sync;Pwd=canary-dsn"),
        text("TABLE_CONFIGS", "s3://key:canary-dsn@bucket/t.json"),
        text("TABLE_CONFIGS", "postgres://sync:canary-dsn@127.0.0.1/db"),
        text("REPORT_URL", "s3://key:canary-dsn@bucket/"),
        text("AWS_ENDPOINT_URL", "http://key:canary-endpoint@127.0.0.1:9"),
        text("AWS_ENDPOINT_URL", "key:canary-endpoint@127.0.0.1"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_comes_out_of_the_files_that_aws_keeps_its_keys_in() {
    let aws = Aws::ministack();
    let (mut site, _) = talkative(&aws).await;
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] {
        site.unset(name);
    }
    let home = site.dir().to_owned();
    fs::create_dir(home.join(".aws")).unwrap();
    site.set("HOME", home.to_str().unwrap());
    let good = "[default]\naws_access_key_id = AKIATEST\naws_secret_access_key = canary-of-a-file\naws_session_token = canary-of-a-file\n";
    let mut heard = Heard::default();
    // The good one last: whoever reads none of it has no keys, and fails as the others do.
    let files = [
        ("[default]\naws_access_key_id = AKIATEST\naws_secret_access_key canary-of-a-file\n", false),
        ("[default\naws_secret_access_key = canary-of-a-file\n", false),
        ("[default]\naws_secret_access_key = canary-of-a-file\n", false),
        ("aws_secret_access_key = canary-of-a-file\n", false),
        (good, true),
    ];
    for (text, works) in files {
        fs::write(home.join(".aws/credentials"), text).unwrap();
        let finished = site.run(&["multi_sync", "--json"]).await;
        assert_eq!(finished.code == Some(0), works, "{text}: {finished:?}");
        heard.run("a run", finished);
    }
    fs::write(home.join(".aws/credentials"), good.replace("default", "sync")).unwrap();
    site.set("AWS_PROFILE", "sync");
    heard.run("a run with a profile", site.run(&["multi_sync", "--json"]).await);
    heard.invocations("a function", &site, &[SCHEDULED]).await;
    site.set("AWS_PROFILE", "none").set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/canary-path");
    site.set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "canary-of-a-container");
    heard.run("a run with a profile that is not there", site.run(&["multi_sync", "--json"]).await);
    site.unset("AWS_PROFILE");
    fs::remove_file(home.join(".aws/credentials")).unwrap();
    heard.run("a run in a container", site.run(&["multi_sync", "--json"]).await);
    heard.is_silent();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_comes_back_out_of_an_event_or_a_configuration_that_does_not_know_it() {
    let mut site = site(&Aws::ministack()).await;
    site.set("RUST_LOG", "trace");
    let mut heard = Heard::default();
    let events = [
        json!({"password": "canary-event", "PG_PASSWORD": "canary-event"}).to_string(),
        json!({"tables": {"password": "canary-event"}}).to_string(),
        json!({"tables": ["customer", {"password": "canary-event"}]}).to_string(),
        json!({"sample": "canary-event", "mode": "verify"}).to_string(),
        json!({"dry_run": "canary-event"}).to_string(),
        json!({"detail-type": "x", "source": "y", "detail": "password=canary-event"}).to_string(),
        json!({"detail-type": "x", "source": "y", "detail": {"password": "canary-event"}, "token": "canary-event"}).to_string(),
        r#"{"password": "canary-event"#.to_owned(),
        r#""canary-event""#.to_owned(),
    ];
    heard.invocations("an event", &site, &events.each_ref().map(String::as_str)).await;
    let sound = site.config.clone();
    for (place, field) in [("", "password"), ("/defaults", "connection_string"), ("/tables/customer", "password")] {
        site.config = sound.clone();
        site.config.pointer_mut(place).unwrap()[field] = json!("Server=h;Password=canary-file");
        let body = site.json(&["config", "check"]).await;
        assert!(body["success"] == false && body["error"].as_str().unwrap().contains(field), "{body}");
        heard.add("a configuration", format!("{body}"));
        heard.invocations("a configuration", &site, &[SCHEDULED]).await;
    }
    site.config = json!("{\"tables\": {\"customer\": {\"password\": \"canary-file\",,}}}");
    heard.run("a broken configuration", site.run(&["multi_sync"]).await);
    for text in ["PG_PASSWORD='canary-env\n", "PG_PASSWORD=canary env $(\n", "canary-env\n"] {
        fs::write(site.dir().join(".env"), text).unwrap();
        let refused = site.run(&["multi_sync", "--json"]).await;
        assert_eq!(refused.code, Some(2), "{text}: {refused:?}");
        heard.run("a broken .env", refused);
    }
    heard.is_silent();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_comes_out_of_a_dsn() {
    let mut site = site(&Aws::ministack()).await;
    site.set("RUST_LOG", "trace").keep(&["customer"]);
    let value = |site: &Site, name: &str| site.env().iter().find(|(other, _)| other == name).unwrap().1.clone();
    let (port, database) = (value(&site, "PG_PORT"), value(&site, "PG_DB"));
    for name in ["PG_HOST", "PG_PORT", "PG_DB", "PG_USER", "PG_PASSWORD"] {
        site.unset(name);
    }
    let server = format!("127.0.0.1:{port}/{database}");
    let good = format!("postgres://sync:{PASSWORD}@{server}");
    let wrong = [
        format!("postgres://sync:canary-wrong@{server}"),
        format!("postgres://sync:canary%ZZ@{server}"),
        format!("postgres://sync:canary-mode@{server}?sslmode=canary-maybe"),
        format!("postgres://sync:canary-port@127.0.0.1:canary/{database}"),
        format!("postgres://sync:canary@canary@canary@{server}"),
        format!("host=127.0.0.1 port={port} dbname={database} user=sync password='canary-open"),
        format!("host=127.0.0.1 port={port} dbname={database} user=sync passwd=canary-word"),
        format!("sqlserver://sync:canary-scheme@{server}"),
        "canary-nothing-else".to_owned(),
    ];
    let mut heard = Heard::default();
    site.set("TARGET_DSN", &good);
    heard.run("a run with a DSN", site.run(&["multi_sync"]).await);
    heard.run("a check of a DSN", site.run(&["config", "check"]).await);
    for dsn in &wrong {
        site.set("TARGET_DSN", dsn);
        let refused = site.run(&["multi_sync", "--json"]).await;
        assert!(refused.code != Some(0), "{dsn}: {refused:?}");
        heard.run(dsn, refused);
        heard.invocations(dsn, &site, &[SCHEDULED]).await;
    }
    site.set("TARGET_DSN", &good);
    for what in ["HOST", "PORT", "USER", "PASSWORD", "ENCRYPT"] {
        site.unset(&format!("SQL_SERVER_MCTM_{what}"));
    }
    for dsn in &wrong {
        site.set("SOURCE_MCTM_DSN", dsn);
        for command in [&["multi_sync", "--json"][..], &["config", "check"]] {
            heard.run(dsn, site.run(command).await);
        }
    }
    heard.is_silent();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_comes_out_of_the_dsns_of_a_list() {
    let mut pair = Pair::new(FINDINGS).await;
    pair.from.execute("INSERT INTO findings SELECT n, 'high', NULL, now() FROM generate_series(1, 5) n").await;
    pair.set("RUST_LOG", "trace,tokio_postgres=trace");
    let good = pair.env.clone();
    let mut heard = Heard::default();
    let commands = [
        &["incremental_sync"][..],
        &["incremental_sync", "--json"],
        &["multi_test"],
        &["plan"],
        &["verify"],
        &["info"],
        &["config", "check"],
    ];
    for command in commands {
        let finished = pair.run(command).await;
        assert_eq!(finished.code, Some(0), "{command:?}: {finished:?}");
        heard.run(&format!("{command:?}"), finished);
    }
    let server = |database: &str| format!("127.0.0.1:{}/{database}", pair.from.cluster.port);
    let (from, to) = (server(&pair.from.name), server(&pair.to.name));
    let wrong = [("SOURCE_DSN", from), ("TARGET_DSN", to)].map(|(name, server)| {
        [
            format!("postgres://sync:canary-wrong@{server}"),
            format!("postgres://sync:canary%2Fwrong@{server}?sslmode=canary-mode"),
            format!("postgres://sync:canary/@wrong@{server}"),
            format!("host=127.0.0.1 user=sync passwd=canary-word {server}"),
            "canary-nothing-else".to_owned(),
        ]
        .map(|dsn| (name, dsn))
    });
    let places = ["postgres://sync:canary-dsn@127.0.0.1/db", "host=h password=canary-dsn", "s3://key:canary-dsn@bucket/c.json"];
    let places = places.map(|place| ("CONFIG_PATH", place.to_owned()));
    for (name, dsn) in wrong.into_iter().flatten().chain(places) {
        pair.env.clone_from(&good);
        pair.set(name, &dsn);
        for command in [&["incremental_sync", "--json"][..], &["multi_test"], &["info"], &["config", "check"]] {
            heard.run(&dsn, pair.run(command).await);
        }
        let mut function = Function::start(&pair.env, pair.dir.path()).await;
        for event in [r#"{"mode": "incremental_sync", "trigger": "schedule"}"#, r#"{"mode": "info"}"#] {
            heard.add(&dsn, format!("{:?}", function.invoke(event, Duration::from_secs(60)).await));
        }
        heard.run(&dsn, function.shut_down().await);
    }
    let kept = "SELECT coalesce(string_agg(t::text, ' '), '') FROM";
    for table in ["sync_meta", "tablesync.runs", "tablesync.locks"] {
        heard.add(table, pair.to.value(&format!("{kept} {table} AS t")).await);
    }
    heard.is_silent();
}
