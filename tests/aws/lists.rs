//! The list of `CONFIG_PATH` in S3, and secrets that fill its DSNs.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::incremental::postgres::{FINDINGS, Pair};
use crate::support::aws::{Aws, env};
use crate::support::aws_stub::{Answer, Stub};
use crate::support::body::Body;
use crate::support::lambda::{Ending, Function};
use crate::support::postgres::PASSWORD;

const TIME: Duration = Duration::from_secs(60);

/// Five rows to copy, and an environment that points to `aws`; the list in the folder is of other tables.
async fn pair(aws: &Aws) -> Pair {
    let mut pair = Pair::new(FINDINGS).await;
    pair.from.execute("INSERT INTO findings SELECT n, 'high', NULL, now() FROM generate_series(1, 5) n").await;
    pair.config = json!([{"name": "others", "key_columns": ["id"]}]);
    pointed(&mut pair, &aws.env());
    pair
}

fn pointed(pair: &mut Pair, env: &[(String, String)]) {
    for (name, value) in env {
        pair.set(name, value);
    }
}

fn listing(name: &str) -> String {
    json!([{"name": name, "key_columns": ["id"]}]).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_says_which_version_of_its_list_it_had() {
    for aws in [Aws::ministack(), Aws::moto()] {
        let mut pair = pair(&aws).await;
        let bucket = aws.add_bucket().await;
        aws.keep_versions(&bucket).await;
        let location = format!("s3://{bucket}/etc/config.json");
        let first = aws.put(&bucket, "etc/config.json", &listing("findings")).await.unwrap();
        let second = aws.put(&bucket, "etc/config.json", &listing("public.findings")).await.unwrap();
        pair.set("CONFIG_PATH", &location).set("REPORT_URL", &format!("s3://{bucket}/reports/"));
        let body = pair.sync().await;
        assert_eq!(body.counts("public.findings"), [5, 5, 0, 0, 0], "{body}");
        assert_eq!((&body["config"]["location"], &body["config"]["version_id"]), (&json!(location), &json!(second)), "{body}");
        assert!(body["config"]["etag"].as_str().is_some_and(|tag| tag.len() == 32), "{body}");
        let report = aws.keys(&bucket).await.into_iter().find(|key| key.ends_with(".json") && key.starts_with("reports/")).unwrap();
        let report: Json = serde_json::from_str(&aws.get(&bucket, &report).await.1).unwrap();
        assert_eq!(report["config"]["version_id"], json!(second), "{report}");
        pair.set("CONFIG_PATH", &format!("{location}?versionId={first}"));
        let pinned = pair.sync().await;
        assert_eq!((pinned.counts("findings")[0], &pinned["config"]["version_id"]), (5, &json!(first)), "{pinned}");
        // Beside a table configuration that is there, too, info shows both.
        let tables = json!({"tables": {"all": {"db_type": "x", "sql_table": "dbo.all", "pg_table": "all"}}}).to_string();
        let of_tables = aws.put(&bucket, "etc/t.json", &tables).await.unwrap();
        pair.set("TABLE_CONFIGS", &format!("s3://{bucket}/etc/t.json"));
        let info = pair.asked(&["info"]).await;
        assert_eq!(info["available_tables"], json!(["all", "findings"]), "{info}");
        assert_eq!((&info["config"]["version_id"], &info["config_list"]["version_id"]), (&json!(of_tables), &json!(first)), "{info}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_function_reads_the_list_anew_for_each_invocation() {
    let aws = Aws::ministack();
    let mut pair = pair(&aws).await;
    let bucket = aws.add_bucket().await;
    pair.set("CONFIG_PATH", &format!("s3://{bucket}/config.json"));
    let mut function = Function::start(&pair.env, pair.dir.path()).await;
    for name in ["findings", "public.findings"] {
        aws.put(&bucket, "config.json", &listing(name)).await;
        let body = Body::in_envelope(&function.invoke(r#"{"mode": "incremental_sync"}"#, TIME).await);
        assert_eq!((&body["success"], body.counts(name)[0]), (&json!(true), 5), "{body}");
        assert_eq!(body["config"]["location"], json!(format!("s3://{bucket}/config.json")), "{body}");
    }
    function.shut_down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_cannot_be_had_or_is_wrong_is_named_by_its_address() {
    let aws = Aws::ministack();
    let mut pair = pair(&aws).await;
    let bucket = aws.add_bucket().await;
    aws.put(&bucket, "broken.json", "[\n  {\"name\": \"findings\", \"key_column\": [\"id\"]}\n]\n").await;
    let stub = Stub::start(Answer::Refusal(403, "AccessDenied", "Access Denied")).await;
    let (here, denied, nowhere) = (aws.endpoint.as_str(), stub.endpoint.as_str(), "http://127.0.0.1:9");
    let cases: [(&str, String, &[&str]); 5] = [
        (here, format!("s3://{bucket}/none.json"), &["the list of tables", "NoSuchKey", "Check the key"]),
        (here, format!("s3://{bucket}/broken.json"), &["broken.json, line 2: [0].key_column: unknown field"]),
        (here, "s3://key:canary@bucket/c.json".to_owned(), &["s3://bucket/key", "CONFIG_PATH"]),
        (denied, format!("s3://{bucket}/c.json"), &["AccessDenied", "Allow s3:GetObject", "s3:ListBucket"]),
        (nowhere, format!("s3://{bucket}/c.json"), &["S3 cannot be reached", "VPC endpoint"]),
    ];
    for (endpoint, address, named) in cases {
        pointed(&mut pair, &env(endpoint));
        pair.set("CONFIG_PATH", &address);
        for command in [&["incremental_sync"][..], &["config", "check"]] {
            let body = pair.asked(command).await;
            let error = body["error"].as_str().unwrap();
            assert!(body.code == Some(2) && !error.contains("canary"), "{address}: {body}");
            for part in named {
                assert!(error.contains(part), "{part}: {error}");
            }
        }
    }
    assert_eq!(pair.to.value("SELECT count(*) FROM pg_class WHERE relname = 'sync_meta'").await, "0", "nothing is begun");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_fill_what_the_dsns_leave_out_and_rotate_under_a_warm_function() {
    let aws = Aws::ministack();
    let mut pair = pair(&aws).await;
    let role = "rotated_in_a_list";
    pair.from.execute(&format!("DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN PASSWORD 'canary-first' IN ROLE sync")).await;
    let port = pair.from.cluster.port;
    let source =
        aws.add_secret(&json!({"username": role, "password": "canary-first", "host": "nowhere.invalid", "dbname": "nothing"})).await;
    // The target has no DSN at all.
    let says = json!({"username": "sync", "password": PASSWORD, "host": "127.0.0.1", "port": port, "dbname": pair.to.name});
    let target = aws.add_secret(&says).await;
    pair.env.retain(|(name, _)| name != "TARGET_DSN");
    let dsn = format!("postgres://127.0.0.1:{port}/{}", pair.from.name);
    pair.set("SOURCE_DSN", &dsn).set("SOURCE_SECRET_ID", &source).set("TARGET_SECRET_ID", &target).set("RUST_LOG", "trace");
    pair.config = json!([{"name": "findings", "key_columns": ["id"]}]);
    let checked = pair.asked(&["config", "check"]).await;
    assert_eq!(
        (checked.code, &checked["sources"][0]["password_set"], &checked["target"]["host"]),
        (Some(0), &json!(true), &Json::Null),
        "{checked}"
    );
    assert_eq!(pair.sync().await.counts("findings"), [5, 5, 0, 0, 0]);
    let info = pair.asked(&["info"]).await;
    assert_eq!(info["table_details"][0]["last_sync"]["rows"], 5, "{info}");
    let mut function = Function::start(&pair.env, pair.dir.path()).await;
    let event = r#"{"mode": "incremental_sync"}"#;
    let first = Body::in_envelope(&function.invoke(event, TIME).await);
    assert_eq!(first["success"], true, "{first}");
    pair.from.execute(&format!("ALTER ROLE {role} PASSWORD 'canary-second'")).await;
    aws.rotate(&source, &json!({"username": role, "password": "canary-second"})).await;
    let second = Body::in_envelope(&function.invoke(event, TIME).await);
    assert_eq!(second["success"], true, "{second}");
    pair.from.execute(&format!("ALTER ROLE {role} PASSWORD 'canary-third'")).await;
    let refused = function.invoke(event, TIME).await;
    let body = Body::in_envelope(&refused);
    let error = body.error_of("findings");
    assert!(error.contains(&format!("secret {source} (SOURCE_SECRET_ID)")), "{error}");
    assert!(matches!(refused, Ending::Result(_)) && !format!("{body}").contains("canary"), "{body}");
    let finished = function.shut_down().await;
    assert!(finished.stdout.contains("TRACE") && !finished.stdout.contains("canary"), "no secret is logged");
    assert!(finished.stdout.contains("the secret was fetched again"), "{}", finished.stdout);
    pair.env.retain(|(name, _)| name != "SOURCE_DSN" && name != "SOURCE_SECRET_ID");
    let lacking = aws.add_secret(&json!({"password": "canary"})).await;
    pair.set("SOURCE_SECRET_ID", &lacking);
    let body = pair.asked(&["incremental_sync"]).await;
    let expected = format!("SOURCE_DSN names no host and no user, nor does the secret {lacking} (SOURCE_SECRET_ID)");
    assert!(body.code == Some(2) && body["error"].as_str().unwrap().contains(&expected), "{body}");
}
