//! Posting a frame to one connection.

use std::{error::Error, future::Future};

use crate::ids::ConnectionId;

#[cfg(feature = "aws")]
mod management_api;

#[cfg(feature = "aws")]
pub use management_api::ManagementApi;

/// Posts frames to connections.
pub trait Post: Sync {
    /// Returns once the gateway has taken the frame's text for the connection. That the client has
    /// read it is more than anybody here can know.
    fn post(
        &self,
        connection: &ConnectionId,
        frame: &str,
    ) -> impl Future<Output = Result<(), PostError>> + Send;
}

/// Why a frame was not posted.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The connection is closed, or never was. Whatever is known of it can be forgotten.
    #[error("the connection is gone")]
    Gone,
    /// The post failed; it may succeed later.
    #[error("failed to post")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}
