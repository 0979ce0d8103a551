//! The work of the stack in numbers, for load tests.

use std::sync::Arc;

use axum::{body::Body, extract::State, response::Response};
use serde_json::json;

use super::{Console, json_response};

/// Returns the counts since the start of the stack. The capacity is counted from the first request on,
/// because counting it slows every call.
pub(super) async fn document(State(console): State<Arc<Console>>) -> Response<Body> {
    let totals = console.activity.totals();
    let consumed = console.dynamodb.total_consumption();
    json_response(&json!({
        "framesReceived": totals.requests,
        "framesSent": totals.replies + totals.posts,
        "invocations": totals.invocations,
        "readUnits": consumed.read_units,
        "writeUnits": consumed.write_units,
    }))
}
