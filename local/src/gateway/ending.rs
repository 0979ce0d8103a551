//! The ends of a connection: the frame that the client gets, and the words for `$disconnect`.

use tokio_tungstenite::tungstenite::{
    Error,
    error::{CapacityError, ProtocolError},
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::event::Closing;

/// The way in which a connection ends.
pub(super) enum End {
    /// The client is gone, or takes nothing any more.
    Gone(Closing),
    /// The client closes it, and waits for the answer to its close.
    Answer(Closing),
    /// The gateway closes it with this frame.
    Close(CloseFrame, Closing),
}

/// A reason of the gateway's own to end a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// A `DELETE`.
    Deleted,
    /// The gateway goes away.
    GoingAway,
}

impl Ending {
    /// The end of a client that takes what is sent to it.
    pub(super) fn of_reader(self) -> End {
        match self {
            Self::Deleted => End::Close(
                CloseFrame {
                    code: CloseCode::Normal,
                    reason: "".into(),
                },
                Closing::normal(),
            ),
            Self::GoingAway => End::going_away(),
        }
    }

    /// The end of a client that does not: no frame reaches it.
    pub(super) fn of_non_reader(self) -> End {
        End::Gone(match self.of_reader() {
            End::Gone(closing) | End::Answer(closing) | End::Close(_, closing) => closing,
        })
    }
}

impl End {
    /// Closes with a code and a reason that `$disconnect` is told as well.
    pub(super) fn close(code: CloseCode, reason: &'static str) -> Self {
        let closing = Closing::new(code.into(), reason);
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        Self::Close(frame, closing)
    }

    /// The end of a connection whose time is up.
    pub(super) fn going_away() -> Self {
        Self::close(CloseCode::Away, "Going away")
    }

    /// The end that an error of the socket leads to.
    pub(super) fn of_error(error: &Error) -> Self {
        match error {
            Error::Capacity(CapacityError::MessageTooLong { .. }) => {
                Self::close(CloseCode::Size, "Message too long")
            }
            Error::Utf8(_) => Self::close(CloseCode::Invalid, "Invalid UTF-8"),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                Self::Gone(Closing::abnormal())
            }
            Error::Protocol(_) => Self::close(CloseCode::Protocol, "Protocol error"),
            _ => Self::Gone(Closing::abnormal()),
        }
    }
}

impl Closing {
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
