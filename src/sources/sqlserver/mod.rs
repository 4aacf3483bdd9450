//! SQL Server as a source: the only place with `tiberius`.
//!
//! A table's catalogue rows become a description ([`catalog`]), each column's type a value kind and a SELECT expression ([`types`], [`select`]), and
//! the rows of one streaming SELECT become COPY buffers ([`read`], [`decode`], [`cell`]).

mod catalog;
mod cell;
mod certificate;
mod client;
mod decode;
mod error;
mod range;
mod read;
mod select;
mod types;

pub use client::Connection;
pub use decode::{ColumnDecoder, RowDecoder};
pub use read::ReadSummary;
pub use select::{SelectColumn, Selection};
pub use types::SqlServerTable;
