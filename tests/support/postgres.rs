//! One throwaway PostgreSQL for the whole suite, and a fresh database in it for each test.
//!
//! The server is `scripts/with-postgres`, held up by a pipe: when the suite ends, however it ends, the pipe closes and the server and its
//! files are gone. The product logs in over TCP as `sync`, with a password (SCRAM) and without privileges beyond its own database; tests look
//! on as the superuser over the Unix socket. TLS is offered with a certificate for `localhost`, signed by [`Cluster::ca_file`].

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt;
use rustix::process::{Pid, Signal, kill_process};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use super::certificates::Authority;

/// What the product must never show.
pub(crate) const PASSWORD: &str = "canary-target-password-7d1f";

/// Who may log in how: `sync` by password, `tls_only` over TLS alone, the superuser over the socket.
const HBA: &str = "local all all trust\n\
    hostssl all tls_only 127.0.0.1/32 scram-sha-256\n\
    host all tls_only 127.0.0.1/32 reject\n\
    host all all 127.0.0.1/32 scram-sha-256\n";

const ROLES: &str = "CREATE ROLE sync LOGIN PASSWORD 'canary-target-password-7d1f'; \
    CREATE ROLE tls_only LOGIN PASSWORD 'canary-target-password-7d1f' IN ROLE sync; \
    ALTER SYSTEM SET ssl = on";

/// A running server.
pub(crate) struct Cluster {
    /// Its folder; the socket is in it.
    pub(crate) dir: PathBuf,
    /// Its port on 127.0.0.1.
    pub(crate) port: u16,
    /// Its standard input is what holds the server up.
    _server: Child,
}

impl Cluster {
    /// The suite's one server, started when the first test asks.
    pub(crate) fn shared() -> &'static Cluster {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(|| Cluster::start(&[]))
    }

    /// A server of a test's own, `env` to the script.
    pub(crate) fn start(env: &[(&str, &str)]) -> Cluster {
        let mut child = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/with-postgres"))
            .args(["sh", "-c", "echo \"$PG_PORT $THROWAWAY_DIR\"; exec cat >/dev/null"])
            .envs(env.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0) // Ctrl-C is for the suite; the server ends with the pipe
            .spawn()
            .expect("scripts/with-postgres starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (port, dir) = line.trim().split_once(' ').expect("the throwaway PostgreSQL starts; is 'postgresql' installed?");
        let cluster = Cluster { dir: dir.into(), port: port.parse().unwrap(), _server: child };
        cluster.offer_tls_and_passwords();
        cluster
    }

    /// The certificate authority of the server's certificate.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// The folder of the server's files.
    pub(crate) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// A superuser's session.
    pub(crate) async fn connect(&self, database: &str) -> Client {
        let (client, connection) = self.config(database).connect(NoTls).await.expect("the superuser connects");
        tokio::spawn(connection);
        client
    }

    /// Hands a file or folder to the server's user.
    pub(crate) fn give(&self, path: &Path) {
        let owner = fs::metadata(self.data()).unwrap();
        chown(path, Some(owner.uid()), Some(owner.gid())).unwrap();
    }

    fn config(&self, database: &str) -> Config {
        let mut config = Config::new();
        config.host_path(&self.dir).port(self.port).user("postgres").dbname(database);
        config
    }

    fn offer_tls_and_passwords(&self) {
        let authority = Authority::new("tablesync suite's authority");
        let (certificate, key) = authority.leaf("localhost");
        fs::write(self.ca_file(), authority.pem()).unwrap();
        for (name, contents) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.data().join(name);
            fs::write(&path, contents).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            self.give(&path);
        }
        fs::write(self.data().join("pg_hba.conf"), HBA).unwrap();
        // A runtime of its own: this runs inside whichever test came first.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
                    let admin = self.connect("postgres").await;
                    for statement in ROLES.split("; ").chain(["SELECT pg_reload_conf()"]) {
                        admin.batch_execute(statement).await.unwrap();
                    }
                });
            });
        });
    }
}

/// A test's own database, empty, owned by `sync`; and the superuser's session in it.
pub(crate) struct Database {
    /// The server.
    pub(crate) cluster: &'static Cluster,
    /// Its name.
    pub(crate) name: String,
    admin: Client,
}

impl Database {
    /// A fresh database on the shared server.
    pub(crate) async fn create() -> Self {
        Self::create_on(Cluster::shared()).await
    }

    /// A fresh database on a server.
    pub(crate) async fn create_on(cluster: &'static Cluster) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let maintenance = cluster.connect("postgres").await;
        maintenance.batch_execute(&format!("CREATE DATABASE {name} OWNER sync TEMPLATE template0")).await.unwrap();
        Self { cluster, admin: cluster.connect(&name).await, name }
    }

    /// The variables that point the product here.
    pub(crate) fn env(&self) -> Vec<(String, String)> {
        let pairs = [
            ("PG_HOST", "127.0.0.1"),
            ("PG_PORT", &self.cluster.port.to_string()),
            ("PG_DB", &self.name),
            ("PG_USER", "sync"),
            ("PG_PASSWORD", PASSWORD),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    /// One more superuser's session.
    pub(crate) async fn connect(&self) -> Client {
        self.cluster.connect(&self.name).await
    }

    /// Makes the server crash and start again, which ends every session; for a server of the test's own.
    pub(crate) async fn crash_server(&mut self) {
        let victim = self.value("SELECT pg_backend_pid()").await.parse().unwrap();
        let witness = self.connect().await;
        kill_process(Pid::from_raw(victim).unwrap(), Signal::KILL).unwrap();
        while !witness.is_closed() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let config = self.cluster.config(&self.name);
        self.admin = loop {
            if let Ok((client, connection)) = config.connect(NoTls).await {
                tokio::spawn(connection);
                break client;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
    }

    /// Runs statements.
    pub(crate) async fn execute(&self, sql: &str) {
        self.admin.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// A query's rows, every value as PostgreSQL writes it.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let messages = self.admin.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect()),
            _ => None,
        });
        rows.collect()
    }

    /// What a COPY sends.
    pub(crate) async fn copied(&self, copy: &str) -> Vec<u8> {
        let stream = self.admin.copy_out(copy).await.unwrap_or_else(|error| panic!("{copy}: {error:?}"));
        let pieces: Vec<_> = stream.try_collect().await.unwrap();
        pieces.concat()
    }

    /// A query's single value; NULL is the empty text.
    pub(crate) async fn value(&self, sql: &str) -> String {
        let mut rows = self.rows(sql).await;
        assert_eq!(rows.len(), 1, "{sql}");
        rows.remove(0).remove(0).unwrap_or_default()
    }

    /// Waits until no run has a session here: its counters are in the statistics then, and its locks gone.
    pub(crate) async fn settled(&self) {
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename <> 'postgres'";
        while self.value(sessions).await != "0" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The whole schema as `pg_dump -s` writes it, but for the product's own; statements, without what differs from one dump to the next.
    pub(crate) fn schema(&self) -> String {
        self.dump(&["--schema-only", "--exclude-schema=tablesync"])
    }

    /// Everything, as `pg_dump` writes it.
    pub(crate) fn dump(&self, options: &[&str]) -> String {
        let dumped = Command::new(program("pg_dump"))
            .args(options)
            .args(["--username=postgres", "--dbname", &self.name])
            .arg("--host")
            .arg(&self.cluster.dir)
            .args(["--port", &self.cluster.port.to_string()])
            .output()
            .expect("pg_dump comes with the server");
        assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
        let text = String::from_utf8(dumped.stdout).unwrap();
        // Newer versions guard a dump by a word that is made up each time.
        text.lines().filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict")).collect::<Vec<_>>().join("\n")
    }

    /// A number that changes with any row of a table.
    pub(crate) async fn checksum(&self, table: &str) -> String {
        self.value(&format!("SELECT count(*) || ':' || coalesce(sum(hashtextextended(t::text, 0)), 0) FROM {table} AS t")).await
    }
}

/// One of the programs that come with the server: of the newest version, which is the one that `scripts/with-postgres` starts.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    let newest = versions.max_by_key(|version| version.file_name().to_str().and_then(|version| version.parse::<u32>().ok()));
    let packaged = newest.map(|version| version.path().join("bin").join(name)).filter(|path| path.exists());
    packaged.unwrap_or_else(|| PathBuf::from(name))
}
