//! The log: JSON lines in Lambda, readable lines on standard error for the command; and the one line that every failure gets.

use std::io::{self, Write};

use tracing::level_filters::LevelFilter;
use tracing::{Metadata, error, info, warn};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::{Filter, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};
use uuid::Uuid;

use super::{Answer, Outcome, Report, TableVerification, Verified};
use crate::config::Env;
use crate::error::SyncError;

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// This much, unless the environment says otherwise.
    Default(&'static str),
    /// This much, whatever the environment says.
    Asked(&'static str),
}

/// Starts the log of the Lambda: JSON lines on standard output, `info` unless told otherwise. Each line has the fields of its event and of every span around it
/// (request id, run id, table) side by side.
pub fn start_json(env: &Env) {
    let lines = json_subscriber::layer().with_writer(io::stdout).flatten_event(true);
    let lines = lines.with_current_span(false).with_span_list(false).flatten_span_list_on_top_level(true);
    // A second start in one process finds the log running, which is what it wanted.
    let _ = tracing_subscriber::registry().with(lines.with_filter(discreet(filter(env, Level::Default("info"))))).try_init();
    log_panics();
}

/// Starts the log of the command: readable lines into `writer`.
pub fn start_readable(env: &Env, level: Level, ansi: bool, writer: BoxMakeWriter) {
    let lines = tracing_subscriber::fmt::layer().with_ansi(ansi).with_target(false).with_writer(writer);
    let _ = tracing_subscriber::registry().with(lines.with_filter(discreet(filter(env, level)))).try_init();
    log_panics();
}

/// Whatever the filter lets through, what the AWS SDK and the HTTP below it say of their requests and answers is not for a log: keys, tokens, signatures. Nor is what
/// the Lambda runtime says of an event, whose fields may be anything.
fn discreet(filter: EnvFilter) -> impl Filter<Registry> {
    const TALKATIVE: [&str; 4] = ["aws_", "hyper", "h2", "lambda_runtime"];
    let hushed = |metadata: &Metadata<'_>| {
        *metadata.level() <= LevelFilter::INFO || !TALKATIVE.iter().any(|name| metadata.target().starts_with(name))
    };
    filter.and(filter_fn(hushed))
}

/// A task that panics becomes its table's failure; here only the place is logged, since a panic's message may quote a value.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        error!(place, "a task panicked");
    }));
}

/// What the caller asked for, else `RUST_LOG` as it is, else `LOG_LEVEL` or what the function's own log settings say; the latter for tablesync, with warnings of
/// everything else.
fn filter(env: &Env, level: Level) -> EnvFilter {
    // Both would log again what we log ourselves, once: the server's errors, and function errors.
    const REPEATED: &str = "tiberius=off,lambda_runtime::layers=off";
    let own = |level: &str| EnvFilter::new(format!("warn,{REPEATED},tablesync={level}"));
    let default = match level {
        Level::Asked(asked) => return own(asked),
        Level::Default(default) => default,
    };
    if let Some(filter) = env.get("RUST_LOG").and_then(|directives| EnvFilter::try_new(directives).ok()) {
        return filter;
    }
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let set = env.get("LOG_LEVEL").or_else(|| env.get("AWS_LAMBDA_LOG_LEVEL"));
    let asked = set.map(str::to_lowercase).filter(|asked| LEVELS.contains(&asked.as_str()));
    own(asked.as_deref().unwrap_or(default))
}

/// Logs what a request came to: one line per failure with its causes, one per warning, one for the end.
pub fn log_answer(report: Option<&Report>, answer: &Answer) {
    match report {
        Some(Report::Run(run)) => {
            for table in run.tables.values() {
                match &table.outcome {
                    Outcome::Failed(cause) => log_failure(Some(run.run_id), Some(&table.table), cause),
                    Outcome::NotStarted(_) => error!(run_id = %run.run_id, table = %table.table, "not started"),
                    Outcome::Locked { held_by } => {
                        warn!(run_id = %run.run_id, table = %table.table, held_by, "skipped: another run holds the table");
                    }
                    Outcome::Ok => {}
                }
            }
        }
        Some(Report::Test(test)) => {
            for (name, table) in &test.tables {
                table.source.as_ref().err().into_iter().for_each(|cause| log_failure(None, Some(name), cause));
                table.target.as_ref().err().into_iter().for_each(|cause| log_failure(None, Some(name), cause));
            }
        }
        Some(Report::Verify(report)) => report.tables.iter().for_each(|(name, table)| log_verification(name, table)),
        Some(Report::Failed(cause)) => log_failure(None, None, cause),
        Some(Report::Refused(_)) | None => error!(kind = "RequestError", "{}", answer.error()),
        Some(Report::Plan(plan)) => {
            for (name, table) in &plan.tables {
                table.error.iter().for_each(|cause| log_failure(None, Some(name), cause));
            }
        }
        Some(Report::Info(_)) => {}
    }
    for warning in answer.warnings() {
        warn!("{warning}");
    }
    let (mode, seconds) = (answer.body["mode"].as_str(), answer.body["execution_time"].as_f64());
    let run_id = if let Some(Report::Run(run)) = report { Some(tracing::field::display(run.run_id)) } else { None };
    info!(mode, run_id, status = answer.status, success = answer.success(), seconds, "answered");
}

/// Writes lines as they are, each at once: what reads them takes lines apart.
pub fn write_lines(out: &mut impl Write, lines: &[String]) {
    for line in lines {
        // Who no longer listens to the log is told nothing.
        let _ = out.write_all(format!("{line}\n").as_bytes());
    }
    let _ = out.flush();
}

fn log_verification(name: &str, table: &TableVerification) {
    match &table.verified {
        Verified::Compared(comparison) => {
            if let Some(sentence) = comparison.sentence() {
                error!(table = %name, kind = "DifferenceError", "{sentence}");
            }
        }
        Verified::Failed(cause) => log_failure(None, Some(name), cause),
        Verified::NotStarted(_) => error!(table = %name, "not started"),
    }
}

fn log_failure(run_id: Option<Uuid>, table: Option<&str>, failure: &SyncError) {
    let run_id = run_id.map(tracing::field::display);
    let cause = Some(failure.chain()).filter(|chain| !chain.is_empty());
    // A failure is one line of the log, however many things are wrong with a file.
    let sentence = failure.to_string().replace('\n', "; ");
    error!(run_id, table, kind = failure.kind().name(), cause, "{sentence}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_come_from_rust_log_then_log_level_then_the_default() {
        let cases: [(&[(&str, &str)], &str); 7] = [
            (&[], "tablesync=info"),
            (&[("LOG_LEVEL", "DEBUG")], "tablesync=debug"),
            (&[("AWS_LAMBDA_LOG_LEVEL", "WARN")], "tablesync=warn"),
            (&[("AWS_LAMBDA_LOG_LEVEL", "WARN"), ("LOG_LEVEL", "trace")], "tablesync=trace"),
            (&[("LOG_LEVEL", "loud")], "tablesync=info"),
            (&[("RUST_LOG", "tablesync=trace"), ("LOG_LEVEL", "error")], "tablesync=trace"),
            (&[("RUST_LOG", "a=b=c"), ("LOG_LEVEL", "error")], "tablesync=error"),
        ];
        for (pairs, part) in cases {
            let directives = filter(&Env::from_iter(pairs.iter().copied()), Level::Default("info")).to_string();
            assert!(directives.contains(part), "{directives}");
        }
        let asked = filter(&Env::from_iter([("RUST_LOG", "trace")]), Level::Asked("error")).to_string();
        assert!(asked.contains("tablesync=error"), "what was asked for wins: {asked}");
    }
}
