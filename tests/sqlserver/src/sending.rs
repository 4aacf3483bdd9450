//! Results on their way to the client: rows as they are computed, faults where a table has one, and an ear for the client's attention.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::data::Rows;
use crate::faults::{Fault, Faults};
use crate::handle::TableHandle;
use crate::session::{Client, Stop};
use crate::sql::error::SqlError;
use crate::sql::expr::Expr;
use crate::sql::fast::FastRows;
use crate::sql::select::{Output, Query, Scan};
use crate::types::value::Value;
use crate::wire::encode::{put_columns, put_row};
use crate::wire::packet::{self, RESPONSE};

/// Bytes gathered before a write to the socket.
const WRITE_BYTES: usize = 128 << 10;

/// Rows of a scan, of which no more is computed than is asked for: stored ones are borrowed, generated ones filled in where the filter has let them pass.
struct RowReader<'a> {
    scan: &'a Scan,
    filtered: Vec<usize>,
    projected: Vec<usize>,
    row: Vec<Value>,
}

impl<'a> RowReader<'a> {
    fn new(scan: &'a Scan) -> Self {
        let columns_of = |expressions: &mut dyn Iterator<Item = &Expr>| {
            let mut read = Vec::new();
            expressions.for_each(|expr| expr.columns(&mut read));
            read.sort_unstable();
            read.dedup();
            read
        };
        RowReader {
            scan,
            filtered: columns_of(&mut scan.filter.iter()),
            projected: columns_of(&mut scan.projection.iter()),
            row: vec![Value::Null; scan.table.columns.len()],
        }
    }

    /// The row at this place, if the filter lets it pass.
    fn row(&mut self, at: u64) -> Result<Option<&[Value]>, SqlError> {
        let passes = |row: &[Value]| self.scan.filter.as_ref().map_or(Ok(true), |filter| Ok(filter.truth(row)? == Some(true)));
        if let Rows::Stored(rows) = &self.scan.table.rows {
            let row = rows.get(at as usize).map(Vec::as_slice).unwrap_or_default();
            return passes(row).map(|passes| passes.then_some(row));
        }
        for &column in &self.filtered {
            self.row[column] = self.scan.table.rows.value(at, column);
        }
        if !passes(&self.row)? {
            return Ok(None);
        }
        for &column in &self.projected {
            self.row[column] = self.scan.table.rows.value(at, column);
        }
        Ok(Some(&self.row))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Client<S> {
    pub(crate) async fn send(&mut self, query: Query, more: bool) -> Result<(), Stop> {
        put_columns(&mut self.body, &query.columns);
        let rows = match query.rows {
            _ if self.metadata_only => 0,
            Output::Ready(rows, faults) => {
                let start = self.sent + self.body.len() as u64;
                for (sent, row) in (0..).zip(&rows) {
                    if let Some(faults) = faults.as_ref().filter(|faults| faults.armed()) {
                        self.fault(faults, sent, start).await?;
                    }
                    put_row(&mut self.body, &query.columns, row);
                    self.flush(false).await?;
                }
                if let Some(faults) = faults.as_ref().filter(|faults| faults.armed()) {
                    self.fault(faults, rows.len() as u64, start).await?;
                }
                rows.len() as u64
            }
            Output::Scan(ref scan) => self.scan(scan, &query).await?,
        };
        self.shared.count_rows(rows);
        self.session.last_rows = rows as i64;
        self.done(more, Some(rows));
        Ok(())
    }

    async fn scan(&mut self, scan: &Scan, query: &Query) -> Result<u64, Stop> {
        let fast = FastRows::of(scan, &query.columns);
        let mut rows = 0;
        let mut row: Vec<Value> = Vec::new();
        let mut reader = RowReader::new(scan);
        let faults = &scan.table.faults;
        let start = self.sent + self.body.len() as u64;
        for at in scan.range.clone() {
            if rows >= scan.limit {
                break;
            }
            if faults.armed() {
                self.fault(faults, rows, start).await?;
            }
            if let Some(fast) = &fast {
                fast.put(&mut self.body, at);
            } else {
                let Some(source) = reader.row(at)? else {
                    continue;
                };
                row.clear();
                for expr in &scan.projection {
                    row.push(expr.eval(source)?);
                }
                put_row(&mut self.body, &query.columns, &row);
            }
            rows += 1;
            if faults.armed() && matches!(faults.get(), Some(Fault::RepeatRow(repeated)) if repeated + 1 == rows) {
                match &fast {
                    Some(fast) => fast.put(&mut self.body, at),
                    None => put_row(&mut self.body, &query.columns, &row),
                }
                rows += 1;
                faults.struck();
            }
            if self.body.len() > WRITE_BYTES {
                self.flush(true).await?;
            }
        }
        if faults.armed() {
            self.fault(faults, rows, start).await?;
        }
        Ok(rows)
    }

    /// What the table's fault does at this row; `start` is where the answer began.
    async fn fault(&mut self, faults: &Arc<Faults>, rows: u64, start: u64) -> Result<(), Stop> {
        match faults.get() {
            Some(Fault::CutAfterRows(limit)) if rows >= limit => {
                faults.struck();
                self.flush(true).await?;
                Err(Stop::Closed)
            }
            Some(Fault::CutAfterBytes(limit)) if self.sent + self.body.len() as u64 - start >= limit => {
                faults.struck();
                let excess = (self.sent + self.body.len() as u64 - start - limit) as usize;
                self.body.truncate(self.body.len().saturating_sub(excess));
                self.flush(true).await?;
                Err(Stop::Closed)
            }
            Some(Fault::StallAfterRows(limit)) if rows >= limit => {
                faults.struck();
                self.flush(true).await?;
                match self.requests.recv().await {
                    Some((packet::ATTENTION, _)) => Err(Stop::Cancelled),
                    _ => Err(Stop::Closed),
                }
            }
            Some(Fault::ChangeAfterRows(limit, change)) if rows >= limit => {
                self.flush(true).await?;
                faults.set(None, None);
                if let Some(table) = TableHandle::of_faults(&self.shared, faults) {
                    (change.0)(&table);
                }
                Ok(())
            }
            Some(Fault::ErrorAfterRows(limit, error)) if rows >= limit => {
                faults.struck();
                Err(error.into())
            }
            Some(Fault::DelayPerRow(delay)) => {
                self.flush(true).await?;
                self.wait(delay).await
            }
            _ => Ok(()),
        }
    }

    /// Waits, unless the client gives up first.
    pub(crate) async fn wait(&mut self, delay: Duration) -> Result<(), Stop> {
        tokio::select! {
            () = tokio::time::sleep(delay) => Ok(()),
            request = self.requests.recv() => match request {
                Some((packet::ATTENTION, _)) => Err(Stop::Cancelled),
                _ => Err(Stop::Closed),
            },
        }
    }

    /// Sends the full packets, and looks whether the client has cancelled.
    async fn flush(&mut self, now: bool) -> Result<(), Stop> {
        if !now && self.body.len() < WRITE_BYTES {
            return Ok(());
        }
        self.sent += self.body.len() as u64;
        self.packets.cut(RESPONSE, &mut self.body, false);
        self.sent -= self.body.len() as u64;
        self.stream.write_all(&self.packets.ready).await?;
        self.packets.ready.clear();
        self.stream.flush().await?;
        match self.requests.try_recv() {
            Ok((packet::ATTENTION, _)) => Err(Stop::Cancelled),
            Ok(_) | Err(mpsc::error::TryRecvError::Disconnected) => Err(Stop::Closed),
            Err(mpsc::error::TryRecvError::Empty) => Ok(()),
        }
    }
}
