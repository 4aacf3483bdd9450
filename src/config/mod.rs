//! What the installation says: `table_configs.json`, the environment, connections. Each part below receives its own section only.

mod connection;
mod env;
mod file;
mod section;
mod settings;
mod source;
mod tables;
mod target;
mod tls;

pub use connection::{Encrypt, SqlServerSettings, SslMode, TargetSettings};
pub use env::{Env, arguments};
pub use section::parse_duration;
pub use settings::{FailOn, Parallel, RunSettings, Settings};
pub use tables::{QUARANTINE_LIMIT, TableConfig, TableConfigs, TableOptions};
