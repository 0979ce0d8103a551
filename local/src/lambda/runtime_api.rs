//! The Lambda Runtime API, version 2018-06-01, as the function processes speak it:
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.
//!
//! Every environment has a listener of its own on a free loopback port, its [`Desk`], so that
//! `AWS_LAMBDA_RUNTIME_API` is a host and a port as on AWS (the Rust runtime takes a path after them
//! only with a scheme before them, other runtimes not at all) and no call needs to say who makes it.
//! Here are only routes and shapes; the environment decides what to answer.
//!
//! `next` is held open until there is an event: runtimes take any other answer as a reason to exit.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
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
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{FunctionError, MAXIMUM_PAYLOAD_BYTES};
use crate::{http_server::Accepting, open_files};

/// Where the calls of one environment arrive. Dropped, it is closed.
#[derive(Debug)]
pub(super) struct Desk {
    address: SocketAddr,
    calls: mpsc::UnboundedReceiver<Call>,
    server: JoinHandle<()>,
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

impl Desk {
    /// Opens a desk for a new environment. Errs if there is no port to be had.
    pub(super) async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.map_err(open_files::explained)?;
        let address = listener.local_addr()?;
        let (sender, calls) = mpsc::unbounded_channel();
        Ok(Self {
            address,
            calls,
            server: tokio::spawn(serve(listener, sender)),
        })
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next call. Waits for ever if there is none.
    pub(super) async fn call(&mut self) -> Call {
        match self.calls.recv().await {
            Some(call) => call,
            // Only without its server, which has logged why it ended.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.server.abort();
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

type Calls = mpsc::UnboundedSender<Call>;

async fn serve(listener: TcpListener, calls: Calls) {
    if let Err(error) = axum::serve(Accepting::new(listener), routes(calls)).await {
        tracing::error!(%error, "a function's Runtime API has ended");
    }
}

fn routes(calls: Calls) -> Router {
    let runtime = Router::new()
        .route("/invocation/next", get(next))
        .route("/invocation/{request_id}/response", post(response))
        .route("/invocation/{request_id}/error", post(error))
        .route("/init/error", post(init_error))
        // The size is judged below, since the function's caller has to hear of it too.
        .layer(DefaultBodyLimit::disable())
        .with_state(calls);
    Router::new().nest("/2018-06-01/runtime", runtime)
}

async fn next(State(calls): State<Calls>) -> Response {
    let (reply, event) = oneshot::channel();
    submit(&calls, Call::Next(reply));
    match event.await {
        Ok(event) => event.into_response(),
        Err(_) => Verdict::WrongState.into_response(),
    }
}

async fn response(
    State(calls): State<Calls>,
    Path(request_id): Path<String>,
    body: Bytes,
) -> Response {
    if body.len() <= MAXIMUM_PAYLOAD_BYTES {
        return answer(&calls, request_id, Ok(body)).await.into_response();
    }
    let too_large = FunctionError::new(
        "Function.ResponseSizeTooLarge",
        format!(
            "Response payload size exceeded maximum allowed payload size \
             ({MAXIMUM_PAYLOAD_BYTES} bytes)."
        ),
    );
    match answer(&calls, request_id, Err(too_large)).await {
        Verdict::Accepted => error_response(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            "Exceeded maximum allowed payload size",
        ),
        refused => refused.into_response(),
    }
}

async fn error(
    State(calls): State<Calls>,
    Path(request_id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let error = FunctionError::from_body(&body, error_type(&headers));
    answer(&calls, request_id, Err(error)).await.into_response()
}

async fn init_error(State(calls): State<Calls>, headers: HeaderMap, body: Bytes) -> Response {
    let error = FunctionError::from_body(&body, error_type(&headers));
    let (verdict, reply) = oneshot::channel();
    submit(&calls, Call::InitError(error, verdict));
    reply.await.unwrap_or(Verdict::WrongState).into_response()
}

async fn answer(
    calls: &Calls,
    request_id: String,
    answer: Result<Bytes, FunctionError>,
) -> Verdict {
    let (verdict, reply) = oneshot::channel();
    let call = Call::Answer {
        request_id,
        answer,
        verdict,
    };
    submit(calls, call);
    reply.await.unwrap_or(Verdict::WrongState)
}

/// Hands a call to the environment. One that has ended drops it and with it the way back, which is
/// an answer, too.
fn submit(calls: &Calls, call: Call) {
    calls.send(call).ok();
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

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use hyper::Request;
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};

    use super::{Bytes, Call, Desk, Event, Verdict};

    /// Makes a call, meets it with `decide`, and returns the status of the answer.
    async fn status(method: &str, path: &str, body: &str, decide: impl FnOnce(Call)) -> u16 {
        let mut desk = Desk::open().await.expect("a port");
        let request = Request::builder()
            .method(method)
            .uri(format!(
                "http://{}/2018-06-01/runtime{path}",
                desk.address()
            ))
            .body(Full::new(Bytes::from(body.to_owned())))
            .expect("a request");
        let client = Client::builder(TokioExecutor::new()).build_http();
        let meet = async { decide(desk.call().await) };
        let (response, ()) = tokio::join!(client.request(request), meet);
        response.expect("an answer").status().as_u16()
    }

    fn say(verdict: Verdict) -> impl FnOnce(Call) {
        move |call| match call {
            Call::Answer { verdict: reply, .. } | Call::InitError(_, reply) => {
                reply.send(verdict).expect("somebody waits");
            }
            Call::Next(_) => panic!("`next` asks and tells nothing"),
        }
    }

    #[tokio::test]
    async fn an_answer_gets_the_status_its_environment_decides_on() {
        let cases = [
            (Verdict::Accepted, 202),
            (Verdict::WrongRequestId, 400),
            (Verdict::WrongState, 403),
        ];
        for (verdict, expected) in cases {
            for path in [
                "/invocation/7/response",
                "/invocation/7/error",
                "/init/error",
            ] {
                let status = status("POST", path, "{}", say(verdict)).await;
                assert_eq!(status, expected, "{path} {verdict:?}");
            }
        }
    }

    #[tokio::test]
    async fn an_answer_over_the_limit_is_413_and_an_error_for_the_caller() {
        let large = " ".repeat(super::MAXIMUM_PAYLOAD_BYTES + 1);
        let status = status(
            "POST",
            "/invocation/7/response",
            &large,
            |call| match call {
                Call::Answer {
                    answer, verdict, ..
                } => {
                    assert!(answer.is_err());
                    verdict.send(Verdict::Accepted).expect("somebody waits");
                }
                other => panic!("unexpected {other:?}"),
            },
        );
        assert_eq!(status.await, 413);
    }

    #[tokio::test]
    async fn next_is_answered_with_an_event_or_forbidden() {
        let event = Event {
            request_id: "7".to_owned(),
            deadline_ms: 1,
            function_arn: "arn".to_owned(),
            trace_id: "Root=1".to_owned(),
            payload: Bytes::from("{}"),
        };
        let hand_over = |call| match call {
            Call::Next(next) => next.send(event).expect("somebody waits"),
            other => panic!("unexpected {other:?}"),
        };
        assert_eq!(status("GET", "/invocation/next", "", hand_over).await, 200);
        assert_eq!(
            status("GET", "/invocation/next", "", Call::refuse).await,
            403
        );
    }
}
