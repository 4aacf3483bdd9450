//! Rows on their way in: the staging table, and the COPY that fills it (or, for a straight load, the target itself).

use futures_util::{SinkExt, TryFutureExt};
use tokio::sync::mpsc;
use tokio_postgres::CopyInSink;

use super::error::{keyed_target_error, target_error};
use super::lease::Lease;
use super::patience::Patience;
use super::publish::Publication;
use super::session::{Session, Transaction};
use super::state::helper_table;
use crate::copy::{FilledBatch, HEADER, PooledBuffer, TRAILER};
use crate::error::{ErrorKind, Result, SyncError};
use crate::failpoint;
use crate::table::{TargetTable, quoted_list};

/// A COPY's errors surface only when it ends, so it ends after so many bytes and another one begins.
const COPY_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What was loaded so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Loaded {
    /// Rows, by PostgreSQL's own count where a COPY has ended.
    pub rows: u64,
    /// COPY bytes.
    pub bytes: u64,
}

/// Where rows are loaded: a table and its columns, in COPY order.
pub struct Load<'a> {
    pub(super) within: Within<'a>,
    pub(super) patience: Patience,
    pub(super) table: TargetTable,
    pub(super) columns: &'a [String],
    /// The key among them, for messages.
    pub(super) key: &'a [String],
    /// The table was made in this very transaction, so its rows can be frozen at once.
    pub(super) freeze: bool,
}

/// What a load is part of.
pub(super) enum Within<'a> {
    /// Nothing: each COPY is a transaction, so that none of them is a long one.
    Session(&'a mut Session),
    /// A transaction that others end.
    Transaction(&'a Transaction<'a>),
}

impl Session {
    /// Makes an empty staging table with the types of the target's columns, in place of one that a dead run left.
    ///
    /// It is unlogged: after a crash of the server it is empty, and no run ever publishes what it did not stage itself.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn create_staging(&self, publication: &Publication) -> Result<TargetTable> {
        let target = &publication.target;
        let staging = helper_table(&self.state_schema, "staging", target);
        let list = publication.staged_columns();
        let sql = format!(
            "DROP TABLE IF EXISTS {staging}; CREATE UNLOGGED TABLE {staging} WITH (autovacuum_enabled = false) AS SELECT {list} FROM {target} WITH NO DATA"
        );
        self.batch_execute(&sql).await.map_err(|error| target_error("make the staging table", error))?;
        Ok(staging)
    }

    /// Makes an empty table for keys, with the types of the target's key.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn create_keys(&self, publication: &Publication) -> Result<TargetTable> {
        let target = &publication.target;
        let keys = helper_table(&self.state_schema, "keys", target);
        let list = quoted_list("", publication.key.iter().map(String::as_str));
        let sql = format!(
            "DROP TABLE IF EXISTS {keys}; CREATE UNLOGGED TABLE {keys} WITH (autovacuum_enabled = false) AS SELECT {list} FROM {target} WITH NO DATA"
        );
        self.batch_execute(&sql).await.map_err(|error| target_error("make the table of keys", error))?;
        Ok(keys)
    }

    /// A load into the table of keys.
    pub fn load_keys<'a>(&'a mut self, keys: &TargetTable, publication: &'a Publication) -> Load<'a> {
        let patience = self.patience();
        Load {
            within: Within::Session(self),
            patience,
            table: keys.clone(),
            columns: &publication.key,
            key: publication.shown_key(),
            freeze: false,
        }
    }

    /// Removes a staging table.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn drop_staging(&self, staging: &TargetTable) -> Result<()> {
        let sql = format!("DROP TABLE IF EXISTS {staging}");
        self.batch_execute(&sql).await.map_err(|error| target_error("remove the staging table", error))
    }

    /// Removes the staging table of `target`, if there is one, and unless the table's lock is another run's: then what stands there is too.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn drop_own_staging(&mut self, target: &TargetTable, lease: &Lease) -> Result<()> {
        let failed = |error| target_error("remove the staging table", error);
        let schema = self.state_schema.clone();
        let transaction = self.begin().await.map_err(failed)?;
        if lease.still_stands(&transaction, &schema).await? {
            let drop =
                format!("DROP TABLE IF EXISTS {}, {}", helper_table(&schema, "staging", target), helper_table(&schema, "keys", target));
            transaction.batch_execute(&drop).await.map_err(failed)?;
        }
        transaction.commit().await.map_err(failed)
    }

    /// A load into the staging table.
    pub fn load_staging<'a>(&'a mut self, staging: &TargetTable, publication: &'a Publication) -> Load<'a> {
        let patience = self.patience();
        Load {
            within: Within::Session(self),
            patience,
            table: staging.clone(),
            columns: &publication.columns,
            key: publication.shown_key(),
            freeze: false,
        }
    }
}

impl Load<'_> {
    /// Copies batches in until their sender is gone, then asks `source_done` whether that was the end of the rows: only then is the last COPY
    /// ended, else it is given up.
    ///
    /// `on_batch` hears what was sent so far.
    ///
    /// # Errors
    /// The source's error where it has one, else the server's.
    pub async fn run<S>(
        &mut self,
        batches: &mut mpsc::Receiver<FilledBatch>,
        source_done: impl Future<Output = Result<S>>,
        mut on_batch: impl FnMut(Loaded),
    ) -> Result<(S, Loaded)> {
        let mut confirmed = 0;
        let mut sent = Loaded::default();
        let mut next = batches.recv().await;
        let summary = loop {
            if next.is_none() {
                break source_done.await?;
            }
            let mut open = self.open().await?;
            let mut batch = next.take();
            while let Some(filled) = batch.take() {
                sent.rows += filled.rows;
                sent.bytes += filled.buffer.len_u64();
                open.send(filled).await?;
                on_batch(sent);
                failpoint::reached("batch_sent");
                next = batches.recv().await;
                batch = if open.bytes < COPY_BYTES_MAX { next.take() } else { None };
            }
            if next.is_some() {
                confirmed += open.finish().await?;
                continue;
            }
            let summary = source_done.await?;
            confirmed += open.finish().await?;
            break summary;
        };
        if confirmed != sent.rows {
            return Err(SyncError::new(
                ErrorKind::Refused,
                format!("{} rows were sent to {} and PostgreSQL took {confirmed}", sent.rows, self.table),
            )
            .with_remedy("Look for triggers on it that leave rows out"));
        }
        Ok((summary, sent))
    }

    async fn open(&mut self) -> Result<OpenCopy<'_>> {
        let list = quoted_list("", self.columns.iter().map(String::as_str));
        let freeze = if self.freeze { ", FREEZE" } else { "" };
        let sql = format!("COPY {} ({list}) FROM STDIN (FORMAT binary{freeze})", self.table);
        let Self { within, patience, table, key, .. } = self;
        let opening = async {
            let (own, sink) = match within {
                Within::Session(session) => {
                    let own = session.begin().await?;
                    let sink = own.copy_in(&sql).await?;
                    (Some(own), sink)
                }
                Within::Transaction(transaction) => (None, transaction.copy_in(&sql).await?),
            };
            Ok((own, sink))
        };
        let (own, sink) = patience.wait(opening.map_err(|error| target_error(&format!("copy into {table}"), error))).await?;
        let mut open = OpenCopy { sink: Box::pin(sink), own, patience, table, key, bytes: 0 };
        open.send_bytes(PooledBuffer::detached(HEADER)).await?;
        Ok(open)
    }
}

/// A COPY under way; dropped, PostgreSQL is told to forget its rows.
struct OpenCopy<'a> {
    sink: std::pin::Pin<Box<CopyInSink<PooledBuffer>>>,
    /// The transaction that ends with it. It stands behind the sink, so that a COPY that is given up is told so first.
    own: Option<Transaction<'a>>,
    patience: &'a Patience,
    table: &'a TargetTable,
    key: &'a [String],
    bytes: u64,
}

impl OpenCopy<'_> {
    async fn send(&mut self, batch: FilledBatch) -> Result<()> {
        self.bytes += batch.buffer.len_u64();
        self.send_bytes(batch.buffer).await
    }

    async fn send_bytes(&mut self, bytes: PooledBuffer) -> Result<()> {
        let fed = self.patience.wait(async { Ok(self.sink.feed(bytes).await) }).await?;
        fed.map_err(|error| self.failed(error))
    }

    /// Ends the COPY; returns how many rows PostgreSQL took.
    async fn finish(mut self) -> Result<u64> {
        self.send_bytes(PooledBuffer::detached(TRAILER)).await?;
        let taken = self.patience.wait(async { Ok(self.sink.as_mut().finish().await) }).await?;
        let taken = taken.map_err(|error| self.failed(error))?;
        if let Some(own) = self.own.take() {
            self.patience.wait(async { own.commit().await.map_err(|error| self.failed(error)) }).await?;
        }
        Ok(taken)
    }

    fn failed(&self, error: tokio_postgres::Error) -> SyncError {
        keyed_target_error(&format!("copy into {}", self.table), self.key, error)
    }
}
