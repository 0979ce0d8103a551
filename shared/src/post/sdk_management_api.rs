//! The gateway's `@connections` management API through the AWS SDK.

use aws_sdk_apigatewaymanagement::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::post_to_connection::PostToConnectionError,
    primitives::Blob,
};

use super::{Post, PostError, answer::post_error};
use crate::ids::ConnectionId;

/// Posts through the SDK's client: what [`ManagementApi`](super::ManagementApi) has to equal, and the
/// one to take where a post may cost 50 µs of processor time.
#[derive(Clone, Debug)]
pub struct SdkManagementApi {
    client: Client,
}

impl SdkManagementApi {
    /// Posts with `client`, which holds the API's address and must not retry by itself.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Post for SdkManagementApi {
    async fn post(&self, connection: &ConnectionId, frame: &str) -> Result<(), PostError> {
        self.client
            .post_to_connection()
            .connection_id(connection.as_str())
            .data(Blob::new(frame))
            .send()
            .await
            .map(drop)
            .map_err(failed)
    }
}

fn failed(error: SdkError<PostToConnectionError>) -> PostError {
    let Some(status) = error.raw_response().map(|answer| answer.status().as_u16()) else {
        return PostError::Unavailable(error.into());
    };
    let message = error
        .as_service_error()
        .and_then(ProvideErrorMetadata::message)
        .map(str::to_owned);
    post_error(status, message.as_deref(), error)
}
