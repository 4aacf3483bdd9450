//! What the installation says: `table_configs.json`, the environment, connections. Each part below receives its own section only.

mod aws;
mod connection;
mod dsn;
mod env;
mod file;
mod login;
mod postgres;
mod run;
mod s3_url;
mod secret;
mod section;
mod settings;
mod source;
mod tables;
mod target;
mod tls;

pub use aws::{AwsKeys, AwsSettings};
pub use connection::{Encrypt, SourceSettings, SqlServerSettings, SslMode, TargetSettings};
pub use env::{Env, arguments};
pub use login::{Credentials, Login};
pub use postgres::{NamedBy, PostgresSettings};
pub use run::{FailOn, Metrics, Parallel, RunSettings};
pub use s3_url::S3Url;
pub use secret::{DatabaseSecret, Fetch, LiveSecret, SecretName, SecretVersion};
pub use section::parse_duration;
pub use settings::{ConfigPlace, ConfigVersion, Settings};
pub use tables::{QUARANTINE_LIMIT, TableConfig, TableConfigs, TableOptions};
