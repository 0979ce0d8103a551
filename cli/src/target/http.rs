//! Requests to a herald-local, which speaks HTTP without TLS.

use std::time::Duration;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request, StatusCode, Uri, header};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::failure::Failure;

/// How long an answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A client of one herald-local.
#[derive(Clone, Debug)]
pub(crate) struct Http(Client<HttpConnector, Full<Bytes>>);

impl Http {
    pub(crate) fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }

    /// What is at `url`, as JSON.
    ///
    /// Errs with [`Failure::Unavailable`] if nobody answers, and with [`Failure::Failed`] and the
    /// answer's text if it is no success or not what was expected.
    pub(crate) async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, Failure> {
        self.call(Method::GET, url, Bytes::new()).await
    }

    /// The answer to `body` that is posted to `url`, both as JSON. Errs as [`Http::get`] does.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        url: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let body = serde_json::to_vec(body)?;
        self.call(Method::POST, url, body.into()).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        url: &str,
        body: Bytes,
    ) -> Result<T, Failure> {
        let uri: Uri = url
            .parse()
            .map_err(|error| Failure::usage(format!("{url} is no address: {error}")))?;
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let answered = tokio::time::timeout(ANSWER_WITHIN, self.answer(request)).await;
        let (status, text) = answered
            .map_err(|_| anyhow!("no answer within {} s", ANSWER_WITHIN.as_secs()))
            .and_then(|answer| answer)
            .map_err(|error| not_reached(url, &error))?;
        if !status.is_success() {
            let text = String::from_utf8_lossy(&text);
            return Err(anyhow!("{url} answers {}: {}", status.as_u16(), text.trim()).into());
        }
        let read = serde_json::from_slice(&text);
        Ok(read.with_context(|| format!("{url} answers something else than expected"))?)
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
        let response = self.0.request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

fn not_reached(url: &str, error: &anyhow::Error) -> Failure {
    // The last cause is the operating system's; those before it are the layers of the client.
    let cause = error.root_cause();
    Failure::unavailable(format!(
        "nobody answers at {url}: {cause}; start the local stack with `cargo run -p herald-local`, or say \
         with --endpoint where it is, or with --stack which deployed stack you mean"
    ))
}
