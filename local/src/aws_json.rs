//! The AWS JSON protocols 1.0 and 1.1: one operation per `POST /`, named by `X-Amz-Target`, with
//! JSON requests and answers; `__type` names the error.
//!
//! A service implements one `call(operation, request) -> Answer`; `endpoint` does the HTTP.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// The answer of an operation: its output, or the error for its caller.
pub type Answer = Result<Value, ServiceError>;

/// An error of an AWS service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ServiceError {
    /// The HTTP status: 400, or 500 for an error of the local stack.
    pub status: u16,
    /// The error's shape, e.g. `com.amazonaws.sqs#QueueDoesNotExist`.
    pub code: String,
    /// The error's message.
    pub message: String,
    /// The error's code in the service's older query protocol, sent as `x-amzn-query-error`. SDKs
    /// of services with such a protocol (SQS) read it first.
    pub query_code: Option<&'static str>,
}

impl ServiceError {
    /// Makes an error with status 400.
    pub fn bad_request(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code: code.into(),
            message: message.into(),
            query_code: None,
        }
    }
}

/// Reads an operation's input.
///
/// # Errors
///
/// Returns a `SerializationException` if a member is missing or has a wrong type.
pub fn parse<T: DeserializeOwned>(request: Value) -> Result<T, ServiceError> {
    serde_json::from_value(request)
        .map_err(|error| ServiceError::bad_request("SerializationException", error.to_string()))
}
