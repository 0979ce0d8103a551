//! The notifier: the only one that fans out. Each record of the queue is one push, or a part of one.

use std::{
    error::Error,
    time::{Duration, SystemTime},
};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use futures_util::{StreamExt, stream};
use herald_shared::{
    delivery::{Delivery, DeliveryError},
    in_full::in_full,
    post::Post,
    push::{InvalidPush, Push},
    queue::{DeadLetter, Enqueue},
    store::{Forget, ReadAudience},
};
use tokio::time::Instant;

/// Delivers the records of a batch side by side, and names those that failed: SQS brings them again,
/// and moves them to the dead-letter queue when they fail too often.
///
/// A record that can never be delivered goes to the dead-letter queue at once, with the reason, and
/// counts as done.
pub async fn handle<S, P, Q>(
    event: SqsEvent,
    deadline: Instant,
    delivery: &Delivery<'_, S, P, Q>,
    dead_letters: &Q,
) -> SqsBatchResponse
where
    S: ReadAudience + Forget,
    P: Post,
    Q: Enqueue + DeadLetter,
{
    let failed: Vec<String> = stream::iter(event.records)
        .map(|record| handle_record(record, deadline, delivery, dead_letters))
        .buffer_unordered(usize::MAX)
        .filter_map(|failed| async { failed })
        .collect()
        .await;
    let mut response = SqsBatchResponse::default();
    response.set_failures(failed);
    response
}

/// The moment that Lambda gives as a wall-clock time.
pub fn deadline(time: SystemTime) -> Instant {
    let left = time.duration_since(SystemTime::now());
    Instant::now() + left.unwrap_or(Duration::ZERO)
}

/// Returns the record's message id if it is to be received again.
async fn handle_record<S, P, Q>(
    record: SqsMessage,
    deadline: Instant,
    delivery: &Delivery<'_, S, P, Q>,
    dead_letters: &Q,
) -> Option<String>
where
    S: ReadAudience + Forget,
    P: Post,
    Q: Enqueue + DeadLetter,
{
    let message_id = record.message_id.unwrap_or_default();
    let body = record.body.unwrap_or_default();
    let error = match deliver(&body, deadline, delivery).await {
        Ok(()) => return None,
        Err(error) => error,
    };
    tracing::error!(message_id, error = &error as &dyn Error, "a record failed");
    if error.is_passing() {
        return Some(message_id);
    }
    match dead_letters.dead_letter(&body, &in_full(&error)).await {
        Ok(()) => None,
        Err(error) => {
            tracing::error!(
                message_id,
                error = &error as &dyn Error,
                "a record could not be put on the dead-letter queue"
            );
            Some(message_id)
        }
    }
}

/// Why a record failed.
#[derive(Debug, thiserror::Error)]
enum RecordError {
    #[error("the record is no push")]
    Invalid(#[from] InvalidPush),
    #[error("the push was not delivered")]
    Delivery(#[from] DeliveryError),
}

impl RecordError {
    /// Whether the same record may succeed later.
    fn is_passing(&self) -> bool {
        match self {
            Self::Invalid(_) | Self::Delivery(DeliveryError::TooLarge { .. }) => false,
            Self::Delivery(DeliveryError::Audience(_) | DeliveryError::PutBack(_)) => true,
        }
    }
}

async fn deliver<S, P, Q>(
    body: &str,
    deadline: Instant,
    delivery: &Delivery<'_, S, P, Q>,
) -> Result<(), RecordError>
where
    S: ReadAudience + Forget,
    P: Post,
    Q: Enqueue + DeadLetter,
{
    let push = Push::from_queue_body(body)?;
    let report = delivery.deliver(&push, deadline).await?;
    tracing::info!(
        event_id = push.event_id,
        audience = report.audience,
        delivered = report.delivered,
        gone = report.gone,
        throttled = report.throttled,
        retried = report.retried,
        requeued = report.requeued,
        dead_lettered = report.dead_lettered,
        continuations = report.continuations,
        "a push was delivered"
    );
    Ok(())
}
