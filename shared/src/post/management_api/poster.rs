//! Posts over a plain HTTP client.
//!
//! The SDK's orchestration of a call costs several times as much as its HTTP request. By `cargo bench`, a
//! post takes 57 µs of processor time through the SDK, 47 µs with every optional part of it switched off,
//! 13 µs here, and 8 µs from a bare HTTP client. Here it is one request of a pooled client, signed with a
//! key that is derived once per day and a payload hash that is computed once per frame. Tests compare the
//! signatures with those of the SDK's signer.
//!
//! The clock is used as it is; the SDK would correct one that is minutes wrong.

use std::{error::Error, time::SystemTime};

use aws_sdk_apigatewaymanagement::config::{Region, SharedCredentialsProvider};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, Uri,
    header::{self, HeaderValue},
};
use percent_encoding::utf8_percent_encode;

use super::{
    connections::Connections,
    frame::LastFrame,
    signing::{CONTENT_TYPE, Signer, UNRESERVED},
};
use crate::{
    ids::ConnectionId,
    post::{
        PostError,
        answer::{message, post_error},
    },
    tls::connector,
};

/// The number of headers of a post.
const HEADERS: usize = 7;

const USER_AGENT: &str = concat!("herald/", env!("CARGO_PKG_VERSION"));

/// The poster of frames to one API.
#[derive(Debug)]
pub(super) struct Poster {
    connections: Connections,
    endpoint: Endpoint,
    signer: Signer,
    last_frame: LastFrame,
}

/// The reason the API cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidEndpoint {
    /// The endpoint is not a URL.
    #[error("the endpoint of the management API is not a URL")]
    Unreadable(#[source] Box<dyn Error + Send + Sync>),
    /// The endpoint has no scheme or no host.
    #[error(
        "the endpoint of the management API has no scheme or no host: use a URL such as https:"
    )]
    Incomplete,
    /// The machine trusts no certificate authority.
    #[error("failed to load this machine's certificate authorities")]
    Certificates(#[source] std::io::Error),
}

impl Poster {
    pub(super) fn new(
        endpoint: &str,
        region: Region,
        credentials: SharedCredentialsProvider,
    ) -> Result<Self, InvalidEndpoint> {
        let endpoint = Endpoint::new(endpoint)?;
        let connector = connector().map_err(InvalidEndpoint::Certificates)?;
        Ok(Self {
            connections: Connections::new(connector, endpoint.base.clone()),
            signer: Signer::new(endpoint.host.clone(), region, credentials),
            endpoint,
            last_frame: LastFrame::default(),
        })
    }

    pub(super) async fn post(
        &self,
        connection: &ConnectionId,
        frame: &str,
    ) -> Result<(), PostError> {
        let frame = self.last_frame.of(frame);
        let path = self.endpoint.path(connection);
        let signed = self
            .signer
            .sign(&path, &frame.hash, SystemTime::now())
            .await
            .map_err(PostError::Unavailable)?;
        let mut request = Request::new(Full::new(frame.bytes.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::try_from(path).map_err(unavailable)?;
        let headers = request.headers_mut();
        headers.reserve(HEADERS);
        headers.insert(header::HOST, self.endpoint.host.clone());
        headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
        // The HTTP client omits it from an empty post, and the gateway might wait for it.
        headers.insert(header::CONTENT_LENGTH, frame.bytes.len().into());
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        signed.insert_into(headers);
        // Boxed, because delivery holds many more posts than are in flight.
        let answer = Box::pin(self.connections.send(request)).await;
        result(&answer.map_err(PostError::Unavailable)?)
    }
}

/// The address of the API.
#[derive(Debug)]
struct Endpoint {
    base: Uri,
    host: HeaderValue,
    /// The path before the connection's id.
    prefix: String,
}

impl Endpoint {
    fn new(text: &str) -> Result<Self, InvalidEndpoint> {
        let unreadable = |error: Box<dyn Error + Send + Sync>| InvalidEndpoint::Unreadable(error);
        let base: Uri = text.parse().map_err(|error| unreadable(Box::new(error)))?;
        let (Some(_), Some(authority)) = (base.scheme(), base.authority()) else {
            return Err(InvalidEndpoint::Incomplete);
        };
        let host = HeaderValue::from_str(authority.as_str());
        let stage = base.path().trim_end_matches('/');
        Ok(Self {
            host: host.map_err(|error| unreadable(Box::new(error)))?,
            prefix: format!("{stage}/@connections/"),
            base,
        })
    }

    /// Returns the path of a connection as it is sent.
    fn path(&self, connection: &ConnectionId) -> String {
        let id = utf8_percent_encode(connection.as_str(), UNRESERVED);
        format!("{}{id}", self.prefix)
    }
}

/// The gateway's refusal of a post.
#[derive(Debug, thiserror::Error)]
#[error("the gateway answered {status} {error_type}: {message}")]
struct Refusal {
    status: u16,
    error_type: String,
    message: String,
}

fn result(answer: &Response<Bytes>) -> Result<(), PostError> {
    if answer.status().is_success() {
        return Ok(());
    }
    let error_type = answer.headers().get("x-amzn-errortype");
    let refusal = Refusal {
        status: answer.status().as_u16(),
        error_type: error_type
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .unwrap_or_default(),
        message: message(answer.body()),
    };
    Err(post_error(refusal.status, answer.body(), refusal))
}

fn unavailable(error: impl Error + Send + Sync + 'static) -> PostError {
    PostError::Unavailable(Box::new(error))
}
