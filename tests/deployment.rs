//! The template as a user meets it: deployed with `scripts/deploy` into a stand-in for AWS, which fires its schedule and runs its function.

mod guides;
mod made;

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::support::body::Body;
use crate::support::cloud::{Cloud, Stack, target_dir};
use crate::support::lambda::Ending;
use crate::support::process::Running;
use crate::support::site::{FOUR_TABLES, Site};
use crate::support::source::{Fault, Source};

const ROWS: u64 = 200;

/// An expression that a schedule fires for at once.
fn now() -> String {
    let time = Timestamp::now().checked_add(1.seconds()).unwrap();
    format!("at({})", time.strftime("%Y-%m-%dT%H:%M:%S"))
}

async fn counts(site: &Site) -> Vec<String> {
    let mut counts = Vec::new();
    for (_, target) in FOUR_TABLES {
        counts.push(site.db.checksum(target).await);
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn the_template_has_no_finding() {
    let linter = target_dir().join("aws-venv/bin/cfn-lint");
    let finished = Running::start(linter, &["infra/template.yaml"], &[], env!("CARGO_MANIFEST_DIR").as_ref()).finish().await;
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), ""), "{finished:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_may_do_what_the_readme_says_and_nothing_else() {
    let site = Site::over(Source::nowhere().await).await;
    let cloud = Cloud::shared();
    let first = async |args: &[&str], query: &str| cloud.aws(&[args, &["--query", query]].concat()).await.as_str().unwrap().to_owned();
    let vpc = first(&["ec2", "describe-vpcs"], "Vpcs[0].VpcId").await;
    let subnet = first(&["ec2", "describe-subnets"], "Subnets[0].SubnetId").await;
    let key = first(&["kms", "create-key"], "KeyMetadata.Arn").await;
    let options = [
        ("VpcId", vpc.as_str()),
        ("SubnetIds", &subnet),
        ("CreateSecretsEndpoint", "true"),
        ("KmsKeyArn", &key),
        ("ConfigBucket", "config"),
        ("ListBucket", "lists"),
        ("ListSecretArn", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/scout-AbCdEf"),
        ("ReportBucket", "reports"),
        ("AlarmEmail", "somebody@example.com"),
        ("ReservedConcurrency", "1"),
    ];
    let stack = cloud.deploy(&site, &options).await;
    let granted = [stack.granted("FunctionRole").await, stack.granted("ScheduleRole").await].concat();
    assert!(granted.len() > 15, "{granted:?}");
    for (action, resource) in &granted {
        assert!(!action.contains('*'), "{action}");
        // The two know no resources, as the service authorization reference says.
        let nameless = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"].contains(&action.as_str());
        assert_eq!(resource == "*", nameless, "{action} on {resource}");
    }
    let mut actions: Vec<_> = granted.into_iter().map(|(action, _)| action).collect();
    actions.sort();
    actions.dedup();
    let readme = std::fs::read_to_string("infra/README.md").unwrap();
    let (_, section) = readme.split_once("## Permissions").unwrap();
    let mut explained: Vec<_> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .flat_map(|line| line.split('|').next().unwrap().split('`').filter(|name| name.contains(':')))
        .map(str::to_owned)
        .collect();
    explained.sort();
    explained.dedup();
    assert_eq!(actions, explained);
    stack.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parameter_that_cannot_be_right_is_refused_before_anything_is_made() {
    let wrong = [
        ("ScheduleExpression", "every hour"),
        ("ScheduleExpression", "cron(0 * * *)"),
        ("ScheduleExpression", "rate(1 fortnight)"),
        ("ScheduledTables", "a\", \"mode\": \"info"),
        ("Sources", "MCTM,VOIP_DB"),
        ("Timeout", "901"),
        ("PgSslMode", "sometimes"),
        ("DeadlineMargin", "soon"),
        ("MaxRetries", "11"),
        ("SqlServerCaFile", "ca.pem"),
        ("ScheduledMode", "info"),
        ("ListSecretArn", "prod/scout"),
    ];
    for (name, value) in wrong {
        let refused = Cloud::shared().try_to_deploy("tablesync-wrong", &[(name, value)]).await;
        assert!(refused.code != Some(0) && refused.stderr.contains("ValidationError") && refused.stderr.contains(name), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_fires_syncs_every_table_writes_a_report_and_metrics_and_asks_aws_for_what_it_may() {
    let began = Timestamp::now();
    let mut site = Site::over(Source::sample(ROWS).await).await;
    let stack = Cloud::shared().deploy(&site, &[("ScheduleState", "DISABLED")]).await;
    stack.fill_in_secrets(&site).await;
    site.config["default_sync_order"] = json!(["voipdb_useragent", "voipdb_customer", "mctm_module", "customer"]);
    let [bucket, reports, prefix] = stack.configure_in_bucket(&site).await;
    let at = now();
    let fires = [("ScheduleState", "ENABLED"), ("ScheduleExpression", at.as_str())];
    let places = [&bucket, &reports, &prefix].map(|(name, value)| (*name, value.as_str()));
    stack.update(&site, &[&fires[..], &places].concat()).await;

    let log = stack.log_with(|line| !line["_aws"].is_null() && line["table"] == "customer").await;
    let answered = log.iter().find(|line| line["message"] == "answered").unwrap();
    assert_eq!((&answered["mode"], &answered["success"]), (&json!("multi_sync"), &json!(true)));
    assert!(!log.iter().any(|line| line["level"] == "ERROR"), "{log:#?}");
    assert_eq!(stack.queue().await["ApproximateNumberOfMessages"], "0", "no function error");
    for (_, target) in FOUR_TABLES {
        assert_eq!(site.db.value(&format!("SELECT count(*) FROM {target}")).await, ROWS.to_string());
    }
    let order = "SELECT string_agg(table_name, ' ' ORDER BY started_at) FROM tablesync.runs WHERE outcome = 'succeeded'";
    assert_eq!(site.db.value(order).await, "voipdb_useragent voipdb_customer mctm_module customer", "as the bucket's configuration says");

    // The metric is the one that the alarm for missing successes looks at.
    let of_the_run = log.iter().find(|line| line["succeeded_runs"] == 1).unwrap();
    let directive = &of_the_run["_aws"]["CloudWatchMetrics"][0];
    let alarm = format!("{}-no-success", stack.name);
    let alarm = &stack.aws(&["cloudwatch", "describe-alarms", "--alarm-names", &alarm]).await["MetricAlarms"][0];
    assert_eq!((&alarm["Namespace"], &alarm["MetricName"]), (&directive["Namespace"], &json!("succeeded_runs")));
    assert_eq!(alarm["Dimensions"], json!([{"Name": directive["Dimensions"][0][0], "Value": of_the_run["function"]}]));

    let objects = stack.aws(&["s3api", "list-objects-v2", "--bucket", &bucket.1, "--prefix", "reports/"]).await;
    let keys: Vec<_> = objects["Contents"].as_array().unwrap().iter().map(|object| object["Key"].as_str().unwrap()).collect();
    assert!(keys.len() == 2 && keys[0].ends_with(".html") && keys[1].ends_with(".json"), "{keys:?}");

    let by_lambda = ["ec2:", "kms:", "logs:", "sqs:"];
    let mut may: Vec<_> = stack.granted("FunctionRole").await.into_iter().map(|(action, _)| action).collect();
    may.retain(|action| !by_lambda.iter().any(|service| action.starts_with(service)));
    may.sort();
    may.dedup();
    assert_eq!(stack.calls_since(began).await, may);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_a_function_error_in_the_queue_and_the_target_is_as_it_was() {
    let mut site = Site::over(Source::sample(ROWS).await).await;
    site.sync().await;
    let before = counts(&site).await;

    site.source.resize("customer", ROWS + 1);
    site.set("SQL_SERVER_MCTM_PASSWORD", "wrong-canary");
    let stack = Cloud::shared().deploy(&site, &[]).await;
    stack.fill_in_secrets(&site).await;
    let event = stack.scheduled_event().await;
    stack.invoke_asynchronously(&event).await;
    let failed = stack.failed_run().await;
    assert_eq!(failed["requestPayload"], serde_json::from_str::<Value>(&event).unwrap());
    assert_eq!(failed["responsePayload"]["errorType"], "SourceLoginError");
    let message = failed["responsePayload"]["errorMessage"].as_str().unwrap();
    assert!(message.contains("table customer: ") && !message.contains("canary"), "{message}");
    assert_eq!(failed["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(counts(&site).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_in_mid_table_says_what_is_done_in_hand_and_not_begun() {
    let site = Site::over(Source::sample(ROWS).await).await;
    let stack = Cloud::shared().deploy(&site, &[("Timeout", "10"), ("DurationAlarmSeconds", "8")]).await;
    stack.fill_in_secrets(&site).await;
    let event = stack.scheduled_event().await;
    assert_eq!(Body::in_envelope(&stack.invoke(&event).await).status, Some(200));
    let before = counts(&site).await;

    site.source.resize("mctm_module", ROWS * 2);
    site.source.fault("mctm_module", Fault::StallAfterRows(ROWS));
    let body = Body::in_envelope(&stack.invoke("{}").await);
    let status = |table: &str| body.table(table)["status"].clone();
    assert_eq!(FOUR_TABLES.map(|(table, _)| status(table)), ["ok", "failed", "not_started", "not_started"], "{body}");
    assert!(body.error_of("mctm_module").contains("deadline"), "{body}");
    let Ending::Error { error_type, message } = stack.invoke(&event).await else { panic!("a scheduled failure is a function error") };
    assert_eq!(error_type, "StoppedError");
    assert!(
        message.contains("table mctm_module: ") && message.contains("not started (deadline): voipdb_customer, voipdb_useragent"),
        "{message}"
    );
    assert_eq!(counts(&site).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_brings_new_code_and_keeps_state_secrets_and_schedule() {
    let mut site = Site::over(Source::sample(ROWS).await).await;
    site.keep(&["customer"]);
    let cron = "cron(0/15 6-22 ? * MON-FRI *)";
    let stack = Cloud::shared().deploy(&site, &[("ScheduleExpression", cron), ("ScheduleTimeZone", "Asia/Tokyo")]).await;
    stack.fill_in_secrets(&site).await;
    let event = stack.scheduled_event().await;
    let first = Body::in_envelope(&stack.invoke(&event).await);
    assert_eq!(first.counts("customer"), [ROWS, ROWS, 0, 0, 0]);
    let (schedule, code, secret) = (stack.schedule().await, code(&stack).await, stack.secret("PG").await);
    // As a version left it that knew neither of the two.
    site.db.execute("DROP TABLE tablesync.source_columns, tablesync.locks; UPDATE tablesync.schema_version SET version = 2").await;

    site.configure("module", "dbo.McModule", &json!({}));
    stack.update(&site, &[]).await;
    assert_eq!(stack.secret("PG").await, secret);
    let second = Body::in_envelope(&stack.invoke(&event).await);
    assert_eq!(second.counts("customer"), [ROWS, 0, 0, 0, ROWS]);
    assert_eq!(second.counts("module"), [ROWS, ROWS, 0, 0, 0]);
    assert_ne!(self::code(&stack).await, code);
    assert_eq!(stack.schedule().await, schedule);
    assert_eq!(schedule["ScheduleExpression"], cron);
    assert_eq!(
        site.db.value("SELECT string_agg(table_name, ' ' ORDER BY started_at) FROM tablesync.runs").await,
        "customer customer module"
    );
}

async fn code(stack: &Stack) -> Value {
    stack.aws(&["lambda", "get-function-configuration", "--function-name", &stack.name]).await["CodeSha256"].clone()
}
