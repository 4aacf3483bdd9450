//! The T-SQL this server understands: statements, queries, expressions.

pub(crate) mod batch;
pub(crate) mod bind;
pub(crate) mod error;
pub(crate) mod expr;
pub(crate) mod fast;
pub(crate) mod functions;
pub(crate) mod options;
mod refuse;
pub(crate) mod select;
