//! Functions that are killed while they run.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};

use crate::lambda::{Host, Invocation, Invoke};

/// How long a function runs at the most before it is killed.
const LATEST: Duration = Duration::from_millis(100);

/// Runs functions, and kills some of them in the middle of a share of their invocations.
pub(crate) struct KillSome {
    pub(crate) host: Arc<Host>,
    /// The functions to kill.
    pub(crate) functions: BTreeSet<String>,
    /// The share of their invocations.
    pub(crate) share: f64,
}

impl Invoke for KillSome {
    fn invoke<'a>(&'a self, function: &'a str, payload: Bytes) -> BoxFuture<'a, Invocation> {
        let invocation = self.host.invoke(function, payload);
        if !self.functions.contains(function) || rand::random::<f64>() >= self.share {
            return invocation;
        }
        let kill = async move {
            tokio::time::sleep(LATEST.mul_f64(rand::random())).await;
            tracing::warn!(function, "killed on purpose");
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
