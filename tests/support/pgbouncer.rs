//! pgbouncer in transaction mode between the product and the suite's PostgreSQL: a connection of the server's serves whoever has a transaction.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::geteuid;
use tempfile::TempDir;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use super::postgres::{Database, PASSWORD};

/// A pool in front of one test's database.
pub(crate) struct Pool {
    /// Where it listens on 127.0.0.1.
    pub(crate) port: u16,
    size: usize,
    database: String,
    /// Its standard input is what holds the pool up.
    _pgbouncer: Child,
    _dir: TempDir,
}

impl Pool {
    /// A pool of at most `size` connections of the server's.
    pub(crate) fn before(db: &Database, size: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        // Free for now; whoever takes it meanwhile fails the test by name.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("users"), format!("\"sync\" \"{PASSWORD}\"\n")).unwrap();
        let settings = format!(
            "[databases]\n* = host={socket} port={server}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = scram-sha-256\nauth_file = {users}\npool_mode = transaction\ndefault_pool_size = {size}\nquery_wait_timeout = 30\n\
             logfile = {log}\n",
            socket = db.cluster.dir.display(),
            server = db.cluster.port,
            users = path("users").display(),
            log = path("log").display(),
        );
        fs::write(path("pgbouncer.ini"), settings).unwrap();
        db.cluster.give(dir.path());
        // It refuses to run as root. It ends with the pipe, however the suite ends.
        let user = if geteuid().is_root() { "-u postgres" } else { "" };
        let script = format!("pgbouncer -q {user} {} & cat >/dev/null; kill $!", path("pgbouncer.ini").display());
        let pgbouncer = Command::new("sh")
            .args(["-c", &script])
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin:/usr/local/sbin")
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let asked = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            let log = fs::read_to_string(path("log")).unwrap_or_default();
            assert!(asked.elapsed() < Duration::from_secs(20), "pgbouncer starts; is 'pgbouncer' installed?\n{log}");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { port, size, database: db.name.clone(), _pgbouncer: pgbouncer, _dir: dir }
    }

    /// A client of the pool, beside the product.
    pub(crate) async fn connect(&self) -> Client {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.port).user("sync").password(PASSWORD).dbname(&self.database);
        let (client, connection) = config.connect(NoTls).await.expect("the pool takes a client");
        tokio::spawn(connection);
        client
    }

    /// Holds every connection that the pool may have, and returns what is left behind in any of them: settings and prepared statements.
    pub(crate) async fn left_behind(&self) -> Vec<String> {
        let left = "SELECT name || ' = ' || setting FROM pg_settings WHERE source = 'session' AND name NOT IN ('application_name', 'client_encoding') \
            UNION ALL SELECT 'statement ' || name FROM pg_prepared_statements \
            UNION ALL SELECT 'lock of ' || pid FROM pg_locks \
            WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        let mut clients = Vec::new();
        let mut found = Vec::new();
        for _ in 0..self.size {
            let client = self.connect().await;
            client.batch_execute("BEGIN").await.unwrap();
            let rows = client.simple_query(left).await.unwrap();
            found.extend(rows.iter().filter_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            }));
            clients.push(client);
        }
        found
    }
}
