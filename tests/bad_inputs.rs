//! A corpus of bad inputs: data, schemas, configurations, events, environments, command lines.
//!
//! Whatever is wrong ends in an error that names it: table, column and row key for data; table, column and both types for schemas; file and field for
//! configurations; the variable or the field elsewhere. Nothing panics, no password is shown, and the target's tables are what they were.

mod configuration;
mod data;
mod environment;
mod events;
mod schema;

use serde_json::{Value as Json, json};
use tds_stand_in::{StandIn, TableDef};

use crate::support::body::Body;
use crate::support::postgres::PASSWORD as TARGET_PASSWORD;
use crate::support::site::Site;
use crate::support::source::{PASSWORD, Source};

/// The corpus never shrinks below this.
const INPUTS_MIN: usize = 250;

#[test]
fn the_corpus_is_large() {
    let sizes = [data::COUNT, schema::COUNT, configuration::COUNT, environment::COUNT, events::COUNT].map(|count| count());
    assert!(sizes.iter().sum::<usize>() >= INPUTS_MIN, "{sizes:?}");
}

/// An installation over planted tables, targets in lower case, each with its options; the server is the test's.
async fn installed(tables: Vec<(TableDef, String, Json)>) -> (Site, StandIn) {
    let mut site = Site::over(Source::nowhere().await).await;
    site.keep(&[]);
    let mut builder = StandIn::builder().login("sync", PASSWORD).database("VoipDB");
    for (table, name, options) in tables {
        site.configure(&name.to_lowercase(), &format!("dbo.{name}"), &options);
        builder = builder.table(table);
    }
    let server = builder.start().await.expect("the planted tables are right");
    for (name, value) in server.env() {
        site.set(&name, &value);
    }
    (site, server)
}

/// What is wrong with how an input ended; the findings of a whole corpus are shown together.
#[derive(Default)]
struct Findings(Vec<String>);

impl Findings {
    fn add(&mut self, input: &str, finding: impl std::fmt::Display) {
        self.0.push(format!("{input}: {finding}"));
    }

    /// The sentence says all of this.
    fn says(&mut self, input: &str, sentence: &str, named: &[&str]) {
        for text in named.iter().filter(|text| !sentence.contains(**text)) {
            self.add(input, format!("should say {text:?}: {sentence}"));
        }
    }

    /// No panic, no password, and the exit code.
    fn ended_well(&mut self, input: &str, body: &Body, code: i32) {
        let everything = body.to_string();
        if body.code != Some(code) || body["success"] != json!(false) {
            self.add(input, format!("exit code {code} and a failure were expected: {body}"));
        }
        for (text, what) in [
            ("panicked", "a panic"),
            ("InternalError", "a defect"),
            (PASSWORD, "the source's password"),
            (TARGET_PASSWORD, "the target's password"),
        ] {
            if everything.contains(text) {
                self.add(input, format!("{what} in {body}"));
            }
        }
    }

    fn none(self) {
        assert!(self.0.is_empty(), "{} findings:\n{}", self.0.len(), self.0.join("\n"));
    }
}

/// The error of one table of a run, and that the run's own error leads with the table's name.
fn error_of(body: &Body, table: &str, findings: &mut Findings) -> String {
    let result = &body["table_results"][table];
    let error = result["error"].as_str().unwrap_or_default().to_owned();
    if result["status"] != "failed" || error.is_empty() {
        findings.add(table, format!("it should have failed: {result}"));
    }
    if !body["error"].as_str().unwrap_or_default().contains(&format!("table {table}: {error}")) {
        findings.add(table, "the run's error names no table");
    }
    error
}
