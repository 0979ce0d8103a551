//! The integration of a route with its function: one synchronous invocation, bounded in time, never
//! retried.

use bytes::Bytes;
use serde::Serialize;

use super::Gateway;
use crate::{lambda::Invocation, template::Route};

/// How an integration ended.
pub(super) enum Integrated {
    /// The function returned this.
    Returned(Bytes),
    /// The function failed.
    Failed,
    /// The function could not be run.
    Refused,
    /// The gateway gave up waiting. The function runs on, if it has begun.
    TimedOut,
}

impl Gateway {
    /// Invokes the function behind a route and waits as long as the route allows.
    pub(super) async fn integrate(&self, route: &Route, event: &impl Serialize) -> Integrated {
        let invocation = self.invoke(route, event);
        match tokio::time::timeout(route.integration_timeout, invocation).await {
            Ok(Invocation::Returned(result)) => Integrated::Returned(result),
            Ok(Invocation::Failed(_)) => Integrated::Failed,
            Ok(Invocation::Refused(_)) => Integrated::Refused,
            Err(_) => {
                tracing::warn!("the function took longer than the integration may");
                Integrated::TimedOut
            }
        }
    }

    /// Invokes the function behind a route for whose answer nobody waits, however long it takes until there
    /// is a process for it: when thousands of clients leave at once, each is told of.
    pub(super) async fn tell(&self, route: &Route, event: &impl Serialize) {
        self.invoke(route, event).await;
    }

    async fn invoke(&self, route: &Route, event: &impl Serialize) -> Invocation {
        let payload =
            serde_json::to_vec(event).expect("an event is numbers, texts and maps of them");
        self.invoke.invoke(&route.function, payload.into()).await
    }
}
