//! The console: a page for a browser that shows the stack at work, and the requests that it makes. Where
//! AWS has an operation, the page calls the service itself.
//!
//! The console has no state of its own: connections, messages and records are those of the services.

mod activity;
mod assets;
mod connections;
mod queues;
mod stack;
mod usage;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use chrono::Utc;
use serde::Serialize;
use serde_json::Value;

use crate::{
    activity::Activity,
    addresses::Addresses,
    dynamodb::DynamoDb,
    gateway::{Gateway, respond},
    overview,
    sqs::Queues,
    template::Stack,
};
use queues::DeadLetters;

/// The path of the console's requests and files; the page itself is at `/`.
pub(crate) const ROOT: &str = "/console";

/// The page's content security policy: it loads from this server only and no other page may embed it,
/// because it shows what clients send.
const POLICY: &str = "default-src 'self'; connect-src 'self' ws:; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The console of a running stack.
pub(crate) struct Console {
    overview: String,
    stack: Value,
    dead_letters: DeadLetters,
    gateway: Arc<Gateway>,
    queues: Arc<Queues>,
    dynamodb: Arc<DynamoDb>,
    activity: Activity,
    /// Distinguishes this run of the stack from others.
    run: i64,
}

impl Console {
    /// Returns the console of a stack with these services.
    pub(crate) fn new(
        stack: &Stack,
        addresses: &Addresses,
        gateway: Arc<Gateway>,
        queues: Arc<Queues>,
        dynamodb: Arc<DynamoDb>,
        activity: Activity,
    ) -> Self {
        Self {
            overview: overview::text(stack, addresses),
            stack: stack::describe(stack, addresses),
            dead_letters: DeadLetters::new(stack, &queues),
            gateway,
            queues,
            dynamodb,
            activity,
            run: Utc::now().timestamp_millis(),
        }
    }

    /// Returns the page to a browser, and the overview to a terminal.
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

/// Returns the routes of the page's requests and files, under [`ROOT`].
pub(crate) fn routes<S>(console: Arc<Console>) -> Router<S> {
    Router::new()
        .route("/stack.json", get(stack_document))
        .route("/usage.json", get(usage::document))
        .route("/connections", get(connections::list))
        .route("/connections/{connection_id}", delete(connections::close))
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
        .route("/{*file}", get(file))
        .fallback(async || not_found("the console has no such address"))
        .method_not_allowed_fallback(async || {
            respond(
                StatusCode::METHOD_NOT_ALLOWED,
                "this address of the console does not support the method",
            )
        })
        .with_state(console)
}

async fn stack_document(State(console): State<Arc<Console>>) -> Response<Body> {
    json_response(&console.stack)
}

async fn file(Path(name): Path<String>) -> Response<Body> {
    let Some((content_type, text)) = assets::file(&name) else {
        return not_found("the console has no such file");
    };
    let headers = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
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
