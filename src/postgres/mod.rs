//! What a PostgreSQL is to whoever connects to it, be it a source or the target: logging in, TLS, and what its errors say.

mod connect;
mod error;
mod tls;

pub use connect::{ConnectLimit, Connected, connect};
pub use error::{Cause, Side, code_of, is_of_a_value, passing};

/// Asks how many decimal digits `money` has: its numbers count the smallest part of a currency, and which that is `lc_monetary` says.
pub const MONEY_DIGITS: &str = "SELECT pg_catalog.length(pg_catalog.split_part(0::pg_catalog.money::numeric::text, '.', 2))";
