//! What the installation says: `table_configs.json`, the environment, connections. Each part below receives its own section only.

mod connection;
mod env;
mod settings;
mod tables;

pub use connection::{Encrypt, SqlServerSettings, SslMode, TargetSettings};
pub use env::Env;
pub use settings::{FailOn, RunSettings, Settings};
pub use tables::{TableConfig, TableConfigs, TableOptions};
