//! The end of a connection: the close frame for the client, and the status for `$disconnect`.

use tokio_tungstenite::tungstenite::{
    Error,
    error::{CapacityError, ProtocolError},
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::event::CloseStatus;

/// The way in which a connection ends.
pub(super) enum ConnectionEnd {
    /// The client is gone or no longer reads.
    Gone(CloseStatus),
    /// The client closes the connection and waits for the answering close frame.
    Answer(CloseStatus),
    /// The gateway closes the connection with this frame.
    Close(CloseFrame, CloseStatus),
}

/// A reason for the gateway to close a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ServerClose {
    /// A `DELETE`.
    Deleted,
    /// The shutdown of the gateway.
    GoingAway,
}

impl ServerClose {
    /// Returns the end of a client that reads.
    pub(super) fn of_reader(self) -> ConnectionEnd {
        match self {
            Self::Deleted => ConnectionEnd::Close(
                CloseFrame {
                    code: CloseCode::Normal,
                    reason: "".into(),
                },
                CloseStatus::normal(),
            ),
            Self::GoingAway => ConnectionEnd::going_away(),
        }
    }

    /// Returns the end of a client that does not read: no frame reaches it.
    pub(super) fn of_non_reader(self) -> ConnectionEnd {
        ConnectionEnd::Gone(match self.of_reader() {
            ConnectionEnd::Gone(status)
            | ConnectionEnd::Answer(status)
            | ConnectionEnd::Close(_, status) => status,
        })
    }
}

impl ConnectionEnd {
    /// Returns a close with the same code and reason for the client and for `$disconnect`.
    pub(super) fn close(code: CloseCode, reason: &'static str) -> Self {
        let status = CloseStatus::new(code.into(), reason);
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        Self::Close(frame, status)
    }

    /// Returns the end of a connection that reached its idle or lifetime limit.
    pub(super) fn going_away() -> Self {
        Self::close(CloseCode::Away, "Going away")
    }

    /// Returns the end after an error of the socket.
    pub(super) fn of_error(error: &Error) -> Self {
        match error {
            Error::Capacity(CapacityError::MessageTooLong { .. }) => {
                Self::close(CloseCode::Size, "Message too long")
            }
            Error::Utf8(_) => Self::close(CloseCode::Invalid, "Invalid UTF-8"),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                Self::Gone(CloseStatus::abnormal())
            }
            Error::Protocol(_) => Self::close(CloseCode::Protocol, "Protocol error"),
            _ => Self::Gone(CloseStatus::abnormal()),
        }
    }
}

impl CloseStatus {
    fn new(code: u16, reason: &str) -> Self {
        Self {
            code,
            reason: reason.to_owned(),
        }
    }

    fn normal() -> Self {
        Self::new(1000, "Connection Closed Normally")
    }

    pub(super) fn abnormal() -> Self {
        Self::new(1006, "Connection Closed Abnormally")
    }

    pub(super) fn by_client(frame: Option<CloseFrame>) -> Self {
        match frame {
            None => Self::new(1005, "Client-side close frame status not set"),
            Some(frame) if frame.reason.is_empty() && frame.code == CloseCode::Normal => {
                Self::normal()
            }
            Some(frame) => Self::new(frame.code.into(), frame.reason.as_str()),
        }
    }
}
