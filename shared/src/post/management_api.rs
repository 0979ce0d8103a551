//! The gateway's `@connections` management API.

use aws_sdk_apigatewaymanagement::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::post_to_connection::PostToConnectionError,
    primitives::Blob,
};

use super::{Post, PostError};
use crate::ids::ConnectionId;

/// Posts through API Gateway's `@connections`.
#[derive(Clone, Debug)]
pub struct ManagementApi {
    client: Client,
}

impl ManagementApi {
    /// Posts with `client`, which holds the API's address and must not retry by itself.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Post for ManagementApi {
    async fn post(&self, connection: &ConnectionId, frame: &str) -> Result<(), PostError> {
        self.client
            .post_to_connection()
            .connection_id(connection.as_str())
            .data(Blob::new(frame))
            .send()
            .await
            .map(drop)
            .map_err(post_error)
    }
}

/// Goes by the HTTP status, because an answer that lost its `x-amzn-errortype` header on the way has
/// no type.
fn post_error(error: SdkError<PostToConnectionError>) -> PostError {
    let status = error
        .raw_response()
        .map(|response| response.status().as_u16());
    match status {
        Some(410) => PostError::Gone,
        // An id that the gateway never gave out will not come to life either.
        Some(400) if names_invalid_connection(&error) => PostError::Gone,
        Some(413) => PostError::TooLarge,
        Some(429) => PostError::Throttled,
        Some(400..500) => PostError::Forbidden(error.into()),
        _ => PostError::Unavailable(error.into()),
    }
}

fn names_invalid_connection(error: &SdkError<PostToConnectionError>) -> bool {
    error
        .as_service_error()
        .and_then(ProvideErrorMetadata::message)
        .is_some_and(|message| message.starts_with("Invalid connectionId"))
}
