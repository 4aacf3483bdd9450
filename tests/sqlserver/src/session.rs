//! A logged-in session: batches and procedure calls in, results out.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::data::World;
use crate::rpc::{self, Call};
use crate::server::Shared;
use crate::sql::batch::{self, Statement};
use crate::sql::bind::Binder;
use crate::sql::error::SqlError;
use crate::sql::expr::Expr;
use crate::sql::functions::{SERVER, Session};
use crate::sql::options::{self, Setting};
use crate::sql::select;
use crate::wire::decode::Parameter;
use crate::wire::packet::{self, Packets, RESPONSE, read_message};
use crate::wire::{Cursor, tokens};

const SELECT: u16 = 0xC1;

/// Why a request ended early.
pub(crate) enum Stop {
    /// The connection is over.
    Closed,
    /// The client sent an attention.
    Cancelled,
    /// A statement failed.
    Failed(SqlError),
}

impl From<io::Error> for Stop {
    fn from(_: io::Error) -> Self {
        Stop::Closed
    }
}

impl From<SqlError> for Stop {
    fn from(error: SqlError) -> Self {
        Stop::Failed(error)
    }
}

/// One client: its connection and its session's state.
pub(crate) struct Client<S> {
    pub(crate) session: Session,
    pub(crate) shared: Arc<Shared>,
    pub(crate) requests: mpsc::Receiver<(u8, Vec<u8>)>,
    reader: JoinHandle<()>,
    pub(crate) stream: WriteHalf<S>,
    pub(crate) packets: Packets,
    pub(crate) body: Vec<u8>,
    pub(crate) sent: u64,
    pub(crate) metadata_only: bool,
    no_count: bool,
    /// Whether transactions are snapshots, and what the open one sees.
    snapshots: bool,
    snapshot: Option<World>,
    pub(crate) prepared: Vec<(i32, String, String)>,
    pub(crate) done_token: u8,
}

impl<S> Drop for Client<S> {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read_requests<S: AsyncRead>(mut from: ReadHalf<S>, to: mpsc::Sender<(u8, Vec<u8>)>) {
    while let Ok(request) = read_message(&mut from).await {
        if to.send(request).await.is_err() {
            return;
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Client<S> {
    pub(crate) fn new(stream: S, session: Session, packet_size: usize, shared: Arc<Shared>) -> Self {
        let (from, to) = tokio::io::split(stream);
        let (sender, requests) = mpsc::channel(2);
        Client {
            packets: Packets::new(packet_size, session.spid),
            session,
            shared,
            requests,
            reader: tokio::spawn(read_requests(from, sender)),
            stream: to,
            body: Vec::new(),
            sent: 0,
            metadata_only: false,
            no_count: false,
            snapshots: false,
            snapshot: None,
            prepared: Vec::new(),
            done_token: tokens::DONE,
        }
    }

    /// Answers requests until the client leaves.
    pub(crate) async fn run(mut self) -> io::Result<()> {
        while let Some((kind, message)) = self.requests.recv().await {
            self.look(false);
            self.sent = 0;
            let outcome = match kind {
                packet::SQL_BATCH => self.sql_batch(&message).await,
                packet::RPC => self.procedure(&message).await,
                packet::TRANSACTION => self.transaction(&message),
                packet::ATTENTION => Err(Stop::Cancelled),
                _ => return Ok(()),
            };
            match outcome {
                Ok(()) => {}
                Err(Stop::Closed) => return Ok(()),
                Err(Stop::Cancelled) => {
                    // What is left unsent ends with a whole token: the client reads on to this DONE.
                    tokens::put_done(&mut self.body, tokens::DONE, tokens::ATTENTION, 0, 0);
                }
                Err(Stop::Failed(error)) => {
                    tokens::put_error(&mut self.body, SERVER, &error);
                    let token = if kind == packet::RPC { tokens::DONE_PROC } else { tokens::DONE };
                    tokens::put_done(&mut self.body, token, tokens::FAILED, 0, 0);
                    if error.class >= 20 {
                        self.finish().await?;
                        return Ok(());
                    }
                }
            }
            self.finish().await?;
        }
        Ok(())
    }

    async fn finish(&mut self) -> io::Result<()> {
        self.packets.cut(RESPONSE, &mut self.body, true);
        self.stream.write_all(&self.packets.ready).await?;
        self.packets.ready.clear();
        self.stream.flush().await
    }

    async fn sql_batch(&mut self, message: &[u8]) -> Result<(), Stop> {
        let text = rpc::after_headers(message).map_err(|_| Stop::Closed)?;
        let text = String::from_utf16_lossy(&crate::wire::utf16_units(text));
        self.done_token = tokens::DONE;
        self.statements(&text, &[]).await
    }

    async fn procedure(&mut self, message: &[u8]) -> Result<(), Stop> {
        let mut cursor = Cursor::new(rpc::after_headers(message).map_err(|_| Stop::Closed)?);
        self.done_token = tokens::DONE_IN_PROC;
        while !cursor.is_empty() {
            match rpc::call(&mut cursor).map_err(|_| malformed_call())? {
                Call::Sql { text, parameters } => self.statements(&text, &parameters).await?,
                Call::Prepare { text, declarations, parameters, run, output } => {
                    let handle = self.prepared.len() as i32 + 1;
                    self.prepared.push((handle, text.clone(), declarations));
                    if run {
                        self.statements(&text, &parameters).await?;
                    }
                    tokens::put_return_status(&mut self.body, 0);
                    tokens::put_return_int(&mut self.body, 0, &output, handle);
                    tokens::put_done(&mut self.body, tokens::DONE_PROC, 0, 0, 0);
                    continue;
                }
                Call::Execute { handle, parameters } => {
                    let found = self.prepared.iter().find(|(known, ..)| *known == handle).cloned();
                    let (_, text, declarations) =
                        found.ok_or_else(|| SqlError::new(8179, 16, format!("Could not find prepared statement with handle {handle}.")))?;
                    let parameters = rpc::declared(&declarations, parameters)?;
                    self.statements(&text, &parameters).await?;
                }
                Call::Unprepare { handle } => self.prepared.retain(|(known, ..)| *known != handle),
                Call::Unknown(name) => {
                    return Err(SqlError::new(2812, 16, format!("Could not find stored procedure '{name}'.")).into());
                }
            }
            tokens::put_return_status(&mut self.body, 0);
            tokens::put_done(&mut self.body, tokens::DONE_PROC, 0, 0, 0);
        }
        Ok(())
    }

    fn transaction(&mut self, message: &[u8]) -> Result<(), Stop> {
        let mut cursor = Cursor::new(rpc::after_headers(message).map_err(|_| Stop::Closed)?);
        let descriptor = 0x0000_0035_0000_0001u64.to_le_bytes();
        match cursor.u16().map_err(|_| Stop::Closed)? {
            5 => {
                self.session.transactions += 1;
                tokens::put_change_bytes(&mut self.body, 8, &descriptor, &[]);
            }
            7 => {
                self.session.transactions = 0;
                tokens::put_change_bytes(&mut self.body, 9, &[], &descriptor);
            }
            8 => {
                self.session.transactions = 0;
                tokens::put_change_bytes(&mut self.body, 10, &[], &descriptor);
            }
            _ => return Err(SqlError::new(3980, 16, "The request is not supported.").into()),
        }
        tokens::put_done(&mut self.body, tokens::DONE, 0, 0, 0);
        Ok(())
    }

    /// Looks at the server anew, as every statement does. A snapshot transaction goes on seeing the rows that the first of its statements saw
    /// that read any.
    fn look(&mut self, reads: bool) {
        self.session.world = self.shared.world();
        if !self.snapshots || self.session.transactions == 0 {
            self.snapshot = None;
            self.session.rows = self.session.world.clone();
        } else if reads || self.snapshot.is_some() {
            self.session.rows = self.snapshot.get_or_insert_with(|| self.session.world.clone()).clone();
        }
    }

    /// Runs all statements of a text.
    async fn statements(&mut self, text: &str, parameters: &[Parameter]) -> Result<(), Stop> {
        self.shared.log_statement(text);
        let statements = batch::parse(text)?;
        let count = statements.len();
        for (at, statement) in statements.into_iter().enumerate() {
            let more = at + 1 < count || self.done_token == tokens::DONE_IN_PROC;
            self.statement(statement, parameters, more).await?;
        }
        if count == 0 && self.done_token == tokens::DONE {
            self.done(false, None);
        }
        Ok(())
    }

    pub(crate) fn done(&mut self, more: bool, rows: Option<u64>) {
        let status = (u16::from(more) * tokens::MORE) | (u16::from(rows.is_some() && !self.no_count) * tokens::COUNT);
        let command = if rows.is_some() { SELECT } else { 0 };
        tokens::put_done(&mut self.body, self.done_token, status, command, rows.unwrap_or(0));
    }

    async fn statement(&mut self, statement: Statement, parameters: &[Parameter], more: bool) -> Result<(), Stop> {
        let mut statement = statement;
        loop {
            self.look(matches!(statement, Statement::Query(_) | Statement::If(..)));
            match statement {
                Statement::If(condition, then, otherwise) => {
                    if self.constant(&condition, parameters)?.truth(&[])? == Some(true) {
                        statement = *then;
                    } else if let Some(otherwise) = otherwise {
                        statement = *otherwise;
                    } else {
                        self.done(more, None);
                        return Ok(());
                    }
                }
                Statement::Query(query) => {
                    let query = select::plan(&query, &self.session, parameters)?;
                    return self.send(query, more).await;
                }
                Statement::Use(name) => {
                    let database = self.session.world.database(&name).ok_or_else(|| SqlError::unknown_database(&name))?.name.clone();
                    self.session.account.enter(&database)?;
                    tokens::put_change(&mut self.body, 1, &database, &self.session.database);
                    tokens::put_info(&mut self.body, SERVER, 5701, &format!("Changed database context to '{database}'."));
                    self.session.database = database;
                    break;
                }
                Statement::Set(words) => {
                    match options::read(&words)? {
                        Setting::MetadataOnly(on) => self.metadata_only = on,
                        Setting::NoCount(on) => self.no_count = on,
                        Setting::Snapshot(on) => self.snapshots = on,
                        Setting::Accepted => {}
                    }
                    break;
                }
                Statement::Print(expr) => {
                    let text = self.constant(&expr, parameters)?.into_type(crate::types::NVARCHAR_MAX)?.eval(&[])?;
                    tokens::put_info(&mut self.body, SERVER, 0, &text.wide_text().unwrap_or_default());
                    break;
                }
                other => {
                    self.small(other).await?;
                    break;
                }
            }
        }
        self.done(more, None);
        Ok(())
    }

    /// Transactions, waiting, procedures.
    async fn small(&mut self, statement: Statement) -> Result<(), Stop> {
        let descriptor = 0x0000_0035_0000_0001u64.to_le_bytes();
        match statement {
            Statement::Begin => {
                self.session.transactions += 1;
                if self.session.transactions == 1 {
                    tokens::put_change_bytes(&mut self.body, 8, &descriptor, &[]);
                }
            }
            Statement::Commit | Statement::Rollback if self.session.transactions == 0 => {
                let (number, word) = if matches!(statement, Statement::Commit) { (3902, "COMMIT") } else { (3903, "ROLLBACK") };
                return Err(
                    SqlError::new(number, 16, format!("The {word} TRANSACTION request has no corresponding BEGIN TRANSACTION.")).into()
                );
            }
            Statement::Commit => {
                self.session.transactions -= 1;
                if self.session.transactions == 0 {
                    tokens::put_change_bytes(&mut self.body, 9, &[], &descriptor);
                }
            }
            Statement::Rollback => {
                self.session.transactions = 0;
                tokens::put_change_bytes(&mut self.body, 10, &[], &descriptor);
            }
            Statement::WaitFor(text) => {
                let moment = crate::types::parse::moment(&text)
                    .ok_or_else(|| SqlError::new(148, 15, format!("Incorrect time syntax in time string '{text}' used with WAITFOR.")))?;
                self.wait(Duration::from_nanos(moment.1 * 100)).await?;
            }
            Statement::Execute(name) => {
                return Err(SqlError::new(2812, 16, format!("Could not find stored procedure '{name}'.")).into());
            }
            _ => {}
        }
        Ok(())
    }

    fn constant(&self, ast: &sqlparser::ast::Expr, parameters: &[Parameter]) -> Result<Expr, SqlError> {
        Binder {
            session: &self.session,
            parameters,
            visible: Vec::new(),
            groups: Vec::new(),
            aggregates: Vec::new(),
            grouping: false,
            bare: None,
        }
        .bind(ast)
    }
}

fn malformed_call() -> SqlError {
    SqlError::new(8009, 20, "The incoming tabular data stream (TDS) remote procedure call (RPC) protocol stream is incorrect.")
}
