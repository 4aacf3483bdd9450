//! PostgreSQL as a source.
//!
//! Everything a connection is asked happens in one transaction that reads one snapshot: what the catalogue says and what the rows are belong together.
//! A table's catalogue rows become a description ([`catalog`], [`types`]), a selection one COPY ([`select`]), and the rows of that are handed on as they
//! come, byte for byte ([`copy_out`]).

mod bad_cast;
mod catalog;
mod client;
mod copy_out;
mod definition;
mod error;
mod limits;
mod progress;
mod select;
mod types;
mod window;

pub use client::Connection;
