//! The T-SQL this server understands: statements, queries, expressions.

pub(crate) mod batch;
pub(crate) mod bind;
mod changes;
mod collect;
mod dates;
pub(crate) mod error;
pub(crate) mod expr;
pub(crate) mod fast;
pub(crate) mod functions;
mod join;
mod methods;
pub(crate) mod options;
mod range;
mod refuse;
pub(crate) mod select;
mod settle;
