//! The gateway's `@connections` management API.
//!
//! [`Poster`] makes the posts, of which a large audience needs thousands; the AWS SDK makes every other
//! call.
//!
//! Retries and time limits are missing here, because [`delivery`](crate::delivery) decides on them.

mod connections;
mod frame;
mod poster;
mod signing;

use std::error::Error;

use aws_sdk_apigatewaymanagement::{
    Client,
    config::{Region, SharedCredentialsProvider},
    error::SdkError,
};

pub use self::poster::InvalidEndpoint;
use self::poster::Poster;
use super::{Post, PostError, answer::post_error};
use crate::ids::ConnectionId;

/// API Gateway's `@connections` for posts and closes.
#[derive(Debug)]
pub struct ManagementApi {
    poster: Poster,
    client: Client,
}

impl ManagementApi {
    /// Returns the API at `endpoint`, e.g. `https://abc.execute-api.eu-central-1.amazonaws.com/dev`.
    /// `client` has the same endpoint and must not retry by itself. `credentials` are renewed shortly
    /// before they expire.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidEndpoint`] if `endpoint` is not a URL with a scheme and a host, or this machine
    /// trusts no certificate authority.
    pub fn new(
        endpoint: &str,
        region: Region,
        credentials: SharedCredentialsProvider,
        client: Client,
    ) -> Result<Self, InvalidEndpoint> {
        let poster = Poster::new(endpoint, region, credentials)?;
        Ok(Self { poster, client })
    }
}

impl Post for ManagementApi {
    async fn post(&self, connection: &ConnectionId, frame: &str) -> Result<(), PostError> {
        self.poster.post(connection, frame).await
    }

    async fn disconnect(&self, connection: &ConnectionId) -> Result<(), PostError> {
        self.client
            .delete_connection()
            .connection_id(connection.as_str())
            .send()
            .await
            .map(drop)
            .map_err(failed)
    }
}

fn failed<E: Error + Send + Sync + 'static>(error: SdkError<E>) -> PostError {
    let Some(answer) = error.raw_response() else {
        return PostError::Unavailable(error.into());
    };
    let status = answer.status().as_u16();
    // The raw answer, because the SDK reads no message from an error without a type.
    let body = answer.body().bytes().unwrap_or_default().to_vec();
    post_error(status, &body, error)
}
