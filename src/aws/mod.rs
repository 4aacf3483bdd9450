//! What is asked of AWS: secrets and objects. The only place that knows its SDK.

mod client;
mod error;
mod objects;
mod secrets;

pub use client::Aws;
pub use objects::Object;
