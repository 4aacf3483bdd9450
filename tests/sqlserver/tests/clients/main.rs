//! What the stand-in sends, read by three clients that know nothing of it.
//! A tool that is missing is a failure.

mod faults;
mod freetds;
mod planted;
mod pymssql;
mod tiberius;
