//! SQL Server as a source: the only place with `tiberius`.
//!
//! A table's catalogue rows become a description ([`catalog`]), each column's type a value kind and a SELECT expression ([`types`], [`select`]), and
//! the rows of one streaming SELECT become COPY buffers ([`read`], [`decode`], [`cell`]).
//! Text that the driver could not decode is read again as its bytes ([`read_again`], [`text`]); rows that the target cannot hold are put aside ([`aside`]).

mod aside;
mod catalog;
mod cell;
mod certificate;
mod client;
mod connect;
mod decode;
mod error;
mod progress;
mod range;
mod read;
mod read_again;
mod select;
mod shown;
mod text;
mod types;
mod window;

pub use client::Connection;
pub use read::wants_text_as_bytes;
pub use types::SqlServerTable;
