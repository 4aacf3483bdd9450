//! SIGINT and SIGTERM: the first asks the run to stop, a second SIGINT ends the process at once.

use std::sync::{Arc, OnceLock};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::warn;

use crate::engine::{Stop, StopReason};

const INTERRUPTED: u8 = 130;
const TERMINATED: u8 = 143;

/// Watches for signals as long as the process runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Signals {
    code: Arc<OnceLock<u8>>,
}

impl Signals {
    /// Begins to watch; from here on a signal requests `stop`.
    pub(super) fn watch(stop: Stop) -> Self {
        let signals = Self::default();
        match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
            (Ok(interrupt), Ok(terminate)) => drop(tokio::spawn(signals.clone().listen(stop, interrupt, terminate))),
            (Err(error), _) | (_, Err(error)) => warn!(%error, "signals cannot be watched: Ctrl-C will end the process without a summary"),
        }
        signals
    }

    /// The exit code of the first signal, if one came.
    pub(super) fn exit_code(&self) -> Option<u8> {
        self.code.get().copied()
    }

    async fn listen(self, stop: Stop, mut interrupt: Signal, mut terminate: Signal) {
        loop {
            let (code, name) = tokio::select! {
                Some(()) = interrupt.recv() => (INTERRUPTED, "SIGINT"),
                Some(()) = terminate.recv() => (TERMINATED, "SIGTERM"),
                else => return,
            };
            if code == INTERRUPTED && self.exit_code().is_some() {
                std::process::exit(i32::from(INTERRUPTED));
            }
            if self.code.set(code).is_ok() {
                warn!("{name}: stopping; a table under way is rolled back (another Ctrl-C exits at once)");
            }
            stop.request(StopReason::Cancelled);
        }
    }
}
