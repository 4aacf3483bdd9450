//! A fixed number of buffers that travel full to the target and come back empty: what bounds memory and gives back-pressure.

use bytes::Buf;
use tokio::sync::mpsc;

/// Bytes a buffer is filled to before it is handed over.
pub const BUFFER_BYTES: usize = 256 * 1024;
/// A buffer that one huge value has stretched beyond this is given back to the allocator.
const KEEP_BYTES_MAX: usize = 4 * BUFFER_BYTES;

/// Rows on their way: whole rows in COPY form, without header and trailer.
#[derive(Debug)]
pub struct Batch {
    /// The rows.
    pub bytes: Vec<u8>,
    /// How many.
    pub rows: u64,
}

/// A batch as the target receives it.
#[derive(Debug)]
pub struct FilledBatch {
    /// The rows; their buffer goes back to the pool when this is dropped.
    pub buffer: PooledBuffer,
    /// How many.
    pub rows: u64,
}

/// Where a source takes empty buffers from and hands filled ones over; there are never more than [`batches`] was told.
#[derive(Debug)]
pub struct BatchSink {
    empty: mpsc::UnboundedReceiver<Vec<u8>>,
    give_back: mpsc::UnboundedSender<Vec<u8>>,
    filled: mpsc::Sender<FilledBatch>,
}

/// A sink with `buffers` buffers, allocated when first used, and the other end.
pub fn batches(buffers: usize) -> (BatchSink, mpsc::Receiver<FilledBatch>) {
    let (give_back, empty) = mpsc::unbounded_channel();
    let (filled, received) = mpsc::channel(buffers);
    for _ in 0..buffers {
        // The receiver is in hand, so the channel is open.
        let _ = give_back.send(Vec::new());
    }
    (BatchSink { empty, give_back, filled }, received)
}

impl BatchSink {
    /// Waits for an empty buffer.
    pub async fn take(&mut self) -> Vec<u8> {
        let mut buffer = self.empty.recv().await.unwrap_or_default();
        buffer.reserve(BUFFER_BYTES + BUFFER_BYTES / 8);
        buffer
    }

    /// Hands a filled buffer over.
    ///
    /// # Errors
    /// When nobody receives any more.
    pub async fn hand_over(&self, batch: Batch) -> Result<(), Disconnected> {
        let buffer = PooledBuffer { bytes: batch.bytes, position: 0, give_back: Some(self.give_back.clone()) };
        self.filled.send(FilledBatch { buffer, rows: batch.rows }).await.map_err(|_| Disconnected)
    }
}

/// The other end is gone.
#[derive(Debug, Clone, Copy)]
pub struct Disconnected;

/// Bytes for a COPY stream; where they came from a pool, the buffer goes back there when it has been sent.
#[derive(Debug)]
pub struct PooledBuffer {
    bytes: Vec<u8>,
    position: usize,
    give_back: Option<mpsc::UnboundedSender<Vec<u8>>>,
}

impl PooledBuffer {
    /// Bytes that belong to no pool.
    pub fn detached(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), position: 0, give_back: None }
    }

    /// The bytes left to send.
    pub fn len_u64(&self) -> u64 {
        // No machine has more than 64 bits.
        u64::try_from(self.remaining()).unwrap_or(u64::MAX)
    }
}

impl Buf for PooledBuffer {
    fn remaining(&self) -> usize {
        self.bytes.len() - self.position
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes[self.position..]
    }

    fn advance(&mut self, count: usize) {
        self.position += count;
    }
}

impl Drop for PooledBuffer {
    fn drop(&mut self) {
        let Some(give_back) = self.give_back.take() else { return };
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        if bytes.capacity() > KEEP_BYTES_MAX {
            bytes = Vec::new();
        }
        // The pool may be gone: then nobody wants the buffer.
        let _ = give_back.send(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_buffer_comes_back_empty_when_its_reader_drops_it() {
        let (mut sink, mut received) = batches(1);
        let mut bytes = sink.take().await;
        bytes.extend_from_slice(b"row");
        sink.hand_over(Batch { bytes, rows: 1 }).await.unwrap();
        assert!(sink.empty.try_recv().is_err());
        let batch = received.recv().await.unwrap();
        assert_eq!((batch.buffer.chunk(), batch.rows), (&b"row"[..], 1));
        drop(batch);
        assert!(sink.take().await.is_empty());
    }
}
