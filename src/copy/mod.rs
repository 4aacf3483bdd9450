//! PostgreSQL's binary COPY format, as pure bytes.
//!
//! A stream is a header, rows, and a trailer; a row is an `i16` field count and its fields; a field is an `i32` byte length (-1 for NULL) and
//! the type's binary form: <https://www.postgresql.org/docs/current/sql-copy.html>. All integers are big-endian.

mod canonical;
mod check;
mod encoding;
mod field;
mod json;
mod numeric;
mod pool;
mod reader;
mod spatial;
pub mod temporal;
mod text;
mod writer;

pub use canonical::Canonical;
pub use check::{check_limits, has_limits};
pub use encoding::Encoding;
pub use field::{ordinal, shown};
pub use pool::{BUFFER_BYTES, Batch, BatchSink, FilledBatch, PooledBuffer, batches};
pub use reader::{CopyRow, RowError, RowReader, StreamReader};
pub use writer::{CellError, HEADER, RowWriter, TRAILER};
