//! Lambda function URLs: an HTTP server for each, in front of its function.
//!
//! A request becomes an event of payload format 2.0 (`event`), and the function's result a response
//! (`response`). `cors` answers pages of other origins, `caller` checks callers of URLs with `AWS_IAM`,
//! and `refusal` has Lambda's own errors. The events and answers are those that LocalStack's tests
//! recorded from AWS; `docs/local-vs-aws.md` lists the behaviour that is not proven.
//!
//! Sources: <https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html>,
//! <https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html>,
//! <https://github.com/localstack/localstack/blob/main/tests/aws/services/lambda_/test_lambda.snapshot.json>
//!
//! Left out: response streaming, aliases, and the limit of requests per second.

mod caller;
mod cors;
mod event;
mod listening;
mod refusal;
mod response;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{ConnectInfo, Request, State},
    http::{HeaderValue, header, request::Parts},
    response::Response,
};
use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tracing::Instrument;
use uuid::Uuid;

pub(crate) use listening::{Listeners, listen};

use crate::{
    http_server::{self, Timeouts},
    iam::Roles,
    lambda::{Invocation, Invoke, MAXIMUM_PAYLOAD_BYTES},
    template::{FunctionUrl, UrlAuthType},
};
use caller::Caller;
use refusal::Refusal;

/// The largest body of a request.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
const BODY_LIMIT: usize = 6 * 1024 * 1024;

/// The server of one function URL.
pub struct FunctionUrlServer {
    url: FunctionUrl,
    account_id: String,
    roles: Arc<Roles>,
    invoke: Arc<dyn Invoke>,
    /// The concurrent invocations that the function's reserved concurrency leaves.
    concurrency: Option<Arc<Semaphore>>,
}

impl FunctionUrlServer {
    /// Makes the server of `url`, whose function `invoke` runs.
    pub fn new(
        url: FunctionUrl,
        account_id: &str,
        roles: Arc<Roles>,
        invoke: Arc<dyn Invoke>,
    ) -> Self {
        Self {
            concurrency: url
                .reserved_concurrency
                .map(|limit| Arc::new(Semaphore::new(limit))),
            url,
            account_id: account_id.to_owned(),
            roles,
            invoke,
        }
    }

    /// Serves a port until the returned future is dropped.
    pub async fn serve(self, listener: TcpListener) {
        let router = Router::new().fallback(handle).with_state(Arc::new(self));
        http_server::serve(listener, router, Timeouts::default()).await;
    }

    async fn answer(&self, client: SocketAddr, request: Request) -> Response<Body> {
        let request_id = Uuid::new_v4().to_string();
        let (head, body) = request.into_parts();
        let cors = self.url.cors.as_ref();
        let mut response = match cors {
            Some(cors) if cors::is_preflight(&head) => cors::preflight(cors, &head.headers),
            _ => self
                .invoke(client, &request_id, &head, body)
                .await
                .unwrap_or_else(Refusal::into_response),
        };
        if let Some(cors) = cors {
            cors::expose(cors, &head.headers, response.headers_mut());
        }
        let headers = response.headers_mut();
        headers
            .entry(header::CONTENT_TYPE)
            .or_insert(HeaderValue::from_static("application/json"));
        headers.extend(
            HeaderValue::from_str(&request_id)
                .map(|id| (header::HeaderName::from_static("x-amzn-requestid"), id)),
        );
        response
    }

    async fn invoke(
        &self,
        client: SocketAddr,
        request_id: &str,
        head: &Parts,
        body: Body,
    ) -> Result<Response<Body>, Refusal> {
        let caller = match self.url.auth_type {
            UrlAuthType::None => None,
            UrlAuthType::AwsIam => Some(self.caller(&head.headers)?),
        };
        let body = to_bytes(body, BODY_LIMIT)
            .await
            .map_err(|_| Refusal::TooLarge)?;
        let event = self.event(client, request_id, head, &body, caller);
        let payload = serde_json::to_vec(&event)
            .expect("an event of numbers, texts and maps is serialisable");
        if payload.len() > MAXIMUM_PAYLOAD_BYTES {
            return Err(Refusal::TooLarge);
        }
        match self.run(payload.into()).await? {
            Invocation::Returned(result) => response::from_result(&result).map_err(|problem| {
                tracing::error!(problem, "the function's result is malformed");
                Refusal::FunctionFailed
            }),
            Invocation::Failed(_) | Invocation::Refused(_) => Err(Refusal::FunctionFailed),
        }
    }

    /// Runs the function in a task of its own: as on AWS, an invocation continues, and counts, after its
    /// client has gone.
    async fn run(&self, payload: Bytes) -> Result<Invocation, Refusal> {
        let permit = self.permit()?;
        let invoke = self.invoke.clone();
        let function = self.url.function.clone();
        let invocation = async move {
            let _permit = permit;
            invoke.invoke(&function, payload).await
        };
        let task = tokio::spawn(invocation.in_current_span());
        task.await.map_err(|_| Refusal::FunctionFailed)
    }

    /// Returns the right to run the function, which the reserved concurrency limits.
    fn permit(&self) -> Result<Option<OwnedSemaphorePermit>, Refusal> {
        let Some(concurrency) = &self.concurrency else {
            return Ok(None);
        };
        let permit = concurrency.clone().try_acquire_owned();
        permit.map(Some).map_err(|_| {
            tracing::warn!("request refused: the function's reserved concurrency is exhausted");
            Refusal::Throttled
        })
    }
}

async fn handle(
    State(server): State<Arc<FunctionUrlServer>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response<Body> {
    let span = tracing::info_span!(
        "function_url",
        method = %request.method(),
        path = request.uri().path(),
    );
    server.answer(client, request).instrument(span).await
}
