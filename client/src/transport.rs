//! The transports of a client.

use std::fmt;

/// The transport of a client.
///
/// A client with [`Options::poll_url`](crate::Options::poll_url) polls while its network admits no WebSocket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// A WebSocket: the server pushes.
    #[default]
    WebSocket,
    /// HTTP requests that read the logs from time to time.
    Poll,
}

impl fmt::Display for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::WebSocket => "websocket",
            Self::Poll => "poll",
        })
    }
}
