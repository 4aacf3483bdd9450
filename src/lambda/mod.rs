//! The Lambda: payloads to requests, reports to envelopes or function errors.

pub mod event;
mod handler;

pub use handler::run;
