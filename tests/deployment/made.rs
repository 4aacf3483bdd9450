//! What a stack is made of, as the stand-in has it: without parameters, and with all that can be asked for.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::cloud::{Cloud, Stack, target_dir};
use crate::support::site::Site;
use crate::support::source::Source;

impl Stack {
    async fn function(&self) -> Value {
        self.aws(&["lambda", "get-function-configuration", "--function-name", &self.name]).await
    }

    /// How Lambda treats what a schedule sends.
    async fn asynchronous(&self) -> Value {
        self.aws(&["lambda", "get-function-event-invoke-config", "--function-name", &self.name, "--qualifier", "$LATEST"]).await
    }

    /// The on-failure queue.
    pub(super) async fn queue(&self) -> Value {
        let url = self.output("OnFailureQueueUrl").await;
        self.aws(&["sqs", "get-queue-attributes", "--queue-url", &url, "--attribute-names", "All"]).await["Attributes"].clone()
    }

    async fn log_group(&self) -> Value {
        let prefix = format!("/aws/lambda/{}", self.name);
        let groups = self.aws(&["logs", "describe-log-groups", "--log-group-name-prefix", &prefix]).await;
        let mut groups = groups["logGroups"].as_array().unwrap().iter().filter(|group| group["logGroupName"] == prefix);
        groups.next().unwrap().clone()
    }

    /// The alarms, sorted by name.
    async fn alarms(&self) -> Vec<Value> {
        let alarms = self.aws(&["cloudwatch", "describe-alarms", "--alarm-name-prefix", &format!("{}-", self.name)]).await;
        let mut alarms = alarms["MetricAlarms"].as_array().unwrap().clone();
        alarms.sort_by_key(|alarm| alarm["AlarmName"].to_string());
        alarms
    }
}

const LIST_SECRET: &str = "arn:aws:secretsmanager:ap-northeast-1:000000000000:secret:prod/scout-AbCdEf";

/// A VPC endpoint; null once it is gone.
async fn endpoint(cloud: &Cloud, id: &str) -> Value {
    let endpoints = cloud.aws(&["ec2", "describe-vpc-endpoints"]).await["VpcEndpoints"].clone();
    endpoints.as_array().unwrap().iter().find(|endpoint| endpoint["VpcEndpointId"] == id).cloned().unwrap_or_default()
}

/// The function's properties as the template has them: the stand-in does not know all of them.
fn properties_of_the_function() -> Value {
    const PROGRAM: &str = "import json; from cfnlint.decode.cfn_yaml import load; \
        print(json.dumps(load('infra/template.yaml')['Resources']['Function']['Properties']))";
    let python = target_dir().join("aws-venv/bin/python");
    let read = Command::new(python).args(["-c", PROGRAM]).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    serde_json::from_slice(&read.stdout).unwrap()
}

/// The variables of the product that a template may set.
fn known_variables() -> Vec<String> {
    let example = std::fs::read_to_string(".env.example").unwrap();
    let names = example.lines().filter_map(|line| line.trim_start_matches("# ").split_once('=').map(|(name, _)| name.to_owned()));
    names.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_of_defaults_runs_alone_tries_once_keeps_what_failed_and_rings_four_bells() {
    let cloud = Cloud::shared();
    let site = Site::over(Source::nowhere().await).await;
    let stack = cloud.deploy(&site, &[]).await;
    let function = stack.function().await;
    // The machine's field of an ELF header: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
    let built = match std::fs::read(cloud.bootstrap()).unwrap()[18] {
        0x3e => "x86_64",
        0xb7 => "arm64",
        other => panic!("a bootstrap for the machine {other:#x}"),
    };
    assert_eq!((&function["Architectures"], &function["Runtime"]), (&json!([built]), &json!("provided.al2023")));
    assert_eq!((&function["Timeout"], &function["MemorySize"]), (&json!(900), &json!(512)));
    let properties = properties_of_the_function();
    // New accounts refuse any reserved concurrency: -1 asks for none.
    let where_asked_for = |condition: &str, parameter: &str| json!({"Fn::If": [condition, {"Ref": parameter}, {"Ref": "AWS::NoValue"}]});
    assert_eq!(properties["ReservedConcurrentExecutions"], where_asked_for("IsReserved", "ReservedConcurrency"));
    assert_eq!(properties["KmsKeyArn"], where_asked_for("HasKey", "KmsKeyArn"));

    let variables = function["Environment"]["Variables"].as_object().unwrap();
    let known = known_variables();
    assert!(variables.keys().all(|name| known.contains(name)), "{variables:?}");
    let set = |name: &str| variables[name].as_str().unwrap();
    assert_eq!([set("MAX_RETRIES"), set("MAX_PARALLEL_PER_SOURCE"), set("TARGET_IDLE_TIMEOUT")], ["2", "4", "1h"]);
    for unset in ["SQL_SERVER_MCTM_CA_FILE", "PG_HOST", "CONFIG_PATH", "SOURCE_SECRET_ID"] {
        assert!(!variables.contains_key(unset), "{variables:?}");
    }

    let (asynchronous, queue) = (stack.asynchronous().await, stack.queue().await);
    assert_eq!(asynchronous["MaximumRetryAttempts"], 0);
    assert_eq!(asynchronous["DestinationConfig"]["OnFailure"]["Destination"], queue["QueueArn"]);
    assert_eq!((&queue["SqsManagedSseEnabled"], &queue["MessageRetentionPeriod"]), (&json!("true"), &json!("1209600")), "two weeks");
    let target = &stack.schedule().await["Target"];
    assert_eq!((&target["Arn"], &target["DeadLetterConfig"]["Arn"]), (&function["FunctionArn"], &queue["QueueArn"]));
    assert_eq!(stack.log_group().await["retentionInDays"], 30);

    let alarms = stack.alarms().await;
    let names: Vec<_> = alarms.iter().map(|alarm| alarm["AlarmName"].as_str().unwrap().strip_prefix(&stack.name).unwrap()).collect();
    assert_eq!(names, ["-duration", "-errors", "-no-success", "-on-failure-queue"]);
    let timeout_ms = function["Timeout"].as_f64().unwrap() * 1000.0;
    assert!((timeout_ms * 0.5..timeout_ms).contains(&alarms[0]["Threshold"].as_f64().unwrap()), "near the timeout: {}", alarms[0]);
    assert_eq!(alarms[2]["TreatMissingData"], "breaching", "silence is no success");
    assert!(alarms.iter().all(|alarm| alarm["AlarmActions"] == json!([])), "{alarms:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_with_everything_has_its_key_its_endpoints_and_somebody_to_tell() {
    let cloud = Cloud::shared();
    let site = Site::over(Source::nowhere().await).await;
    let first = async |args: &[&str], query: &str| cloud.aws(&[args, &["--query", query]].concat()).await.as_str().unwrap().to_owned();
    let vpc = first(&["ec2", "describe-vpcs"], "Vpcs[0].VpcId").await;
    let subnet = first(&["ec2", "describe-subnets"], "Subnets[0].SubnetId").await;
    let routes = first(&["ec2", "describe-route-tables"], "RouteTables[0].RouteTableId").await;
    let key = first(&["kms", "create-key"], "KeyMetadata.Arn").await;
    let options = [
        ("VpcId", vpc.as_str()),
        ("SubnetIds", &subnet),
        ("RouteTableIds", &routes),
        ("CreateSecretsEndpoint", "true"),
        ("CreateS3Endpoint", "true"),
        ("KmsKeyArn", &key),
        ("AlarmEmail", "somebody@example.com"),
        ("AlarmTopicArn", "arn:aws:sns:ap-northeast-1:000000000000:others"),
        ("AsyncRetries", "1"),
        ("LogRetentionDays", "7"),
        ("NoSuccessHours", "26"),
        ("SqlServerCaFile", "/var/task/rds-global-bundle.pem"),
        ("MaxRetries", "5"),
        ("ScheduledMode", "incremental_sync"),
        ("ListBucket", "lists"),
        ("ListKey", "etc/findings.json"),
        ("ListSecretArn", LIST_SECRET),
    ];
    let stack = cloud.deploy(&site, &options).await;
    let (function, log_group) = (stack.function().await, stack.log_group().await);
    assert_eq!(stack.asynchronous().await["MaximumRetryAttempts"], 1);
    let variables = &function["Environment"]["Variables"];
    assert_eq!(
        (&variables["MAX_RETRIES"], &variables["SQL_SERVER_VOIPDB_CA_FILE"]),
        (&json!("5"), &json!("/var/task/rds-global-bundle.pem"))
    );
    assert_eq!((&variables["CONFIG_PATH"], &variables["SOURCE_SECRET_ID"]), (&json!("s3://lists/etc/findings.json"), &json!(LIST_SECRET)));
    let event: Value = serde_json::from_str(&stack.scheduled_event().await).unwrap();
    assert_eq!((&event["mode"], &event["trigger"]), (&json!("incremental_sync"), &json!("schedule")), "{event}");
    let in_the_vpc = json!({
        "SubnetIds": {"Fn::Split": [",", {"Ref": "SubnetIds"}]},
        "SecurityGroupIds": [{"Fn::If": ["HasGroup", {"Ref": "SecurityGroupId"}, {"Fn::GetAtt": ["SecurityGroup", "GroupId"]}]}],
    });
    assert_eq!(properties_of_the_function()["VpcConfig"], json!({"Fn::If": ["IsInVpc", in_the_vpc, {"Ref": "AWS::NoValue"}]}));

    let secret = stack.aws(&["secretsmanager", "describe-secret", "--secret-id", &format!("{}/MCTM", stack.name)]).await;
    let by_key = [&log_group["kmsKeyId"], &stack.queue().await["KmsMasterKeyId"], &secret["KmsKeyId"]];
    assert_eq!(by_key, [&json!(key); 3], "log, queue and secrets");
    assert_eq!(log_group["retentionInDays"], 7);

    let ids = [stack.physical_id("S3Endpoint").await, stack.physical_id("SecretsEndpoint").await];
    let [s3, secrets] = [endpoint(cloud, &ids[0]).await, endpoint(cloud, &ids[1]).await];
    assert_eq!((&s3["ServiceName"], &s3["VpcEndpointType"]), (&json!("com.amazonaws.ap-northeast-1.s3"), &json!("Gateway")), "free");
    assert_eq!(s3["RouteTableIds"], json!([routes]));
    let interface = (&json!("com.amazonaws.ap-northeast-1.secretsmanager"), &json!("Interface"));
    assert_eq!((&secrets["ServiceName"], &secrets["VpcEndpointType"]), interface);
    assert_eq!(secrets["SubnetIds"], json!([subnet]));

    let told = stack.aws(&["sns", "list-subscriptions"]).await["Subscriptions"].clone();
    let mail = told.as_array().unwrap().iter().find(|one| one["Endpoint"] == "somebody@example.com").unwrap();
    for alarm in stack.alarms().await {
        assert_eq!(alarm["AlarmActions"], json!([mail["TopicArn"], "arn:aws:sns:ap-northeast-1:000000000000:others"]), "{alarm}");
    }
    stack.remove().await;
    for id in ids {
        assert_eq!(endpoint(cloud, &id).await, Value::Null, "what costs is gone");
    }
}
