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
    /// Posts with `client`, which holds the API's address.
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
            .map_err(|error| {
                if is_gone(&error) {
                    PostError::Gone
                } else {
                    PostError::Failed(error.into())
                }
            })
    }
}

/// A closed connection is 410. An id that the gateway never gave out is 400 and will not come to
/// life either. The status is looked at beside the error's type, because a 410 that lost its
/// `x-amzn-errortype` header on the way has no type.
fn is_gone(error: &SdkError<PostToConnectionError>) -> bool {
    let status = error
        .raw_response()
        .map(|response| response.status().as_u16());
    match status {
        Some(410) => true,
        Some(400) => error
            .as_service_error()
            .and_then(ProvideErrorMetadata::message)
            .is_some_and(|message| message.starts_with("Invalid connectionId")),
        _ => false,
    }
}
