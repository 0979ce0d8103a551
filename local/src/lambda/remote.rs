//! Functions that somebody else runs: anything with Lambda's Invoke API, e.g. `cargo lambda watch`.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>. AWS answers a failed function with
//! status 200 and the header `X-Amz-Function-Error`; `cargo lambda watch` with status 500 and no such
//! header. There is no time limit here: that is the other side's job, and `cargo lambda watch`
//! compiles a function while its first event waits.

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

use super::{FunctionError, Invocation, Invoke, ended::Ended};
use crate::{activity::Activity, template::Function};

/// Runs functions through an Invoke API, named by their binaries.
#[derive(Clone, Debug)]
pub struct Remote {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    /// Binary by logical id.
    binaries: BTreeMap<String, String>,
    activity: Activity,
}

/// An answer, and the request id that it was given under.
type Answered = (Invocation, Option<String>);

impl Remote {
    /// Functions served at `url`, e.g. `http://127.0.0.1:9000`. Connects to nothing yet; `activity` is
    /// told of every invocation that has ended. Errs unless `url` is an `http` address.
    pub fn new(url: &str, functions: &[Function], activity: Activity) -> anyhow::Result<Self> {
        let usable = |uri: &Uri| uri.scheme_str() == Some("http") && uri.query().is_none();
        if !url.parse().is_ok_and(|uri| usable(&uri)) {
            bail!("{url} is not the address of an Invoke API: give one like http://127.0.0.1:9000");
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

    /// Runs one invocation and tells of its end.
    async fn run(&self, function: &str, payload: Bytes) -> Invocation {
        let asked_at = Instant::now();
        let (invocation, request_id) = self.ask(function, payload.clone()).await;
        let duration = asked_at.elapsed();
        tracing::info!(
            function,
            duration_ms = duration.as_millis(),
            outcome = invocation.outcome(),
            reason = invocation.reason(),
            "function invoked"
        );
        let ended = Ended {
            request_id,
            duration,
            event: payload,
            invocation: invocation.clone(),
        };
        // What the function prints is read by whoever runs it.
        let happening = ended.happening(function, Vec::new(), &self.activity);
        self.activity.record(happening);
        invocation
    }

    async fn ask(&self, function: &str, payload: Bytes) -> Answered {
        let Some(binary) = self.binaries.get(function) else {
            let reason = format!("there is no function {function}");
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
                    "no function runs at {url}: start `cargo lambda watch` or what else serves it"
                )
            })?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.context("the answer broke off")?;
        Ok((parts, body.to_bytes()))
    }
}

impl Invoke for Remote {
    fn invoke<'a>(&'a self, function: &'a str, payload: Bytes) -> BoxFuture<'a, Invocation> {
        let remote = self.clone();
        let name = function.to_owned();
        // In a task of its own, so that the function runs on when its caller stops waiting.
        let run = async move { remote.run(&name, payload).await }.in_current_span();
        async move {
            let ended = tokio::spawn(run).await;
            ended.unwrap_or_else(|error| Invocation::Refused(error.to_string()))
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
