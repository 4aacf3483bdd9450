//! A real SQL Server in place of the stand-in, for the tests that only read: `TEST_SQL_SERVER_URL=sqlserver://user:password@host:port/?encrypt=&trust_cert=`
//! (the parameters as in `SQL_SERVER_<DB_TYPE>_ENCRYPT` and `_TRUST_CERT`; user and password as they are, not percent-encoded).
//!
//! The suite makes the databases McTM and VoipDB there, marks them as its own, and refuses to touch any of these names that it did not make.

use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_util::compat::{Compat, TokioAsyncWriteCompatExt};

/// Says that a database is the suite's.
const MARK: &str = "tablesync_suite";

/// Where the server is and how to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RealServer {
    host: String,
    port: u16,
    user: String,
    password: String,
    encrypt: String,
    trust_cert: bool,
}

impl RealServer {
    /// The server that `TEST_SQL_SERVER_URL` names, if it is set.
    pub(crate) fn from_environment() -> Option<Self> {
        let url = std::env::var("TEST_SQL_SERVER_URL").ok().filter(|url| !url.is_empty())?;
        Some(Self::parse(&url).expect("TEST_SQL_SERVER_URL is sqlserver://user:password@host:port/?encrypt=&trust_cert="))
    }

    fn parse(url: &str) -> Option<Self> {
        let (authority, query) =
            url.strip_prefix("sqlserver://")?.rsplit_once("/?").or_else(|| Some((url.strip_prefix("sqlserver://")?, "")))?;
        let (login, address) = authority.trim_end_matches('/').rsplit_once('@')?;
        let (user, password) = login.split_once(':')?;
        let (host, port) = address.split_once(':').unwrap_or((address, "1433"));
        let parameter =
            |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).filter(|value| !value.is_empty());
        Some(Self {
            host: host.to_owned(),
            port: port.parse().ok()?,
            user: user.to_owned(),
            password: password.to_owned(),
            encrypt: parameter("encrypt").unwrap_or("mandatory").to_owned(),
            trust_cert: parameter("trust_cert") == Some("true"),
        })
    }

    /// The variables that point the product here.
    pub(crate) fn env(&self) -> Vec<(String, String)> {
        let of = |source: &str, database: &str| {
            let values = [
                ("HOST", self.host.clone()),
                ("PORT", self.port.to_string()),
                ("DB", database.to_owned()),
                ("USER", self.user.clone()),
                ("PASSWORD", self.password.clone()),
                ("ENCRYPT", self.encrypt.clone()),
                ("TRUST_CERT", self.trust_cert.to_string()),
            ];
            values.map(|(name, value)| (format!("SQL_SERVER_{source}_{name}"), value))
        };
        [of("MCTM", "McTM"), of("VOIPDB", "VoipDB")].concat()
    }

    /// Makes the databases and tables of `script` there, once in the suite's life.
    pub(crate) async fn prepare(&self, script: &str) {
        static PREPARED: OnceCell<()> = OnceCell::const_new();
        PREPARED.get_or_init(|| Box::pin(self.run_script(script))).await;
    }

    async fn run_script(&self, script: &str) {
        let mut client = Box::pin(self.connect()).await;
        for database in ["McTM", "VoipDB"] {
            let claim = format!(
                "IF DB_ID(N'{database}') IS NOT NULL AND OBJECT_ID(N'{database}.dbo.{MARK}') IS NULL \
                 THROW 50000, N'database {database} is there and not the suite''s: drop it or use another server', 1; \
                 IF DB_ID(N'{database}') IS NULL CREATE DATABASE {database}"
            );
            run(&mut client, &claim).await;
            run(
                &mut client,
                &format!("IF OBJECT_ID(N'{database}.dbo.{MARK}') IS NULL EXEC(N'CREATE TABLE {database}.dbo.{MARK} (x int)')"),
            )
            .await;
        }
        for batch in script.split("\nGO\n").map(|batch| batch.trim_end_matches("GO").trim()).filter(|batch| !batch.is_empty()) {
            run(&mut client, batch).await;
        }
    }

    async fn connect(&self) -> Client<Compat<TcpStream>> {
        let mut config = Config::new();
        config.host(&self.host);
        config.port(self.port);
        config.authentication(AuthMethod::sql_server(&self.user, &self.password));
        config.encryption(match self.encrypt.as_str() {
            "off" => EncryptionLevel::NotSupported,
            "login" => EncryptionLevel::Off,
            _ => EncryptionLevel::Required,
        });
        if self.trust_cert {
            config.trust_cert();
        }
        let socket = TcpStream::connect((self.host.as_str(), self.port)).await.expect("the server of TEST_SQL_SERVER_URL is there");
        Box::pin(Client::connect(config, socket.compat_write())).await.expect("the login of TEST_SQL_SERVER_URL works")
    }
}

async fn run(client: &mut Client<Compat<TcpStream>>, batch: &str) {
    let begin = batch.chars().take(200).collect::<String>();
    let answer = client.simple_query(batch).await.unwrap_or_else(|error| panic!("{begin}: {error}"));
    answer.into_results().await.unwrap_or_else(|error| panic!("{begin}: {error}"));
}

#[test]
fn the_url_of_a_real_server_has_its_parts() {
    let server = RealServer::parse("sqlserver://sa:p@ss:w/rd@db.example:1434/?encrypt=login&trust_cert=true").unwrap();
    assert_eq!((server.user.as_str(), server.password.as_str()), ("sa", "p@ss:w/rd"));
    assert_eq!((server.host.as_str(), server.port), ("db.example", 1434));
    assert_eq!((server.encrypt.as_str(), server.trust_cert), ("login", true));
    assert_eq!(RealServer::parse("sqlserver://sa:x@db").unwrap().port, 1433);
}
