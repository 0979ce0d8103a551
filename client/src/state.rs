//! The life of a connection, as the application sees it.

use std::{fmt, time::Duration};

/// How the connection stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// It is being made for the first time.
    Connecting,
    /// It is open, and every subscription is established: whatever is pushed from now on arrives.
    Open,
    /// It is lost, or could not be made.
    Reconnecting {
        /// Which attempt comes next: 1 is the first since it was open, or since the start.
        attempt: u32,
        /// After which delay; none: after [`Client::network_up`](crate::Client::network_up), or after a
        /// minute at most.
        delay: Option<Duration>,
    },
    /// It ended, and the client with it.
    Stopped(StopReason),
}

/// Why a client stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// The application closed it.
    Closed,
    /// Three authorisations in a row were refused.
    Refused {
        /// The last HTTP status.
        status: Option<u16>,
    },
    /// No attempt can succeed, because no header can carry the token.
    Invalid {
        /// The fault of the token, and what a header takes.
        reason: String,
    },
    /// The client itself failed, which is a fault of its own.
    Failed {
        /// The words of the panic.
        reason: String,
    },
    /// The server said goodbye and not to come back.
    Disconnected {
        /// The server's code, e.g. `user_disconnected`.
        code: Option<String>,
        /// The server's words.
        reason: Option<String>,
    },
}

impl fmt::Display for StopReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => formatter.write_str("the client was closed"),
            Self::Refused {
                status: Some(status),
            } => {
                write!(
                    formatter,
                    "the authorisation was refused again and again, at last with {status}"
                )
            }
            Self::Refused { status: None } => {
                formatter.write_str("the authorisation was refused again and again")
            }
            Self::Invalid { reason } => write!(formatter, "cannot connect: {reason}"),
            Self::Failed { reason } => write!(formatter, "the client panicked: {reason}"),
            Self::Disconnected {
                reason: Some(reason),
                ..
            } => {
                write!(formatter, "disconnected by the server: {reason}")
            }
            Self::Disconnected { reason: None, .. } => {
                formatter.write_str("disconnected by the server")
            }
        }
    }
}
