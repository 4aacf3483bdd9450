//! Secrets in every place that one can come from: none is in anything that comes out, however much is logged.

use std::time::Duration;

use serde_json::json;

use super::site;
use crate::support::aws::Aws;
use crate::support::postgres::PASSWORD;
use crate::support::process::Finished;
use crate::support::site::Site;
use crate::support::source::PASSWORD as SOURCE_PASSWORD;

/// All of them begin so: the passwords of both sides, the access key's secret and its session's token, and those below.
const CANARY: &str = "canary";

fn assert_silent(what: &str, text: &str) {
    let place = text.find(CANARY).map(|at| &text[at.saturating_sub(300)..(at + 60).min(text.len())]);
    assert_eq!(place, None, "{what}");
}

/// A site whose passwords come from secrets, whose configuration and reports are in S3, and which logs everything.
async fn talkative(aws: &Aws) -> (Site, String) {
    let mut site = site(aws).await;
    let bucket = aws.add_bucket().await;
    aws.put(&bucket, "t.json", &site.config.to_string()).await;
    let target = aws.add_secret(&json!({"username": "sync", "password": PASSWORD, "masterpassword": "canary-of-another-field"})).await;
    let source = aws.add_secret(&json!({"username": "sync", "password": SOURCE_PASSWORD})).await;
    site.unset("PG_PASSWORD").unset("PG_USER").set("PG_SECRET_ID", &target);
    for db_type in ["MCTM", "VOIPDB"] {
        site.unset(&format!("SQL_SERVER_{db_type}_PASSWORD")).set(&format!("SQL_SERVER_{db_type}_SECRET_ID"), &source);
    }
    site.set("TABLE_CONFIGS", &format!("s3://{bucket}/t.json")).set("REPORT_URL", &format!("s3://{bucket}/reports"));
    site.set("RUST_LOG", "trace,aws_smithy_runtime::client=trace,aws_sigv4=trace,hyper=trace");
    (site, bucket)
}

async fn invoked(site: &Site) -> Finished {
    let mut function = site.deploy().await;
    for _ in 0..2 {
        function.invoke("{}", Duration::from_secs(60)).await;
    }
    function.shut_down().await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_comes_out_of_a_run_that_goes_well_or_wrong() {
    let aws = Aws::ministack();
    let (mut site, bucket) = talkative(&aws).await;
    let mut runs = Vec::new();
    for command in [&["multi_sync"][..], &["multi_test", "--json"], &["verify"], &["plan"], &["info"], &["config", "check"]] {
        let finished = site.run(command).await;
        assert_eq!(finished.code, Some(0), "{command:?}: {finished:?}");
        runs.push(finished);
    }
    runs.push(invoked(&site).await);
    // A panic in the middle of a table, whose message has a secret.
    site.set("FAILPOINTS", "source_described=panic(canary-panic)");
    runs.push(site.run(&["multi_sync", "--json"]).await);
    runs.push(invoked(&site).await);
    site.unset("FAILPOINTS");
    for (name, value) in wrong(&aws).await {
        let before = site.env().to_vec();
        site.set(name, &value);
        runs.push(site.run(&["multi_sync", "--json"]).await);
        let failed = runs.last().unwrap();
        assert!(failed.code != Some(0), "{name}: {failed:?}");
        runs.push(invoked(&site).await);
        super::pointed(&mut site, &before);
        if !before.iter().any(|(other, _)| other == name) {
            site.unset(name);
        }
    }
    assert!(runs.iter().all(|run| run.signal.is_none()), "{runs:?}");
    assert!(runs[0].stderr.contains("TRACE"), "trace was on");
    for run in &runs {
        assert_silent("standard output", &run.stdout);
        assert_silent("standard error", &run.stderr);
    }
    for table in site.db.rows("SELECT oid::regclass FROM pg_class WHERE relnamespace = 'tablesync'::regnamespace AND relkind = 'r'").await {
        let table = table[0].clone().unwrap();
        assert_silent(&table, &site.db.value(&format!("SELECT coalesce(string_agg(t::text, ' '), '') FROM {table} AS t")).await);
    }
    let reports = aws.keys(&bucket).await;
    assert!(reports.len() > 10, "{reports:?}");
    for key in reports {
        assert_silent(&key, &aws.get(&bucket, &key).await.1);
    }
}

/// Variables with a secret in the wrong place, or a wrong secret.
async fn wrong(aws: &Aws) -> Vec<(&'static str, String)> {
    let refused = aws.add_secret(&json!({"username": "sync", "password": "canary-wrong"})).await;
    aws.rotate(&refused, &json!({"username": "sync", "password": "canary-wrong-too"})).await;
    let no_json = aws.add_secret(&json!("canary-no-json")).await;
    let no_host = aws.add_secret(&json!({"password": "canary", "host": "sqlserver://canary@h"})).await;
    vec![
        ("PG_SECRET_ID", refused.clone()),
        ("SQL_SERVER_MCTM_SECRET_ID", refused),
        ("PG_SECRET_ID", no_json),
        ("PG_PASSWORD", "canary-wrong".to_owned()),
        ("SQL_SERVER_MCTM_PASSWORD", "canary-wrong".to_owned()),
        ("PG_HOST", "postgres://sync:canary-dsn@127.0.0.1/db".to_owned()),
        ("PG_HOST", "host=127.0.0.1 password=canary-dsn".to_owned()),
        ("SQL_SERVER_MCTM_HOST", "Server=127.0.0.1;Password=canary-dsn".to_owned()),
        ("SQL_SERVER_MCTM_HOST", "sqlserver://sync:canary-dsn@127.0.0.1".to_owned()),
        ("SQL_SERVER_VOIPDB_SECRET_ID", no_host),
        ("TABLE_CONFIGS", "s3://key:canary-dsn@bucket/t.json".to_owned()),
        ("REPORT_URL", "s3://key:canary-dsn@bucket/".to_owned()),
        ("PG_PORT", "5432;password=canary-dsn".to_owned()),
    ]
}
