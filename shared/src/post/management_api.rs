//! The gateway's `@connections` management API over a plain HTTP client.
//!
//! A push to a large audience is nothing but posts, and the SDK's orchestration of a call costs several
//! times what the HTTP request does. By `cargo bench`, a post takes 57 µs of processor time through the
//! SDK, 47 with all in it switched off that can be, 13 here, and 8 from a bare HTTP client. Here it is
//! one request of a pooled client, signed with a key that is derived once a day and a payload hash that
//! is made once a frame. The contract test runs this poster and
//! [`SdkManagementApi`](super::SdkManagementApi) through the same cases, and compares the signatures of
//! both with those of the SDK's signer.
//!
//! Left out, because [`delivery`](crate::delivery) decides on it: retries and time limits. The clock is
//! taken as it is; the SDK would correct one that is minutes wrong.

mod frame;
mod signing;

use std::{error::Error, time::SystemTime};

use aws_sdk_apigatewaymanagement::config::{Region, SharedCredentialsProvider};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, Uri,
    body::Incoming,
    header::{self, HeaderValue},
    http::uri::PathAndQuery,
};
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use percent_encoding::utf8_percent_encode;

use self::{
    frame::{Frame, LastFrame},
    signing::{CONTENT_TYPE, Signer, UNRESERVED},
};
use super::{
    Post, PostError,
    answer::{message, post_error},
};
use crate::{
    ids::ConnectionId,
    tls::{Connector, connector},
};

/// The most that is read of an answer. The gateway's fit many times over.
const ANSWER_LIMIT: usize = 64 * 1024;

const USER_AGENT: &str = concat!("herald/", env!("CARGO_PKG_VERSION"));

/// Posts through API Gateway's `@connections`.
#[derive(Debug)]
pub struct ManagementApi {
    client: Client<Connector, Full<Bytes>>,
    endpoint: Endpoint,
    signer: Signer,
    last_frame: LastFrame,
}

/// Why there is no poster.
#[derive(Debug, thiserror::Error)]
pub enum InvalidEndpoint {
    /// The endpoint is no URL.
    #[error("the endpoint of the management API is no URL")]
    Unreadable(#[source] Box<dyn Error + Send + Sync>),
    /// The endpoint lacks its scheme or host.
    #[error("the endpoint of the management API needs a scheme and a host")]
    Incomplete,
    /// The machine trusts no certificate authority.
    #[error("failed to read the certificates that this machine trusts")]
    Certificates(#[source] std::io::Error),
}

impl ManagementApi {
    /// Posts to the API at `endpoint`, e.g. `https://abc.execute-api.eu-central-1.amazonaws.com/dev`.
    /// Connections are kept and used again. `credentials` are asked for when they are about to expire.
    pub fn new(
        endpoint: &str,
        region: Region,
        credentials: SharedCredentialsProvider,
    ) -> Result<Self, InvalidEndpoint> {
        let endpoint = Endpoint::new(endpoint)?;
        Ok(Self {
            client: client()?,
            signer: Signer::new(endpoint.host.clone(), region, credentials),
            endpoint,
            last_frame: LastFrame::default(),
        })
    }
}

impl Post for ManagementApi {
    async fn post(&self, connection: &ConnectionId, frame: &str) -> Result<(), PostError> {
        let frame = self.last_frame.of(frame);
        self.send(Method::POST, connection, &frame).await
    }

    async fn disconnect(&self, connection: &ConnectionId) -> Result<(), PostError> {
        self.send(Method::DELETE, connection, &Frame::new("")).await
    }
}

impl ManagementApi {
    async fn send(
        &self,
        method: Method,
        connection: &ConnectionId,
        frame: &Frame,
    ) -> Result<(), PostError> {
        let path = self.endpoint.path(connection);
        let signed = self
            .signer
            .sign(&method, &path, &frame.hash, SystemTime::now())
            .await
            .map_err(PostError::Unavailable)?;
        let mut request = Request::new(Full::new(frame.bytes.clone()));
        *request.method_mut() = method;
        *request.uri_mut() = self.endpoint.uri(path)?;
        let headers = request.headers_mut();
        headers.insert(header::HOST, self.endpoint.host.clone());
        headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
        // The HTTP client leaves it out of an empty post, which the gateway might wait for.
        headers.insert(header::CONTENT_LENGTH, frame.bytes.len().into());
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        signed.insert_into(headers);
        let answer = self.client.request(request).await.map_err(unavailable)?;
        read(answer).await
    }
}

/// Where the API is.
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

    /// The path of a connection, as it is sent.
    fn path(&self, connection: &ConnectionId) -> String {
        let id = utf8_percent_encode(connection.as_str(), UNRESERVED);
        format!("{}{id}", self.prefix)
    }

    fn uri(&self, path: String) -> Result<Uri, PostError> {
        let mut parts = self.base.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(path).map_err(unavailable)?);
        Uri::from_parts(parts).map_err(unavailable)
    }
}

fn client() -> Result<Client<Connector, Full<Bytes>>, InvalidEndpoint> {
    let connector = connector().map_err(InvalidEndpoint::Certificates)?;
    Ok(Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .build(connector))
}

/// What the gateway says of a post that it did not take.
#[derive(Debug, thiserror::Error)]
#[error("the gateway answered {status} {error_type}: {message}")]
struct Refusal {
    status: u16,
    error_type: String,
    message: String,
}

/// Reads an answer to its end, so that its connection can be used again.
async fn read(answer: Response<Incoming>) -> Result<(), PostError> {
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, ANSWER_LIMIT).collect().await;
    if head.status.is_success() {
        return Ok(());
    }
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let error_type = head.headers.get("x-amzn-errortype");
    let refusal = Refusal {
        status: head.status.as_u16(),
        error_type: error_type
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .unwrap_or_default(),
        message: message(&body),
    };
    Err(post_error(refusal.status, &body, refusal))
}

fn unavailable(error: impl Error + Send + Sync + 'static) -> PostError {
    PostError::Unavailable(Box::new(error))
}
