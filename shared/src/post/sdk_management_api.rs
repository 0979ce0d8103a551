//! The gateway's `@connections` management API through the AWS SDK.

use std::error::Error;

use aws_sdk_apigatewaymanagement::{Client, error::SdkError, primitives::Blob};

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
    // Not the SDK's reading of it, which takes no message from an error that has no type.
    let body = answer.body().bytes().unwrap_or_default().to_vec();
    post_error(status, &body, error)
}
