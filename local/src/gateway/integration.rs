//! The integration of a route with its function: one synchronous invocation with a time limit and
//! without retries.

use bytes::Bytes;
use serde::Serialize;

use super::Gateway;
use crate::{lambda::Invocation, template::Route};

/// The result of an integration.
pub(super) enum IntegrationResult {
    /// The function returned this.
    Returned(Bytes),
    /// The function failed.
    Failed,
    /// The function could not be run.
    Refused,
    /// The gateway's wait timed out. A function that has started runs on.
    TimedOut,
}

impl Gateway {
    /// Invokes the function of a route and waits at most the route's integration timeout.
    pub(super) async fn integrate(
        &self,
        route: &Route,
        event: &impl Serialize,
    ) -> IntegrationResult {
        let invocation = self.invoke(route, event);
        match tokio::time::timeout(route.integration_timeout, invocation).await {
            Ok(Invocation::Returned(result)) => IntegrationResult::Returned(result),
            Ok(Invocation::Failed(_)) => IntegrationResult::Failed,
            Ok(Invocation::Refused(_)) => IntegrationResult::Refused,
            Err(_) => {
                tracing::warn!("the function exceeded the integration's time limit");
                IntegrationResult::TimedOut
            }
        }
    }

    /// Invokes the function of a route and ignores its result. It waits for a free process without
    /// a time limit: if thousands of clients leave at once, each still gets its `$disconnect`.
    pub(super) async fn invoke_without_result(&self, route: &Route, event: &impl Serialize) {
        self.invoke(route, event).await;
    }

    async fn invoke(&self, route: &Route, event: &impl Serialize) -> Invocation {
        let payload =
            serde_json::to_vec(event).expect("an event of numbers, texts and maps is serialisable");
        self.invoke.invoke(&route.function, payload.into()).await
    }
}
