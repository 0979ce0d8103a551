//! The WebSocket upgrade: authorizer, then `$connect`, then the 101. If a step fails, the upgrade
//! is refused with that step's status.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    body::Body,
    extract::Request,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{
            CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
            SEC_WEBSOCKET_VERSION, UPGRADE, USER_AGENT,
        },
        request::Parts,
    },
    response::Response,
};
use chrono::Utc;
use hyper::upgrade::OnUpgrade;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tracing::Instrument;

use super::{
    Gateway, connections::Connection, event::ConnectionInfo, http::respond, id,
    integration::IntegrationResult, proxy_result::ProxyResult, socket, work::InProgress,
};
use crate::activity::RecordKind;

impl Gateway {
    /// Answers an upgrade request, and refuses every other request under the stage.
    pub(super) async fn handshake(
        self: &Arc<Self>,
        client: SocketAddr,
        request: Request,
    ) -> Response<Body> {
        let is_upgrade = is_upgrade(request.headers());
        let answer = self.upgrade(client, request).await;
        if is_upgrade && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            self.activity.record(RecordKind::Refused {
                status: answer.status().as_u16(),
                source_ip: client.ip(),
            });
        }
        answer
    }

    async fn upgrade(self: &Arc<Self>, client: SocketAddr, request: Request) -> Response<Body> {
        let mut parts = request.into_parts().0;
        if let Err(status) = self.check(&parts) {
            return refused(status);
        }
        let Some(upgrade) = parts.extensions.remove::<OnUpgrade>() else {
            return refused(StatusCode::UPGRADE_REQUIRED);
        };
        let work = self.work.begin_handshake().await;
        // In a task of its own: if the client gives up meanwhile, `$connect` still completes, and
        // `$disconnect` removes what it stored.
        let opened = tokio::spawn(self.clone().open(client, parts, upgrade, work));
        opened
            .await
            .unwrap_or_else(|_| refused(StatusCode::INTERNAL_SERVER_ERROR))
    }

    fn check(&self, parts: &Parts) -> Result<(), StatusCode> {
        let path = parts.uri.path();
        let stage = path.strip_prefix('/').unwrap_or(path);
        if stage.strip_suffix('/').unwrap_or(stage) != self.api.stage {
            return Err(StatusCode::FORBIDDEN);
        }
        if !is_upgrade(&parts.headers) {
            return Err(StatusCode::UPGRADE_REQUIRED);
        }
        let version = parts.headers.get(SEC_WEBSOCKET_VERSION);
        if !parts.headers.contains_key(SEC_WEBSOCKET_KEY)
            || version.is_none_or(|version| version != "13")
        {
            return Err(StatusCode::BAD_REQUEST);
        }
        if url_length(parts) > self.limits.url {
            return Err(StatusCode::URI_TOO_LONG);
        }
        if self.admits() {
            Ok(())
        } else {
            Err(StatusCode::TOO_MANY_REQUESTS)
        }
    }

    async fn open(
        self: Arc<Self>,
        client: SocketAddr,
        parts: Parts,
        upgrade: OnUpgrade,
        work: InProgress,
    ) -> Response<Body> {
        let mut info = connection_info(client, &parts.headers);
        let span = tracing::info_span!(
            "connect",
            connection_id = info.connection_id,
            route = "$connect"
        );
        let admitted = self.admit(&mut info, &parts).instrument(span).await;
        drop(work);
        match admitted {
            Ok(subprotocol) => {
                self.wait_while_openings_are_held().await;
                let (commands, receiver) = mpsc::unbounded_channel();
                let connection = Connection::new(info, self.limits.send_buffer, commands);
                let connection = Arc::new(connection);
                self.connections.insert(connection.clone());
                self.activity.record(connected(&connection.info));
                tokio::spawn(socket::serve(self, connection, receiver, upgrade));
                switching_protocols(&parts.headers, subprotocol)
            }
            Err(status) => refused(status),
        }
    }

    /// Runs the authorizer and `$connect`. Returns the subprotocol that `$connect` chose; the
    /// gateway never chooses one itself. The error is the status of the refused upgrade.
    async fn admit(
        &self,
        info: &mut ConnectionInfo,
        parts: &Parts,
    ) -> Result<Option<HeaderValue>, StatusCode> {
        let query = parts.uri.query();
        let authorized = self.authorize(info, &parts.headers, query).await?;
        let latency = authorized.as_ref().map(|authorized| authorized.latency);
        info.authorizer = authorized.map(|authorized| authorized.context);
        let Some(route) = self.route("$connect") else {
            return Ok(None);
        };
        let event = self.connect_event(info, &parts.headers, query, latency);
        match self.integrate(route, &event).await {
            IntegrationResult::Returned(result) => accepted(&result),
            IntegrationResult::Failed => Err(StatusCode::BAD_GATEWAY),
            IntegrationResult::Refused => Err(StatusCode::INTERNAL_SERVER_ERROR),
            IntegrationResult::TimedOut => Err(StatusCode::GATEWAY_TIMEOUT),
        }
    }
}

/// Reads the result of `$connect`: a 2xx accepts the client, a 3xx to 5xx becomes the status of the
/// refusal. A 1xx cannot be the status of a final answer.
fn accepted(result: &[u8]) -> Result<Option<HeaderValue>, StatusCode> {
    let result = ProxyResult::parse(result).map_err(|problem| {
        tracing::error!(problem, "the function's result is malformed");
        StatusCode::BAD_GATEWAY
    })?;
    match result.status {
        200..300 => Ok(result
            .header(SEC_WEBSOCKET_PROTOCOL.as_str())
            .and_then(|subprotocol| HeaderValue::from_str(&subprotocol).ok())),
        300..600 => Err(StatusCode::from_u16(result.status).unwrap_or(StatusCode::BAD_GATEWAY)),
        _ => Err(StatusCode::BAD_GATEWAY),
    }
}

fn connected(info: &ConnectionInfo) -> RecordKind {
    RecordKind::Connected {
        connection_id: info.connection_id.clone(),
        user_id: info.user_id().map(str::to_owned),
        source_ip: info.source_ip,
    }
}

fn connection_info(client: SocketAddr, headers: &HeaderMap) -> ConnectionInfo {
    let header = |name| {
        headers
            .get(name)
            .map(|value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    ConnectionInfo {
        connection_id: id::new(),
        connected_at: Utc::now(),
        source_ip: client.ip(),
        user_agent: header(USER_AGENT),
        host: header(HOST).unwrap_or_default(),
        authorizer: None,
    }
}

/// Returns the length of the request's URL.
fn url_length(parts: &Parts) -> usize {
    let host = parts.headers.get(HOST).map_or(0, HeaderValue::len);
    let path = parts.uri.path_and_query();
    "wss://".len() + host + path.map_or(0, |path| path.as_str().len())
}

/// Returns whether a request asks for a WebSocket.
pub(crate) fn is_upgrade(headers: &HeaderMap) -> bool {
    headers
        .get(UPGRADE)
        .is_some_and(|upgrade| upgrade.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

fn switching_protocols(headers: &HeaderMap, subprotocol: Option<HeaderValue>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let answer = response.headers_mut();
    answer.insert(UPGRADE, HeaderValue::from_static("websocket"));
    answer.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Some(key) = headers.get(SEC_WEBSOCKET_KEY) {
        let accept = derive_accept_key(key.as_bytes());
        // The key is base64: always a header value.
        answer.extend(HeaderValue::from_str(&accept).map(|accept| (SEC_WEBSOCKET_ACCEPT, accept)));
    }
    answer.extend(subprotocol.map(|subprotocol| (SEC_WEBSOCKET_PROTOCOL, subprotocol)));
    response
}

fn refused(status: StatusCode) -> Response<Body> {
    let message = match status {
        StatusCode::INTERNAL_SERVER_ERROR | StatusCode::BAD_GATEWAY => "Internal server error",
        StatusCode::GATEWAY_TIMEOUT => "Endpoint request timed out",
        status => status.canonical_reason().unwrap_or_default(),
    };
    respond(status, message)
}
