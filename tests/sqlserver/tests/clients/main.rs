//! What the stand-in sends, read by three clients that know nothing of it.
//! A tool that is missing is a failure.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::large_futures,
    reason = "a test may stop where it stands; clippy's own exception does not reach helpers and async bodies"
)]

mod catalogue;
mod changes;
mod expressions;
mod faults;
mod freetds;
mod histories;
mod memory;
mod planted;
mod pymssql;
mod refusals;
mod tiberius;
mod variants;
