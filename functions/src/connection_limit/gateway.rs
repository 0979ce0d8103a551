//! The gateway's management API as a source of open connections.

use std::{error::Error, time::Duration};

use aws_config::{SdkConfig, timeout::TimeoutConfig};
use aws_sdk_apigatewaymanagement::Client;
use herald_shared::ids::ConnectionId;

use super::FindClosed;
use crate::aws;

/// The time for an answer. The client that connects waits for all of them, and a connection without an
/// answer counts as open.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// The gateway's management API.
#[derive(Clone, Debug)]
pub struct Gateway {
    client: Client,
}

impl Gateway {
    /// Returns the management API at `endpoint`.
    pub fn new(config: &SdkConfig, endpoint: &str) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(TIME_LIMIT);
        Self {
            client: aws::management_client(config, endpoint, timeouts.build()),
        }
    }
}

impl FindClosed for Gateway {
    async fn is_closed(&self, connection: &ConnectionId) -> bool {
        let request = self.client.get_connection();
        let answer = request.connection_id(connection.as_str()).send().await;
        let Err(error) = answer else {
            return false;
        };
        // The status decides, because an answer that lost its `x-amzn-errortype` header in transit has
        // no type.
        let status = error.raw_response().map(|answer| answer.status().as_u16());
        if status != Some(410) {
            let error = &error as &dyn Error;
            tracing::warn!(%connection, error, "failed to ask the gateway whether a connection is open");
        }
        status == Some(410)
    }
}
