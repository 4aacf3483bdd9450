//! tablesync brings SQL Server tables into PostgreSQL.
//!
//! An event becomes a request, a request becomes a plan, a plan reads a source as a stream of rows, the rows are encoded into
//! PostgreSQL's binary COPY, the target makes them visible in one transaction, and a report says what happened.
//!
//! The modules, from the top down; each imports only from the ones below it and from its own folder:
//!
//! | level | modules |
//! |---|---|
//! | 7 | [`lambda`], [`cli`]: payloads and arguments to a request, a report to envelopes, bodies and exit codes |
//! | 6 | [`app`]: the composition root |
//! | 5 | [`engine`]: plan, run, full refresh, pump |
//! | 4 | [`sources`], [`target`]: the two ends |
//! | 3 | [`report`]: what happened |
//! | 2 | [`request`]: what was asked; [`aws`]: secrets and objects; [`postgres`]: what both ends share of it |
//! | 1 | [`copy`], [`config`]: the format, the settings |
//! | 0 | [`table`], [`error`], [`tls`], [`failpoint`]: the vocabulary; certificates; where tests break in |
#![forbid(unsafe_code)]

pub mod app;
pub mod aws;
pub mod cli;
pub mod config;
pub mod copy;
pub mod engine;
pub mod error;
pub mod failpoint;
pub mod lambda;
pub mod postgres;
#[cfg(test)]
mod reference;
pub mod report;
pub mod request;
pub mod sources;
pub mod table;
pub mod target;
pub mod tls;
