//! An HTTP client for herald-local, which serves no TLS.

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

/// The longest time that a response may take.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(10);

/// A client that sends and receives JSON.
#[derive(Clone, Debug)]
pub(super) struct HttpClient(Client<HttpConnector, Full<Bytes>>);

impl HttpClient {
    pub(super) fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }

    /// Returns the JSON at `url`.
    ///
    /// Fails with [`Failure::Unavailable`] if the server does not respond, and with [`Failure::Failed`] if the response
    /// has an error status or an unexpected body.
    pub(super) async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, Failure> {
        self.call(Method::GET, url, Bytes::new()).await
    }

    /// Posts `body` to `url` and returns the response, both as JSON. Fails as [`HttpClient::get`] does.
    pub(super) async fn post<T: DeserializeOwned>(
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
            .map_err(|error| Failure::usage(format!("{url} is not a valid URL: {error}")))?;
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let response = tokio::time::timeout(RESPONSE_TIMEOUT, self.response(request)).await;
        let (status, text) = response
            .map_err(|_| anyhow!("no response within {} s", RESPONSE_TIMEOUT.as_secs()))
            .and_then(|response| response)
            .map_err(|error| unreachable_failure(url, &error))?;
        if !status.is_success() {
            let text = String::from_utf8_lossy(&text);
            return Err(
                anyhow!("{url} responded with {}: {}", status.as_u16(), text.trim()).into(),
            );
        }
        let read = serde_json::from_slice(&text);
        Ok(read.with_context(|| format!("the response of {url} cannot be read"))?)
    }

    async fn response(&self, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
        let response = self.0.request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }
}

fn unreachable_failure(url: &str, error: &anyhow::Error) -> Failure {
    // The root cause is the operating system's error; those above it are the layers of the client.
    let cause = error.root_cause();
    Failure::unavailable(format!(
        "cannot reach herald-local at {url}: {cause}; start it with `cargo run -p herald-local`, or pass its \
         address with --endpoint or a deployed stack with --stack"
    ))
}
