//! Posting a frame to one connection, and closing one.

use std::{error::Error, future::Future};

use crate::ids::ConnectionId;

#[cfg(feature = "aws")]
mod answer;
#[cfg(feature = "aws")]
mod management_api;
pub mod scripted;
#[cfg(feature = "aws")]
mod sdk_management_api;

#[cfg(feature = "aws")]
pub use management_api::{InvalidEndpoint, ManagementApi};
#[cfg(feature = "aws")]
pub use sdk_management_api::SdkManagementApi;

/// Posts frames to connections, and closes them.
pub trait Post: Sync {
    /// Returns once the gateway has taken the frame's text for the connection. That the client has
    /// read it is more than anybody here can know.
    fn post(
        &self,
        connection: &ConnectionId,
        frame: &str,
    ) -> impl Future<Output = Result<(), PostError>> + Send;

    /// Returns once the gateway has closed the connection. The close carries no reason: a frame that is
    /// posted before can.
    fn disconnect(
        &self,
        connection: &ConnectionId,
    ) -> impl Future<Output = Result<(), PostError>> + Send;
}

/// Why a frame was not posted, or a connection not closed.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The connection is closed, or never was. Whatever is known of it can be forgotten.
    #[error("the connection is gone")]
    Gone,
    /// The gateway takes no more just now, or the client reads too slowly. It may succeed later.
    #[error("the gateway answered 429")]
    Throttled,
    /// The gateway did not answer in time. It may have taken the frame all the same.
    #[error("the gateway did not answer in time")]
    TimedOut,
    /// The gateway failed, or could not be reached. It may succeed later.
    #[error("the gateway could not take the frame")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The gateway does not let us post. It may succeed later: a role that was made or changed a moment
    /// ago is not known everywhere yet.
    #[error("the gateway forbids to post: check the notifier's permissions and endpoint")]
    Forbidden(#[source] Box<dyn Error + Send + Sync>),
    /// The frame is over the gateway's limit. Trying again does not help, nor does another connection.
    #[error("the frame is too large for the gateway")]
    TooLarge,
}

impl PostError {
    /// Whether the same post may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Throttled | Self::TimedOut | Self::Unavailable(_) | Self::Forbidden(_) => true,
            Self::Gone | Self::TooLarge => false,
        }
    }
}
