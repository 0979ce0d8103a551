//! The closed list of reasons for which the server closes a connection. A code never changes its
//! meaning.

use serde::{Deserialize, Serialize};

/// The reason the server is about to close a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisconnectCode {
    /// The token that the connection was opened or renewed with has ended.
    TokenExpired,
    /// An event on the bus asked for every connection of the user to be closed.
    UserDisconnected,
}
