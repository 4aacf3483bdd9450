//! What a PostgreSQL is to whoever connects to it, be it a source or the target: logging in, TLS, and what its errors say.

mod connect;
mod error;
mod tls;

pub use connect::{ConnectLimit, Connected, connect};
pub use error::{Cause, Side, code_of, is_of_a_value, passing};
