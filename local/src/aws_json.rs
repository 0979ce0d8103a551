//! The AWS JSON protocols 1.0 and 1.1: one operation per `POST /`, named by `X-Amz-Target`, JSON both
//! ways, errors told apart by `__type`.
//!
//! A service implements one `call(operation, request) -> Answer`; the front door does the HTTP.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// What an operation answers: its output, or the error its caller is to see.
pub type Answer = Result<Value, ServiceError>;

/// An error as an AWS SDK knows it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ServiceError {
    /// The HTTP status: 400, or 500 for a fault of ours.
    pub status: u16,
    /// The error's shape, e.g. `com.amazonaws.sqs#QueueDoesNotExist`.
    pub code: String,
    /// What was wrong and what to do.
    pub message: String,
    /// The code the service's older query protocol used, sent as `x-amzn-query-error`; SDKs of
    /// services that had one (SQS) look there first.
    pub query_code: Option<&'static str>,
}

impl ServiceError {
    /// An error of the caller's.
    pub fn bad_request(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code: code.into(),
            message: message.into(),
            query_code: None,
        }
    }
}

/// Reads an operation's input; a wrong type or a missing member is a `SerializationException`.
pub fn parse<T: DeserializeOwned>(request: Value) -> Result<T, ServiceError> {
    serde_json::from_value(request)
        .map_err(|error| ServiceError::bad_request("SerializationException", error.to_string()))
}
