//! What is written down about a run, for machines as JSON and for people as a page.

use indexmap::IndexMap;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Answer, Asked, Report, RunReport, TableHistory, page};

/// A run, its answer, and what came before.
#[derive(Debug)]
pub struct Sheet<'a> {
    /// What it came to.
    pub report: &'a Report,
    /// The body that its caller got.
    pub answer: &'a Answer,
    /// What was asked, and when.
    pub asked: &'a Asked,
    /// The tables' last runs; none where the target was not asked, or did not answer.
    pub histories: Option<IndexMap<String, TableHistory>>,
}

impl Sheet<'_> {
    /// Whether tables were synced, or were to be.
    pub fn is_of_a_run(&self) -> bool {
        match self.report {
            Report::Run(run) => !run.dry_run,
            Report::Failed(_) => ["multi_sync", "single_sync"].contains(&self.asked.mode.as_str()),
            Report::Test(_) | Report::Verify(_) | Report::Plan(_) | Report::Info(_) | Report::Refused(_) => false,
        }
    }

    /// The run, where it came to one.
    pub(super) fn run(&self) -> Option<&RunReport> {
        if let Report::Run(run) = self.report { Some(run) } else { None }
    }

    /// The run's id, where it came to a run.
    pub fn run_id(&self) -> Option<Uuid> {
        self.run().map(|run| run.run_id)
    }

    /// The names of the tables that ran, or were to.
    pub fn tables(report: &Report) -> Vec<&str> {
        if let Report::Run(run) = report { run.tables.keys().map(String::as_str).collect() } else { Vec::new() }
    }

    /// A name for what is written, the same for both forms: by time, then by run.
    pub fn name(&self) -> String {
        let run = self.run_id().map_or_else(|| "failed".to_owned(), |run_id| run_id.to_string());
        format!("{}-{run}", self.asked.ended.strftime("%Y-%m-%dT%H-%M-%SZ"))
    }

    /// The body, and what is known beside it.
    pub fn json(&self) -> String {
        let mut body = self.answer.body.clone();
        if let Value::Object(fields) = &mut body {
            fields.insert("run_id".to_owned(), json!(self.run_id()));
            fields.insert("request_id".to_owned(), json!(self.asked.request_id));
            let past = self.histories.iter().flatten().map(|(table, history)| (table.clone(), past(history)));
            fields.insert("last_runs".to_owned(), Value::Object(past.collect()));
        }
        format!("{body:#}\n")
    }

    /// The page: all of it in one file, nothing fetched from elsewhere, no script.
    pub fn html(&self) -> String {
        page::page(self).into_string()
    }
}

fn past(history: &TableHistory) -> Value {
    let run =
        |run: &super::PastRun| json!({"at": format!("{:.3}", run.at), "outcome": run.outcome, "rows": run.rows, "seconds": run.seconds});
    Value::Array(history.runs.iter().map(run).collect())
}
