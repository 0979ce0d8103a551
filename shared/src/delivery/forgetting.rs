//! Forgetting connections that are gone or closed.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use super::{Delivery, attempt::Attempt, requeue::split, schedule::Schedule};
use crate::{
    audience::{Audience, Recipient},
    push::Push,
    queue::{DeadLetter, Enqueue},
    store::Forget,
};

impl<S: Forget, P: Sync, Q: Enqueue + DeadLetter> Delivery<'_, S, P, Q> {
    /// Forgets connections that are gone or closed. Those that are left when the time runs out go back
    /// to the queue, and the notifier that receives the message finds them gone. A connection that could
    /// not be forgotten is gone at the next push as well, so a failure is only logged.
    pub(super) async fn forget(
        &self,
        ended: Vec<Recipient>,
        push: &Push,
        attempt: &Attempt,
        schedule: &Schedule,
    ) {
        let audience = &attempt.audience;
        let left: Vec<_> = stream::iter(ended)
            .map(|recipient| self.prune(recipient, audience, schedule))
            .buffer_unordered(self.settings.forgetting)
            .filter_map(|left| async { left })
            .collect()
            .await;
        let pushes = split(push, &left, attempt);
        let requeued = self.requeue(pushes, Duration::ZERO, schedule.put_back);
        if let Err(refused) = requeued.await {
            tracing::warn!(
                connections = left.len(),
                error = &refused.error as &dyn std::error::Error,
                "failed to forget connections that are gone; the next push will try again"
            );
        }
    }

    /// Forgets a connection. Returns it if the time has run out.
    async fn prune(
        &self,
        recipient: Recipient,
        audience: &Audience,
        schedule: &Schedule,
    ) -> Option<Recipient> {
        if Instant::now() >= schedule.last_forgotten {
            return Some(recipient);
        }
        let pruned = self.store.prune(&recipient.connection, audience);
        let Ok(pruned) = timeout_at(schedule.forgotten, pruned).await else {
            return Some(recipient);
        };
        if let Err(error) = pruned {
            tracing::warn!(
                connection_id = %recipient.connection,
                error = &error as &dyn std::error::Error,
                "failed to forget a connection that is gone"
            );
        }
        None
    }
}
