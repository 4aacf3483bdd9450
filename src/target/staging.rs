//! Rows on their way in: the staging table, and the COPY that fills it (or, for a straight load, the target itself).

use futures_util::SinkExt;
use tokio::sync::mpsc;
use tokio_postgres::{Client, CopyInSink};

use super::error::{keyed_target_error, target_error};
use super::patience::Patience;
use super::publish::Publication;
use super::session::Session;
use super::state::helper_table;
use crate::copy::{FilledBatch, HEADER, PooledBuffer, TRAILER};
use crate::error::{ErrorKind, Result, SyncError};
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
#[derive(Debug)]
pub struct Load<'a> {
    pub(super) client: &'a Client,
    pub(super) patience: Patience,
    pub(super) table: TargetTable,
    pub(super) columns: &'a [String],
    /// The key among them, for messages.
    pub(super) key: &'a [String],
    /// The table was made in this very transaction, so its rows can be frozen at once.
    pub(super) freeze: bool,
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
        let staging = self.staging_of(target);
        let list = publication.staged_columns();
        let sql = format!(
            "DROP TABLE IF EXISTS {staging}; CREATE UNLOGGED TABLE {staging} WITH (autovacuum_enabled = false) AS SELECT {list} FROM {target} WITH NO DATA"
        );
        self.client.batch_execute(&sql).await.map_err(|error| target_error("make the staging table", error))?;
        Ok(staging)
    }

    /// Removes a staging table.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn drop_staging(&self, staging: &TargetTable) -> Result<()> {
        let sql = format!("DROP TABLE IF EXISTS {staging}");
        self.client.batch_execute(&sql).await.map_err(|error| target_error("remove the staging table", error))
    }

    /// The name of the staging table of `target`.
    fn staging_of(&self, target: &TargetTable) -> TargetTable {
        helper_table(&self.state_schema, "staging", target)
    }

    /// Removes the staging table of `target`, if there is one.
    ///
    /// # Errors
    /// As the server answers.
    pub async fn drop_staging_of(&self, target: &TargetTable) -> Result<()> {
        self.drop_staging(&self.staging_of(target)).await
    }

    /// A load into the staging table.
    pub fn load_staging<'a>(&'a self, staging: &TargetTable, publication: &'a Publication) -> Load<'a> {
        let patience = self.patience();
        Load {
            client: &self.client,
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
        &self,
        batches: &mut mpsc::Receiver<FilledBatch>,
        source_done: impl Future<Output = Result<S>>,
        mut on_batch: impl FnMut(Loaded),
    ) -> Result<(S, Loaded)> {
        let mut confirmed = 0;
        let mut sent = Loaded::default();
        let mut copy = None;
        while let Some(batch) = batches.recv().await {
            let mut open = match copy.take() {
                Some(open) => open,
                None => self.open().await?,
            };
            sent.rows += batch.rows;
            sent.bytes += batch.buffer.len_u64();
            open.send(batch).await?;
            on_batch(sent);
            if open.bytes < COPY_BYTES_MAX {
                copy = Some(open);
            } else {
                confirmed += open.finish().await?;
            }
        }
        let summary = source_done.await?;
        if let Some(open) = copy {
            confirmed += open.finish().await?;
        }
        if confirmed != sent.rows {
            return Err(SyncError::new(
                ErrorKind::Refused,
                format!("{} rows were sent to {} and PostgreSQL took {confirmed}", sent.rows, self.table),
            ));
        }
        Ok((summary, sent))
    }

    async fn open(&self) -> Result<OpenCopy<'_>> {
        let list = quoted_list("", self.columns.iter().map(String::as_str));
        let freeze = if self.freeze { ", FREEZE" } else { "" };
        let sql = format!("COPY {} ({list}) FROM STDIN (FORMAT binary{freeze})", self.table);
        let sink = self
            .patience
            .wait(async { self.client.copy_in(&sql).await.map_err(|error| target_error(&format!("copy into {}", self.table), error)) })
            .await?;
        let mut open = OpenCopy { sink: Box::pin(sink), patience: &self.patience, table: &self.table, key: self.key, bytes: 0 };
        open.send_bytes(PooledBuffer::detached(HEADER)).await?;
        Ok(open)
    }
}

/// A COPY under way; dropped, PostgreSQL is told to forget its rows.
struct OpenCopy<'a> {
    sink: std::pin::Pin<Box<CopyInSink<PooledBuffer>>>,
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
        taken.map_err(|error| self.failed(error))
    }

    fn failed(&self, error: tokio_postgres::Error) -> SyncError {
        keyed_target_error(&format!("copy into {}", self.table), self.key, error)
    }
}
