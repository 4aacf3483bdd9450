//! How long the target may keep an answer back: keepalives find a server that is gone, not one that is there and silent.

use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::error::{ErrorKind, Result, SyncError};

/// The limit of one session, and the connection that ends with it.
#[derive(Debug, Clone)]
pub struct Patience {
    limit: Duration,
    server: String,
    driver: AbortHandle,
}

impl Patience {
    pub(super) fn new(limit: Duration, server: String, driver: AbortHandle) -> Self {
        Self { limit, server, driver }
    }

    /// Waits for what the server is to answer. When it has not within the limit, the connection is given up: whatever else is asked of the session fails
    /// at once, and what its last statement came to must be looked up in another one.
    ///
    /// # Errors
    /// As `answer` has them, or [`ErrorKind::TargetWrite`] for the silence.
    pub async fn wait<T>(&self, answer: impl Future<Output = Result<T>>) -> Result<T> {
        match timeout(self.limit, Box::pin(answer)).await {
            Ok(answered) => answered,
            Err(_) => {
                self.driver.abort();
                let limit = humantime::format_duration(self.limit);
                Err(SyncError::new(ErrorKind::TargetWrite, format!("PostgreSQL {} has not answered for {limit}", self.server))
                    .with_remedy("TARGET_IDLE_TIMEOUT says how long it may take; a statement on a large table may need more"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn silence_ends_the_connection_and_an_answer_does_not() {
        let driver = tokio::spawn(std::future::pending::<()>());
        let patience = Patience::new(Duration::from_millis(90), "db:5432".to_owned(), driver.abort_handle());
        assert_eq!(patience.wait(async { Ok(7) }).await.unwrap(), 7);
        let silent = patience.wait(std::future::pending::<Result<()>>()).await.unwrap_err().to_string();
        assert!(silent.contains("PostgreSQL db:5432 has not answered for 90ms") && silent.contains("TARGET_IDLE_TIMEOUT"), "{silent}");
        assert!(driver.await.unwrap_err().is_cancelled());
    }
}
