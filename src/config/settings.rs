//! The settings of a process: file and environment together.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Env, SqlServerSettings, TableConfigs, TargetSettings};
use crate::error::Result;

/// When a Lambda invocation that failed ends as a function error (`FAIL_ON`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailOn {
    /// Never: the envelope says it.
    Never,
    /// When it was scheduled.
    #[default]
    Scheduled,
    /// Always.
    Always,
}

/// The settings of a run that belong to no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSettings {
    /// Tables at a time (`MAX_PARALLEL_TABLES`).
    pub max_parallel_tables: usize,
    /// How long before the deadline a run stops (`DEADLINE_MARGIN`).
    pub deadline_margin: Duration,
    /// How long a source may be silent in mid-stream (`SOURCE_IDLE_TIMEOUT`).
    pub source_idle_timeout: Duration,
    /// When a failure is a function error.
    pub fail_on: FailOn,
    /// `DRY_RUN`.
    pub dry_run: bool,
}

/// File and environment, parsed; a connection's variables are checked when it is asked for.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the table configuration was found.
    pub path: PathBuf,
    /// The table configuration.
    pub tables: TableConfigs,
    /// What belongs to no connection.
    pub run: RunSettings,
    env: Env,
}

impl Settings {
    /// Finds and reads the table configuration: `config`, else `TABLE_CONFIGS`, else `$LAMBDA_TASK_ROOT/table_configs.json` when it is there,
    /// else `./table_configs.json`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::error::ErrorKind::Config) naming file, line and field, or the variable.
    pub fn load(_env: Env, _config: Option<&Path>) -> Result<Self> {
        Err(crate::error::SyncError::new(crate::error::ErrorKind::Config, "not written yet"))
    }

    /// The target's section.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::error::ErrorKind::Config) naming every variable that is missing or wrong.
    pub fn target(&self) -> Result<TargetSettings> {
        let _ = &self.env;
        Err(crate::error::SyncError::new(crate::error::ErrorKind::Config, "not written yet"))
    }

    /// The section of the source that `db_type` names.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::error::ErrorKind::Config) naming every variable that is missing or wrong.
    pub fn source(&self, _db_type: &str) -> Result<SqlServerSettings> {
        Err(crate::error::SyncError::new(crate::error::ErrorKind::Config, "not written yet"))
    }
}
