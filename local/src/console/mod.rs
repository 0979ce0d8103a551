//! The console: a page that shows in a browser what happens in the stack, and the requests that it
//! makes. What AWS has an operation for, the page asks the services themselves.
//!
//! It holds nothing of its own: connections, messages and records are those of the services.

mod activity;
mod assets;
mod queues;
mod stack;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    activity::Activity,
    addresses::Addresses,
    gateway::{ConnectionSummary, Gateway, respond},
    issuer, overview,
    sqs::Queues,
    template::Stack,
};
use queues::DeadLetters;

/// Where everything of the console is but the page itself.
pub(crate) const ROOT: &str = "/console";

/// What the page may load and be part of: the answers of this server, and no other page. It shows what
/// clients send.
const POLICY: &str = "default-src 'self'; connect-src 'self' ws:; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The console of a running stack.
pub(crate) struct Console {
    overview: String,
    stack: Value,
    dead_letters: DeadLetters,
    gateway: Arc<Gateway>,
    queues: Arc<Queues>,
    activity: Activity,
    started_at: i64,
}

impl Console {
    /// The console of a stack with these services.
    pub(crate) fn new(
        stack: &Stack,
        addresses: &Addresses,
        gateway: Arc<Gateway>,
        queues: Arc<Queues>,
        activity: Activity,
    ) -> Self {
        Self {
            overview: overview::text(stack, addresses),
            stack: stack::describe(stack, addresses),
            dead_letters: DeadLetters::new(stack, &queues),
            gateway,
            queues,
            activity,
            started_at: chrono::Utc::now().timestamp_millis(),
        }
    }

    /// What whoever opens the address finds: a browser the page, a terminal the overview.
    pub(crate) fn welcome(&self, headers: &HeaderMap) -> Response<Body> {
        if !accepts_html(headers) {
            return ([(header::VARY, "accept")], self.overview.clone()).into_response();
        }
        let headers = [
            (header::CONTENT_TYPE, "text/html; charset=utf-8"),
            (header::CACHE_CONTROL, "no-cache"),
            (header::VARY, "accept"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
        ];
        (headers, assets::PAGE).into_response()
    }
}

/// What the page asks for, under [`ROOT`].
pub(crate) fn routes<S>(console: Arc<Console>) -> Router<S> {
    Router::new()
        .route("/stack.json", get(stack_document))
        .route("/connections", get(connections))
        .route("/connections/{connection_id}", delete(close_connection))
        .route("/queues", get(queues::list))
        .route(
            "/queues/{queue}/messages/{message_id}",
            delete(queues::remove),
        )
        .route(
            "/queues/{queue}/messages/{message_id}/replay",
            post(queues::replay),
        )
        .route("/activity", get(activity::stream))
        .route("/{file}", get(file))
        .fallback(async || not_found("there is no such address of the console"))
        .method_not_allowed_fallback(async || {
            respond(StatusCode::METHOD_NOT_ALLOWED, "takes another method")
        })
        .layer(middleware::from_fn(check_visitor))
        .with_state(console)
}

/// A browser lets pages of other origins send requests here, which is to be of no use to them.
async fn check_visitor(request: Request, next: Next) -> Response<Body> {
    match issuer::check_visitor(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(message) => respond(StatusCode::FORBIDDEN, &message),
    }
}

async fn stack_document(State(console): State<Arc<Console>>) -> Response<Body> {
    json_response(&console.stack)
}

async fn connections(State(console): State<Arc<Console>>) -> Response<Body> {
    let mut connections = console.gateway.open_connections();
    connections.sort_by_key(|connection| connection.connected_at);
    let connections: Vec<_> = connections.iter().map(describe).collect();
    json_response(&json!({ "connections": connections }))
}

async fn close_connection(
    State(console): State<Arc<Console>>,
    Path(connection_id): Path<String>,
) -> Response<Body> {
    if console.gateway.close(&connection_id) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        not_found("the connection is gone")
    }
}

async fn file(Path(name): Path<String>) -> Response<Body> {
    let Some((content_type, text)) = assets::file(&name) else {
        return not_found("the page has no such file");
    };
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}

fn describe(connection: &ConnectionSummary) -> Value {
    json!({
        "connectionId": connection.connection_id,
        "userId": connection.user_id,
        "sourceIp": connection.source_ip,
        "userAgent": connection.user_agent,
        "connectedAt": connection.connected_at.timestamp_millis(),
        "lastActiveAt": connection.last_active_at.timestamp_millis(),
    })
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let mut accepted = accepted.filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.contains("text/html"))
}

fn json_response(document: &impl Serialize) -> Response<Body> {
    let text = serde_json::to_string(document).expect("numbers, texts and maps of them");
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, text).into_response()
}

fn not_found(message: &str) -> Response<Body> {
    respond(StatusCode::NOT_FOUND, message)
}
