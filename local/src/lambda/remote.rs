//! Functions behind another server with Lambda's Invoke API, e.g. `cargo lambda watch`.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>. AWS answers a failed function with
//! status 200 and the header `X-Amz-Function-Error`; `cargo lambda watch` with status 500 and no such
//! header. This client has no time limit: the other server sets it, and `cargo lambda watch` compiles a
//! function while its first event waits.

use std::{collections::BTreeMap, time::Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, Response, StatusCode, Uri, body::Incoming};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tracing::Instrument;

use super::{FunctionError, Invocation, Invoke, completed_invocation::CompletedInvocation};
use crate::{activity::Activity, template::Function};

/// An invoker through an Invoke API, which names functions by their binaries.
#[derive(Clone, Debug)]
pub struct Remote {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    /// Binaries by logical id.
    binaries: BTreeMap<String, String>,
    activity: Activity,
}

impl Remote {
    /// Makes an invoker of the functions at `url`, e.g. `http://127.0.0.1:9000`, without
    /// connecting. `activity` records every completed invocation.
    ///
    /// # Errors
    ///
    /// Returns an error if `url` is not an `http` URL.
    pub fn new(url: &str, functions: &[Function], activity: Activity) -> anyhow::Result<Self> {
        let usable = |uri: &Uri| uri.scheme_str() == Some("http") && uri.query().is_none();
        if !url.parse().is_ok_and(|uri| usable(&uri)) {
            bail!(
                "the address of the Invoke API must be an http URL such as http://127.0.0.1:9000, got {url}"
            );
        }
        let binaries = functions
            .iter()
            .map(|function| (function.logical_id.clone(), function.binary.clone()))
            .collect();
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            url: url.trim_end_matches('/').to_owned(),
            binaries,
            activity,
        })
    }

    /// Runs one invocation and records it.
    async fn run(&self, function: &str, payload: Bytes) -> Invocation {
        let started_at = Instant::now();
        let (invocation, request_id) = self.request(function, payload.clone()).await;
        let duration = started_at.elapsed();
        tracing::info!(
            function,
            duration_ms = duration.as_millis(),
            outcome = invocation.outcome(),
            reason = invocation.reason(),
            "function invoked"
        );
        let completed = CompletedInvocation::now(request_id, duration, payload, &invocation);
        // The other server reads the function's output.
        completed.record(function, Vec::new(), &self.activity);
        invocation
    }

    /// Returns the result of an invocation and its request id.
    async fn request(&self, function: &str, payload: Bytes) -> (Invocation, Option<String>) {
        let Some(binary) = self.binaries.get(function) else {
            let reason = format!("function {function} does not exist");
            return (Invocation::Refused(reason), None);
        };
        match self.call(binary, payload).await {
            Ok((response, body)) => {
                let id = response.headers.get("x-amzn-requestid");
                let id = id.and_then(|id| Some(id.to_str().ok()?.to_owned()));
                (read(&response, body), id)
            }
            Err(error) => (Invocation::Refused(format!("{error:#}")), None),
        }
    }

    async fn call(
        &self,
        binary: &str,
        payload: Bytes,
    ) -> anyhow::Result<(hyper::http::response::Parts, Bytes)> {
        let url = &self.url;
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{url}/2015-03-31/functions/{binary}/invocations"))
            .header("content-type", "application/json")
            .body(Full::new(payload))?;
        let response: Response<Incoming> =
            self.client.request(request).await.with_context(|| {
                format!(
                    "no Invoke API answers at {url}; start `cargo lambda watch` or another server there"
                )
            })?;
        let (parts, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .context("the connection closed before the end of the answer")?;
        Ok((parts, body.to_bytes()))
    }
}

impl Invoke for Remote {
    fn invoke<'a>(&'a self, function: &'a str, payload: Bytes) -> BoxFuture<'a, Invocation> {
        let remote = self.clone();
        let name = function.to_owned();
        // In a task of its own, so that the function continues when its caller stops waiting.
        let run = async move { remote.run(&name, payload).await }.in_current_span();
        async move {
            let completed = tokio::spawn(run).await;
            completed.unwrap_or_else(|error| Invocation::Refused(error.to_string()))
        }
        .boxed()
    }
}

fn read(response: &hyper::http::response::Parts, body: Bytes) -> Invocation {
    let function_error = response.headers.get("x-amz-function-error");
    if let Some(kind) = function_error {
        let kind = kind.to_str().unwrap_or("Unhandled");
        return Invocation::Failed(FunctionError::from_body(&body, kind));
    }
    match response.status {
        status if status.is_success() => Invocation::Returned(body),
        StatusCode::INTERNAL_SERVER_ERROR => {
            Invocation::Failed(FunctionError::from_body(&body, "Unhandled"))
        }
        status => Invocation::Refused(format!(
            "the Invoke API answered {status}: {}",
            String::from_utf8_lossy(&body)
        )),
    }
}
