//! Pushes on their way to the notifier: each is stored in the log of its audience, if that has one, and then
//! enqueued.

use std::{
    future::ready,
    time::{Duration, SystemTime},
};

use herald_shared::{
    audience::Audience,
    log::{self, LogRows, Published},
    protocol::Refusal,
    push::Push,
    queue::EnqueueEach,
};
use tokio::time::Instant;

use crate::{
    logs::{Logs, patience},
    reply::{enqueue_failure, log_failure, too_large},
};

/// The time between the last attempt to enqueue and the deadline of the answer.
const RESERVE: Duration = Duration::from_millis(500);

/// Stores the messages of pushes in the log of their audience, if it has one, some time before `answer_by`.
/// Returns each push as it is to be enqueued.
///
/// # Errors
///
/// Returns the refusal of all if none could be stored, and of each push that could not.
pub(crate) async fn store(
    pushes: &[Push],
    audience: &Audience,
    logs: &Logs<impl LogRows>,
    now: SystemTime,
    answer_by: Instant,
) -> Result<Vec<Result<Published<Push>, Refusal>>, Refusal> {
    let Some(policy) = logs.policy(audience) else {
        let unnumbered = pushes.iter().cloned().map(Published::Delivered);
        return Ok(unnumbered.map(Ok).collect());
    };
    let messages = pushes
        .iter()
        .map(Push::log_message)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| too_large(error.length, error.limit))?;
    // The pushes go to the queue together, once each is in the log.
    let patience = patience(answer_by);
    let stored = log::publish(&logs.log, audience, policy, &messages, now, patience, ready);
    let stored = stored.await.map_err(|error| log_failure(&error))?;
    Ok(pushes
        .iter()
        .zip(stored)
        .map(|(push, stored)| match stored {
            Ok(Published::Delivered(stored)) => Ok(Published::Delivered(push.numbered(stored))),
            Ok(Published::Stale) => Ok(Published::Stale),
            Err(error) => Err(log_failure(&error)),
        })
        .collect())
}

/// Enqueues pushes some time before `answer_by`, and returns each that is on the queue.
pub(crate) async fn enqueue(
    logged: Vec<Result<Push, Refusal>>,
    answer_by: Instant,
    queue: &impl EnqueueEach,
) -> Vec<Result<Push, Refusal>> {
    let pushes: Vec<_> = logged.iter().flatten().cloned().collect();
    let until = answer_by.checked_sub(RESERVE).unwrap_or(answer_by);
    let enqueued = queue.enqueue_each(&pushes, until).await;
    let failure = enqueued.failure.as_ref().map(enqueue_failure);
    let mut stored = enqueued.stored.into_iter();
    let mut is_stored = || stored.next().unwrap_or(false);
    logged
        .into_iter()
        .map(|logged| match (logged?, is_stored(), &failure) {
            (_, false, Some(refusal)) => Err(refusal.clone()),
            (push, ..) => Ok(push),
        })
        .collect()
}
