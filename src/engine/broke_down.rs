//! A task that panicked, as an error.

use tokio::task::JoinError;

use crate::error::{ErrorKind, SyncError};

/// A defect: `sentence` says what broke down. The driver's own text has the panic's message, which may quote a value or a secret; the place is in the log.
pub(super) fn broke_down(sentence: &str, failure: &JoinError) -> SyncError {
    let cause = if failure.is_panic() { "a task panicked, see the line before" } else { "a task was given up" };
    SyncError::new(ErrorKind::Internal, sentence).with_cause(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_panic_says_is_not_told() {
        let failure = tokio::spawn(async { panic!("canary") }).await.unwrap_err();
        let error = broke_down("the refresh broke down", &failure);
        assert!(!format!("{error:?} {error} {}", error.chain()).contains("canary"), "{error:?}");
    }
}
