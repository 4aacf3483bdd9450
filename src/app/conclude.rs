//! What follows a request: its answer, the metrics, and the report of a run, with how the last runs went.

use std::time::Duration;

use indexmap::IndexMap;
use serde_json::json;
use tokio::time::timeout;

use super::App;
use crate::config::{ConfigVersion, Metrics, RunSettings, S3Url, Settings};
use crate::error::{ErrorKind, Result};
use crate::failpoint;
use crate::report::sheet::Sheet;
use crate::report::{Answer, Asked, Outcome, Report, TableHistory, body, metrics};
use crate::target::Session;

/// What a request came to, and the settings that it was done with.
#[derive(Debug)]
pub struct Done {
    /// What it came to.
    pub report: Report,
    /// The settings, where they could be read.
    pub(super) settings: Option<Settings>,
    /// The version of the list of tables that was shown beside them, where it is in S3.
    pub(super) list_version: Option<ConfigVersion>,
}

/// The end of a request.
#[derive(Debug)]
pub struct Concluded {
    /// What the caller gets.
    pub answer: Answer,
    /// The lines of the metrics; where they are written is the caller's to know.
    pub metrics: Vec<String>,
}

impl App {
    /// Answers a request that is done, and writes its report where one is wanted. What goes wrong with that is a warning; it takes no longer than `patience`.
    pub async fn conclude(&self, done: &Done, asked: &Asked, patience: Duration) -> Concluded {
        failpoint::reached("concluding");
        let mut answer = body::answer(&done.report, asked);
        let version = done.settings.as_ref().and_then(|settings| settings.version.as_ref());
        for (field, version) in [("config", version), ("config_list", done.list_version.as_ref())] {
            if let Some(version) = version
                && let Some(fields) = answer.body.as_object_mut()
            {
                let config = json!({"location": version.location, "version_id": version.version_id, "etag": version.etag});
                fields.insert(field.to_owned(), config);
            }
        }
        let run = RunSettings::read(&self.env).unwrap_or_default();
        let mut sheet = Sheet { report: &done.report, answer: &answer, asked, histories: None };
        if !sheet.is_of_a_run() || (run.metrics == Metrics::Off && run.report_url.is_none()) {
            return Concluded { answer, metrics: Vec::new() };
        }
        if run.report_url.is_some() || !all_ok(&done.report) {
            sheet.histories = timeout(patience / 3, histories(done)).await.unwrap_or_default();
        }
        let lines = match run.metrics {
            Metrics::Off => Vec::new(),
            Metrics::Emf => metrics::lines(&sheet, self.env.get("AWS_LAMBDA_FUNCTION_NAME").unwrap_or("tablesync")),
        };
        if let Some(place) = run.report_url {
            let writing = Box::pin(timeout(patience * 2 / 3, self.write(&place, &sheet))).await;
            let problem = match writing {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(format!("the report was not written: {error}")),
                Err(_) => {
                    Some(format!("the report was not written: {place} did not take it within {:.1} s", (patience * 2 / 3).as_secs_f64()))
                }
            };
            problem.into_iter().for_each(|problem| answer.warn(problem));
        }
        Concluded { answer, metrics: lines }
    }

    async fn write(&self, place: &S3Url, sheet: &Sheet<'_>) -> Result<()> {
        let (json, html) = (place.join(&format!("{}.json", sheet.name())), place.join(&format!("{}.html", sheet.name())));
        self.aws.put_text(&json, sheet.json(), "application/json").await?;
        self.aws.put_text(&html, sheet.html(), "text/html; charset=utf-8").await?;
        tracing::info!(page = %html, "report written");
        Ok(())
    }
}

fn all_ok(report: &Report) -> bool {
    matches!(report, Report::Run(run) if run.tables.values().all(|table| matches!(table.outcome, Outcome::Ok)))
}

/// How the tables' last runs went; none where the target does not say.
async fn histories(done: &Done) -> Option<IndexMap<String, TableHistory>> {
    let tables = Sheet::tables(&done.report);
    // A login that was just refused is not tried again: enough of them lock an account.
    if tables.is_empty() || refused_by_target(&done.report) {
        return None;
    }
    let asking =
        async { Session::open(&done.settings.as_ref()?.target().ok()?, "tablesync report").await.ok()?.past_runs(&tables).await.ok() };
    asking.await
}

fn refused_by_target(report: &Report) -> bool {
    let refused = |outcome: &Outcome| matches!(outcome, Outcome::Failed(error) if matches!(error.kind(), ErrorKind::TargetLogin | ErrorKind::TargetConnect));
    matches!(report, Report::Run(run) if run.tables.values().any(|table| refused(&table.outcome)))
}
