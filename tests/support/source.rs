//! Where rows come from: the SQL Server stand-in, one per test; a real SQL Server where one is named, for the tests that only read; or a listener
//! that nobody must come to.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tds_stand_in::{Builder, Clock, SqlError, StandIn, TableHandle};
pub(crate) use tds_stand_in::{Fault, ForeignKeyDef, IndexDef, LoginFault, TableDef, TlsMode as Tls, Value};
use tokio::net::TcpListener;

use super::real::RealServer;
use super::values::pg_text;

/// What the product must never show.
pub(crate) const PASSWORD: &str = "canary-source-password-93ab";

/// The four tables' names in the configuration and in the source.
const SAMPLES: [(&str, &str, &str); 4] = [
    ("customer", "McTM", "Customer"),
    ("mctm_module", "McTM", "McModule"),
    ("voipdb_customer", "VoipDB", "Customer"),
    ("voipdb_useragent", "VoipDB", "UserAgent"),
];

/// Rows per table of [`Source::to_read`].
pub(crate) const ROWS_TO_READ: u64 = 1_000;

/// A small table of a test's own, in database McTM.
#[derive(Clone)]
pub(crate) struct Planted {
    /// Its name.
    pub(crate) name: String,
    columns: Vec<(&'static str, &'static str)>,
    keys: usize,
    collation: Option<&'static str>,
    indexed: Option<&'static str>,
    rows: Vec<Vec<Value>>,
}

impl Planted {
    /// A table with columns by their T-SQL types, the first `keys` of which are its primary key.
    pub(crate) fn new(name: &str, columns: &[(&'static str, &'static str)], keys: usize) -> Self {
        Self { name: name.to_owned(), columns: columns.to_vec(), keys, collation: None, indexed: None, rows: Vec::new() }
    }

    /// With these rows.
    pub(crate) fn rows(mut self, rows: Vec<Vec<Value>>) -> Self {
        self.rows = rows;
        self
    }

    /// With its text in this collation.
    pub(crate) fn collated(mut self, collation: &'static str) -> Self {
        self.collation = Some(collation);
        self
    }

    /// With an index on this column.
    pub(crate) fn indexed(mut self, column: &'static str) -> Self {
        self.indexed = Some(column);
        self
    }

    /// Under another name.
    pub(crate) fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    fn definition(self) -> TableDef {
        let mut table = TableDef::new("McTM", "dbo", &self.name);
        if let Some(collation) = self.collation {
            table = table.collation(collation);
        }
        for (at, (name, sql_type)) in self.columns.iter().enumerate() {
            table = if at < self.keys { table.required(name, sql_type) } else { table.column(name, sql_type) };
        }
        if self.keys > 0 {
            let names: Vec<_> = self.columns[..self.keys].iter().map(|(name, _)| *name).collect();
            table = table.key(&names);
        }
        if let Some(column) = self.indexed {
            table = table.index(IndexDef::new(&format!("IX_{}_{column}", self.name), &[column]));
        }
        self.rows.into_iter().fold(table, TableDef::row)
    }
}

/// A source, as a test holds it.
pub(crate) struct Source {
    server: Server,
    /// What stands in place of the stand-in, which then only knows the rows.
    real: Option<RealServer>,
    /// How many statements had been seen when the last fault was set.
    before_fault: AtomicUsize,
}

enum Server {
    StandIn(StandIn),
    Nowhere { port: u16, visits: Arc<AtomicU64> },
}

impl Source {
    /// The four tables, this many rows each.
    pub(crate) async fn sample(rows: u64) -> Self {
        Self::sample_with(rows, Tls::Off).await
    }

    /// The four tables, [`ROWS_TO_READ`] rows each, for a test that reads them and nothing else: on the server of `TEST_SQL_SERVER_URL` where it is set.
    pub(crate) async fn to_read() -> Self {
        let mut source = Self::sample(ROWS_TO_READ).await;
        if let Some(real) = RealServer::from_environment() {
            let mut script = Vec::new();
            source.stand_in().emit_sql(&mut script).unwrap();
            real.prepare(&String::from_utf8(script).unwrap()).await;
            source.real = Some(real);
        }
        source
    }

    /// The four tables behind this encryption.
    pub(crate) async fn sample_with(rows: u64, tls: Tls) -> Self {
        Self::serve(StandIn::builder().tls(tls).sample_data(rows)).await
    }

    /// The four tables, some with a number of rows of their own.
    pub(crate) async fn sample_of(rows: u64, others: &[(&str, u64)]) -> Self {
        let source = Self::sample(rows).await;
        for (table, rows) in others {
            source.resize(table, *rows);
        }
        source
    }

    /// Tables of the test's own.
    pub(crate) async fn planted(tables: Vec<Planted>) -> Self {
        let builder = tables.into_iter().fold(StandIn::builder().database("VoipDB"), |builder, table| builder.table(table.definition()));
        Self::serve(builder).await
    }

    /// Tables with more than columns and rows.
    pub(crate) async fn defined(tables: Vec<TableDef>) -> Self {
        Self::serve(tables.into_iter().fold(StandIn::builder().database("VoipDB"), Builder::table)).await
    }

    /// The server's clock.
    pub(crate) fn clock(&self) -> Clock {
        self.stand_in().clock()
    }

    /// Switches Change Tracking on for a table of database McTM.
    pub(crate) fn track_changes(&self, name: &str) {
        // It may be on already.
        let _ = self.stand_in().enable_change_tracking("McTM");
        self.table(name).track_changes().unwrap();
    }

    /// Restarts the server on its port: every session ends.
    pub(crate) async fn restart(&mut self) {
        let Server::StandIn(server) = &mut self.server else { panic!("this source serves nothing") };
        server.restart().await.unwrap();
    }

    /// A port that takes connections and never answers.
    pub(crate) async fn silent() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let visits = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&visits);
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((socket, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                held.push(socket);
            }
        });
        Self { server: Server::Nowhere { port, visits }, real: None, before_fault: AtomicUsize::new(0) }
    }

    /// Denies the product a catalogue view.
    pub(crate) fn deny(&self, view: &str) {
        self.stand_in().deny("sync", view);
    }

    /// A port that only counts who comes.
    pub(crate) async fn nowhere() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let visits = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&visits);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                counter.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { server: Server::Nowhere { port, visits }, real: None, before_fault: AtomicUsize::new(0) }
    }

    async fn serve(builder: Builder) -> Self {
        let server = builder.login("sync", PASSWORD).start().await.expect("the stand-in starts");
        Self { server: Server::StandIn(server), real: None, before_fault: AtomicUsize::new(0) }
    }

    /// The variables that point the product here.
    pub(crate) fn env(&self) -> Vec<(String, String)> {
        if let Some(real) = &self.real {
            return real.env();
        }
        match &self.server {
            Server::StandIn(server) => server.env(),
            Server::Nowhere { port, .. } => {
                let port = port.to_string();
                let values = [("HOST", "127.0.0.1"), ("PORT", port.as_str()), ("USER", "sync"), ("PASSWORD", PASSWORD)];
                let of = |source| values.map(|(name, value)| (format!("SQL_SERVER_{source}_{name}"), value.to_owned()));
                [of("MCTM"), of("VOIPDB")].concat()
            }
        }
    }

    /// The port it listens on.
    pub(crate) fn port(&self) -> u16 {
        match &self.server {
            Server::StandIn(server) => server.port(),
            Server::Nowhere { port, .. } => *port,
        }
    }

    /// Who has come so far: logins, or connections where nobody must come.
    pub(crate) fn logins(&self) -> u64 {
        match &self.server {
            Server::StandIn(server) => server.stats().logins,
            Server::Nowhere { visits, .. } => visits.load(Ordering::Relaxed),
        }
    }

    /// Rows sent so far.
    pub(crate) fn rows_sent(&self) -> u64 {
        self.stand_in().stats().rows
    }

    /// Whether the rows of a sample table have been asked for since the last fault was set.
    pub(crate) fn is_reading(&self, name: &str) -> bool {
        let (_, database, table) = sample(name);
        let rows_of = format!("[{database}].[dbo].[{table}]");
        let statements = self.stand_in().stats().statements;
        statements.iter().skip(self.before_fault.load(Ordering::Relaxed)).any(|statement| statement.contains(&rows_of))
    }

    /// Whether a statement with this text has come.
    pub(crate) fn has_seen(&self, text: &str) -> bool {
        self.stand_in().stats().statements.iter().any(|statement| statement.contains(text))
    }

    /// The statements with this text that have come.
    pub(crate) fn seen(&self, text: &str) -> Vec<String> {
        self.stand_in().stats().statements.iter().filter(|statement| statement.contains(text)).map(ToString::to_string).collect()
    }

    /// How many statements with this text have come.
    pub(crate) fn times_seen(&self, text: &str) -> usize {
        self.stand_in().stats().statements.iter().filter(|statement| statement.contains(text)).count()
    }

    /// Makes reading a table go wrong from now on.
    pub(crate) fn fault(&self, name: &str, fault: Fault) {
        self.before_fault.store(self.stand_in().stats().statements.len(), Ordering::Relaxed);
        self.table(name).fault(Some(fault));
    }

    /// Makes so many reads of a table go wrong; after them it is sound.
    pub(crate) fn fault_times(&self, name: &str, fault: Fault, times: u32) {
        self.before_fault.store(self.stand_in().stats().statements.len(), Ordering::Relaxed);
        self.table(name).fault_times(fault, times);
    }

    /// Makes so many logins go wrong, or all from now on; without a fault they are sound.
    pub(crate) fn fault_logins(&self, fault: Option<LoginFault>, times: Option<u32>) {
        self.stand_in().fault_logins(fault, times);
    }

    /// Whether a login has come that hangs.
    pub(crate) fn is_hanging(&self) -> bool {
        self.stand_in().stats().hanging > 0
    }

    /// Lets a table be read again.
    pub(crate) fn clear_faults(&self, name: &str) {
        self.table(name).fault(None);
    }

    /// Changes the values, not the keys, of a share of a sample table's rows.
    pub(crate) fn change(&self, name: &str, percent: f64) {
        self.table(name).changed_percent(percent).unwrap();
    }

    /// Sets the number of a sample table's rows.
    pub(crate) fn resize(&self, name: &str, rows: u64) {
        self.table(name).set_rows(rows).unwrap();
    }

    /// Puts other rows into a planted table.
    pub(crate) fn replace_rows(&self, name: &str, rows: Vec<Vec<Value>>) {
        let table = self.table(name);
        table.delete(|_| true).unwrap();
        for row in rows {
            table.insert(row).unwrap();
        }
    }

    /// Sets a column in all rows of a planted table, at once.
    pub(crate) fn update_all(&self, name: &str, column: &str, value: Value) {
        self.table(name).update(column, value, |_| true).unwrap();
    }

    /// A sample table's rows as PostgreSQL must write them, in no particular order.
    pub(crate) fn rows_of(&self, name: &str) -> Vec<Vec<Option<String>>> {
        let rows = self.table(name).rows().unwrap();
        rows.iter().map(|row| row.iter().map(pg_text).collect()).collect()
    }

    /// The certificate of the authority that signed the server's, as a file in `dir`.
    pub(crate) fn ca_file(&self, dir: &Path) -> PathBuf {
        let path = dir.join("source-ca.pem");
        std::fs::write(&path, self.stand_in().ca_pem()).unwrap();
        path
    }

    fn stand_in(&self) -> &StandIn {
        let Server::StandIn(server) = &self.server else { panic!("this source serves nothing") };
        server
    }

    /// A sample table by its name in the configuration, or a planted one by its own.
    pub(crate) fn table(&self, name: &str) -> TableHandle {
        let (database, table) = SAMPLES.iter().find(|(sample, ..)| *sample == name).map_or(("McTM", name), |(_, d, t)| (d, t));
        self.stand_in().table(database, "dbo", table).expect("the table is there")
    }
}

/// A server's error in the middle of a read.
pub(crate) fn error_after(rows: u64, number: i32, class: u8, message: &str) -> Fault {
    Fault::ErrorAfterRows(rows, SqlError::new(number, class, message))
}

fn sample(name: &str) -> (&'static str, &'static str, &'static str) {
    *SAMPLES.iter().find(|(sample, ..)| *sample == name).expect("a sample table")
}
