//! What the tables of a run share.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::{Stop, Unreachable};
use crate::config::TableConfig;
use crate::report::Progress;

/// What belongs to the whole run.
#[derive(Clone)]
pub struct RunContext {
    /// Its id.
    pub run_id: Uuid,
    /// The request's mode, for the `runs` table.
    pub mode: &'static str,
    /// All configured tables, those that do not run included.
    pub configured: Arc<[TableConfig]>,
    /// Count, write nothing.
    pub dry_run: bool,
    /// Publish although a guard would refuse.
    pub allow_shrink: bool,
    /// The tables whose watermark is forgotten, by their names in the configuration.
    pub reset: Arc<[String]>,
    /// Go on although the source has changed.
    pub accept_drift: bool,
    /// How often a table is begun again when trouble came that may pass.
    pub max_retries: usize,
    /// The servers that could not be reached.
    pub unreachable: Unreachable,
    /// How long a source may be silent.
    pub source_idle_timeout: Duration,
    /// Who is told of progress.
    pub progress: Arc<dyn Progress>,
    /// How the run is asked to stop.
    pub stop: Stop,
}
