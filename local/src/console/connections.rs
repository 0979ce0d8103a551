//! Listing and closing the open connections.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{Console, json_response, not_found};
use crate::gateway::ConnectionSummary;

/// Lists every connection, oldest first.
pub(super) async fn list(State(console): State<Arc<Console>>) -> Response<Body> {
    let mut connections = console.gateway.open_connections();
    connections.sort_by_key(|connection| connection.connected_at);
    let connections: Vec<_> = connections.iter().map(describe).collect();
    json_response(&json!({ "connections": connections }))
}

/// Closes a connection.
pub(super) async fn close(
    State(console): State<Arc<Console>>,
    Path(connection_id): Path<String>,
) -> Response<Body> {
    if console.gateway.close(&connection_id) {
        StatusCode::NO_CONTENT.into_response()
    } else {
        not_found("the connection is gone")
    }
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
