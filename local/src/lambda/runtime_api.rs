//! The Lambda Runtime API for the function processes, version 2018-06-01:
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>.
//!
//! Every environment has its own [`RuntimeApi`] on a free loopback port, so
//! `AWS_LAMBDA_RUNTIME_API` is a host and a port as on AWS (the Rust runtime accepts a path only
//! after a scheme, other runtimes never), and the port identifies the caller. This module has only
//! routes and shapes; the environment decides the replies.
//!
//! `next` stays open until an event arrives: runtimes exit on any other answer.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
};

use axum::serve::Listener;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderName},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use super::{FunctionError, MAXIMUM_PAYLOAD_BYTES};
use crate::{http_server::RetryingListener, open_files};

/// The Runtime API server of one environment. Dropping it closes the port.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    address: SocketAddr,
    calls: mpsc::UnboundedReceiver<Call>,
    server: JoinHandle<()>,
}

/// A call of a function process.
#[derive(Debug)]
pub(super) enum Call {
    /// The request for the next event. Dropping the sender refuses the call.
    Next(oneshot::Sender<Event>),
    /// The answer to an event.
    Answer {
        /// The request id of the event.
        request_id: String,
        /// The function's result, or its error.
        answer: Result<Bytes, FunctionError>,
        /// The sender of the reply to this call.
        reply: oneshot::Sender<CallReply>,
    },
    /// The report of a failed start.
    InitError(FunctionError, oneshot::Sender<CallReply>),
}

/// The reply to an answer or to a failed start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallReply {
    /// The call was expected.
    Accepted,
    /// The call names another event than the one in flight.
    WrongRequestId,
    /// The environment does not expect the call in its state.
    WrongState,
}

/// One event with its metadata for the runtime.
#[derive(Debug)]
pub(super) struct Event {
    /// The request id, a UUID.
    pub(super) request_id: String,
    /// The invocation's deadline in epoch milliseconds.
    pub(super) deadline_ms: u128,
    /// The function's ARN.
    pub(super) function_arn: String,
    /// The X-Ray trace header.
    pub(super) trace_id: String,
    /// The event, as JSON.
    pub(super) payload: Bytes,
}

impl RuntimeApi {
    /// Opens a port for a new environment.
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

    /// Returns the value of `AWS_LAMBDA_RUNTIME_API`.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the next call.
    pub(super) async fn call(&mut self) -> Call {
        match self.calls.recv().await {
            Some(call) => call,
            // The server has ended and logged the reason.
            None => std::future::pending().await,
        }
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Call {
    /// Refuses a call that the environment does not expect in its state.
    pub(super) fn refuse(self) {
        match self {
            // Dropping the sender refuses the call.
            Self::Next(_) => {}
            Self::Answer { reply, .. } | Self::InitError(_, reply) => {
                reply.send(CallReply::WrongState).ok();
            }
        }
    }
}

impl CallReply {
    fn response(self) -> ResponseResult {
        match self {
            Self::Accepted => status_response(StatusCode::ACCEPTED, r#"{"status":"OK"}"#),
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

impl Event {
    fn response(self) -> ResponseResult {
        let response = Response::builder()
            .header(CONTENT_TYPE, JSON)
            .header(REQUEST_ID, self.request_id)
            .header(DEADLINE_MS, self.deadline_ms.to_string())
            .header(FUNCTION_ARN, self.function_arn)
            .header(TRACE_ID, self.trace_id)
            .body(self.payload.into())?;
        Ok(response)
    }
}

type ResponseResult = anyhow::Result<Response<Full<Bytes>>>;

const JSON: &str = "application/json";
const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-runtime-aws-request-id");
const DEADLINE_MS: HeaderName = HeaderName::from_static("lambda-runtime-deadline-ms");
const FUNCTION_ARN: HeaderName = HeaderName::from_static("lambda-runtime-invoked-function-arn");
const TRACE_ID: HeaderName = HeaderName::from_static("lambda-runtime-trace-id");
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-runtime-function-error-type");

type Calls = mpsc::UnboundedSender<Call>;

async fn serve(listener: TcpListener, calls: Calls) {
    let mut listener = RetryingListener::new(listener);
    loop {
        let (stream, _) = listener.accept().await;
        tokio::spawn(serve_process(stream, calls.clone()));
    }
}

/// Serves a connection of the function process. A router would cost about a tenth of the processor time
/// of a message, which makes two calls.
async fn serve_process(stream: TcpStream, calls: Calls) {
    let service = service_fn(|request| respond(&calls, request));
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a function's connection to its Runtime API ended");
    }
}

async fn respond(calls: &Calls, request: Request<Incoming>) -> ResponseResult {
    let (head, body) = request.into_parts();
    let path = head.uri.path().strip_prefix("/2018-06-01/runtime/");
    let segments: Vec<_> = path.into_iter().flat_map(|path| path.split('/')).collect();
    let body = body.collect().await?.to_bytes();
    let error = || FunctionError::from_body(&body, error_type(&head.headers));
    match (&head.method, &segments[..]) {
        (&Method::GET, ["invocation", "next"]) => next(calls).await,
        (&Method::POST, ["invocation", id, "response"]) => response(calls, id, body).await,
        (&Method::POST, ["invocation", id, "error"]) => {
            answer(calls, id, Err(error())).await.response()
        }
        (&Method::POST, ["init", "error"]) => init_error(calls, error()).await.response(),
        _ => {
            let response = Response::builder().status(StatusCode::NOT_FOUND);
            Ok(response.body(Full::default())?)
        }
    }
}

async fn next(calls: &Calls) -> ResponseResult {
    let (sender, event) = oneshot::channel();
    submit(calls, Call::Next(sender));
    match event.await {
        Ok(event) => event.response(),
        Err(_) => CallReply::WrongState.response(),
    }
}

async fn response(calls: &Calls, request_id: &str, body: Bytes) -> ResponseResult {
    if body.len() <= MAXIMUM_PAYLOAD_BYTES {
        return answer(calls, request_id, Ok(body)).await.response();
    }
    // The function's caller needs the error as well.
    let too_large = FunctionError::new(
        "Function.ResponseSizeTooLarge",
        format!(
            "Response payload size exceeded maximum allowed payload size \
             ({MAXIMUM_PAYLOAD_BYTES} bytes)."
        ),
    );
    match answer(calls, request_id, Err(too_large)).await {
        CallReply::Accepted => error_response(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            "Exceeded maximum allowed payload size",
        ),
        refused => refused.response(),
    }
}

async fn init_error(calls: &Calls, error: FunctionError) -> CallReply {
    let (sender, reply) = oneshot::channel();
    submit(calls, Call::InitError(error, sender));
    reply.await.unwrap_or(CallReply::WrongState)
}

async fn answer(
    calls: &Calls,
    request_id: &str,
    answer: Result<Bytes, FunctionError>,
) -> CallReply {
    let (sender, reply) = oneshot::channel();
    let call = Call::Answer {
        request_id: request_id.to_owned(),
        answer,
        reply: sender,
    };
    submit(calls, call);
    reply.await.unwrap_or(CallReply::WrongState)
}

/// Sends a call to the environment. An ended environment drops the call and with it the sender of
/// the reply, which refuses the call.
fn submit(calls: &Calls, call: Call) {
    calls.send(call).ok();
}

fn error_type(headers: &HeaderMap) -> &str {
    headers
        .get(ERROR_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("Unhandled")
}

fn error_response(status: StatusCode, error_type: &str, error_message: &str) -> ResponseResult {
    let body = json!({ "errorType": error_type, "errorMessage": error_message });
    status_response(status, body.to_string())
}

fn status_response(status: StatusCode, body: impl Into<Bytes>) -> ResponseResult {
    let response = Response::builder().status(status);
    let response = response.header(CONTENT_TYPE, JSON);
    Ok(response.body(Full::new(body.into()))?)
}

#[cfg(test)]
mod tests {
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};

    use super::{Bytes, Call, CallReply, Event, Full, Request, RuntimeApi};

    /// Makes a call, passes it to `handle`, and returns the status of the response.
    async fn status(method: &str, path: &str, body: &str, handle: impl FnOnce(Call)) -> u16 {
        let mut runtime_api = RuntimeApi::open().await.expect("a port");
        let request = Request::builder()
            .method(method)
            .uri(format!(
                "http://{}/2018-06-01/runtime{path}",
                runtime_api.address()
            ))
            .body(Full::new(Bytes::from(body.to_owned())))
            .expect("a request");
        let client = Client::builder(TokioExecutor::new()).build_http();
        let handled = async { handle(runtime_api.call().await) };
        let (response, ()) = tokio::join!(client.request(request), handled);
        response.expect("an answer").status().as_u16()
    }

    fn reply_with(reply: CallReply) -> impl FnOnce(Call) {
        move |call| match call {
            Call::Answer { reply: sender, .. } | Call::InitError(_, sender) => {
                sender.send(reply).expect("a waiting handler");
            }
            Call::Next(_) => panic!("unexpected `next`"),
        }
    }

    #[tokio::test]
    async fn answer_gets_the_status_of_the_reply() {
        let cases = [
            (CallReply::Accepted, 202),
            (CallReply::WrongRequestId, 400),
            (CallReply::WrongState, 403),
        ];
        for (reply, expected) in cases {
            for path in [
                "/invocation/7/response",
                "/invocation/7/error",
                "/init/error",
            ] {
                let status = status("POST", path, "{}", reply_with(reply)).await;
                assert_eq!(status, expected, "{path} {reply:?}");
            }
        }
    }

    #[tokio::test]
    async fn answer_over_the_limit_is_413_and_an_error_for_the_caller() {
        let large = " ".repeat(super::MAXIMUM_PAYLOAD_BYTES + 1);
        let status = status(
            "POST",
            "/invocation/7/response",
            &large,
            |call| match call {
                Call::Answer { answer, reply, .. } => {
                    assert!(answer.is_err());
                    reply.send(CallReply::Accepted).expect("a waiting handler");
                }
                other => panic!("unexpected {other:?}"),
            },
        );
        assert_eq!(status.await, 413);
    }

    #[tokio::test]
    async fn next_is_answered_with_an_event_or_403() {
        let event = Event {
            request_id: "7".to_owned(),
            deadline_ms: 1,
            function_arn: "arn".to_owned(),
            trace_id: "Root=1".to_owned(),
            payload: Bytes::from("{}"),
        };
        let send_event = |call| match call {
            Call::Next(next) => next.send(event).expect("a waiting handler"),
            other => panic!("unexpected {other:?}"),
        };
        assert_eq!(status("GET", "/invocation/next", "", send_event).await, 200);
        assert_eq!(
            status("GET", "/invocation/next", "", Call::refuse).await,
            403
        );
    }
}
