//! Plans and runs refreshes: what to do with each table, in which order, and what came of it.

mod stop;

pub use stop::{Stop, StopReason};
