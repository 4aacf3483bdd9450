//! A transaction of a session.

use bytes::Buf;
use futures_util::FutureExt;
use tokio_postgres::{Client, CopyInSink, Error, Row};

use super::parameter::{Parameter, typed};

/// A transaction under way, or a savepoint within one; dropped before it is committed, it is rolled back.
///
/// No statement is prepared under a name, except a COPY, which the driver closes again before the COMMIT is sent: a connection that goes back to a
/// pool is as it came.
pub(in crate::target) struct Transaction<'a> {
    client: &'a Client,
    /// How many savepoints deep.
    depth: u32,
    open: bool,
}

impl<'a> Transaction<'a> {
    /// Begins one with `begin`: BEGIN and the settings, one round trip.
    pub(super) async fn begin(client: &'a Client, begin: &str) -> Result<Self, Error> {
        // Made before it is begun: a caller that is no longer interested leaves no transaction behind.
        let transaction = Self { client, depth: 0, open: true };
        client.batch_execute(begin).await?;
        Ok(transaction)
    }

    pub(in crate::target) async fn query(&self, sql: &str, parameters: &[&dyn Parameter]) -> Result<Vec<Row>, Error> {
        self.client.query_typed(sql, &typed(parameters)).await
    }

    pub(in crate::target) async fn query_one(&self, sql: &str, parameters: &[&dyn Parameter]) -> Result<Row, Error> {
        self.client.query_typed_one(sql, &typed(parameters)).await
    }

    pub(in crate::target) async fn query_opt(&self, sql: &str, parameters: &[&dyn Parameter]) -> Result<Option<Row>, Error> {
        self.client.query_typed_opt(sql, &typed(parameters)).await
    }

    /// Returns how many rows were touched.
    pub(in crate::target) async fn execute(&self, sql: &str, parameters: &[&dyn Parameter]) -> Result<u64, Error> {
        self.client.execute_typed(sql, &typed(parameters)).await
    }

    /// Statements without parameters, whose rows nobody wants.
    pub(in crate::target) async fn batch_execute(&self, sql: &str) -> Result<(), Error> {
        self.client.batch_execute(sql).await
    }

    pub(in crate::target) async fn copy_in<B: Buf + Send + 'static>(&self, sql: &str) -> Result<CopyInSink<B>, Error> {
        self.client.copy_in(sql).await
    }

    /// A savepoint, to which what follows can be undone.
    pub(in crate::target) async fn savepoint(&mut self) -> Result<Transaction<'_>, Error> {
        let savepoint = Transaction { client: self.client, depth: self.depth + 1, open: true };
        self.client.batch_execute(&format!("SAVEPOINT s{}", savepoint.depth)).await?;
        Ok(savepoint)
    }

    pub(in crate::target) async fn commit(mut self) -> Result<(), Error> {
        self.open = false;
        match self.depth {
            0 => self.client.batch_execute("COMMIT").await,
            depth => self.client.batch_execute(&format!("RELEASE SAVEPOINT s{depth}")).await,
        }
    }

    pub(in crate::target) async fn rollback(mut self) -> Result<(), Error> {
        self.open = false;
        self.client.batch_execute(&self.undo()).await
    }

    fn undo(&self) -> String {
        match self.depth {
            0 => "ROLLBACK".to_owned(),
            depth => format!("ROLLBACK TO SAVEPOINT s{depth}"),
        }
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.open {
            // The driver sends at the first poll; the answer is nobody's concern.
            let _ = self.client.batch_execute(&self.undo()).now_or_never();
        }
    }
}
