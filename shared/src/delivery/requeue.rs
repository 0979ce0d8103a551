//! Undelivered parts of a push, back on the queue or on the dead-letter queue.

use std::time::{Duration, SystemTime};

use tokio::time::{Instant, sleep, timeout_at};

use super::{
    Delivery, Report,
    attempt::{Attempt, NextStep},
    backoff,
    posting::Undelivered,
    schedule::Schedule,
};
use crate::{
    audience::Recipient,
    error_chain::error_chain,
    push::{Push, Recipients},
    queue::{DeadLetter, Enqueue, EnqueueError, NotEnqueued},
};

/// The maximum size of one message in bytes. SQS accepts 1 MiB with its attributes, and a dead letter
/// has a reason.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>
const MESSAGE_BYTES: usize = 1000 * 1024;

/// Pushes that neither queue accepted.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) pushes: Vec<Push>,
    pub(super) error: EnqueueError,
}

impl<S: Sync, P: Sync, Q: Enqueue + DeadLetter> Delivery<'_, S, P, Q> {
    /// Requeues the recipients that are left after an attempt: untried ones in the same attempt, failed
    /// ones in the next attempt after a delay. After the last attempt, or if the queue refuses them,
    /// they go to the dead-letter queue.
    ///
    /// # Errors
    ///
    /// Returns [`Refused`] with the pushes that neither queue accepted.
    pub(super) async fn put_back(
        &self,
        push: &Push,
        attempt: &Attempt,
        undelivered: &Undelivered,
        schedule: &Schedule,
        report: &mut Report,
    ) -> Result<(), Refused> {
        let settings = &self.settings;
        let mut refused = Ok(());
        for (connections, next) in [
            (&undelivered.untried, attempt.after_no_time(settings)),
            (
                &undelivered.unreached,
                attempt.after_failure(&undelivered.reason, settings),
            ),
            (
                &undelivered.opening,
                attempt.while_opening(&undelivered.opening, settings, SystemTime::now()),
            ),
        ] {
            let put_back = match next {
                NextStep::Attempt(next, delay) => {
                    let pushes = split(push, connections, &next);
                    self.requeue_or_dead_letter(pushes, delay, schedule, report)
                        .await
                }
                NextStep::DeadLetter(reason) => {
                    let pushes = split(push, connections, attempt);
                    self.dead_letter(pushes, &reason, schedule, report).await
                }
            };
            refused = merge(refused, put_back);
        }
        refused
    }

    async fn requeue_or_dead_letter(
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
        let error = error_chain(&refused.error);
        let reason = format!("failed to requeue: {error}");
        self.dead_letter(refused.pushes, &reason, schedule, report)
            .await
    }

    /// Enqueues pushes, and retries those that the queue refuses before `until`.
    ///
    /// # Errors
    ///
    /// Returns [`Refused`] with the pushes that the queue did not accept.
    pub(super) async fn requeue(
        &self,
        mut pushes: Vec<Push>,
        delay: Duration,
        until: Instant,
    ) -> Result<(), Refused> {
        let mut attempt = 0;
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
            attempt += 1;
            if !pause_before_retry(&error, attempt, until).await {
                return Err(Refused { pushes, error });
            }
        }
        Ok(())
    }

    /// Sends pushes to the dead-letter queue. A replay starts with the first attempt again.
    async fn dead_letter(
        &self,
        pushes: Vec<Push>,
        reason: &str,
        schedule: &Schedule,
        report: &mut Report,
    ) -> Result<(), Refused> {
        let mut refused = Ok(());
        for push in pushes {
            let body = restarted(&push).to_queue_body();
            match self
                .send_dead_letter(&body, reason, schedule.dead_lettered)
                .await
            {
                Ok(()) => report.dead_lettered += connections_of(&push),
                Err(error) => {
                    let pushes = vec![push];
                    refused = merge(refused, Err(Refused { pushes, error }));
                }
            }
        }
        refused
    }

    async fn send_dead_letter(
        &self,
        body: &str,
        reason: &str,
        until: Instant,
    ) -> Result<(), EnqueueError> {
        let mut attempt = 0;
        loop {
            let sent = timeout_at(until, self.queue.dead_letter(body, reason)).await;
            let error = match sent {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error,
                Err(elapsed) => EnqueueError::Failed(elapsed.into()),
            };
            attempt += 1;
            if !pause_before_retry(&error, attempt, until).await {
                return Err(error);
            }
        }
    }
}

/// Pauses before the next send. Returns false at once if a retry would be useless or too late.
async fn pause_before_retry(error: &EnqueueError, attempt: u32, until: Instant) -> bool {
    let pause = backoff::before_next_send(attempt, fastrand::f64());
    if !error.is_transient() || Instant::now() + pause >= until {
        return false;
    }
    sleep(pause).await;
    true
}

/// Merges two results: the pushes of both, with the first error.
fn merge(one: Result<(), Refused>, other: Result<(), Refused>) -> Result<(), Refused> {
    match (one, other) {
        (Err(mut one), Err(other)) => {
            one.pushes.extend(other.pushes);
            Err(one)
        }
        (one, other) => one.and(other),
    }
}

/// Returns the push for these connections as messages within the queue's size limit.
pub(super) fn split(push: &Push, connections: &[Recipient], attempt: &Attempt) -> Vec<Push> {
    let mut parts: Vec<Vec<Recipient>> = Vec::new();
    let room = MESSAGE_BYTES.saturating_sub(
        push.to(attempt.recipients(Vec::new()))
            .to_queue_body()
            .len(),
    );
    let mut room_left = 0;
    for recipient in connections {
        let length = written_length(recipient);
        match parts.last_mut() {
            Some(part) if length <= room_left => {
                room_left -= length;
                part.push(recipient.clone());
            }
            _ => {
                room_left = room.saturating_sub(length);
                parts.push(vec![recipient.clone()]);
            }
        }
    }
    let parts = parts.into_iter();
    parts
        .map(|part| push.to(attempt.recipients(part)))
        .collect()
}

/// Returns the number of bytes of a recipient and its comma in a message.
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

/// Returns the number of connections that the pushes name.
fn named(pushes: &[Push]) -> usize {
    pushes.iter().map(connections_of).sum()
}

fn connections_of(push: &Push) -> usize {
    match &push.recipients {
        Recipients::Connections { connections, .. } => connections.len(),
        Recipients::Audience { .. } => 0,
    }
}
