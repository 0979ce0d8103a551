//! What an answer of the gateway means for the connection, whoever reads it.

use std::error::Error;

use super::PostError;

/// Goes by the HTTP status, because an answer that lost its `x-amzn-errortype` header on the way has
/// no type. `message` is what the gateway says in the body, and `source` tells all of it.
pub(super) fn post_error(
    status: u16,
    message: Option<&str>,
    source: impl Into<Box<dyn Error + Send + Sync>>,
) -> PostError {
    match status {
        410 => PostError::Gone,
        // An id that the gateway never gave out will not come to life either.
        400 if message.is_some_and(|message| message.starts_with("Invalid connectionId")) => {
            PostError::Gone
        }
        413 => PostError::TooLarge,
        429 => PostError::Throttled,
        400..500 => PostError::Forbidden(source.into()),
        _ => PostError::Unavailable(source.into()),
    }
}
