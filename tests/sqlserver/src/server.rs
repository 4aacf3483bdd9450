//! The stand-in as a test holds it: builder and server.

use std::io;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::account::Account;
use crate::clock::Clock;
use crate::data::builder::TableDef;
use crate::data::{World, sample};
use crate::faults::{LoginFault, LoginFaults};
use crate::handle::TableHandle;
use crate::sql::error::SqlError;
use crate::tls::Certificates;
use crate::transaction::Transaction;
use crate::types::collation;

/// What encryption the server offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// None.
    #[default]
    Off,
    /// The login always where the client can, everything where it asks.
    LoginOnly,
    /// Everything; a client without TLS is refused. TDS 8 is accepted too.
    Full,
    /// TDS 8 only.
    Strict,
}

/// Builds a [`StandIn`].
#[derive(Debug, Default)]
pub struct Builder {
    port: u16,
    tls: TlsMode,
    accounts: Vec<Account>,
    databases: Vec<String>,
    tables: Vec<TableDef>,
    denied: Vec<(String, String)>,
}

/// What the server has seen so far.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Successful logins.
    pub logins: u64,
    /// Logins that hang now.
    pub hanging: u64,
    /// Rows sent in complete results.
    pub rows: u64,
    /// The text of every batch and procedure call, in order.
    pub statements: Vec<String>,
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) tls: TlsMode,
    pub(crate) certificates: Certificates,
    world: Mutex<World>,
    accounts: Vec<Account>,
    pub(crate) login_faults: LoginFaults,
    spid: AtomicU16,
    logins: AtomicU64,
    pub(crate) hanging: AtomicU64,
    rows: AtomicU64,
    statements: Mutex<Vec<String>>,
}

const STATEMENTS_MAX: usize = 10_000;

impl Shared {
    pub(crate) fn world(&self) -> World {
        self.world.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Locks what the server holds, to change it.
    pub(crate) fn world_mut(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn account(&self, user: &str, password: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.user.eq_ignore_ascii_case(user) && account.password == password)
    }

    pub(crate) fn next_spid(&self) -> u16 {
        self.spid.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn count_login(&self) {
        self.logins.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_rows(&self, rows: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
    }

    pub(crate) fn log_statement(&self, text: &str) {
        let mut statements = self.statements.lock().unwrap_or_else(PoisonError::into_inner);
        if statements.len() < STATEMENTS_MAX {
            statements.push(text.to_owned());
        }
    }
}

impl Builder {
    /// The port to listen on at 127.0.0.1; 0 takes a free one.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The encryption to offer.
    pub fn tls(mut self, mode: TlsMode) -> Self {
        self.tls = mode;
        self
    }

    /// Adds a login for all databases.
    pub fn login(mut self, user: &str, password: &str) -> Self {
        self.accounts.push(Account { user: user.into(), password: password.into(), databases: None });
        self
    }

    /// Adds a login for these databases (and master).
    pub fn login_for(mut self, user: &str, password: &str, databases: &[&str]) -> Self {
        let databases = Some(databases.iter().map(|&name| name.to_owned()).collect());
        self.accounts.push(Account { user: user.into(), password: password.into(), databases });
        self
    }

    /// Denies a login a table or view, `sys.foreign_keys`: error 229.
    pub fn deny(mut self, user: &str, object: &str) -> Self {
        self.denied.push((user.to_owned(), object.to_owned()));
        self
    }

    /// Adds an empty database.
    pub fn database(mut self, name: &str) -> Self {
        self.databases.push(name.to_owned());
        self
    }

    /// Adds the four sample tables, each with this many rows.
    pub fn sample_data(mut self, rows: u64) -> Self {
        self.tables.extend(sample::tables(rows));
        self
    }

    /// Adds a table.
    pub fn table(mut self, table: TableDef) -> Self {
        self.tables.push(table);
        self
    }

    /// Listens and serves until the returned server is dropped.
    pub async fn start(mut self) -> io::Result<StandIn> {
        let mut world = World { denied: self.denied, ..World::default() };
        for name in ["master", "tempdb", "model", "msdb"] {
            world.ensure_database(name, collation::DEFAULT);
        }
        for name in &self.databases {
            world.ensure_database(name, collation::DEFAULT);
        }
        for def in self.tables {
            let database = world.ensure_database(&def.database.clone(), def.collation);
            let table = def.build().map_err(io::Error::other)?;
            database.add(table);
        }
        if self.accounts.is_empty() {
            self.accounts.push(Account { user: "sync".into(), password: "secret".into(), databases: None });
        }
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            tls: self.tls,
            certificates: Certificates::new()?,
            world: Mutex::new(world),
            accounts: self.accounts,
            login_faults: LoginFaults::default(),
            spid: AtomicU16::new(51),
            logins: AtomicU64::new(0),
            hanging: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            statements: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&shared)));
        Ok(StandIn { port, shared, accepting })
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut sessions = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        sessions.spawn(crate::connection::serve(socket, Arc::clone(&shared)));
        while sessions.try_join_next().is_some() {}
    }
}

/// A running server; it stops when dropped.
pub struct StandIn {
    port: u16,
    pub(crate) shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl StandIn {
    /// Starts to describe a server.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate of the authority that signed the server's, as PEM.
    pub fn ca_pem(&self) -> &str {
        &self.shared.certificates.ca_pem
    }

    /// The environment by which the product finds both sample databases here.
    pub fn env(&self) -> Vec<(String, String)> {
        let Some(account) = self.shared.accounts.first() else {
            return Vec::new();
        };
        let encrypt = match self.shared.tls {
            TlsMode::Off => "off",
            TlsMode::LoginOnly => "login",
            TlsMode::Full => "mandatory",
            TlsMode::Strict => "strict",
        };
        let of = |kind: &str, database: &str| {
            let values = [
                ("HOST", "127.0.0.1".to_owned()),
                ("PORT", self.port.to_string()),
                ("DB", database.to_owned()),
                ("USER", account.user.clone()),
                ("PASSWORD", account.password.clone()),
                ("ENCRYPT", encrypt.to_owned()),
            ];
            values.map(|(name, value)| (format!("SQL_SERVER_{kind}_{name}"), value))
        };
        [of("MCTM", "McTM"), of("VOIPDB", "VoipDB")].concat()
    }

    /// Writes the T-SQL script that creates and fills the same tables on a real SQL Server.
    pub fn emit_sql(&self, out: &mut impl io::Write) -> io::Result<()> {
        for database in &self.shared.world().databases {
            for table in &database.tables {
                crate::emit::table(out, &database.name, table)?;
            }
            database.tables.iter().try_for_each(|table| crate::emit::foreign_keys(out, table))?;
        }
        Ok(())
    }

    /// What has been seen so far.
    pub fn stats(&self) -> Stats {
        Stats {
            logins: self.shared.logins.load(Ordering::Relaxed),
            hanging: self.shared.hanging.load(Ordering::Relaxed),
            rows: self.shared.rows.load(Ordering::Relaxed),
            statements: self.shared.statements.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Ends every session, as a restart does, and listens on the same port again.
    pub async fn restart(&mut self) -> io::Result<()> {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await?;
        self.accepting = tokio::spawn(accept(listener, Arc::clone(&self.shared)));
        Ok(())
    }

    /// Refuses every login from now on (error 18456), or stops doing so.
    pub fn refuse_logins(&self, refuse: bool) {
        let refused = LoginFault::Error(SqlError::new(18456, 14, "Login failed for user."));
        self.shared.login_faults.set(Some(refused).filter(|_| refuse), None);
    }

    /// Makes the next logins go wrong, so many of them, or every one from now on; without a fault they are sound.
    pub fn fault_logins(&self, fault: Option<LoginFault>, times: Option<u32>) {
        self.shared.login_faults.set(fault.filter(|_| times != Some(0)), times);
    }

    /// Denies a login a table or view from now on, as [`Builder::deny`] does.
    pub fn deny(&self, user: &str, object: &str) {
        self.shared.world_mut().denied.push((user.to_owned(), object.to_owned()));
    }

    /// Takes back every [`StandIn::deny`] of this table or view.
    pub fn allow(&self, object: &str) {
        self.shared.world_mut().denied.retain(|(_, denied)| !denied.eq_ignore_ascii_case(object));
    }

    /// Adds a table, and its database where it is new.
    pub fn add_table(&self, def: TableDef) -> Result<(), String> {
        let mut world = self.shared.world_mut();
        let (database, collation) = (def.database.clone(), def.collation);
        let table = def.build()?;
        world.ensure_database(&database, collation).add(table);
        Ok(())
    }

    /// The server's clock.
    pub fn clock(&self) -> Clock {
        self.shared.world().clock
    }

    /// Begins a transaction in a database; `None` where there is no such database.
    pub fn begin(&self, database: &str) -> Option<Transaction> {
        Transaction::begin(&self.shared, database)
    }

    /// Lets a database's rowversions go on from here, if they have not come so far: for a generated table that has such a column.
    pub fn reach_rowversion(&self, database: &str, last: u64) {
        self.shared.world().database(database).into_iter().for_each(|database| database.live.reach(last));
    }

    /// A table, by its names; `None` when there is none.
    pub fn table(&self, database: &str, schema: &str, name: &str) -> Option<TableHandle> {
        let object_id = self.shared.world().database(database)?.table(schema, name)?.object_id;
        Some(TableHandle { shared: Arc::clone(&self.shared), database: database.to_owned(), object_id })
    }
}
