//! An invocation to an envelope, or to a function error where a failure must be seen.

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::FutureExt;
use jiff::Timestamp;
use lambda_runtime::layers::TracingLayer;
use lambda_runtime::tower::util::MapRequestLayer;
use lambda_runtime::{Context, Diagnostic, LambdaEvent, LambdaInvocation, Runtime, service_fn};
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{Instrument, info_span, warn};

use super::event::Event;
use crate::app::{App, Concluded};
use crate::config::{Env, FailOn, RunSettings};
use crate::engine::{Stop, StopReason};
use crate::error::ErrorKind;
use crate::report::{Answer, Asked, Quiet, body, telemetry};

/// How long report and metrics of a run may take.
const CONCLUDE_TIME: Duration = Duration::from_secs(6);

/// What lives between invocations.
struct Function {
    app: App,
    settings: RunSettings,
    /// The stop of the invocation under way; none while idle.
    running: Mutex<Option<Stop>>,
}

/// Serves invocations until the process is told to end.
///
/// # Errors
/// The Runtime API cannot be reached.
pub async fn run(env: Env) -> Result<(), lambda_runtime::Error> {
    telemetry::start_json(&env);
    // A malformed variable fails every invocation with its name; until then the defaults decide.
    let settings = RunSettings::read(&env).unwrap_or_default();
    let function = Arc::new(Function { app: App::new(env, None), settings, running: Mutex::new(None) });
    let service = service_fn(|event: LambdaEvent<String>| {
        let function = Arc::clone(&function);
        let span = info_span!("invocation", request_id = %event.context.request_id);
        async move { function.invoke(event).await }.instrument(span)
    });
    let runtime = Runtime::new(service).layer(TracingLayer::new()).layer(MapRequestLayer::new(hand_on_as_text));
    // Heard before the first event is asked for, so that nobody is killed in the middle of one.
    let terminate = signal(SignalKind::terminate()).ok();
    tokio::select! {
        served = runtime.run() => served,
        () = function.terminated(terminate) => Ok(()),
    }
}

/// Hands the payload on as a JSON string of its text: the runtime would answer what it cannot parse (nested more than 128 deep, for instance) with an
/// error of its own, and end at bytes that are no UTF-8, where a request that is wrong has its 400.
fn hand_on_as_text(mut invocation: LambdaInvocation) -> LambdaInvocation {
    invocation.body = Value::String(String::from_utf8_lossy(&invocation.body).into_owned()).to_string().into();
    invocation
}

impl Function {
    async fn invoke(&self, invocation: LambdaEvent<String>) -> Result<Value, Diagnostic> {
        let began = Instant::now();
        let event = Event::parse(&invocation.payload, Timestamp::now());
        let stop = Stop::new();
        if let Some(left) = time_left(invocation.context.deadline, SystemTime::now()) {
            stop.at_deadline(self.settings.time_to_run(left));
        }
        self.set_running(Some(stop.clone()));
        // The runtime would hand on what a panic says, which may quote a value.
        let answered = AssertUnwindSafe(Box::pin(self.answer(&event, &stop, (began, &invocation.context)))).catch_unwind().await;
        self.set_running(None);
        conclude(&answered.map_err(|_| broke_down())?, self.settings.fail_on, event.scheduled)
    }

    async fn answer(&self, event: &Event, stop: &Stop, (began, context): (Instant, &Context)) -> Answer {
        let asked = |began: Instant| Asked {
            mode: event.mode.clone(),
            warnings: event.warnings.clone(),
            elapsed: began.elapsed(),
            ended: Timestamp::now(),
            request_id: Some(context.request_id.clone()),
        };
        match &event.request {
            Ok(request) => {
                let done = Box::pin(self.app.run(request, stop, Arc::new(Quiet))).await;
                // What is left of the margin is shared with the answer's own way.
                let patience = time_left(context.deadline, SystemTime::now()).map_or(CONCLUDE_TIME, |left| CONCLUDE_TIME.min(left / 2));
                let Concluded { answer, metrics } = Box::pin(self.app.conclude(&done, &asked(began), patience)).await;
                telemetry::log_answer(Some(&done.report), &answer);
                telemetry::write_lines(&mut io::stdout(), &metrics);
                answer
            }
            Err(refused) => {
                let answer = body::refusal(refused, &asked(began));
                telemetry::log_answer(None, &answer);
                answer
            }
        }
    }

    fn set_running(&self, stop: Option<Stop>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = stop;
    }

    fn request_stop(&self) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().inspect(|stop| stop.request(StopReason::Cancelled)).is_some()
    }

    /// Ends once the process was asked to terminate and the invocation under way, if any, has been rolled back and answered.
    async fn terminated(&self, terminate: Option<Signal>) {
        let Some(mut terminate) = terminate else { return std::future::pending().await };
        terminate.recv().await;
        if !self.request_stop() {
            return;
        }
        warn!("asked to terminate: the invocation under way is stopped");
        while self.request_stop() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // The runtime still has to post the answer.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// A defect so deep that there is no answer to give.
fn broke_down() -> Diagnostic {
    let error_message = "the invocation broke down while it was answered; the log says where".to_owned();
    Diagnostic { error_type: ErrorKind::Internal.name().to_owned(), error_message }
}

/// The envelope; a failure that nobody reads becomes a function error, which alarms, retries and destinations see.
fn conclude(answer: &Answer, fail_on: FailOn, scheduled: bool) -> Result<Value, Diagnostic> {
    let as_error = match fail_on {
        FailOn::Never => false,
        FailOn::Scheduled => scheduled,
        FailOn::Always => true,
    };
    match answer.error_type {
        Some(error_type) if as_error => Err(Diagnostic { error_type: error_type.to_owned(), error_message: message(answer) }),
        _ => Ok(json!({"statusCode": answer.status, "body": answer.body.to_string()})),
    }
}

/// The error as it stands alone: where the body has the table beside it, the table's name comes first.
fn message(answer: &Answer) -> String {
    match answer.body["table_name"].as_str() {
        Some(table) if answer.body["status"] == "failed" => format!("table {table}: {}", answer.error()),
        _ => answer.error().to_owned(),
    }
}

/// The time until the invocation's deadline (milliseconds since 1970); one in the past, as some emulators send, is none.
fn time_left(deadline_ms: u64, now: SystemTime) -> Option<Duration> {
    let now = now.duration_since(UNIX_EPOCH).ok()?;
    Duration::from_millis(deadline_ms).checked_sub(now).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, error_type: Option<&'static str>) -> Answer {
        Answer { status, body: json!({"success": status == 200, "error": "顧客 failed"}), error_type }
    }

    #[test]
    fn a_failure_is_a_function_error_where_fail_on_says_so() {
        let cases = [
            (FailOn::Never, false, true),
            (FailOn::Never, true, true),
            (FailOn::Scheduled, false, true),
            (FailOn::Scheduled, true, false),
            (FailOn::Always, false, false),
            (FailOn::Always, true, false),
        ];
        for (fail_on, scheduled, envelope) in cases {
            for (status, error_type) in [(400, "RequestError"), (500, "ConfigError")] {
                let result = conclude(&answered(status, Some(error_type)), fail_on, scheduled);
                assert_eq!(result.is_ok(), envelope, "{fail_on:?} {scheduled}");
                if let Err(diagnostic) = result {
                    assert_eq!((diagnostic.error_type.as_str(), diagnostic.error_message.as_str()), (error_type, "顧客 failed"));
                }
            }
            assert!(conclude(&answered(200, None), fail_on, scheduled).is_ok());
        }
    }

    #[test]
    fn the_function_error_of_one_table_names_it() {
        let one = |status: &str, error: &str| {
            let body = json!({"success": false, "table_name": "customer", "status": status, "error": error});
            let answer = Answer { status: 500, body, error_type: Some("SourceReadError") };
            conclude(&answer, FailOn::Scheduled, true).unwrap_err().error_message
        };
        assert_eq!(one("failed", "the connection broke"), "table customer: the connection broke");
        assert_eq!(one("not_started", "not started (deadline): customer"), "not started (deadline): customer");
    }

    #[test]
    fn the_envelope_has_a_status_code_and_the_body_as_text() {
        let envelope = conclude(&answered(200, None), FailOn::Scheduled, true).unwrap();
        assert_eq!(envelope["statusCode"], 200);
        assert_eq!(envelope["body"], r#"{"success":true,"error":"顧客 failed"}"#);
    }

    #[test]
    fn a_deadline_in_the_past_is_none() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000);
        assert_eq!(time_left(1_000_060_000, now), Some(Duration::from_secs(60)));
        assert_eq!(time_left(600_000, now), None);
        assert_eq!(time_left(1_000_000_000, now), None);
    }
}
