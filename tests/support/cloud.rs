//! A stand-in for AWS for the whole suite (`scripts/with-aws`), and the product in it, deployed as a user deploys it: with `scripts/deploy`.
//!
//! The stand-in runs the function's own bootstrap with real deadlines, and holds it to its role's permissions.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::lambda::Ending;
use super::process::{Finished, Running};
use super::site::Site;

const BUCKET: &str = "code";

/// The stand-in.
pub(crate) struct Cloud {
    env: Vec<(String, String)>,
    /// The bootstrap without its symbols, which nobody would upload.
    bootstrap: PathBuf,
    _dir: TempDir,
    /// Its standard input is what holds the stand-in up.
    _server: Child,
}

/// A stack of the template.
pub(crate) struct Stack {
    /// Its name, and the function's and the schedule's.
    pub(crate) name: String,
    cloud: &'static Cloud,
    dir: TempDir,
}

impl Cloud {
    /// The suite's one stand-in, started when the first test asks.
    pub(crate) fn shared() -> &'static Cloud {
        static SHARED: OnceLock<Cloud> = OnceLock::new();
        SHARED.get_or_init(Cloud::start)
    }

    fn start() -> Self {
        const SHOWN: [&str; 8] = [
            "PATH",
            "AWS_ENDPOINT_URL",
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_EC2_METADATA_DISABLED",
            "AWS_PAGER",
        ];
        let show: String = SHOWN.iter().map(|name| format!("echo \"${name}\"; ")).collect();
        let mut server = Command::new(script("with-aws"))
            .args(["sh", "-c", &format!("aws s3 mb s3://{BUCKET} >&2 && {show} exec cat >/dev/null")])
            .env("CARGO_TARGET_DIR", target_dir())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let values: Vec<_> = lines.take(SHOWN.len()).map(Result::unwrap).collect();
        assert_eq!(values.len(), SHOWN.len(), "the stand-in for AWS starts; run 'make setup'");
        let env = SHOWN.iter().zip(values).map(|(name, value)| ((*name).to_owned(), value)).collect();
        let dir = tempfile::tempdir().unwrap();
        let bootstrap = dir.path().join("bootstrap");
        let stripped = Command::new("strip").arg("-o").arg(&bootstrap).arg(env!("CARGO_BIN_EXE_tablesync-lambda")).status();
        assert!(stripped.unwrap().success(), "binutils strips the bootstrap");
        Self { env, bootstrap, _dir: dir, _server: server }
    }

    /// The bootstrap as it is deployed.
    pub(crate) fn bootstrap(&self) -> &Path {
        &self.bootstrap
    }

    /// A service's answer to the AWS command line.
    pub(crate) async fn aws(&self, args: &[&str]) -> Value {
        let endpoint = ["--endpoint-url", self.value("AWS_ENDPOINT_URL"), "--output", "json"];
        let finished = self.run(Path::new("aws"), &[&endpoint, args].concat(), &[]).await;
        assert_eq!(finished.code, Some(0), "{args:?}: {finished:?}");
        if finished.stdout.is_empty() { Value::Null } else { serde_json::from_str(&finished.stdout).unwrap() }
    }

    /// Runs lines of a shell in the repository, as somebody would who reads them; `zip` is what would be built.
    pub(crate) async fn shell(&self, lines: &str, zip: &Path) -> Finished {
        // The command line of the stand-in's age asks SQS elsewhere unless it is told so.
        let script = format!("set -e\naws() {{ command aws --endpoint-url \"$AWS_ENDPOINT_URL\" \"$@\"; }}\n{lines}");
        let env = [("ZIP", zip.to_str().unwrap()), ("CARGO_TARGET_DIR", target_dir().to_str().unwrap())];
        self.run(Path::new("bash"), &["-c", &script], &env).await
    }

    /// A stack of its own for an installation, `parameters` to the template.
    pub(crate) async fn deploy(&'static self, site: &Site, parameters: &[(&str, &str)]) -> Stack {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("tablesync-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let stack = Stack { name, cloud: self, dir: tempfile::tempdir().unwrap() };
        let reached = [("PgSslMode", "require"), ("SqlServerEncrypt", "off")];
        stack.update(site, &[&reached, parameters].concat()).await;
        stack
    }

    /// Asks for a stack that is refused for its parameters.
    pub(crate) async fn try_to_deploy(&self, name: &str, parameters: &[(&str, &str)]) -> Finished {
        let overrides: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let args = [&[name, BUCKET], &overrides.iter().map(String::as_str).collect::<Vec<_>>()[..]].concat();
        // What is uploaded before is not looked at.
        self.run(&script("deploy"), &args, &[("ZIP", "Cargo.toml")]).await
    }

    fn value(&self, name: &str) -> &str {
        &self.env.iter().find(|(other, _)| other == name).unwrap().1
    }

    async fn run(&self, program: &Path, args: &[&str], env: &[(&str, &str)]) -> Finished {
        let mut all = self.env.clone();
        all.extend(env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Running::start(program, args, &all, Path::new(env!("CARGO_MANIFEST_DIR"))).finish().await
    }
}

impl Stack {
    /// Deploys again with the installation's table configuration; a parameter that is not given stays as it is.
    pub(crate) async fn update(&self, site: &Site, parameters: &[(&str, &str)]) {
        let zip = self.dir.path().join("bootstrap.zip");
        site.write_config();
        pack(&zip, &[self.cloud.bootstrap(), &site.dir().join("table_configs.json")]);
        let overrides: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut args = vec![self.name.as_str(), BUCKET];
        args.extend(overrides.iter().map(String::as_str));
        let finished = self.cloud.run(&script("deploy"), &args, &[("ZIP", zip.to_str().unwrap())]).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
    }

    /// Fills in the secrets, so that the function can log in to both sides.
    pub(crate) async fn fill_in_secrets(&self, site: &Site) {
        let value = |name: String| site.env().iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone());
        for (secret, prefix, database) in
            [("MCTM", "SQL_SERVER_MCTM", None), ("VOIPDB", "SQL_SERVER_VOIPDB", None), ("PG", "PG", value("PG_DB".to_owned()))]
        {
            let [host, port, username, password] = ["HOST", "PORT", "USER", "PASSWORD"].map(|what| value(format!("{prefix}_{what}")));
            let says = json!({"host": host, "port": port, "username": username, "password": password, "dbname": database}).to_string();
            let id = format!("{}/{secret}", self.name);
            self.aws(&["secretsmanager", "put-secret-value", "--secret-id", &id, "--secret-string", &says]).await;
        }
    }

    /// Invokes with an event and waits for the ending.
    pub(crate) async fn invoke(&self, event: &str) -> Ending {
        let (answer, payload) = self.send(event, "RequestResponse").await;
        if answer["FunctionError"].is_null() {
            return Ending::Result(payload);
        }
        let text = |field: &str| payload[field].as_str().unwrap_or_default().to_owned();
        Ending::Error { error_type: text("errorType"), message: text("errorMessage") }
    }

    /// Invokes without waiting, as a schedule does.
    pub(crate) async fn invoke_asynchronously(&self, event: &str) {
        let (answer, _) = self.send(event, "Event").await;
        assert_eq!(answer["StatusCode"], 202);
    }

    async fn send(&self, event: &str, kind: &str) -> (Value, Value) {
        let [event_file, answer_file] = ["event.json", "answer.json"].map(|name| self.dir.path().join(name));
        fs::write(&event_file, event).unwrap();
        let payload = format!("fileb://{}", event_file.display());
        let of = ["lambda", "invoke", "--function-name", &self.name, "--invocation-type", kind, "--payload", &payload];
        let answer = self.aws(&[&of[..], &[answer_file.to_str().unwrap()]].concat()).await;
        (answer, serde_json::from_slice(&fs::read(&answer_file).unwrap()).unwrap_or_default())
    }

    /// What a secret of the stack says.
    pub(crate) async fn secret(&self, name: &str) -> Value {
        let id = format!("{}/{name}", self.name);
        self.aws(&["secretsmanager", "get-secret-value", "--secret-id", &id]).await["SecretString"].clone()
    }

    /// Deletes the stack, and waits for its end.
    pub(crate) async fn remove(&self) {
        self.aws(&["cloudformation", "delete-stack", "--stack-name", &self.name]).await;
        self.aws(&["cloudformation", "wait", "stack-delete-complete", "--stack-name", &self.name]).await;
    }

    /// The schedule, as it stands.
    pub(crate) async fn schedule(&self) -> Value {
        self.aws(&["scheduler", "get-schedule", "--name", &self.name]).await
    }

    /// What the schedule sends.
    pub(crate) async fn scheduled_event(&self) -> String {
        self.schedule().await["Target"]["Input"].as_str().unwrap().to_owned()
    }

    /// The function's own lines of the log, which are all JSON, once there is one that `wanted` wants.
    pub(crate) async fn log_with(&self, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut lines = Vec::new();
        for _ in 0..60 {
            let group = format!("/aws/lambda/{}", self.name);
            let events = self.aws(&["logs", "filter-log-events", "--log-group-name", &group]).await;
            lines = events["events"]
                .as_array()
                .unwrap()
                .iter()
                .filter_map(|event| event["message"].as_str().filter(|message| message.starts_with('{')))
                .map(|message| serde_json::from_str(message).unwrap())
                .collect();
            if lines.iter().any(&wanted) {
                return lines;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("the log never had it: {lines:#?}");
    }

    /// The first message in the on-failure queue.
    pub(crate) async fn failed_run(&self) -> Value {
        let queue = self.output("OnFailureQueueUrl").await;
        let answer = self.aws(&["sqs", "receive-message", "--queue-url", &queue, "--wait-time-seconds", "20"]).await;
        serde_json::from_str(answer["Messages"][0]["Body"].as_str().expect("a message comes")).unwrap()
    }

    /// Puts the installation's table configuration into a bucket of the stack's own, which is for reports too; gives the parameters that say so.
    pub(crate) async fn configure_in_bucket(&self, site: &Site) -> [(&'static str, String); 3] {
        let bucket = format!("{}-data", self.name);
        self.aws(&["s3api", "create-bucket", "--bucket", &bucket, "--create-bucket-configuration", "LocationConstraint=ap-northeast-1"])
            .await;
        site.write_config();
        let file = site.dir().join("table_configs.json");
        self.aws(&["s3api", "put-object", "--bucket", &bucket, "--key", "table_configs.json", "--body", file.to_str().unwrap()]).await;
        [("ConfigBucket", bucket.clone()), ("ReportBucket", bucket), ("ReportPrefix", "reports/".to_owned())]
    }

    /// The calls that functions have made with their roles since then, as a policy names them.
    pub(crate) async fn calls_since(&self, began: Timestamp) -> Vec<String> {
        let mut calls: Vec<_> = self
            .events_since(began)
            .await
            .iter()
            .filter(|event| event["AccessKeyId"] != self.cloud.value("AWS_ACCESS_KEY_ID"))
            .map(|event| {
                let service = event["EventSource"].as_str().unwrap().trim_end_matches(".amazonaws.com");
                format!("{service}:{}", event["EventName"].as_str().unwrap())
            })
            .collect();
        calls.sort();
        calls.dedup();
        calls
    }

    /// Every call that was recorded since then, whoever made it. The stand-in gives the last fifty before a time in whole seconds, and no token for more.
    async fn events_since(&self, began: Timestamp) -> Vec<Value> {
        const AT_ONCE: usize = 50;
        let (began, mut end) = (began.as_second(), Timestamp::now().as_second() + 1);
        let mut all = Vec::new();
        loop {
            let [from, to] = [began, end].map(|second| second.to_string());
            let answer = self.aws(&["cloudtrail", "lookup-events", "--start-time", &from, "--end-time", &to]).await;
            let events = answer["Events"].as_array().unwrap();
            all.extend(events.iter().cloned());
            if events.len() < AT_ONCE {
                return all;
            }
            let oldest = events[AT_ONCE - 1]["EventTime"].as_f64().unwrap();
            let next = Timestamp::try_from(SystemTime::UNIX_EPOCH + Duration::from_secs_f64(oldest)).unwrap().as_second() + 1;
            assert!(next < end, "more calls in a second than can be asked for");
            end = next;
        }
    }

    /// What a resource of the stack is called in AWS.
    pub(crate) async fn physical_id(&self, logical_id: &str) -> String {
        let resource = ["cloudformation", "describe-stack-resource", "--stack-name", &self.name, "--logical-resource-id", logical_id];
        self.aws(&resource).await["StackResourceDetail"]["PhysicalResourceId"].as_str().unwrap().to_owned()
    }

    /// What a role of the stack may do: actions, each with a resource.
    pub(crate) async fn granted(&self, logical_id: &str) -> Vec<(String, String)> {
        let role = self.physical_id(logical_id).await;
        let policies = self.aws(&["iam", "list-role-policies", "--role-name", &role]).await;
        let mut granted = Vec::new();
        for policy in policies["PolicyNames"].as_array().unwrap() {
            let of = ["iam", "get-role-policy", "--role-name", &role, "--policy-name", policy.as_str().unwrap()];
            let document = &self.aws(&of).await["PolicyDocument"];
            for statement in document["Statement"].as_array().unwrap().iter().filter(|statement| statement["Effect"] == "Allow") {
                for action in one_or_many(&statement["Action"]) {
                    granted.extend(one_or_many(&statement["Resource"]).map(|resource| (action.clone(), resource)));
                }
            }
        }
        granted
    }

    /// An output of the stack.
    pub(crate) async fn output(&self, key: &str) -> String {
        let query = format!("Stacks[0].Outputs[?OutputKey=='{key}'].OutputValue | [0]");
        let value = self.aws(&["cloudformation", "describe-stacks", "--stack-name", &self.name, "--query", &query]).await;
        value.as_str().unwrap().to_owned()
    }

    /// A service's answer to the AWS command line.
    pub(crate) async fn aws(&self, args: &[&str]) -> Value {
        self.cloud.aws(args).await
    }
}

fn one_or_many(value: &Value) -> impl Iterator<Item = String> + '_ {
    let many = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
    many.iter().map(|one| one.as_str().unwrap().to_owned())
}

/// Packs files, without compressing what is unpacked at once.
pub(crate) fn pack(zip: &Path, files: &[&Path]) {
    const PROGRAM: &str = "import os, sys, zipfile\n\
        with zipfile.ZipFile(sys.argv[1], 'w') as z:\n    [z.write(file, os.path.basename(file)) for file in sys.argv[2:]]";
    let packed = Command::new("python3").args(["-c", PROGRAM]).arg(zip).args(files).status();
    assert!(packed.unwrap().success());
}

/// The path of a script of the repository.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name)
}

/// Where `make setup` has put the stand-in.
pub(crate) fn target_dir() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_tablesync")).ancestors().nth(2).unwrap()
}
