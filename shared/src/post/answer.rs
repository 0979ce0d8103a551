//! The meaning of the gateway's answers for a connection.

use std::error::Error;

use serde::Deserialize;

use super::PostError;

/// Returns the error for an answer by its HTTP status, because an answer that lost its
/// `x-amzn-errortype` header in transit has no type. `source` is the whole answer.
pub(super) fn post_error(
    status: u16,
    body: &[u8],
    source: impl Into<Box<dyn Error + Send + Sync>>,
) -> PostError {
    match status {
        410 => PostError::Gone,
        // An id that the gateway never issued will not become valid either.
        400 if message(body).starts_with("Invalid connectionId") => PostError::Gone,
        413 => PostError::TooLarge,
        429 => PostError::Throttled,
        400..500 => PostError::Forbidden(source.into()),
        _ => PostError::Unavailable(source.into()),
    }
}

/// Returns the message in the body of a refusal. Empty if it has none.
pub(super) fn message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Body {
        // API Gateway uses either spelling.
        #[serde(alias = "Message")]
        message: String,
    }
    serde_json::from_slice(body).map_or_else(|_| String::new(), |body: Body| body.message)
}
