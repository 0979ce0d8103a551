//! What can go wrong, as types.

use herald_shared::protocol::ErrorCode;

use crate::StopReason;

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// Herald refused it.
    #[error("refused by the server: {0}")]
    Server(ServerError),
    /// API Gateway answered in Herald's place.
    #[error("refused by the gateway: {0}")]
    Gateway(GatewayError),
    /// The connection broke, or time passed, before the reply: nobody knows whether it was carried out.
    #[error("the reply did not come: nobody knows whether the request was carried out")]
    OutcomeUnknown,
    /// It waited in the outbox for longer than its time to live, and was not sent.
    #[error("the message expired before it could be sent")]
    Expired,
    /// The outbox was full, and it was not sent.
    #[error("the outbox is full")]
    OutboxFull,
    /// It is larger than the gateway takes, and was not sent.
    #[error("the message is too large")]
    TooLarge,
    /// The client was closed, or stopped, and it was not sent.
    #[error("the client has stopped")]
    Stopped,
}

impl RequestError {
    /// Whether the same request, made again later, may succeed. Whether it was carried out the first
    /// time is another question: see [`RequestError::OutcomeUnknown`].
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
            Self::TooLarge | Self::Stopped => false,
        }
    }

    /// Returns true if the server does not know the connection any more, and so did nothing.
    pub(crate) fn is_unknown_connection(&self) -> bool {
        matches!(self, Self::Server(error) if error.code() == Some(ErrorCode::UnknownConnection))
    }

    /// Returns true if the frame does not have the form that the server demands.
    pub(crate) fn is_bad_request(&self) -> bool {
        match self {
            Self::Server(error) => error.code() == Some(ErrorCode::BadRequest),
            Self::Gateway(error) => error.kind == GatewayErrorKind::BadRequest,
            _ => false,
        }
    }

    /// Whether it was too much at once, and was not carried out.
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
    /// The code as it was sent; see [`ServerError::code`].
    pub code_text: String,
    /// What was wrong and what to do.
    pub message: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// Which messages of a [`Batch`](crate::Batch) were sent, if only some were (`partly_sent`): for each of
    /// them the id of its push, or none if it was not sent and may be sent again. Empty for other errors.
    pub event_ids: Vec<Option<String>>,
}

impl ServerError {
    /// The code; none if this version of the client does not know it.
    pub fn code(&self) -> Option<ErrorCode> {
        serde_json::from_value(self.code_text.as_str().into()).ok()
    }
}

/// An error frame of API Gateway's own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct GatewayError {
    /// What it means.
    pub kind: GatewayErrorKind,
    /// The gateway's words.
    pub message: String,
}

/// What an error frame of API Gateway's own means.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GatewayErrorKind {
    /// The function failed, or could not be invoked.
    Internal,
    /// The function took too long.
    Timeout,
    /// Too much at once.
    Throttled,
    /// There is no such route.
    Forbidden,
    /// The frame does not have the form that the route demands.
    BadRequest,
    /// Words that this version of the client does not know.
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

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address is no WebSocket address.
    #[error("{address:?} is no WebSocket address: {reason}")]
    InvalidAddress {
        /// The address.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The client stopped before it was open.
    #[error("{0}")]
    Stopped(StopReason),
}

/// Why an attempt to connect failed. The client tries again, and this is for whoever wants to know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttemptError {
    /// The token callback failed or panicked.
    #[error("there is no token: {0}")]
    NoToken(String),
    /// The server refused the handshake.
    #[error("the server refused the handshake with {status}")]
    Refused {
        /// The HTTP status: 401 and 403 are about the token, others may pass.
        status: u16,
    },
    /// The server could not be reached, or speaks no WebSocket.
    #[error("the server could not be reached: {0}")]
    NotReached(String),
}

/// What a reader gets in place of a push.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscriptionError {
    /// The reader was too slow, and so many pushes were dropped, the oldest. It may go on.
    #[error("{0} pushes were dropped because nobody read them in time")]
    Lagged(u64),
    /// Nothing comes any more: the server ended the subscription, or the client has stopped.
    #[error("the subscription ended: {0}")]
    Ended(RequestError),
}
