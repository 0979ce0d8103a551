//! Functions that are killed while they run.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};

use crate::lambda::{Host, Invocation, Invoke};

/// The longest time that a function runs before it is killed.
const MAX_DELAY: Duration = Duration::from_millis(100);

/// An invoker that kills some functions in the middle of a share of their invocations.
pub(crate) struct KillingInvoker {
    pub(crate) host: Arc<Host>,
    /// The functions to kill.
    pub(crate) functions: BTreeSet<String>,
    /// The share of their invocations to kill.
    pub(crate) share: f64,
}

impl Invoke for KillingInvoker {
    fn invoke<'a>(&'a self, function: &'a str, payload: Bytes) -> BoxFuture<'a, Invocation> {
        let invocation = self.host.invoke(function, payload);
        if !self.functions.contains(function) || rand::random::<f64>() >= self.share {
            return invocation;
        }
        let kill = async move {
            tokio::time::sleep(MAX_DELAY.mul_f64(rand::random())).await;
            tracing::warn!(function, "function killed by an injected fault");
            self.host.kill(function);
            std::future::pending().await
        };
        async move {
            tokio::select! {
                invocation = invocation => invocation,
                never = kill => never,
            }
        }
        .boxed()
    }
}
