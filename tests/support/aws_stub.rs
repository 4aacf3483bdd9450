//! A service that gives every call of AWS the answer that a test sets, and counts them: refusals that the other servers never give.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// The service.
pub(crate) struct Stub {
    /// Its address.
    pub(crate) endpoint: String,
    shared: Arc<Mutex<Shared>>,
    server: JoinHandle<()>,
}

struct Shared {
    answer: Answer,
    calls: usize,
}

/// What it answers.
#[derive(Clone)]
pub(crate) enum Answer {
    /// The code and sentence of a refusal.
    Refusal(u16, &'static str, &'static str),
    /// A secret's text.
    Secret(String),
}

impl Stub {
    /// Starts with an answer.
    pub(crate) async fn start(answer: Answer) -> Self {
        let shared = Arc::new(Mutex::new(Shared { answer, calls: 0 }));
        let router = Router::new().fallback(respond).with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { endpoint, shared, server }
    }

    /// Answers so from now on.
    pub(crate) fn set(&self, answer: Answer) {
        self.shared.lock().unwrap().answer = answer;
    }

    /// How many calls there were.
    pub(crate) fn calls(&self) -> usize {
        self.shared.lock().unwrap().calls
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// An address to which nothing leads, as a service's is in a VPC without endpoints: what is sent there is not answered, not even refused.
pub(crate) struct NoRoute {
    /// The address.
    pub(crate) endpoint: String,
    _full: (TcpListener, Vec<JoinHandle<std::io::Result<TcpStream>>>),
}

impl NoRoute {
    /// A port whose queue of connections is full: the kernel drops what comes.
    pub(crate) async fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        loop {
            let mut connecting = tokio::spawn(TcpStream::connect(address));
            let refused = tokio::time::timeout(Duration::from_millis(300), &mut connecting).await.is_err();
            waiting.push(connecting);
            if refused {
                return Self { endpoint: format!("http://{address}"), _full: (listener, waiting) };
            }
        }
    }
}

/// Secrets Manager speaks JSON and names itself in a header, S3 speaks XML.
async fn respond(State(shared): State<Arc<Mutex<Shared>>>, headers: HeaderMap) -> Response {
    let mut shared = shared.lock().unwrap();
    shared.calls += 1;
    let of_secrets = headers.contains_key("x-amz-target");
    match &shared.answer {
        Answer::Refusal(status, code, message) if of_secrets => {
            let body = json!({"__type": code, "message": message});
            answer(*status, "application/x-amz-json-1.1", body.to_string())
        }
        Answer::Refusal(status, code, message) => {
            let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>");
            answer(*status, "application/xml", body)
        }
        Answer::Secret(text) => answer(200, "application/x-amz-json-1.1", secret(text).to_string()),
    }
}

fn answer(status: u16, content_type: &'static str, body: String) -> Response {
    (StatusCode::from_u16(status).unwrap(), [("content-type", content_type)], body).into_response()
}

fn secret(text: &str) -> Value {
    json!({"Name": "stub", "SecretString": text, "VersionId": "11111111-2222-3333-4444-555555555555", "VersionStages": ["AWSCURRENT"]})
}
