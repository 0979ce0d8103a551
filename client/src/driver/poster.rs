//! The HTTP requests of links that poll.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use herald_shared::error_chain::error_chain;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT},
    http::uri::InvalidUri,
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::{sync::mpsc::Sender, task::JoinSet, time::timeout};

use super::{
    LastFailure, Reports,
    address::{UNUSABLE_TOKEN, bearer, is_certifiable},
    panics::caught,
    tls,
};
use crate::{
    AttemptError, Cause, ConnectError, Options,
    machine::{Input, PostPath, SocketId},
};

/// The most bytes of an answer that the client accepts: more than Herald sends.
const ANSWER_LIMIT: usize = 1024 * 1024;

const CLIENT: &str = concat!("herald-client/", env!("CARGO_PKG_VERSION"));

/// The address of the function `poll`, which was checked.
#[derive(Clone, Debug)]
pub(crate) struct PollUrl {
    /// Ends with `/`.
    base: String,
}

impl PollUrl {
    /// Checks an address: `http://` or `https://`, and a host.
    ///
    /// # Errors
    ///
    /// Returns [`ConnectError::InvalidPollUrl`] if the address is not one of HTTP.
    pub(crate) fn parse(url: &str) -> Result<Self, ConnectError> {
        let invalid = |cause: Cause| ConnectError::InvalidPollUrl {
            url: url.to_owned(),
            cause,
        };
        let uri: Uri = url
            .parse()
            .map_err(|error: InvalidUri| invalid(Cause::new(error)))?;
        let scheme = uri
            .scheme_str()
            .filter(|scheme| matches!(*scheme, "http" | "https"));
        let (Some(scheme), Some(authority)) = (scheme, uri.authority()) else {
            let fault = "a poll URL must begin with `http://` or `https://`";
            return Err(invalid(Cause::new(fault)));
        };
        if scheme == "https" && !is_certifiable(authority.host()) {
            return Err(invalid(Cause::new("no certificate can name its host")));
        }
        let path = uri.path().trim_end_matches('/');
        Ok(Self {
            base: format!("{scheme}://{authority}{path}/"),
        })
    }

    fn of(&self, path: PostPath) -> String {
        format!("{}{}", self.base, path.as_str())
    }
}

/// One request.
pub(super) struct Post {
    pub(super) socket: SocketId,
    pub(super) request: u64,
    pub(super) path: PostPath,
    pub(super) text: String,
}

/// The sender of requests, whose answers become inputs of the machine.
pub(super) struct Poster {
    url: PollUrl,
    tls: Option<Arc<rustls::ClientConfig>>,
    /// `None` before the first request: a client that never polls need not read certificates.
    client: Option<HttpClient>,
    reply_timeout: Duration,
    inputs: Sender<Input>,
    failure: LastFailure,
    links: HashMap<SocketId, Link>,
}

type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// The requests of a link that are in flight. Dropping it ends them.
#[derive(Default)]
struct Link {
    requests: JoinSet<()>,
    has_answer: bool,
}

/// An answer's status and text.
type Answer = (u16, String);

impl Poster {
    pub(super) fn new(
        url: PollUrl,
        options: &Options,
        inputs: Sender<Input>,
        reports: &Reports,
    ) -> Self {
        Self {
            url,
            tls: options.tls.clone(),
            client: None,
            reply_timeout: options.rules().reply_timeout,
            inputs,
            failure: reports.failure.clone(),
            links: HashMap::new(),
        }
    }

    /// Sends a request.
    pub(super) fn post(&mut self, post: Post, token: Option<&str>) {
        let Post {
            socket,
            request: number,
            path,
            text,
        } = post;
        let request = request(self.url.of(path), token, text);
        let client = self
            .client
            .get_or_insert_with(|| http_client(self.tls.take()));
        let (client, time) = (client.clone(), self.reply_timeout);
        let (inputs, failure) = (self.inputs.clone(), self.failure.clone());
        let link = self.links.entry(socket).or_default();
        // Reaps the tasks that ended.
        while link.requests.try_join_next().is_some() {}
        link.requests.spawn(async move {
            let input = match request {
                Err(reason) => Input::Invalid {
                    socket,
                    reason: reason.to_owned(),
                },
                Ok(request) => {
                    // TLS runs code of the application, such as the verifier of a certificate.
                    let answer = caught(answer(client, request, time)).await;
                    let answer = answer.unwrap_or_else(|panic| Err(Cause::new(panic)));
                    note_failure(&answer, &failure);
                    let (status, text) = answer.ok().unzip();
                    Input::Answered {
                        socket,
                        request: number,
                        status,
                        text: text.unwrap_or_default(),
                    }
                }
            };
            // Fails only if the client has stopped.
            let _ = inputs.send(input).await;
        });
    }

    /// Ends the requests of a link.
    pub(super) fn abandon(&mut self, socket: SocketId) {
        self.links.remove(&socket);
    }

    /// Notes that the server answered a request of a link.
    pub(super) fn note_answer(&mut self, socket: SocketId) {
        if let Some(link) = self.links.get_mut(&socket) {
            link.has_answer = true;
        }
    }

    /// Returns true if the server has answered a request of a link.
    pub(super) fn has_answer(&self, socket: SocketId) -> bool {
        self.links.get(&socket).is_some_and(|link| link.has_answer)
    }
}

fn http_client(tls: Option<Arc<rustls::ClientConfig>>) -> HttpClient {
    let mut config = (*tls.unwrap_or_else(tls::trusting_the_system)).clone();
    // The connector sets the protocols itself.
    config.alpn_protocols.clear();
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .build(connector)
}

/// Returns the request.
///
/// # Errors
///
/// Returns the problem with the token if no header can carry it.
fn request(
    url: String,
    token: Option<&str>,
    text: String,
) -> Result<Request<Full<Bytes>>, &'static str> {
    let mut request = Request::new(Full::new(Bytes::from(text)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url
        .parse()
        .map_err(|_| "the poll URL cannot be requested")?;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(CLIENT));
    if let Some(token) = token {
        headers.insert(AUTHORIZATION, bearer(token).ok_or(UNUSABLE_TOKEN)?);
    }
    Ok(request)
}

/// Sends a request, and reads its answer to the end, so that the connection can be reused.
async fn answer(
    client: HttpClient,
    request: Request<Full<Bytes>>,
    time: Duration,
) -> Result<Answer, Cause> {
    let answer = async {
        let (head, body) = client
            .request(request)
            .await
            .map_err(Cause::new)?
            .into_parts();
        let body = Limited::new(body, ANSWER_LIMIT)
            .collect()
            .await
            .map_err(Cause::new)?;
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        Ok((head.status.as_u16(), text))
    };
    let late = |_| Err(Cause::new("the answer timed out"));
    timeout(time, answer).await.unwrap_or_else(late)
}

/// Remembers that the server could not be reached, or refused the token.
fn note_failure(answer: &Result<Answer, Cause>, failure: &LastFailure) {
    let error = match answer {
        Err(cause) => AttemptError::Unreachable(cause.clone()),
        Ok((status @ (401 | 403), _)) => AttemptError::Refused { status: *status },
        Ok(_) => return,
    };
    tracing::debug!(error = error_chain(&error), "the poll failed");
    failure.set(error);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn poll_url_has_a_scheme_of_http_and_a_host() {
        let message = "a poll URL must begin with `http://` or `https://`";
        for (url, expected) in [
            ("http://127.0.0.1:3001", Ok("http://127.0.0.1:3001/poll")),
            (
                "https://a1.lambda-url.eu-central-1.on.aws/",
                Ok("https://a1.lambda-url.eu-central-1.on.aws/poll"),
            ),
            (
                "https://example.com/doors/poll",
                Ok("https://example.com/doors/poll/poll"),
            ),
            ("wss://example.com/", Err(message)),
            ("example.com", Err(message)),
            (
                "https://two..dots/",
                Err("no certificate can name its host"),
            ),
            ("", Err("empty string")),
        ] {
            let parsed = match PollUrl::parse(url) {
                Ok(url) => Ok(url.of(PostPath::Poll)),
                Err(ConnectError::InvalidPollUrl { cause, .. }) => Err(cause.to_string()),
                Err(error) => panic!("{url:?}: {error:?}"),
            };
            let expected = expected.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(parsed, expected, "{url:?}");
        }
    }

    #[test]
    fn configuration_with_protocols_serves_polls_too() {
        let mut config = (*tls::trusting_the_system()).clone();
        config.alpn_protocols = vec![b"h2".to_vec()];
        // The connector panics if there are any.
        http_client(Some(Arc::new(config)));
    }

    #[test]
    fn token_is_sent_in_a_sensitive_header_or_not_at_all() {
        let url = || "http://127.0.0.1/poll".to_owned();
        let sent = request(url(), Some("e30.e30"), String::new()).expect("a request");
        let header = &sent.headers()[AUTHORIZATION];
        assert!(header.is_sensitive() && header == "Bearer e30.e30");
        let without = request(url(), None, String::new()).expect("a request");
        assert!(!without.headers().contains_key(AUTHORIZATION));
        let refused = request(url(), Some("no\nheader"), String::new());
        assert_eq!(refused.err(), Some(UNUSABLE_TOKEN));
    }
}
