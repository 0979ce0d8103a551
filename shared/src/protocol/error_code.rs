//! The closed list of error codes. A code never changes its meaning.

use serde::{Deserialize, Serialize};

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The frame has a field missing, or one that holds what it must not.
    BadRequest,
    /// The frame is not JSON, is not an object, or names no known action.
    UnknownAction,
    /// The connection's token has ended, or the one it sent to renew it is not accepted.
    Unauthorized,
    /// The table does not know the connection: its rows were removed, or never stored. The client
    /// reconnects.
    UnknownConnection,
    /// The user may not do this.
    Forbidden,
    /// The message is over the size limit.
    TooLarge,
    /// A limit on how many is reached.
    TooMany,
    /// Some of the messages of one `sendMessage` were sent and some were not: the error's `eventIds` tell
    /// which. The client sends those that were not in a frame of their own.
    PartlySent,
    /// Too much at once: the same request may succeed later.
    Throttled,
    /// Herald failed: the same request may succeed later.
    Internal,
}

impl ErrorCode {
    /// Whether the same frame, sent again later, may succeed.
    pub fn retryable(self) -> bool {
        matches!(self, Self::Throttled | Self::Internal)
    }

    /// The HTTP status that says the same: the function's `statusCode`, for the gateway's access log.
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
