//! The gateway's own HTTP answers.

use axum::{body::Body, http::StatusCode, response::Response};
use serde_json::json;

/// Returns an answer with the body of API Gateway's own refusals.
pub fn respond(status: StatusCode, message: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(json!({"message": message}).to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        axum::http::header::CONTENT_TYPE,
        axum::http::HeaderValue::from_static("application/json"),
    );
    response
}
