//! Secrets fill what the variables leave out, and may be rotated under a warm function.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use super::{pointed, site};
use crate::support::aws::{Aws, env};
use crate::support::aws_stub::{Answer, NoRoute, Stub};
use crate::support::body::Body;
use crate::support::lambda::Ending;
use crate::support::postgres::PASSWORD;
use crate::support::site::Site;
use crate::support::source::{Fault, PASSWORD as SOURCE_PASSWORD};

const TIME: Duration = Duration::from_secs(60);

fn says(password: &str) -> Value {
    json!({"username": "sync", "password": password})
}

/// A site that logs in to the target as a role of its own, with what a secret says.
async fn with_a_role_of_its_own(aws: &Aws, role: &str) -> (Site, String) {
    let mut site = site(aws).await;
    site.db.execute(&format!("DROP ROLE IF EXISTS {role}; CREATE ROLE {role} LOGIN PASSWORD 'canary-first' IN ROLE sync")).await;
    let secret = aws.add_secret(&json!({"username": role, "password": "canary-first", "host": "127.0.0.1"})).await;
    for variable in ["PG_HOST", "PG_USER", "PG_PASSWORD"] {
        site.unset(variable);
    }
    site.set("PG_SECRET_ID", &secret);
    (site, secret)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_fills_what_the_variables_leave_out() {
    for aws in [Aws::ministack(), Aws::moto()] {
        let mut site = site(&aws).await;
        let port = site.db.cluster.port.to_string();
        let mut target = says(PASSWORD);
        target["port"] = json!(port);
        target["engine"] = json!("postgres");
        let target = aws.add_secret(&target).await;
        let source = aws.add_secret(&says(SOURCE_PASSWORD)).await;
        site.unset("PG_USER").unset("PG_PASSWORD").unset("PG_PORT").set("PG_SECRET_ID", &target);
        site.unset("SQL_SERVER_MCTM_PASSWORD").unset("SQL_SERVER_MCTM_USER").set("SQL_SERVER_MCTM_SECRET_ID", &source);
        assert_eq!(site.sync().await["successful_tables"], 4);
        let info = site.json(&["info"]).await;
        assert_eq!(info["table_details"][0]["last_sync"]["outcome"], "succeeded", "{info}");
        let tested = site.json(&["multi_test"]).await;
        assert_eq!(tested["failed_connections"], 0, "{tested}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_rotated_between_two_warm_invocations_is_fetched_again() {
    let aws = Aws::ministack();
    let role = "rotated_between";
    let (site, secret) = with_a_role_of_its_own(&aws, role).await;
    let mut function = site.deploy().await;
    let first = Body::in_envelope(&function.invoke("{}", TIME).await);
    assert_eq!(first["success"], true, "{first}");
    site.db.execute(&format!("ALTER ROLE {role} PASSWORD 'canary-second'")).await;
    aws.rotate(&secret, &json!({"username": role, "password": "canary-second", "host": "127.0.0.1"})).await;
    let second = Body::in_envelope(&function.invoke("{}", TIME).await);
    assert_eq!(second["success"], true, "{second}");
    let finished = function.shut_down().await;
    assert_eq!(finished.stdout.matches("the secret was fetched again").count(), 1, "{}", finished.stdout);
    assert!(!finished.stdout.contains("canary"), "{}", finished.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_rotated_in_mid_run_hurts_no_connection_and_no_table_begun_after_it() {
    let aws = Aws::ministack();
    let role = "rotated_in_mid_run";
    let (site, secret) = with_a_role_of_its_own(&aws, role).await;
    let mut function = site.deploy().await;
    let first = Body::in_envelope(&function.invoke("{}", TIME).await);
    assert_eq!(first["success"], true, "{first}");

    // The second of four tables is held in mid-read until the rotation is through.
    let (reached, reading) = tokio::sync::oneshot::channel();
    let (go_on, rotated) = std::sync::mpsc::channel::<()>();
    let hold = Mutex::new(Some((reached, rotated)));
    site.source.change("mctm_module", 50.0);
    site.source.fault(
        "mctm_module",
        Fault::change_after_rows(5, move |_| {
            if let Some((reached, rotated)) = hold.lock().unwrap().take() {
                reached.send(()).unwrap();
                tokio::task::block_in_place(|| rotated.recv().unwrap());
            }
        }),
    );
    let rotating = async {
        reading.await.unwrap();
        site.db.execute(&format!("ALTER ROLE {role} PASSWORD 'canary-second'")).await;
        aws.rotate(&secret, &json!({"username": role, "password": "canary-second", "host": "127.0.0.1"})).await;
        go_on.send(()).unwrap();
    };
    let (ending, ()) = tokio::join!(function.invoke("{}", TIME), rotating);
    let body = Body::in_envelope(&ending);
    assert_eq!((&body["success"], &body["successful_tables"]), (&json!(true), &json!(4)), "{body}");
    assert!(body.counts("mctm_module")[2] > 0, "what was held was published: {body}");
    let finished = function.shut_down().await;
    assert_eq!(finished.stdout.matches("the secret was fetched again").count(), 1, "{}", finished.stdout);
    assert!(!finished.stdout.contains("the next one begins") && !finished.stdout.contains("canary"), "{}", finished.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_not_taken_the_new_password_yet_gets_the_previous_one() {
    let aws = Aws::moto();
    let role = "rotated_late";
    let (mut site, secret) = with_a_role_of_its_own(&aws, role).await;
    aws.rotate(&secret, &json!({"username": role, "password": "canary-not-yet", "host": "127.0.0.1"})).await;
    let source = aws.add_secret(&says(SOURCE_PASSWORD)).await;
    aws.rotate(&source, &says("canary-not-yet")).await;
    site.unset("SQL_SERVER_MCTM_PASSWORD").set("SQL_SERVER_MCTM_SECRET_ID", &source);
    assert_eq!(site.sync().await["successful_tables"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused_with_the_secrets_name_and_few_logins() {
    let aws = Aws::ministack();
    let mut site = site(&aws).await;
    let secret = aws.add_secret(&says("canary-wrong")).await;
    aws.rotate(&secret, &says("canary-wrong-too")).await;
    site.unset("PG_PASSWORD").set("PG_SECRET_ID", &secret).set("RUST_LOG", "trace");
    let body = site.json(&["multi_sync"]).await;
    assert_eq!((body.code, &body["failed_tables"]), (Some(1), &json!(4)), "{body}");
    let error = body.error_of("customer");
    assert!(error.contains("refused the login") && error.contains(&format!("secret {secret} (PG_SECRET_ID)")), "{error}");
    assert!(!format!("{body}").contains("canary-wrong"), "{body}");
    // The version that was current is refused, then the previous one; the other tables know.
    assert_eq!(body.stderr.matches("the secret was fetched again").count(), 1, "{}", body.stderr);
    let source = aws.add_secret(&says("canary-wrong")).await;
    site.set("PG_PASSWORD", PASSWORD).unset("SQL_SERVER_MCTM_PASSWORD").set("SQL_SERVER_MCTM_SECRET_ID", &source);
    let body = site.json(&["multi_sync", "--tables=customer"]).await;
    let error = body.error_of("customer");
    assert!(error.contains("SQL_SERVER_MCTM_SECRET_ID") && !format!("{body}").contains("canary-wrong"), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warm_function_asks_again_only_when_the_secret_is_too_old() {
    let stub = Stub::start(Answer::Secret(says(PASSWORD).to_string())).await;
    for (max_age, calls) in [("15m", 1), ("0", 3)] {
        let mut site = site(&Aws::ministack()).await;
        pointed(&mut site, &env(&stub.endpoint));
        site.keep(&["customer"]);
        site.unset("PG_USER").unset("PG_PASSWORD").set("PG_SECRET_ID", "stub").set("SECRET_MAX_AGE", max_age);
        let before = stub.calls();
        let mut function = site.deploy().await;
        for _ in 0..3 {
            let body = Body::in_envelope(&function.invoke("{}", TIME).await);
            assert_eq!(body["success"], true, "{body}");
        }
        function.shut_down().await;
        assert_eq!(stub.calls() - before, calls, "{max_age}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_secret_lacks_is_named_with_the_variable_that_would_supply_it() {
    let aws = Aws::ministack();
    let mut site = site(&aws).await;
    let secret = aws.add_secret(&says(PASSWORD)).await;
    for variable in ["PG_HOST", "PG_PORT", "PG_DB", "PG_USER", "PG_PASSWORD"] {
        site.unset(variable);
    }
    site.set("PG_SECRET_ID", &secret);
    let body = site.json(&["multi_sync"]).await;
    let error = body["error"].as_str().unwrap();
    let expected = format!("PG_HOST, PG_DB are not set. The secret {secret} (PG_SECRET_ID) has no host, dbname");
    assert!(body.code == Some(2) && error.contains(&expected), "{body}");
    for (text, problem) in [("canary", "is no JSON object"), (r#"{"password": ["canary"]}"#, "has a password that is no text")] {
        let secret = aws.add_secret(&Value::from(text)).await;
        site.set("PG_SECRET_ID", &secret).set("RUST_LOG", "trace");
        let body = site.json(&["multi_sync"]).await;
        let error = body["error"].as_str().unwrap();
        assert!(body.code == Some(2) && error.contains(problem) && !format!("{body}").contains("canary"), "{body}");
    }
    assert_eq!(site.source.logins(), 0, "nothing is connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_denied_throttled_and_unreachable_are_told_apart() {
    let stub = Stub::start(Answer::Secret(String::new())).await;
    let cases: [(Answer, &str, i32, &[&str]); 5] = [
        (
            Answer::Refusal(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret."),
            "ConfigError",
            2,
            &["full ARN"],
        ),
        (
            Answer::Refusal(400, "AccessDeniedException", "User: x is not authorized to perform: secretsmanager:GetSecretValue"),
            "ConfigError",
            2,
            &["Allow secretsmanager:GetSecretValue", "ap-northeast-1"],
        ),
        (Answer::Refusal(400, "AccessDeniedException", "Access to KMS is not allowed"), "ConfigError", 2, &["kms:Decrypt"]),
        (Answer::Refusal(400, "ThrottlingException", "Rate exceeded"), "AwsError", 1, &["throttles", "run again later"]),
        (Answer::Refusal(500, "InternalServiceError", "oops"), "AwsError", 1, &["InternalServiceError"]),
    ];
    let mut site = site(&Aws::ministack()).await;
    pointed(&mut site, &env(&stub.endpoint));
    site.set("PG_SECRET_ID", "prod/pg");
    for (answer, kind, code, named) in cases {
        stub.set(answer);
        assert_refused(&site, kind, code, named).await;
    }
    pointed(&mut site, &env("http://127.0.0.1:9"));
    assert_refused(&site, "AwsError", 1, &["cannot be reached", "VPC endpoint", "NAT gateway"]).await;
    let no_route = NoRoute::new().await;
    pointed(&mut site, &env(&no_route.endpoint));
    let missing = ["Secrets Manager cannot be reached", "route to Secrets Manager in ap-northeast-1", "VPC endpoint", "security group"];
    assert_refused(&site, "AwsError", 1, &missing).await;
    let Ending::Error { error_type, message } = site.deploy().await.invoke(r#"{"trigger": "schedule"}"#, TIME).await else {
        panic!("a scheduled failure is a function error");
    };
    assert!(error_type == "AwsError" && missing.iter().all(|part| message.contains(part)), "{message}");
    site.unset("AWS_ACCESS_KEY_ID").unset("AWS_SECRET_ACCESS_KEY").unset("AWS_SESSION_TOKEN");
    assert_refused(&site, "ConfigError", 2, &["no AWS credentials", "AWS_PROFILE"]).await;
    site.unset("AWS_REGION");
    assert_refused(&site, "ConfigError", 2, &["AWS_REGION"]).await;
    assert_eq!(site.source.logins(), 0, "nothing is connected");
}

async fn assert_refused(site: &Site, kind: &str, code: i32, named: &[&str]) {
    let body = site.json(&["multi_sync"]).await;
    let error = body["error"].as_str().unwrap();
    assert_eq!(body.code, Some(code), "{body}");
    assert!(body.stderr.contains(kind), "{kind}: {body}");
    for part in named {
        assert!(error.contains(part), "{part}: {error}");
    }
}
