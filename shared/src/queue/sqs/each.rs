//! Messages that SQS stores or refuses independently of each other.

use std::{collections::BTreeSet, time::Duration};

use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout_at};

use super::{NotificationQueue, PAUSE, Pending, Refused, batches, pending};
use crate::{
    backoff::bound,
    push::{Push, escape_noncharacters},
    queue::{EnqueueBodies, EnqueueEach, EnqueueError, Enqueued},
};

/// The limit of the longest pause between two sends.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl EnqueueEach for NotificationQueue {
    async fn enqueue_each(&self, pushes: &[Push], until: Instant) -> Enqueued {
        self.send_each(pending(pushes.iter().map(Push::to_queue_body)), until)
            .await
    }
}

impl EnqueueBodies for NotificationQueue {
    async fn enqueue_bodies(&self, bodies: Vec<String>, until: Instant) -> Enqueued {
        let bodies = bodies.into_iter().map(escape_noncharacters);
        self.send_each(pending(bodies), until).await
    }
}

impl NotificationQueue {
    async fn send_each(&self, pending: Vec<Pending>, until: Instant) -> Enqueued {
        let sends = batches(&pending).map(|batch| self.send_until(&pending[batch], until));
        let mut missing = BTreeSet::new();
        let mut failure = None;
        for refused in join_all(sends).await.into_iter().flatten() {
            missing.extend(refused.indices);
            failure = Some(refused.reason);
        }
        Enqueued {
            stored: (0..pending.len())
                .map(|index| !missing.contains(&index))
                .collect(),
            failure,
        }
    }

    /// Sends a batch, and again the messages that SQS refused. Returns those that SQS has not stored
    /// before `until`, or refused permanently.
    async fn send_until(&self, batch: &[Pending], until: Instant) -> Option<Refused> {
        let mut open: Vec<_> = batch.iter().collect();
        for sends in 0.. {
            let sent = timeout_at(until, self.send_batch(&open, 0)).await;
            let refused = match sent {
                Ok(Ok(())) => return None,
                Ok(Err(refused)) => refused,
                Err(_) => break,
            };
            if !refused.reason.is_transient() {
                return Some(refused);
            }
            open.retain(|message| refused.indices.contains(&message.index));
            let pause = bound(PAUSE, LONGEST_PAUSE, sends).mul_f64(fastrand::f64());
            if Instant::now() + pause >= until {
                return Some(refused);
            }
            sleep(pause).await;
        }
        Some(Refused {
            indices: open.iter().map(|message| message.index).collect(),
            reason: EnqueueError::TimedOut,
        })
    }
}
