//! The closed list of error codes. A code never changes its meaning.

use serde::{Deserialize, Serialize};

/// The reason a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// A field of the frame is missing or holds an invalid value.
    BadRequest,
    /// The frame is not JSON, is not an object, or names no known action. Over HTTP: the path or the method
    /// is unknown.
    UnknownAction,
    /// The connection's token has ended, or the token sent to renew it is not accepted.
    Unauthorized,
    /// The table does not have the connection: its rows were removed, or never stored. The client
    /// reconnects.
    UnknownConnection,
    /// The user may not do this.
    Forbidden,
    /// The message is over the size limit.
    TooLarge,
    /// A limit on the number of subscriptions, entities or messages is reached.
    TooMany,
    /// Some of the messages of one `sendMessage` were sent and some were not: the error's `eventIds`
    /// show which. The client sends the others again in a new frame.
    PartlySent,
    /// The request came too soon after others: the same request may succeed later.
    Throttled,
    /// Herald failed: the same request may succeed later.
    Internal,
}

impl ErrorCode {
    /// Returns whether the same frame, sent again later, may succeed.
    pub fn retryable(self) -> bool {
        matches!(self, Self::Throttled | Self::Internal)
    }

    /// Returns the corresponding HTTP status: the function's `statusCode`, for the gateway's access log.
    pub fn status(self) -> u16 {
        match self {
            Self::PartlySent => 207,
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::UnknownAction => 404,
            Self::UnknownConnection => 410,
            Self::TooLarge => 413,
            Self::TooMany | Self::Throttled => 429,
            Self::Internal => 500,
        }
    }
}
