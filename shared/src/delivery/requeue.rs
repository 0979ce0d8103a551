//! What is left of a push, back on the queue or in the dead-letter queue.

use std::time::Duration;

use super::{Delivery, Report, backoff, posting::Left};
use crate::{
    audience::Recipient,
    push::{Push, Recipients},
    queue::{DeadLetter, Enqueue, EnqueueError},
};

/// The most bytes of one message, below what every SQS queue takes, old ones with 256 KiB included.
const MESSAGE_BYTES: usize = 240 * 1024;

/// What a message holds beside its frame and its connections.
const ENVELOPE_BYTES: usize = 2 * 1024;

/// What stands around a connection's id in JSON: brackets, quotes, the end of its token, commas.
const RECIPIENT_BYTES: usize = 26;

impl<S: Sync, P: Sync, Q: Enqueue + DeadLetter> Delivery<'_, S, P, Q> {
    /// Puts back what is left after the `attempt`-th attempt: what there was no time for as the same
    /// attempt, what failed as the next one, after a delay. After the last attempt, and for what the
    /// gateway forbids, it is the dead-letter queue.
    pub(super) async fn put_back(
        &self,
        push: &Push,
        left: &Left,
        attempt: u32,
        report: &mut Report,
    ) -> Result<(), EnqueueError> {
        self.requeue(push, &left.untried, attempt, Duration::ZERO)
            .await?;
        report.requeued += left.untried.len();
        if attempt < self.settings.attempts {
            let delay = backoff::before_next_attempt(attempt, fastrand::f64());
            self.requeue(push, &left.unreached, attempt + 1, delay)
                .await?;
            report.requeued += left.unreached.len();
        } else {
            let reason = format!("not reached in {attempt} attempts: {}", left.reason);
            self.bury(push, &left.unreached, &reason, report).await?;
        }
        let reason = "the gateway forbids to post: check the notifier's permissions and endpoint";
        self.bury(push, &left.forbidden, reason, report).await
    }

    /// Puts these connections back on the queue; none are no message.
    pub(super) async fn requeue(
        &self,
        push: &Push,
        connections: &[Recipient],
        attempt: u32,
        delay: Duration,
    ) -> Result<(), EnqueueError> {
        let pushes = split(push, connections, attempt);
        if pushes.is_empty() {
            return Ok(());
        }
        self.queue.enqueue(&pushes, delay).await
    }

    /// Dead letters start over when they are put back on the queue: as a first attempt.
    async fn bury(
        &self,
        push: &Push,
        connections: &[Recipient],
        reason: &str,
        report: &mut Report,
    ) -> Result<(), EnqueueError> {
        for part in split(push, connections, 1) {
            self.queue
                .dead_letter(&part.to_queue_body(), reason)
                .await?;
        }
        report.dead_lettered += connections.len();
        Ok(())
    }
}

/// The push for these connections, as messages that keep to the queue's size limit.
fn split(push: &Push, connections: &[Recipient], attempt: u32) -> Vec<Push> {
    let room = MESSAGE_BYTES.saturating_sub(push.frame.get().len() + ENVELOPE_BYTES);
    let longest = connections
        .iter()
        .map(|recipient| recipient.connection.as_str().len() + RECIPIENT_BYTES);
    let in_one = (room / longest.max().unwrap_or(1)).max(1);
    connections
        .chunks(in_one)
        .map(|chunk| {
            push.to(Recipients::Connections {
                connections: chunk.to_vec(),
                attempt,
            })
        })
        .collect()
}
