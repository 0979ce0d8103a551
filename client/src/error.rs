//! The errors of the client.
//!
//! Each has a short message of its own and its cause as [`source`](std::error::Error::source), so a caller
//! that prints the chain reads nothing twice.

use std::{error::Error, fmt, ops::Deref, sync::Arc};

use herald_shared::protocol::ErrorCode;

use crate::StopReason;

/// The failure of a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Herald refused the request.
    #[error("the server refused the request")]
    Server(#[source] ServerError),
    /// API Gateway answered in Herald's place.
    #[error("the gateway answered with an error")]
    Gateway(#[source] GatewayError),
    /// The connection broke, or the reply timed out: the server may have carried out the request or not.
    #[error("no reply arrived, and the request may have been carried out or not")]
    OutcomeUnknown,
    /// The message outlived its time to live in the outbox, and was not sent.
    #[error("the message expired before it could be sent")]
    Expired,
    /// The outbox was full, and the message was not sent.
    #[error("the outbox is full, and the message was not sent")]
    OutboxFull,
    /// The message is larger than the gateway accepts, and was not sent.
    #[error("the message is too large for the gateway")]
    TooLarge,
    /// The message has no JSON form, and was not sent.
    #[error("the message cannot be serialised as JSON")]
    Serialize(#[source] Cause),
    /// The client had stopped, and the request was not sent. [`Client::state`](crate::Client::state) has the
    /// reason.
    #[error("the client has stopped")]
    Stopped,
}

impl RequestError {
    /// Returns true if the same request may succeed later. It may also have been carried out the first
    /// time: see [`RequestError::OutcomeUnknown`].
    ///
    /// ```
    /// use herald_client::RequestError;
    ///
    /// assert!(RequestError::Expired.is_retryable());
    /// assert!(!RequestError::TooLarge.is_retryable());
    /// ```
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Server(error) => error.retryable,
            Self::Gateway(_) | Self::OutcomeUnknown | Self::Expired | Self::OutboxFull => true,
            Self::TooLarge | Self::Serialize(_) | Self::Stopped => false,
        }
    }

    /// Returns true if the server does not know the connection any more, and so did nothing.
    pub(crate) fn is_unknown_connection(&self) -> bool {
        matches!(self, Self::Server(error) if error.code() == Some(ErrorCode::UnknownConnection))
    }

    /// Returns true if the server is older than the request.
    pub(crate) fn is_unknown_action(&self) -> bool {
        matches!(self, Self::Server(error) if error.code() == Some(ErrorCode::UnknownAction))
    }

    /// Returns true if the frame does not have the form that the server demands.
    pub(crate) fn is_bad_request(&self) -> bool {
        match self {
            Self::Server(error) => error.code() == Some(ErrorCode::BadRequest),
            Self::Gateway(error) => error.kind == GatewayErrorKind::BadRequest,
            _ => false,
        }
    }

    /// Returns true if a `subscribe` that asked for presence may succeed without.
    pub(crate) fn may_refuse_presence(&self) -> bool {
        let refusals = [Some(ErrorCode::Forbidden), Some(ErrorCode::BadRequest)];
        matches!(self, Self::Server(error) if refusals.contains(&error.code()))
    }

    /// Returns true if the request exceeded a rate limit, and was not carried out.
    pub(crate) fn is_throttled(&self) -> bool {
        match self {
            Self::Server(error) => error.code() == Some(ErrorCode::Throttled),
            Self::Gateway(error) => error.kind == GatewayErrorKind::Throttled,
            _ => false,
        }
    }
}

/// Herald's own error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct ServerError {
    /// The code as the server sent it; see [`ServerError::code`].
    pub code_text: String,
    /// The server's description of the fault and its remedy.
    pub message: String,
    /// True if the same request may succeed later.
    pub retryable: bool,
    /// The messages of a [`Batch`](crate::Batch) that were sent, if only some were (`partly_sent`): for each
    /// message the id of its push, or `None` if it was not sent and may be sent again. Empty for other errors.
    pub event_ids: Vec<Option<String>>,
}

impl ServerError {
    /// Returns the code. `None` if this version of the client does not know it.
    pub fn code(&self) -> Option<ErrorCode> {
        serde_json::from_value(self.code_text.as_str().into()).ok()
    }
}

/// An error frame of API Gateway's own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct GatewayError {
    /// The meaning of the message.
    pub kind: GatewayErrorKind,
    /// The gateway's message.
    pub message: String,
}

/// The meaning of an error frame of API Gateway's own.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GatewayErrorKind {
    /// The function failed, or could not be invoked.
    Internal,
    /// The function exceeded its time limit.
    Timeout,
    /// The request exceeded a rate limit.
    Throttled,
    /// The route does not exist.
    Forbidden,
    /// The frame does not have the form that the route demands.
    BadRequest,
    /// A message that this version of the client does not know.
    Other,
}

impl GatewayError {
    pub(crate) fn new(message: String) -> Self {
        let kind = match message.as_str() {
            "Internal server error" => GatewayErrorKind::Internal,
            "Endpoint request timed out" => GatewayErrorKind::Timeout,
            "Too Many Requests" => GatewayErrorKind::Throttled,
            "Forbidden" => GatewayErrorKind::Forbidden,
            "Bad request body" => GatewayErrorKind::BadRequest,
            _ => GatewayErrorKind::Other,
        };
        Self { kind, message }
    }
}

/// The failure of [`Client::connect`](crate::Client::connect) or [`Client::start`](crate::Client::start).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is not a WebSocket address.
    #[error("{address:?} is not a WebSocket address")]
    #[non_exhaustive]
    InvalidAddress {
        /// The address.
        address: String,
        /// The fault of the address.
        #[source]
        cause: Cause,
    },
    /// The first attempt to connect failed.
    #[error("the first attempt to connect failed")]
    Attempt(#[source] AttemptError),
    /// The client stopped before its connection was open.
    #[error("the client stopped before it was connected")]
    Stopped(#[source] StopReason),
}

/// The failure of one attempt to connect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttemptError {
    /// The token callback failed or panicked.
    #[error("the token callback failed")]
    TokenCallback(#[source] Cause),
    /// The server refused the handshake.
    #[error("the server refused the handshake with status {status}")]
    Refused {
        /// The HTTP status. 401 and 403 concern the token; other statuses may be transient.
        status: u16,
    },
    /// The server could not be reached, or is not a WebSocket server.
    #[error("the server could not be reached")]
    Unreachable(#[source] Cause),
    /// The attempt took longer than [`Options::connect_timeout`](crate::Options::connect_timeout).
    #[error("the attempt to connect timed out")]
    TimedOut,
}

/// The event that a reader gets in place of a push.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscriptionError {
    /// The reader was too slow, and this number of pushes was dropped, the oldest first. Later pushes follow.
    #[error("the reader was too slow: {0} pushes were dropped")]
    Lagged(u64),
    /// No further push arrives: the server ended the subscription, or the client has stopped.
    #[error("the subscription ended")]
    Ended(#[source] RequestError),
}

/// The error beneath an error of the client: that of the token callback, of the socket or of a serialiser.
///
/// Clones share it, and are equal to each other and to nothing else.
///
/// ```
/// use herald_client::{AttemptError, Cause};
///
/// let error = AttemptError::TokenCallback(Cause::new("the session has expired"));
/// if let AttemptError::TokenCallback(cause) = &error {
///     assert_eq!(cause.to_string(), "the session has expired");
///     assert!(cause.downcast_ref::<std::io::Error>().is_none());
/// }
/// ```
#[derive(Clone)]
pub struct Cause(Arc<dyn Error + Send + Sync>);

impl Cause {
    /// Wraps an error.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into().into())
    }
}

impl Deref for Cause {
    type Target = dyn Error + Send + Sync;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl PartialEq for Cause {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Cause {}

impl fmt::Debug for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use herald_shared::error_chain::error_chain;

    use super::*;

    #[test]
    fn chain_of_sources_repeats_nothing_and_ends_with_the_original_error() {
        let denied = io::Error::new(io::ErrorKind::PermissionDenied, "denied");
        let attempt = AttemptError::TokenCallback(Cause::new(denied));
        let connect = ConnectError::Attempt(attempt.clone());
        assert_eq!(
            error_chain(&connect),
            "the first attempt to connect failed: the token callback failed: denied"
        );
        let source = attempt.source().expect("a source");
        let original = source.downcast_ref::<io::Error>().expect("an I/O error");
        assert_eq!(original.kind(), io::ErrorKind::PermissionDenied);
    }

    #[test]
    fn request_error_names_its_source_once() {
        let gateway = RequestError::Gateway(GatewayError::new("Forbidden".to_owned()));
        let ended = SubscriptionError::Ended(gateway);
        assert_eq!(
            error_chain(&ended),
            "the subscription ended: the gateway answered with an error: Forbidden"
        );
    }
}
