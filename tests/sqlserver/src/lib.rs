//! A stand-in for SQL Server: speaks TDS 7.4 on 127.0.0.1 and answers the T-SQL
//! that tools and drivers send when they read tables. It is a test double:
//! typed tables in memory or computed row by row, and faults on demand. What it
//! does not know is an error, as on the server it stands in for.
//!
//! `wire` is bytes, `types` is values, `data` is tables, `catalog` the system
//! views, `sql` statements and expressions; `connection` logs a client in,
//! `session` answers it and `sending` streams the rows; `server`, `handle`,
//! `transaction`, `tracking`, `clock` and `drift` are what a test holds.

mod account;
mod catalog;
mod clock;
mod connection;
mod data;
mod drift;
mod emit;
mod faults;
mod handle;
mod rpc;
mod sending;
mod server;
mod session;
mod sql;
mod tls;
mod tracking;
mod transaction;
mod types;
mod wire;

pub use clock::Clock;
pub use data::builder::TableDef;
pub use data::definition::{ForeignKeyDef, IndexDef};
pub use faults::{Change, Fault, LoginFault};
pub use handle::TableHandle;
pub use server::{Builder, StandIn, Stats, TlsMode};
pub use sql::error::SqlError;
pub use transaction::Transaction;
pub use types::spatial::Spatial;
pub use types::value::Value;
