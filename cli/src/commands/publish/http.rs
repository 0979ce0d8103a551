//! Publishing over HTTP, with an API key: `POST` to the URL of the function `publish`.

use std::time::Duration;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use herald_shared::{
    backoff::bound,
    error_chain::error_chain,
    protocol::{PUBLISH_BYTES, PUBLISH_LIMIT},
    tls::{Connector, connector},
};
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode, Uri, header};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde::Deserialize;
use tokio::time::{sleep, timeout};

use super::{
    batch::Limits,
    channel::{Published, Results},
    entry::Entry,
};
use crate::failure::Failure;

/// The longest time that a response may take. The function has less.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);

/// The number of attempts for a message.
const ATTEMPTS: u32 = 6;

// Bounds of the delays between attempts.
const FIRST_DELAY: Duration = Duration::from_millis(200);
const LONGEST_DELAY: Duration = Duration::from_secs(5);

// The frame of a request's body.
const BEFORE: &str = r#"{"messages":["#;
const AFTER: &str = "]}";

/// A URL for publishing, with an API key. It has no `Debug`, so that the key is never printed.
pub(super) struct Http {
    client: Client<Connector, Full<Bytes>>,
    url: Uri,
    authorization: String,
}

/// The answer to a request.
#[derive(Deserialize)]
struct Reply {
    results: Vec<MessageResult>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum MessageResult {
    Published(Published),
    Refused { error: Refusal },
}

/// The reason for which a message was refused.
#[derive(Deserialize)]
struct Refusal {
    code: String,
    message: String,
    #[serde(default)]
    retryable: bool,
}

/// The body of an answer to a refused request: Herald's, or Lambda's.
#[derive(Default, Deserialize)]
struct RefusedRequest {
    #[serde(alias = "Message")]
    message: Option<String>,
}

impl Http {
    pub(super) const LIMITS: Limits = Limits {
        entries: PUBLISH_LIMIT,
        bytes: PUBLISH_BYTES - BEFORE.len() - AFTER.len(),
    };

    /// Makes a client of the URL. Fails with [`Failure::Usage`] if the URL or the key is malformed.
    pub(super) fn new(url: &str, key: &str) -> Result<Self, Failure> {
        let wrong_url = |reason: String| {
            Failure::usage(format!(
                "the URL must be an address such as https://….on.aws/, {reason}, got `{url}`"
            ))
        };
        let url: Uri = url
            .parse()
            .map_err(|error| wrong_url(format!("and is invalid ({error})")))?;
        if !matches!(url.scheme_str(), Some("http" | "https")) {
            return Err(wrong_url("with https:// or http://".to_owned()));
        }
        if !key.starts_with("hk_") || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::usage(
                "the API key must begin with hk_: `herald key create` makes one",
            ));
        }
        let connector = connector().context("cannot load the certificate authorities")?;
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            url,
            authorization: format!("Bearer {key}"),
        })
    }

    /// Returns the bytes of a message in the body, with its comma.
    pub(super) fn size(entry: &Entry) -> usize {
        entry.as_message().len() + 1
    }

    /// Publishes the messages of one request, and retries those that fail for a transient reason. A request whose
    /// outcome is unknown is not repeated.
    pub(super) async fn put(&self, entries: &[&Entry]) -> Result<Results, Failure> {
        let mut results = self.request(entries).await?;
        for retry in 0..ATTEMPTS - 1 {
            let failed: Vec<_> = (0..entries.len())
                .filter(|index| is_retryable(&results[*index]))
                .collect();
            if failed.is_empty() {
                break;
            }
            pause(retry).await;
            let retried: Vec<_> = failed.iter().map(|index| entries[*index]).collect();
            for (index, result) in failed.into_iter().zip(self.request(&retried).await?) {
                results[index] = result;
            }
        }
        Ok(results.into_iter().map(outcome).collect())
    }

    /// Makes one request, again while it is throttled. Returns a result for each message, in order.
    async fn request(&self, entries: &[&Entry]) -> Result<Vec<MessageResult>, Failure> {
        let messages: Vec<_> = entries.iter().map(|entry| entry.as_message()).collect();
        let body = Bytes::from(format!("{BEFORE}{}{AFTER}", messages.join(",")));
        let mut attempt = 0;
        let (status, text) = loop {
            let (status, text) = self.response(body.clone()).await?;
            attempt += 1;
            // The request was refused before any message was looked at.
            if status != StatusCode::TOO_MANY_REQUESTS || attempt == ATTEMPTS {
                break (status, text);
            }
            pause(attempt - 1).await;
        };
        if status != StatusCode::OK {
            return Err(self.refused(status, &text));
        }
        let reply: Reply = serde_json::from_slice(&text).map_err(|_| {
            anyhow!(
                "{} is not a URL for publishing: its response cannot be read",
                self.url
            )
        })?;
        if reply.results.len() != entries.len() {
            return Err(anyhow!("{} responded with the wrong number of results", self.url).into());
        }
        Ok(reply.results)
    }

    async fn response(&self, body: Bytes) -> Result<(StatusCode, Bytes), Failure> {
        let request = Request::post(self.url.clone())
            .header(header::AUTHORIZATION, &self.authorization)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let response = async {
            let response = self.client.request(request).await?;
            let status = response.status();
            let body = response.into_body().collect().await?;
            anyhow::Ok((status, body.to_bytes()))
        };
        let url = &self.url;
        match timeout(RESPONSE_TIMEOUT, response).await {
            Ok(response) => response.map_err(|error| {
                Failure::unavailable(format!("cannot publish at {url}: {}", error_chain(&*error)))
            }),
            Err(_) => Err(Failure::unavailable(format!(
                "{url} did not respond within {} s: the messages may have been published",
                RESPONSE_TIMEOUT.as_secs()
            ))),
        }
    }

    /// Makes the failure of a request that was refused as a whole.
    fn refused(&self, status: StatusCode, text: &[u8]) -> Failure {
        let body: RefusedRequest = serde_json::from_slice(text).unwrap_or_default();
        let text = String::from_utf8_lossy(text);
        let message = body.message.unwrap_or_else(|| text.trim().to_owned());
        let message = format!("{} responded with {}: {message}", self.url, status.as_u16());
        match status.as_u16() {
            401 | 403 => Failure::refused(message),
            429 | 500.. => Failure::unavailable(message),
            _ => anyhow::Error::msg(message).into(),
        }
    }
}

async fn pause(retry: u32) {
    sleep(bound(FIRST_DELAY, LONGEST_DELAY, retry).mul_f64(fastrand::f64())).await;
}

fn is_retryable(result: &MessageResult) -> bool {
    matches!(result, MessageResult::Refused { error } if error.retryable)
}

fn outcome(result: MessageResult) -> Result<Published, Failure> {
    match result {
        MessageResult::Published(published) => Ok(published),
        MessageResult::Refused { error } => {
            let message = format!(
                "the message was refused: {} ({})",
                error.message, error.code
            );
            Err(match error.code.as_str() {
                "forbidden" | "unauthorized" => Failure::refused(message),
                _ => anyhow::Error::msg(message).into(),
            })
        }
    }
}
