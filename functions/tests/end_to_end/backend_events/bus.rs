//! An endpoint of EventBridge that records events and fails on demand.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use axum::{
    Router,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use herald_local::{Authentication, Config};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::harness::{TestStack, until};

/// The answers to calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answers {
    #[default]
    Accept,
    /// 500 to every call.
    Fail,
    /// Every second event is throttled.
    ThrottleHalf,
}

#[derive(Default)]
struct State {
    answers: Mutex<Answers>,
    /// The accepted entries but repeats.
    accepted: Mutex<Vec<Value>>,
    /// The number of accepted entries that were taken.
    taken: AtomicUsize,
    calls: AtomicUsize,
    entries: AtomicUsize,
    largest_call: AtomicUsize,
}

/// A running endpoint.
pub struct RecordingBus {
    endpoint: String,
    state: Arc<State>,
    server: JoinHandle<()>,
}

impl RecordingBus {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::<State>::default();
        let put = {
            let state = state.clone();
            async move |body: String| state.put(&serde_json::from_str(&body).unwrap())
        };
        let router = Router::new().route("/", axum::routing::post(put));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            endpoint,
            state,
            server,
        }
    }

    /// Starts a stack with users whose functions put their events here.
    pub async fn stack(&self, kinds: &str) -> TestStack {
        let stack = TestStack::try_start_with(|config| self.configure(config, kinds));
        stack.await.unwrap()
    }

    pub fn configure(&self, config: &mut Config, kinds: &str) {
        config.authentication = Authentication::Secret;
        let kinds = ("BackendEvents".to_owned(), kinds.to_owned());
        config.parameters.extend([kinds]);
        let endpoint = (
            "AWS_ENDPOINT_URL_EVENTBRIDGE".to_owned(),
            self.endpoint.clone(),
        );
        config.environment.extend([endpoint]);
    }

    pub fn set_answers(&self, answers: Answers) {
        *self.state.answers.lock().unwrap() = answers;
    }

    pub fn calls(&self) -> usize {
        self.state.calls.load(SeqCst)
    }

    /// Returns the largest number of events in a call.
    pub fn largest_call(&self) -> usize {
        self.state.largest_call.load(SeqCst)
    }

    /// Returns all accepted entries but repeats.
    pub fn all(&self) -> Vec<Value> {
        self.state.accepted.lock().unwrap().clone()
    }

    /// Returns the entries that were accepted since the last time in the order of their ids, without the
    /// fields that differ from run to run.
    pub fn take_details(&self) -> Vec<(&'static str, Value)> {
        let accepted = self.state.accepted.lock().unwrap();
        let taken = self.state.taken.swap(accepted.len(), SeqCst);
        let mut entries = accepted[taken..].to_vec();
        entries.sort_by_key(id);
        entries.iter().map(shown).collect()
    }

    /// Waits for an entry and returns those since the last time.
    pub async fn next_details(&self) -> Vec<(&'static str, Value)> {
        until("the bus has an event", async || {
            self.all().len() > self.state.taken.load(SeqCst)
        })
        .await;
        self.take_details()
    }
}

impl Drop for RecordingBus {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl State {
    fn put(&self, request: &Value) -> Response {
        self.calls.fetch_add(1, SeqCst);
        let entries = request["Entries"].as_array().unwrap();
        self.largest_call.fetch_max(entries.len(), SeqCst);
        let answers = *self.answers.lock().unwrap();
        if answers == Answers::Fail {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
        let mut accepted = self.accepted.lock().unwrap();
        let results: Vec<_> = entries
            .iter()
            .map(|entry| {
                let number = self.entries.fetch_add(1, SeqCst);
                if answers == Answers::ThrottleHalf && number.is_multiple_of(2) {
                    return json!({"ErrorCode": "ThrottlingException", "ErrorMessage": "slower"});
                }
                if !accepted.iter().any(|known| id(known) == id(entry)) {
                    accepted.push(entry.clone());
                }
                json!({"EventId": number.to_string()})
            })
            .collect();
        let failed = results.iter().filter(|result| result["EventId"].is_null());
        let answer = json!({"FailedEntryCount": failed.count(), "Entries": results});
        let content_type = [("content-type", "application/x-amz-json-1.1")];
        (content_type, answer.to_string()).into_response()
    }
}

/// Returns the detail's id.
fn id(entry: &Value) -> String {
    detail(entry)["id"].as_str().unwrap().to_owned()
}

fn detail(entry: &Value) -> Value {
    serde_json::from_str(entry["Detail"].as_str().unwrap()).unwrap()
}

/// Returns an entry's detail-type, and its detail without the fields that differ from run to run.
fn shown(entry: &Value) -> (&'static str, Value) {
    let kinds = [
        "Connection Opened",
        "Connection Closed",
        "Entity Subscribed",
        "Entity Unsubscribed",
        "Presence Changed",
    ];
    let kind = kinds.into_iter().find(|kind| entry["DetailType"] == *kind);
    let mut detail = detail(entry);
    let fields = detail.as_object_mut().unwrap();
    let kind = kind.unwrap();
    let different: &[&str] = match kind {
        "Presence Changed" => &["id", "time"],
        _ => &["id", "time", "connectionId", "connectedAt"],
    };
    for field in different {
        assert!(fields.remove(*field).unwrap().is_string(), "{entry}");
    }
    (kind, detail)
}
