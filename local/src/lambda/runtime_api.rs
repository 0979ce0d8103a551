//! The Lambda Runtime API, version 2018-06-01, as the function processes speak it:
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.
//!
//! All environments share one listener and are told apart by the first path segment, which is part of
//! the `AWS_LAMBDA_RUNTIME_API` each one is given. Here are only routes and shapes: every call is
//! handed to the environment it came from through its [`Desk`], and that environment decides.
//!
//! `next` is held open until there is an event: runtimes take any other answer as a reason to exit.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Path, State},
    http::{HeaderMap, HeaderName, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{FunctionError, MAXIMUM_PAYLOAD_BYTES};

/// The address functions call, and the environments that may.
#[derive(Clone, Debug)]
pub(super) struct RuntimeApi {
    address: SocketAddr,
    desks: Arc<Mutex<HashMap<String, mpsc::UnboundedSender<Call>>>>,
}

/// Where the calls of one environment arrive. Dropped, the environment's calls are forbidden.
#[derive(Debug)]
pub(super) struct Desk {
    environment: String,
    api: RuntimeApi,
    calls: mpsc::UnboundedReceiver<Call>,
}

/// What a function process asks or tells.
#[derive(Debug)]
pub(super) enum Call {
    /// It waits for its next event. Dropping the sender forbids the call.
    Next(oneshot::Sender<Event>),
    /// It is done with an event.
    Answer {
        /// The event it answers.
        request_id: String,
        /// What the function returned, or its error.
        answer: Result<Bytes, FunctionError>,
        /// Whether this answer is taken.
        verdict: oneshot::Sender<Verdict>,
    },
    /// It could not start.
    InitError(FunctionError, oneshot::Sender<Verdict>),
}

/// What becomes of a call that tells something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It was expected.
    Accepted,
    /// It names an event that this environment is not working on.
    WrongRequestId,
    /// It does not fit what the environment is doing.
    WrongState,
}

/// One event with what the runtime is told about it.
#[derive(Debug)]
pub(super) struct Event {
    /// The request id, a UUID.
    pub(super) request_id: String,
    /// When the invocation will be ended, in milliseconds since 1970.
    pub(super) deadline_ms: u128,
    /// The function's ARN.
    pub(super) function_arn: String,
    /// The X-Ray trace header.
    pub(super) trace_id: String,
    /// The event, as JSON.
    pub(super) payload: Bytes,
}

impl RuntimeApi {
    /// An API for environments that reach it at `address`.
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            desks: Arc::default(),
        }
    }

    /// Opens a desk for a new environment.
    pub(super) fn open_desk(&self) -> Desk {
        let environment = Uuid::new_v4().simple().to_string();
        let (sender, calls) = mpsc::unbounded_channel();
        self.desks().insert(environment.clone(), sender);
        Desk {
            environment,
            api: self.clone(),
            calls,
        }
    }

    /// The routes.
    pub(super) fn router(self) -> Router {
        let runtime = Router::new()
            .route("/invocation/next", get(next))
            .route("/invocation/{request_id}/response", post(response))
            .route("/invocation/{request_id}/error", post(error))
            .route("/init/error", post(init_error))
            // The size is judged by us, since the function's caller has to hear of it too.
            .layer(DefaultBodyLimit::disable())
            .with_state(self);
        Router::new().nest("/{environment}/2018-06-01/runtime", runtime)
    }

    /// Hands a call to its environment; an environment that does not exist gets nothing.
    fn submit(&self, environment: &str, call: Call) {
        if let Some(desk) = self.desks().get(environment) {
            // Nobody at the desk: the call is dropped and with it its reply, which says so.
            let _ = desk.send(call);
        }
    }

    fn desks(&self) -> MutexGuard<'_, HashMap<String, mpsc::UnboundedSender<Call>>> {
        self.desks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub(super) fn address(&self) -> String {
        format!("{}/{}", self.api.address, self.environment)
    }

    /// The next call. Waits for ever if there is none.
    pub(super) async fn call(&mut self) -> Call {
        match self.calls.recv().await {
            Some(call) => call,
            // Not reached: the other end lives in the table of desks until this one is dropped.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.api.desks().remove(&self.environment);
    }
}

impl Call {
    /// Refuses a call that does not fit what its environment is doing.
    pub(super) fn refuse(self) {
        match self {
            // Dropping the sender is the refusal.
            Self::Next(_) => {}
            Self::Answer { verdict, .. } | Self::InitError(_, verdict) => {
                verdict.send(Verdict::WrongState).ok();
            }
        }
    }
}

impl IntoResponse for Verdict {
    fn into_response(self) -> Response {
        match self {
            Self::Accepted => status_response(StatusCode::ACCEPTED, json!({ "status": "OK" })),
            Self::WrongRequestId => error_response(
                StatusCode::BAD_REQUEST,
                "InvalidRequestID",
                "Invalid request ID",
            ),
            Self::WrongState => error_response(
                StatusCode::FORBIDDEN,
                "InvalidStateTransition",
                "State transition is not allowed",
            ),
        }
    }
}

impl IntoResponse for Event {
    fn into_response(self) -> Response {
        let headers = [
            (CONTENT_TYPE, "application/json".to_owned()),
            (REQUEST_ID, self.request_id),
            (DEADLINE_MS, self.deadline_ms.to_string()),
            (FUNCTION_ARN, self.function_arn),
            (TRACE_ID, self.trace_id),
        ];
        (headers, self.payload).into_response()
    }
}

const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
const DEADLINE_MS: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
const FUNCTION_ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");
const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");

async fn next(State(api): State<RuntimeApi>, Path(environment): Path<String>) -> Response {
    let (reply, event) = oneshot::channel();
    api.submit(&environment, Call::Next(reply));
    match event.await {
        Ok(event) => event.into_response(),
        Err(_) => Verdict::WrongState.into_response(),
    }
}

async fn response(
    State(api): State<RuntimeApi>,
    Path((environment, request_id)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    if body.len() <= MAXIMUM_PAYLOAD_BYTES {
        return answer(&api, &environment, request_id, Ok(body))
            .await
            .into_response();
    }
    let too_large = FunctionError::new(
        "Function.ResponseSizeTooLarge",
        format!(
            "Response payload size exceeded maximum allowed payload size \
             ({MAXIMUM_PAYLOAD_BYTES} bytes)."
        ),
    );
    match answer(&api, &environment, request_id, Err(too_large)).await {
        Verdict::Accepted => error_response(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            "Exceeded maximum allowed payload size",
        ),
        refused => refused.into_response(),
    }
}

async fn error(
    State(api): State<RuntimeApi>,
    Path((environment, request_id)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let error = FunctionError::from_body(&body, error_type(&headers));
    answer(&api, &environment, request_id, Err(error))
        .await
        .into_response()
}

async fn init_error(
    State(api): State<RuntimeApi>,
    Path(environment): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let error = FunctionError::from_body(&body, error_type(&headers));
    let (verdict, reply) = oneshot::channel();
    api.submit(&environment, Call::InitError(error, verdict));
    reply.await.unwrap_or(Verdict::WrongState).into_response()
}

async fn answer(
    api: &RuntimeApi,
    environment: &str,
    request_id: String,
    answer: Result<Bytes, FunctionError>,
) -> Verdict {
    let (verdict, reply) = oneshot::channel();
    let call = Call::Answer {
        request_id,
        answer,
        verdict,
    };
    api.submit(environment, call);
    reply.await.unwrap_or(Verdict::WrongState)
}

fn error_type(headers: &HeaderMap) -> &str {
    headers
        .get(ERROR_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("Unhandled")
}

fn error_response(status: StatusCode, error_type: &str, error_message: &str) -> Response {
    let body = json!({ "errorType": error_type, "errorMessage": error_message });
    status_response(status, body)
}

fn status_response(status: StatusCode, body: serde_json::Value) -> Response {
    let headers = [(CONTENT_TYPE, "application/json")];
    (status, headers, body.to_string()).into_response()
}
