//! The command line: arguments to a request, a report to text or JSON and an exit code.
//!
//! Standard output carries the result and nothing else; progress, warnings, errors and the log go to standard error.

mod args;
mod check;
mod output;
mod plan_output;
mod progress;
#[cfg(test)]
pub(crate) mod reference;
mod refused;
mod signals;
mod verify_output;

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use clap::Parser;
use jiff::Timestamp;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use self::args::{Arguments, Command, Common};
use self::output::Shown;
use self::progress::AboveBars;
use self::signals::Signals;
use crate::app::{App, Concluded};
use crate::config::{Env, RunSettings};
use crate::engine::Stop;
use crate::error::ErrorKind;
use crate::report::{Answer, Asked, Report, body, telemetry};
use crate::request::Request;

const SUCCESS: u8 = 0;
const FAILED: u8 = 1;
const WRONG: u8 = 2;

/// Does what the arguments say and gives the exit code: 0, 1, 2, 130 or 143.
pub async fn run(arguments: Vec<OsString>) -> u8 {
    let began = Instant::now();
    let Arguments { command, common } = match Arguments::try_parse_from(&arguments) {
        Ok(parsed) => parsed,
        Err(error) => return refused::answer(&error, &arguments, began),
    };
    let env = match Env::from_process() {
        Ok(env) => env,
        Err(error) => {
            let report = Report::Failed(error);
            let answer = body::answer(&report, &asked(command.name(), &[], began));
            return conclude(&report, &answer, common.json);
        }
    };
    match command.request() {
        Some((request, deadline)) => sync(env, common, request, deadline, began).await,
        None => check(env, common, &command, began).await,
    }
}

async fn sync(env: Env, common: Common, request: Request, deadline: Option<Duration>, began: Instant) -> u8 {
    let (progress, bars) = progress::on_stderr(common.quiet);
    let writer = BoxMakeWriter::new(move || AboveBars(bars.clone()));
    telemetry::start_readable(&env, level(&common), io::stderr().is_terminal(), writer);
    let stop = Stop::new();
    let signals = Signals::watch(stop.clone());
    if let Some(deadline) = deadline {
        // A malformed variable is the run's to report.
        stop.at_deadline(RunSettings::read(&env).unwrap_or_default().time_to_run(deadline));
    }
    let app = App::new(env, common.config);
    let done = Box::pin(app.run(&request, &stop, progress)).await;
    // Who has interrupted a run waits for little more.
    let patience = Duration::from_secs(if stop.reason().is_some() { 2 } else { 20 });
    let asked = asked(request.mode.name(), &request.warnings, began);
    let Concluded { answer, metrics } = Box::pin(app.conclude(&done, &asked, patience)).await;
    telemetry::write_lines(&mut io::stderr(), &metrics);
    let code = conclude(&done.report, &answer, common.json);
    signals.exit_code().unwrap_or(code)
}

async fn check(env: Env, common: Common, command: &Command, began: Instant) -> u8 {
    let found = check::check(App::new(env, common.config).all_settings().await);
    let asked = asked(command.name(), &found.warnings, began);
    let sentences: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
    let answer = body::checked((!sentences.is_empty()).then(|| sentences.join("\n")), found.fields, &asked);
    let errors: String = found.errors.iter().map(|error| output::failure(None, error)).collect();
    let verdict = if answer.success() { "The configuration is complete; no database was connected.\n" } else { "" };
    let stdout = if common.json { line(&answer) } else { found.text + verdict };
    print(&Shown { stdout, stderr: output::warnings(&answer) + &errors });
    if answer.success() { SUCCESS } else { WRONG }
}

fn asked(mode: &str, warnings: &[String], began: Instant) -> Asked {
    Asked { mode: mode.to_owned(), warnings: warnings.to_vec(), elapsed: began.elapsed(), ended: Timestamp::now(), request_id: None }
}

/// Prints the report and gives its exit code.
fn conclude(report: &Report, answer: &Answer, json: bool) -> u8 {
    if json {
        telemetry::log_answer(Some(report), answer);
        print(&Shown { stdout: line(answer), stderr: String::new() });
    } else {
        print(&output::show(report, answer));
    }
    exit_code(report, answer)
}

fn exit_code(report: &Report, answer: &Answer) -> u8 {
    match report {
        Report::Refused(_) => WRONG,
        Report::Failed(error) if error.kind() == ErrorKind::Config => WRONG,
        Report::Failed(_) | Report::Run(_) | Report::Test(_) | Report::Plan(_) | Report::Verify(_) | Report::Info(_) => {
            if answer.success() { SUCCESS } else { FAILED }
        }
    }
}

fn line(answer: &Answer) -> String {
    format!("{}\n", answer.body)
}

/// A reader that has gone away (`| head`) is no failure of the run.
fn print(shown: &Shown) {
    let _ = io::stdout().lock().write_all(shown.stdout.as_bytes()).and_then(|()| io::stdout().flush());
    let _ = io::stderr().lock().write_all(shown.stderr.as_bytes());
}

fn level(common: &Common) -> telemetry::Level {
    match (common.quiet, common.verbose) {
        (true, _) => telemetry::Level::Asked("error"),
        (false, 0) => telemetry::Level::Default("warn"),
        (false, 1) => telemetry::Level::Asked("info"),
        (false, 2) => telemetry::Level::Asked("debug"),
        (false, _) => telemetry::Level::Asked("trace"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::SyncError;
    use crate::request::Refusal;

    #[test]
    fn exit_codes_tell_a_wrong_request_from_a_failed_run() {
        let failed = |kind| Report::Failed(SyncError::new(kind, "x"));
        let refused = Report::Refused(Refusal::new("x"));
        for (report, code) in [(failed(ErrorKind::Config), WRONG), (failed(ErrorKind::TargetConnect), FAILED), (refused, WRONG)] {
            let answer = body::answer(&report, &asked("multi_sync", &[], Instant::now()));
            assert_eq!(exit_code(&report, &answer), code, "{report:?}");
        }
    }
}
