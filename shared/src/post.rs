//! Posting frames to a connection, and closing it.

use std::{error::Error, future::Future};

use crate::ids::ConnectionId;

#[cfg(feature = "aws")]
mod answer;
#[cfg(feature = "aws")]
mod management_api;
#[cfg(any(test, feature = "fakes"))]
pub mod scripted;

#[cfg(feature = "aws")]
pub use management_api::{InvalidEndpoint, ManagementApi};

/// A gateway that posts frames to connections and closes them.
pub trait Post: Sync {
    /// Returns once the gateway has accepted the frame's text for the connection. Herald cannot know
    /// whether the client has read it.
    ///
    /// # Errors
    ///
    /// Returns [`PostError`] if the gateway did not accept the frame.
    fn post(
        &self,
        connection: &ConnectionId,
        frame: &str,
    ) -> impl Future<Output = Result<(), PostError>> + Send;

    /// Returns once the gateway has closed the connection. The close carries no reason, but a frame
    /// posted before it can.
    ///
    /// # Errors
    ///
    /// Returns [`PostError`] if the gateway did not close the connection.
    fn disconnect(
        &self,
        connection: &ConnectionId,
    ) -> impl Future<Output = Result<(), PostError>> + Send;
}

/// The reason a frame was not posted, or a connection not closed.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The connection is closed, or never existed. Its rows can be removed.
    #[error("the connection is gone")]
    Gone,
    /// The gateway is throttled, or the client reads too slowly. The same post may succeed later.
    #[error("the gateway answered 429")]
    Throttled,
    /// The gateway did not answer in time. It may have accepted the frame nevertheless.
    #[error("the gateway did not answer in time")]
    TimedOut,
    /// The gateway failed, or could not be reached. The same post may succeed later.
    #[error("the gateway failed to accept the frame")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The gateway denies the post. It may succeed later: a role that was created or changed a moment
    /// ago is not known everywhere yet.
    #[error("the gateway denied the post: check the notifier's permissions and endpoint")]
    Forbidden(#[source] Box<dyn Error + Send + Sync>),
    /// The frame is over the gateway's limit. Neither a retry nor another connection helps.
    #[error("the frame is too large for the gateway")]
    TooLarge,
}

impl PostError {
    /// Returns whether the same post may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Throttled | Self::TimedOut | Self::Unavailable(_) | Self::Forbidden(_) => true,
            Self::Gone | Self::TooLarge => false,
        }
    }
}
