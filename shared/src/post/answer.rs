//! What an answer of the gateway means for the connection, whoever reads it.

use std::error::Error;

use serde::Deserialize;

use super::PostError;

/// Goes by the HTTP status, because an answer that lost its `x-amzn-errortype` header on the way has
/// no type. `source` tells all of it.
pub(super) fn post_error(
    status: u16,
    body: &[u8],
    source: impl Into<Box<dyn Error + Send + Sync>>,
) -> PostError {
    match status {
        410 => PostError::Gone,
        // An id that the gateway never gave out will not come to life either.
        400 if message(body).starts_with("Invalid connectionId") => PostError::Gone,
        413 => PostError::TooLarge,
        429 => PostError::Throttled,
        400..500 => PostError::Forbidden(source.into()),
        _ => PostError::Unavailable(source.into()),
    }
}

/// The message in the body of a refusal; none: an empty one.
pub(super) fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Body {
        // API Gateway writes it either way.
        #[serde(alias = "Message")]
        message: String,
    }
    serde_json::from_slice(body).map_or_else(|_| String::new(), |body: Body| body.message)
}
