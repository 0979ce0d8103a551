//! The HTTP answers that the gateway itself gives.

use axum::{body::Body, http::StatusCode, response::Response};
use serde_json::json;

/// A refusal with the body that API Gateway's own answers have.
pub fn respond(status: StatusCode, message: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(json!({"message": message}).to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        axum::http::header::CONTENT_TYPE,
        axum::http::HeaderValue::from_static("application/json"),
    );
    response
}
