//! The composition root: settings to sources, target and engine. The only place that names the concrete parts.

use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{Env, Settings};
use crate::engine::Stop;
use crate::report::{Progress, Report};
use crate::request::Request;

/// The product, ready to answer requests; the Lambda keeps one between invocations.
#[derive(Debug)]
pub struct App {
    env: Env,
    config: Option<PathBuf>,
}

impl App {
    /// An app over an environment; `config` is `--config`.
    pub fn new(env: Env, config: Option<PathBuf>) -> Self {
        Self { env, config }
    }

    /// Reads the configuration and does what `request` says. Every failure is in the report.
    pub async fn run(&self, _request: &Request, _stop: &Stop, _progress: Arc<dyn Progress>) -> Report {
        match Settings::load(self.env.clone(), self.config.as_deref()) {
            Ok(_) => Report::Failed(crate::error::SyncError::new(crate::error::ErrorKind::Internal, "not written yet")),
            Err(error) => Report::Failed(error),
        }
    }
}
