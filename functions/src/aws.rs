//! The AWS configuration of the functions, with a time limit on every call.
//!
//! By default, the SDK for Rust limits only the time to connect: a service that accepts a request and
//! never answers would hold a function until Lambda ends it. Here, an attempt, a whole operation and the
//! loading of credentials each have a limit. An attempt is shorter than an operation, so that a pooled
//! connection that died while Lambda had frozen the process costs one attempt and not the operation.
//!
//! Source: <https://docs.aws.amazon.com/sdk-for-rust/latest/dg/timeouts.html>

#[cfg(test)]
mod tests;

use std::time::Duration;

use aws_config::{
    BehaviorVersion, ConfigLoader, SdkConfig, default_provider::credentials,
    identity::IdentityCache, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, error::CredentialsError, future},
};
use tokio::time::timeout;

/// The time limits of calls to AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The time to open a connection.
    connect: Duration,
    /// The time of one attempt, from the request to the answer.
    attempt: Duration,
    /// The time of an operation: its attempts, of which the SDK makes up to three, and the pauses
    /// between them.
    operation: Duration,
    /// The time to load credentials.
    credentials: Duration,
}

/// The limits of every call.
pub(crate) const LIMITS: Limits = Limits {
    connect: Duration::from_secs(1),
    attempt: Duration::from_secs(2),
    operation: Duration::from_secs(6),
    credentials: Duration::from_secs(2),
};

/// Reads the AWS configuration of the environment, with time limits on every call.
pub async fn config() -> SdkConfig {
    let provider = Limited {
        provider: credentials::default_provider().await,
        limit: LIMITS.credentials,
    };
    LIMITS.loader().credentials_provider(provider).load().await
}

/// Returns a client of the management API at `endpoint` that does not retry.
pub(crate) fn management_client(
    config: &SdkConfig,
    endpoint: &str,
    timeouts: TimeoutConfig,
) -> aws_sdk_apigatewaymanagement::Client {
    let config = aws_sdk_apigatewaymanagement::config::Builder::from(config)
        .endpoint_url(endpoint)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::disabled())
        .build();
    aws_sdk_apigatewaymanagement::Client::from_conf(config)
}

impl Limits {
    fn loader(self) -> ConfigLoader {
        let cache = IdentityCache::lazy().load_timeout(self.credentials);
        aws_config::defaults(BehaviorVersion::latest())
            .timeout_config(self.timeouts())
            .identity_cache(cache.build())
    }

    fn timeouts(self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.connect)
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(self.operation)
            .build()
    }
}

/// Credentials with a time limit on loading. The cache of an SDK client has a limit of its own, but the
/// notifier's poster calls the provider directly.
#[derive(Debug)]
struct Limited<P> {
    provider: P,
    limit: Duration,
}

impl<P: ProvideCredentials> ProvideCredentials for Limited<P> {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let loaded = timeout(self.limit, self.provider.provide_credentials()).await;
            loaded.unwrap_or(Err(CredentialsError::provider_timed_out(self.limit)))
        })
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.provider.fallback_on_interrupt()
    }
}
