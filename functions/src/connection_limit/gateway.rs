//! Questions to the gateway's management API.

use std::{error::Error, time::Duration};

use aws_config::{SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_apigatewaymanagement::{Client, config};
use herald_shared::ids::ConnectionId;

use super::FindClosed;

/// The time for an answer. A client waits for all of them, and one that is not there in time counts as
/// an open connection.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// The gateway's management API.
#[derive(Clone, Debug)]
pub struct Gateway {
    client: Client,
}

impl Gateway {
    /// The management API at `endpoint`.
    pub fn new(config: &SdkConfig, endpoint: &str) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(TIME_LIMIT);
        let config = config::Builder::from(config)
            .endpoint_url(endpoint)
            .timeout_config(timeouts.build())
            .retry_config(RetryConfig::disabled())
            .build();
        Self {
            client: Client::from_conf(config),
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
        // By the status: an answer that lost its `x-amzn-errortype` header on the way has no type.
        let status = error.raw_response().map(|answer| answer.status().as_u16());
        if status != Some(410) {
            let error = &error as &dyn Error;
            tracing::warn!(%connection, error, "the gateway did not say whether a connection is open");
        }
        status == Some(410)
    }
}
