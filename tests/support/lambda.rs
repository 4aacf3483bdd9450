//! A Lambda Runtime API, as far as the product can see it: real deadlines, request ids, results told apart from function errors, and a process
//! that is killed when the time is up. The shape is <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::sync::{Mutex as AsyncMutex, mpsc, oneshot};

use super::process::{Finished, Running};

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ending {
    /// The function's result.
    Result(Value),
    /// A function error.
    Error {
        /// What Step Functions' `ErrorEquals` sees.
        error_type: String,
        /// The sentence.
        message: String,
    },
    /// The time was up; the process was killed.
    TimedOut,
    /// The process ended by itself, without an answer.
    Died,
}

/// A function: one process of the Lambda binary behind its own Runtime API.
pub(crate) struct Function {
    process: Running,
    invocations: mpsc::UnboundedSender<Invocation>,
    seen: Arc<Seen>,
    server: tokio::task::JoinHandle<()>,
}

/// The most that an answer may be: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const ANSWER_MAX: usize = 6 * 1024 * 1024;

struct Invocation {
    id: String,
    event: Vec<u8>,
    deadline_ms: u128,
    ending: oneshot::Sender<Ending>,
}

#[derive(Default)]
struct Seen {
    pending: Mutex<HashMap<String, oneshot::Sender<Ending>>>,
    init_error: Mutex<Option<String>>,
    /// The process to halt as soon as it has answered.
    freezing: Mutex<Option<Pid>>,
}

struct Api {
    queue: AsyncMutex<mpsc::UnboundedReceiver<Invocation>>,
    seen: Arc<Seen>,
}

impl Function {
    /// Starts the Lambda binary in `task_root` with `env`, as Lambda does after a deployment.
    pub(crate) async fn start(env: &[(String, String)], task_root: &Path) -> Self {
        let (invocations, queue) = mpsc::unbounded_channel();
        let seen = Arc::new(Seen::default());
        let api = Arc::new(Api { queue: AsyncMutex::new(queue), seen: Arc::clone(&seen) });
        let runtime = Router::new()
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route("/2018-06-01/runtime/invocation/{id}/response", post(response))
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .layer(DefaultBodyLimit::disable())
            .with_state(api);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = tokio::spawn(async move { axum::serve(listener, runtime).await.unwrap() });
        let lambda = [
            ("AWS_LAMBDA_RUNTIME_API", address.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", "tablesync"),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/tablesync"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/01/01/[$LATEST]0"),
            ("LAMBDA_TASK_ROOT", task_root.to_str().unwrap()),
            ("AWS_REGION", "ap-northeast-1"),
            ("_HANDLER", "bootstrap"),
        ];
        let mut env = env.to_vec();
        env.extend(lambda.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let process = Running::start(env!("CARGO_BIN_EXE_tablesync-lambda"), &[], &env, task_root);
        Self { process, invocations, seen, server }
    }

    /// Invokes with an event and waits for the ending; the process is killed when `time` is up, as Lambda does.
    pub(crate) async fn invoke(&mut self, event: impl AsRef<[u8]>, time: Duration) -> Ending {
        let deadline = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + time;
        self.invoke_until(event, deadline.as_millis(), time).await
    }

    /// Invokes with a deadline of the caller's choice in milliseconds since 1970 (some emulators send one long past).
    pub(crate) async fn invoke_until(&mut self, event: impl AsRef<[u8]>, deadline_ms: u128, time: Duration) -> Ending {
        let (ending, answer) = oneshot::channel();
        let id = uuid::Uuid::new_v4().to_string();
        self.invocations.send(Invocation { id, event: event.as_ref().to_vec(), deadline_ms, ending }).ok().unwrap();
        tokio::select! {
            answer = answer => answer.unwrap(),
            () = tokio::time::sleep(time) => {
                self.process.signal(Signal::KILL);
                Ending::TimedOut
            }
            () = ended(&mut self.process) => Ending::Died,
        }
    }

    /// Halts the process from now on in the moment that it answers, as Lambda freezes what has nothing to do.
    pub(crate) fn freeze_once_answered(&self) {
        *self.seen.freezing.lock().unwrap() = Some(self.process.pid());
    }

    /// Lets a frozen process go on.
    pub(crate) fn thaw(&self) {
        *self.seen.freezing.lock().unwrap() = None;
        self.process.signal(Signal::CONT);
    }

    /// What the process reported as failed before its first invocation.
    pub(crate) fn init_error(&self) -> Option<String> {
        self.seen.init_error.lock().unwrap().clone()
    }

    /// Ends the process as Lambda's shutdown does, and gives what it left.
    pub(crate) async fn shut_down(mut self) -> Finished {
        if !self.process.has_ended() {
            self.process.signal(Signal::TERM);
        }
        let finished = self.process.finish().await;
        self.server.abort();
        finished
    }
}

async fn ended(process: &mut Running) {
    while !process.has_ended() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn next(State(api): State<Arc<Api>>) -> Response {
    let Some(invocation) = api.queue.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let headers = [
        ("Lambda-Runtime-Aws-Request-Id", invocation.id.clone()),
        ("Lambda-Runtime-Deadline-Ms", invocation.deadline_ms.to_string()),
        ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:ap-northeast-1:000000000000:function:tablesync".to_owned()),
        ("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0".to_owned()),
        ("Content-Type", "application/json".to_owned()),
    ];
    api.seen.pending.lock().unwrap().insert(invocation.id, invocation.ending);
    (headers, invocation.event).into_response()
}

async fn response(State(api): State<Arc<Api>>, UrlPath(id): UrlPath<String>, body: Bytes) -> StatusCode {
    if body.len() > ANSWER_MAX {
        let message = format!("Response payload size exceeded maximum allowed payload size ({ANSWER_MAX} bytes).");
        end(&api, &id, Ending::Error { error_type: "Function.ResponseSizeTooLarge".to_owned(), message });
        return StatusCode::PAYLOAD_TOO_LARGE;
    }
    end(&api, &id, Ending::Result(serde_json::from_slice(&body).expect("a result is JSON")))
}

async fn error(State(api): State<Arc<Api>>, UrlPath(id): UrlPath<String>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let body: Value = serde_json::from_slice(&body).expect("a function error is JSON");
    let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    assert!(headers.contains_key("lambda-runtime-function-error-type"), "a function error names its type in a header");
    end(&api, &id, Ending::Error { error_type: text("errorType"), message: text("errorMessage") })
}

async fn init_error(State(api): State<Arc<Api>>, body: String) -> StatusCode {
    *api.seen.init_error.lock().unwrap() = Some(body);
    StatusCode::ACCEPTED
}

/// Each request is answered once; an unknown or answered id is refused, as Lambda does.
fn end(api: &Api, id: &str, ending: Ending) -> StatusCode {
    if let Some(process) = *api.seen.freezing.lock().unwrap() {
        kill_process(process, Signal::STOP).unwrap();
    }
    match api.seen.pending.lock().unwrap().remove(id) {
        Some(waiting) => {
            let _ = waiting.send(ending);
            StatusCode::ACCEPTED
        }
        None => StatusCode::BAD_REQUEST,
    }
}
