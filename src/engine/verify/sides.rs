//! Both sides' rows as two streams that are read at the same time.

use std::sync::Arc;

use tokio_util::task::AbortOnDropHandle;

use super::ranges::RangeMap;
use crate::config::TableConfig;
use crate::copy::{CopyRow, Encoding, RowReader, batches};
use crate::engine::broke_down::broke_down;
use crate::engine::full_refresh::TableJob;
use crate::engine::incremental::{Horizon, keys_of};
use crate::engine::money::check_money;
use crate::engine::plan::{PlannedColumn, masked_warning, pair};
use crate::engine::reading::{Reading, read_options};
use crate::error::{ErrorKind, Result, SyncError};
use crate::sources::{Connection, DescribedTable, SelectColumn, Selection};
use crate::table::{KeyRanges, SubMicrosecond, Window};
use crate::target::Session;

/// One is filled, one is looked at, two are on their way.
const BUFFERS: usize = 4;

/// One table's two sides.
pub(super) struct Sides<'a> {
    job: &'a TableJob,
    session: Session,
    described: DescribedTable,
    /// The columns that are compared.
    pub(super) columns: Vec<PlannedColumn>,
    /// Positions of the key in `columns`.
    pub(super) key: Vec<usize>,
    /// How far the table is copied, where only what is new is brought; none where that cannot be told.
    pub(super) horizon: Option<Horizon>,
    /// The connection that described the source, for the first read.
    connection: Option<Connection>,
    /// Whether the source's text is read as its bytes.
    text_as_bytes: bool,
    /// Rows of the source that the last read put aside.
    pub(super) put_aside: usize,
}

impl<'a> Sides<'a> {
    /// Describes both sides and pairs their columns. From here on the target is seen as it is now.
    pub(super) async fn open(job: &'a TableJob) -> Result<Self> {
        let mut session = Session::open(&job.target, &application(job)).await?;
        let mut connection = connect(job).await?;
        let described = connection.describe(&job.config.sql_table).await?;
        let horizon = match &job.config.options.incremental {
            Some(sync) => job.horizon(&session, &mut connection, &described, sync).await?,
            None => None,
        };
        let patience = session.patience();
        patience.wait(session.begin_snapshot()).await?;
        let Some(target) = patience.wait(session.describe(&job.config.pg_table)).await? else {
            return Err(SyncError::new(ErrorKind::TargetSchema, format!("there is no table {} in the target", job.config.pg_table))
                .with_remedy("Sync the table first"));
        };
        let (columns, key) = pair(&job.config, described.description(), &target)?;
        check_money(&session, described.description(), &columns).await?;
        let horizon = horizon.filter(|_| !key.is_empty());
        Ok(Self { job, session, described, columns, key, horizon, connection: Some(connection), text_as_bytes: false, put_aside: 0 })
    }

    /// The source's row count, an estimate.
    pub(super) fn rows_estimate(&self) -> Option<u64> {
        self.described.description().rows_estimate
    }

    /// Which columns the login sees masked.
    pub(super) fn masked_warning(&self) -> Option<String> {
        masked_warning(self.described.description(), &self.columns)
    }

    /// How the leading column of the key can be divided into ranges; none where source and target may order it differently.
    pub(super) async fn range_map(&self) -> Result<Option<RangeMap>> {
        let Some((position, column)) = self.key.first().and_then(|first| Some((*first, self.columns.get(*first)?))) else {
            return Ok(None);
        };
        let source = self.described.description().columns.iter().find(|source| source.name == column.source);
        let ends = self.session.ends(&self.job.config.pg_table, &column.target, column.encoding);
        // Rounding may carry a moment into the next day, and so into another range than the source sees it in.
        let rounded =
            self.job.config.options.on_submicrosecond == SubMicrosecond::Round && matches!(column.encoding, Encoding::Timestamp { .. });
        // Where the ends cannot be told from the form, the server need not be asked.
        let probe = source.and_then(|source| RangeMap::new(position, column, source, (0, 0)));
        match (source, probe) {
            (Some(source), Some(_)) if !rounded => Ok(ends.await?.and_then(|ends| RangeMap::new(position, column, source, ends))),
            _ => Ok(None),
        }
    }

    /// Whether reports show a hash in place of a key.
    pub(super) fn hides_keys(&self) -> bool {
        self.job.config.options.hash_keys
    }

    /// Counts both sides without reading their rows.
    pub(super) async fn count(&self) -> Result<(u64, u64)> {
        let mut connection = connect(self.job).await?;
        let patience = self.session.patience();
        let (source, target) =
            tokio::try_join!(connection.count(&self.job.config.sql_table), patience.wait(self.session.count(&self.job.config.pg_table)))?;
        Ok((source, target.unwrap_or(0)))
    }

    /// From here on the source's text is read as its bytes: the driver's could not be relied on.
    pub(super) fn read_text_as_bytes(&mut self) {
        self.text_as_bytes = true;
    }

    /// Shows each side's rows, those in `ranges` where there are any, to whom they concern.
    ///
    /// # Errors
    /// The source's error where it has one, else the target's.
    pub(super) async fn read(
        &mut self,
        ranges: Option<&KeyRanges>,
        on_source: impl FnMut(CopyRow<'_>),
        on_target: impl FnMut(CopyRow<'_>),
    ) -> Result<()> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(self.job).await?,
        };
        let names: Vec<_> = self.columns.iter().map(|column| column.target.clone()).collect();
        let selection = self.selection(ranges);
        let source = read_source(connection, self, selection, on_source);
        let target = self.session.read_out(&self.job.config.pg_table, &names, ranges, on_target);
        let (put_aside, ()) = tokio::try_join!(source, target)?;
        self.put_aside = put_aside;
        Ok(())
    }

    /// Shows the keys of the source's rows in a window; of rows beyond `ranges` there may be some, too.
    pub(super) async fn read_keys(&self, window: Window, ranges: Option<&KeyRanges>, on_row: impl FnMut(CopyRow<'_>)) -> Result<()> {
        let connection = connect(self.job).await?;
        read_source(connection, self, keys_of(self.selection(ranges), Some(window)), on_row).await?;
        Ok(())
    }

    fn selection(&self, ranges: Option<&KeyRanges>) -> Selection {
        Selection { ranges: ranges.cloned().map(Arc::new), ..selection(&self.job.config, &self.columns, &self.key) }
    }

    /// Whether only what is new is brought, and no run has brought a row yet.
    pub(super) fn never_synced(&self) -> bool {
        self.horizon.is_none() && self.job.config.options.incremental.is_some()
    }

    /// Ends the target's snapshot; the session ends with this.
    pub(super) async fn close(mut self) -> Result<()> {
        self.session.patience().wait(self.session.end_snapshot()).await
    }

    /// Makes the target give up a read that nobody wants any more.
    pub(super) async fn cancel(&self) {
        self.session.cancel().await;
    }
}

async fn connect(job: &TableJob) -> Result<Connection> {
    let config = &job.config;
    let database = job.source.database_for(config);
    let mut connection = Connection::open(&job.source, database, job.run.source_idle_timeout, &application(job)).await?;
    connection.isolate(config.options.isolation, config.sql_table.database.as_deref()).await?;
    Ok(connection)
}

async fn read_source(
    connection: Connection,
    sides: &Sides<'_>,
    selection: Selection,
    mut on_row: impl FnMut(CopyRow<'_>),
) -> Result<usize> {
    let (sink, mut received) = batches(BUFFERS);
    let columns = selection.columns.len();
    let (described, options) = (sides.described.clone(), read_options(&sides.job.config, sides.text_as_bytes));
    let reader = AbortOnDropHandle::new(tokio::spawn(Reading { connection, described, selection, options }.run(sink)));
    let mut rows = RowReader::new(columns);
    let broken = |what: String| SyncError::new(ErrorKind::Internal, format!("the source's rows could not be compared: {what}"));
    while let Some(batch) = received.recv().await {
        rows.each(bytes::Buf::chunk(&batch.buffer), &mut on_row).map_err(|error| broken(error.to_string()))?;
        tokio::task::yield_now().await;
    }
    reader
        .await
        .unwrap_or_else(|failure| Err(broke_down("the source's rows could not be compared: their reader broke down", &failure)))
        .map(|(summary, _)| summary.bad_rows.len())
}

fn selection(config: &TableConfig, columns: &[PlannedColumn], key: &[usize]) -> Selection {
    // A NULL that the target does not take is a difference like any other.
    let select = |column: &PlannedColumn| SelectColumn {
        name: column.source.clone(),
        part: column.part,
        cast: column.cast.clone(),
        encoding: column.encoding,
        required: false,
    };
    Selection {
        table: config.sql_table.clone(),
        columns: columns.iter().map(select).collect(),
        key: key.to_vec(),
        isolation: config.options.isolation,
        time_zone: config.options.source_time_zone.clone(),
        ranges: None,
        window: None,
    }
}

/// What both servers show of the session; PostgreSQL keeps 63 bytes.
fn application(job: &TableJob) -> String {
    let name = format!("tablesync verify {} {}", job.run.run_id.simple(), job.config.name);
    name.char_indices().take_while(|(at, c)| at + c.len_utf8() <= 63).map(|(_, c)| c).collect()
}
