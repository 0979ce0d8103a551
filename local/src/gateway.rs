//! API Gateway's WebSocket API and its `@connections` management API.
//!
//! The rules (route, limit, timer, frame) are pure code; sockets and HTTP are in `handshake`,
//! `socket` and `management`. `docs/local-vs-aws.md` lists the behaviour that is not proven of AWS.

mod authorizer;
mod connection_end;
mod connections;
mod context;
mod dispatch;
mod event;
mod faults;
mod frames;
mod handshake;
mod http;
mod id;
mod integration;
mod management;
mod policy;
mod proxy_result;
mod route_selection;
mod scalar;
mod socket;
mod throttle;
mod work;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{body::Body, extract::Request, response::Response};
use tokio::sync::watch;

pub use connections::ConnectionSummary;
pub(crate) use event::trace_id;
pub use faults::Faults;
pub(crate) use faults::happens;
pub(crate) use handshake::is_upgrade;
pub use http::respond;

use crate::{activity::Activity, lambda::Invoke, template::WebSocketApi};
use connection_end::ServerClose;
use connections::Connections;
use faults::FaultInjector;
use route_selection::RouteSelection;
use throttle::TokenBucket;
use work::Work;

/// The limits of a connection. The defaults are API Gateway's own, which AWS does not raise.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest time without a message in either direction.
    pub idle: Duration,
    /// The longest life of a connection.
    pub lifetime: Duration,
    /// The authorizer's time limit. AWS documents none for WebSocket APIs; this is the longest time
    /// that API Gateway waits for any function.
    pub authorizer: Duration,
    /// The longest URL of an upgrade, in bytes, from `wss` to the end of the query.
    pub url: usize,
    /// The largest frame, in bytes.
    pub frame: usize,
    /// The largest message, in bytes.
    pub message: usize,
    /// The bytes that may be pending for a client that does not read; a post beyond them is
    /// answered 429.
    pub send_buffer: usize,
    /// The handshakes and messages in progress from which new handshakes wait.
    pub in_progress: usize,
    /// The longest time that a handshake waits once it is its turn: one client that floods the gateway with
    /// messages must not shut all others out.
    pub handshake_wait: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(10 * 60),
            lifetime: Duration::from_secs(2 * 60 * 60),
            authorizer: Duration::from_secs(29),
            url: 4096,
            frame: 32 * 1024,
            message: 128 * 1024,
            send_buffer: 8 * 1024 * 1024,
            in_progress: 64,
            handshake_wait: Duration::from_secs(2),
        }
    }
}

/// A running WebSocket API with its stage.
pub struct Gateway {
    api: WebSocketApi,
    region: String,
    account_id: String,
    limits: Limits,
    route_selection: RouteSelection,
    connections: Connections,
    work: Work,
    stage_throttle: Mutex<Option<TokenBucket>>,
    faults: Mutex<FaultInjector>,
    openings_held: watch::Sender<bool>,
    invoke: Arc<dyn Invoke>,
    activity: Activity,
}

impl Gateway {
    /// Makes the gateway of a template's API. `invoke` runs its functions; `activity` records its
    /// requests.
    ///
    /// # Errors
    ///
    /// Returns an error if the route selection expression is invalid.
    pub fn new(
        api: WebSocketApi,
        region: &str,
        account_id: &str,
        limits: Limits,
        invoke: Arc<dyn Invoke>,
        activity: Activity,
    ) -> anyhow::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            route_selection: RouteSelection::parse(&api.route_selection_expression)?,
            stage_throttle: Mutex::new(api.throttle.map(TokenBucket::new)),
            faults: Mutex::default(),
            openings_held: watch::Sender::default(),
            api,
            region: region.to_owned(),
            account_id: account_id.to_owned(),
            connections: Connections::default(),
            work: Work::new(limits.in_progress, limits.handshake_wait),
            limits,
            invoke,
            activity,
        }))
    }

    /// Answers one HTTP request under the stage: an upgrade or a management call.
    pub async fn handle(self: &Arc<Self>, client: SocketAddr, request: Request) -> Response<Body> {
        if management::is_management(request.uri().path()) && !is_upgrade(request.headers()) {
            self.manage(request).await
        } else {
            self.handshake(client, request).await
        }
    }

    /// Returns the stage's name, the first path segment of every URL.
    pub fn stage(&self) -> &str {
        &self.api.stage
    }

    /// Returns the open connections.
    pub fn open_connections(&self) -> Vec<ConnectionSummary> {
        self.connections.open()
    }

    /// Closes a connection as `DELETE` does. Returns whether it was open.
    pub fn close(&self, connection_id: &str) -> bool {
        let connection = self.connections.remove(connection_id);
        if let Some(connection) = &connection {
            connection.close(ServerClose::Deleted);
        }
        connection.is_some()
    }

    /// Replaces the injected faults.
    pub fn set_faults(&self, faults: Faults) {
        self.openings_held.send_replace(faults.hold_openings);
        lock(&self.faults).set(faults);
    }

    /// Closes every connection with 1001, "Going away".
    pub fn close_all(&self) {
        self.connections.close_all();
    }

    /// Waits while upgrades are held.
    async fn wait_while_openings_are_held(&self) {
        // The gateway owns the sender, so it outlives this call.
        let _ = self.openings_held.subscribe().wait_for(|held| !held).await;
    }

    fn route(&self, key: &str) -> Option<&crate::template::Route> {
        self.api.routes.iter().find(|route| route.key == key)
    }

    /// Counts a request against the stage's throttle. Returns whether the stage admits it.
    fn admits(&self) -> bool {
        TokenBucket::admits(&mut lock(&self.stage_throttle))
    }
}

/// Locks a mutex and ignores poisoning: no panic can leave the data inconsistent.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
