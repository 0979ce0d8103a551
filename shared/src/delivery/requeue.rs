//! What is left of a push, back on the queue or in the dead-letter queue.

use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep, timeout_at};

use super::{
    Delivery, Report,
    attempt::{Attempt, Next},
    backoff,
    posting::Left,
    schedule::Schedule,
};
use crate::{
    audience::Recipient,
    in_full::in_full,
    push::{Push, Recipients},
    queue::{DeadLetter, Enqueue, EnqueueError, NotEnqueued},
};

/// The most bytes of one message. SQS takes 1 MiB with its attributes, and a dead letter has a reason.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
const MESSAGE_BYTES: usize = 1000 * 1024;

/// Pushes that neither queue took.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) pushes: Vec<Push>,
    pub(super) error: EnqueueError,
}

impl<S: Sync, P: Sync, Q: Enqueue + DeadLetter> Delivery<'_, S, P, Q> {
    /// Puts back what is left after an attempt: what there was no time for as the same attempt, what
    /// failed as the next one, after a delay. After the last attempt, and if the queue takes nothing, it
    /// goes to the dead-letter queue.
    ///
    /// # Errors
    ///
    /// Returns [`Refused`] with what neither queue took.
    pub(super) async fn put_back(
        &self,
        push: &Push,
        attempt: &Attempt,
        left: &Left,
        schedule: &Schedule,
        report: &mut Report,
    ) -> Result<(), Refused> {
        let settings = &self.settings;
        let mut refused = Ok(());
        for (connections, next) in [
            (&left.untried, attempt.after_no_time(settings)),
            (
                &left.unreached,
                attempt.after_failure(&left.reason, settings),
            ),
            (
                &left.opening,
                attempt.while_opening(&left.opening, settings, SystemTime::now()),
            ),
        ] {
            let put_back = match next {
                Next::Attempt(next, delay) => {
                    let pushes = split(push, connections, &next);
                    self.requeue_or_bury(pushes, delay, schedule, report).await
                }
                Next::DeadLetter(reason) => {
                    let pushes = split(push, connections, attempt);
                    self.bury(pushes, &reason, schedule, report).await
                }
            };
            refused = both(refused, put_back);
        }
        refused
    }

    async fn requeue_or_bury(
        &self,
        pushes: Vec<Push>,
        delay: Duration,
        schedule: &Schedule,
        report: &mut Report,
    ) -> Result<(), Refused> {
        let total = named(&pushes);
        let Err(refused) = self.requeue(pushes, delay, schedule.put_back).await else {
            report.requeued += total;
            return Ok(());
        };
        report.requeued += total - named(&refused.pushes);
        let error = in_full(&refused.error);
        let reason = format!("could not be put back on the queue: {error}");
        self.bury(refused.pushes, &reason, schedule, report).await
    }

    /// Puts pushes on the queue, what it does not take again and again until `until`.
    ///
    /// # Errors
    ///
    /// Returns [`Refused`] with those that it did not take.
    pub(super) async fn requeue(
        &self,
        mut pushes: Vec<Push>,
        delay: Duration,
        until: Instant,
    ) -> Result<(), Refused> {
        let mut failed = 0;
        while !pushes.is_empty() {
            let sent = timeout_at(until, self.queue.enqueue(&pushes, delay)).await;
            let error = match sent {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(NotEnqueued { refused, source })) => {
                    pushes = refused.iter().map(|index| pushes[*index].clone()).collect();
                    source
                }
                Err(elapsed) => EnqueueError::Failed(elapsed.into()),
            };
            failed += 1;
            if !may_send_again(&error, failed, until).await {
                return Err(Refused { pushes, error });
            }
        }
        Ok(())
    }

    /// Sends pushes to the dead-letter queue. They start over when they are replayed: as a first attempt.
    async fn bury(
        &self,
        pushes: Vec<Push>,
        reason: &str,
        schedule: &Schedule,
        report: &mut Report,
    ) -> Result<(), Refused> {
        let mut refused = Ok(());
        for push in pushes {
            let body = restarted(&push).to_queue_body();
            match self.bury_one(&body, reason, schedule.dead_lettered).await {
                Ok(()) => report.dead_lettered += connections_of(&push),
                Err(error) => {
                    let pushes = vec![push];
                    refused = both(refused, Err(Refused { pushes, error }));
                }
            }
        }
        refused
    }

    async fn bury_one(&self, body: &str, reason: &str, until: Instant) -> Result<(), EnqueueError> {
        let mut failed = 0;
        loop {
            let sent = timeout_at(until, self.queue.dead_letter(body, reason)).await;
            let error = match sent {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error,
                Err(elapsed) => EnqueueError::Failed(elapsed.into()),
            };
            failed += 1;
            if !may_send_again(&error, failed, until).await {
                return Err(error);
            }
        }
    }
}

/// Pauses before the next send; false at once if it would not help or be too late.
async fn may_send_again(error: &EnqueueError, failed: u32, until: Instant) -> bool {
    let pause = backoff::before_next_send(failed, fastrand::f64());
    if !error.is_transient() || Instant::now() + pause >= until {
        return false;
    }
    sleep(pause).await;
    true
}

/// Both results as one: what neither took, with the first error.
fn both(one: Result<(), Refused>, other: Result<(), Refused>) -> Result<(), Refused> {
    match (one, other) {
        (Err(mut one), Err(other)) => {
            one.pushes.extend(other.pushes);
            Err(one)
        }
        (one, other) => one.and(other),
    }
}

/// The push for these connections, as messages that keep to the queue's size limit.
pub(super) fn split(push: &Push, connections: &[Recipient], attempt: &Attempt) -> Vec<Push> {
    let mut parts: Vec<Vec<Recipient>> = Vec::new();
    let room = MESSAGE_BYTES.saturating_sub(push.to(attempt.of(Vec::new())).to_queue_body().len());
    let mut left = 0;
    for recipient in connections {
        let length = written_length(recipient);
        match parts.last_mut() {
            Some(part) if length <= left => {
                left -= length;
                part.push(recipient.clone());
            }
            _ => {
                left = room.saturating_sub(length);
                parts.push(vec![recipient.clone()]);
            }
        }
    }
    let parts = parts.into_iter();
    parts.map(|part| push.to(attempt.of(part))).collect()
}

/// Returns the bytes of a recipient and its comma in a message.
fn written_length(recipient: &Recipient) -> usize {
    let written = serde_json::to_string(recipient).expect("a recipient is always JSON");
    written.len() + 1
}

fn restarted(push: &Push) -> Push {
    let mut push = push.clone();
    if let Recipients::Connections {
        attempt, rounds, ..
    } = &mut push.recipients
    {
        (*attempt, *rounds) = (1, 0);
    }
    push
}

/// Returns the number of connections that are named.
fn named(pushes: &[Push]) -> usize {
    pushes.iter().map(connections_of).sum()
}

fn connections_of(push: &Push) -> usize {
    match &push.recipients {
        Recipients::Connections { connections, .. } => connections.len(),
        Recipients::Audience { .. } => 0,
    }
}
