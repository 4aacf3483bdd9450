//! AWS, as far as the product asks it for something: MiniStack, moto as a second opinion, and a service that only refuses.
//!
//! One of each for the whole suite, held up by a pipe: when the suite ends, however it ends, the pipe closes and the server is killed. Tests use names of their own.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::types::{BucketVersioningStatus, CreateBucketConfiguration, VersioningConfiguration};
use serde_json::Value;

/// What the product must never show.
pub(crate) const KEY_SECRET: &str = "canary-access-key-4e8b";
/// Neither this.
pub(crate) const SESSION_TOKEN: &str = "canary-session-token-90ab";
const KEY_ID: &str = "AKIATEST";
const REGION: &str = "ap-northeast-1";

/// A server that plays AWS.
pub(crate) struct Aws {
    /// Its address.
    pub(crate) endpoint: String,
    secrets: aws_sdk_secretsmanager::Client,
    s3: aws_sdk_s3::Client,
}

/// A server process; its standard input is what holds it up.
struct Server {
    port: u16,
    _holder: Child,
}

impl Aws {
    /// MiniStack.
    pub(crate) fn ministack() -> Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        Self::at(SHARED.get_or_init(|| serve("ministack", "GATEWAY_PORT=$0 BIND_HOST=127.0.0.1 \"$1\"")).port)
    }

    /// moto.
    pub(crate) fn moto() -> Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        Self::at(SHARED.get_or_init(|| serve("moto_server", "\"$1\" -H 127.0.0.1 -p \"$0\"")).port)
    }

    fn at(port: u16) -> Self {
        let endpoint = format!("http://127.0.0.1:{port}");
        let credentials = || Credentials::new(KEY_ID, KEY_SECRET, None, None, "suite");
        let secrets = aws_sdk_secretsmanager::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(credentials())
            .endpoint_url(&endpoint);
        let s3 = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(credentials())
            .endpoint_url(&endpoint)
            .force_path_style(true);
        Self {
            secrets: aws_sdk_secretsmanager::Client::from_conf(secrets.build()),
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            endpoint,
        }
    }

    /// The variables that point the product here.
    pub(crate) fn env(&self) -> Vec<(String, String)> {
        env(&self.endpoint)
    }

    /// A new secret; gives its name.
    pub(crate) async fn add_secret(&self, says: &Value) -> String {
        let name = unique("suite/secret");
        self.secrets.create_secret().name(&name).secret_string(text(says)).send().await.unwrap();
        name
    }

    /// Gives a secret a new current version; the one before becomes the previous one.
    pub(crate) async fn rotate(&self, name: &str, says: &Value) {
        self.secrets.put_secret_value().secret_id(name).secret_string(text(says)).send().await.unwrap();
    }

    /// A new bucket; gives its name.
    pub(crate) async fn add_bucket(&self) -> String {
        let name = unique("suite-bucket");
        let here = CreateBucketConfiguration::builder().location_constraint(REGION.into()).build();
        self.s3.create_bucket().bucket(&name).create_bucket_configuration(here).send().await.unwrap();
        name
    }

    /// Makes a bucket keep versions.
    pub(crate) async fn keep_versions(&self, bucket: &str) {
        let enabled = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
        self.s3.put_bucket_versioning().bucket(bucket).versioning_configuration(enabled).send().await.unwrap();
    }

    /// Writes an object; gives its version.
    pub(crate) async fn put(&self, bucket: &str, key: &str, text: &str) -> Option<String> {
        let body = text.as_bytes().to_vec().into();
        self.s3.put_object().bucket(bucket).key(key).body(body).send().await.unwrap().version_id().map(str::to_owned)
    }

    /// An object's content type and text.
    pub(crate) async fn get(&self, bucket: &str, key: &str) -> (String, String) {
        let found = self.s3.get_object().bucket(bucket).key(key).send().await.unwrap();
        let content_type = found.content_type().unwrap_or_default().to_owned();
        (content_type, String::from_utf8(found.body.collect().await.unwrap().to_vec()).unwrap())
    }

    /// The keys in a bucket.
    pub(crate) async fn keys(&self, bucket: &str) -> Vec<String> {
        let listed = self.s3.list_objects_v2().bucket(bucket).send().await.unwrap();
        listed.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
    }
}

/// The variables that point the product to an address; what is not AWS's is not asked.
pub(crate) fn env(endpoint: &str) -> Vec<(String, String)> {
    let pairs = [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", KEY_SECRET),
        ("AWS_SESSION_TOKEN", SESSION_TOKEN),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_MAX_ATTEMPTS", "2"),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

fn text(says: &Value) -> String {
    match says {
        Value::String(raw) => raw.clone(), // a test of what is no JSON
        says => says.to_string(),
    }
}

fn unique(kind: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{kind}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Starts a server of the suite's Python environment: `$0` is the port, `$1` the program.
fn serve(program: &str, command: &str) -> Server {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let script = format!("{command} >/dev/null 2>&1 & server=$!; echo started; cat >/dev/null; kill -9 $server");
    let mut holder = Command::new("sh")
        .args(["-c", &script, &port.to_string()])
        .arg(installed(program))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    let asked = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(asked.elapsed() < Duration::from_secs(60), "{program} does not answer");
        std::thread::sleep(Duration::from_millis(20));
    }
    Server { port, _holder: holder }
}

fn installed(program: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_tablesync")).ancestors().nth(2).unwrap();
    let found = target.join("aws-venv/bin").join(program);
    assert!(found.is_file(), "{program} is not installed; run 'make setup'");
    found
}
