//! Full buffers from the source to the target: reading and encoding in one task, writing in another, a fixed number of buffers between them.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::copy::{BatchSink, FilledBatch, batches};
use crate::engine::broke_down::broke_down;
use crate::error::Result;
use crate::report::{Progress, ProgressEvent};
use crate::target::{Load, Loaded};

/// One is filled, one is written, two are on their way.
const BUFFERS: usize = 4;

/// Whom to tell how far a table is.
#[derive(Clone)]
pub(super) struct RowProgress {
    pub(super) progress: Arc<dyn Progress>,
    pub(super) table: String,
    /// Rows between two reports.
    pub(super) batch_size: u64,
}

/// Runs `read` in a task of its own and loads what it hands over. Returns what `read` returned and what was loaded.
///
/// # Errors
/// The source's error where it has one, else the target's. A source that panics (a driver may, on bytes it did not expect) is an error.
pub(super) async fn pump<S, F>(load: &mut Load<'_>, read: impl FnOnce(BatchSink) -> F, progress: &RowProgress) -> Result<(S, Loaded)>
where
    S: Send + 'static,
    F: Future<Output = Result<S>> + Send + 'static,
{
    let (sink, mut received): (BatchSink, mpsc::Receiver<FilledBatch>) = batches(BUFFERS);
    let reader = AbortOnDropHandle::new(tokio::spawn(read(sink)));
    let source_done = async { reader.await.unwrap_or_else(|failure| Err(broke_down("the source's reader broke down", &failure))) };
    let mut reported = 0;
    load.run(&mut received, source_done, |loaded| {
        if loaded.rows - reported >= progress.batch_size {
            reported = loaded.rows;
            progress.progress.on(&ProgressEvent::Rows { table: &progress.table, rows: loaded.rows, bytes: loaded.bytes });
        }
    })
    .await
}
