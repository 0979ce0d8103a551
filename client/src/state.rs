//! The life of a connection, as the application sees it.

use std::{error::Error, fmt, time::Duration};

/// The state of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// The client makes its first attempt to connect.
    Connecting,
    /// The connection is open, and every subscription is established: every push from now on arrives.
    Open,
    /// The connection broke, or an attempt failed.
    #[non_exhaustive]
    Reconnecting {
        /// The number of the next attempt: 1 for the first since the connection was open, or since the start.
        attempt: u32,
        /// The delay before that attempt. `None` after [`Client::network_down`](crate::Client::network_down):
        /// the client waits for [`Client::network_up`](crate::Client::network_up), and for a minute at most.
        delay: Option<Duration>,
    },
    /// The connection ended, and the client with it.
    Stopped(StopReason),
}

/// The reason a client stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// The application closed the client.
    Closed,
    /// The server refused three authorisations in a row.
    Refused {
        /// The last HTTP status.
        status: Option<u16>,
    },
    /// No attempt can succeed, because no header can carry the token.
    Invalid {
        /// The fault of the token.
        reason: String,
    },
    /// The client's task panicked, which is a bug of the client, or its tokio runtime was shut down.
    Failed {
        /// The message of the panic, or that of the runtime.
        reason: String,
    },
    /// The server disconnected the client and told it not to reconnect.
    Disconnected {
        /// The server's code, e.g. `user_disconnected`.
        code: Option<String>,
        /// The server's description.
        reason: Option<String>,
    },
}

impl Error for StopReason {}

impl fmt::Display for StopReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => formatter.write_str("the client was closed"),
            Self::Refused { status } => {
                formatter.write_str("the server refused the authorisation three times in a row")?;
                status.map_or(Ok(()), |status| {
                    write!(formatter, ", the last time with status {status}")
                })
            }
            Self::Invalid { reason } => formatter.write_str(reason),
            Self::Failed { reason } => write!(formatter, "the client failed: {reason}"),
            Self::Disconnected { reason, .. } => {
                formatter.write_str("disconnected by the server")?;
                reason
                    .as_ref()
                    .map_or(Ok(()), |reason| write!(formatter, ": {reason}"))
            }
        }
    }
}
