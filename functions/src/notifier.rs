//! The notifier: the only one that fans out. Each record of the queue is one push, or a part of one.

use std::{
    error::Error,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use aws_sdk_sqs::primitives::{DateTime, DateTimeFormat};
use futures_util::{StreamExt, stream};
use herald_shared::{
    delivery::{Delivery, DeliveryError, Report},
    in_full::in_full,
    post::Post,
    push::{InvalidPush, Push},
    queue::{DeadLetter, Enqueue},
    store::{Forget, ReadAudience},
};
use tokio::time::Instant;

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Batch {
    /// How many records it had.
    pub records: usize,
    /// The message ids of those that failed: SQS brings them again, and moves them to the dead-letter
    /// queue when they fail too often.
    pub failed: Vec<String>,
    /// All that was delivered, as one. A record that went to the dead-letter queue whole counts there
    /// as one connection: nobody knows how many it was for.
    pub report: Report,
    /// From the event's time to the last post, for each record that was posted.
    pub lags: Vec<Duration>,
}

/// Delivers the records of a batch side by side.
///
/// A record that can never be delivered goes to the dead-letter queue at once, with the reason, and
/// counts as done.
pub async fn handle<S, P, Q>(
    event: SqsEvent,
    deadline: Instant,
    delivery: &Delivery<'_, S, P, Q>,
    dead_letters: &Q,
) -> Batch
where
    S: ReadAudience + Forget,
    P: Post,
    Q: Enqueue + DeadLetter,
{
    stream::iter(event.records)
        .map(|record| handle_record(record, deadline, delivery, dead_letters))
        .buffer_unordered(usize::MAX)
        .fold(Batch::default(), |mut batch, outcome| async {
            batch.add(outcome);
            batch
        })
        .await
}

impl Batch {
    /// Logs it as one line.
    pub fn log(&self) {
        let Report {
            audience,
            delivered,
            gone,
            disconnected,
            throttled,
            retried,
            requeued,
            dead_lettered,
            continuations,
            last_post_at: _,
        } = self.report;
        tracing::info!(
            records = self.records,
            failed = self.failed.len(),
            audience,
            delivered,
            gone,
            disconnected,
            throttled,
            retried,
            requeued,
            dead_lettered,
            continuations,
            longest_lag_ms = self.lags.iter().max().map(milliseconds),
            "a batch was delivered"
        );
    }

    /// The answer that names the records that failed.
    pub fn into_response(self) -> SqsBatchResponse {
        let mut response = SqsBatchResponse::default();
        response.set_failures(self.failed);
        response
    }

    fn add(&mut self, outcome: Outcome) {
        self.records += 1;
        match outcome {
            Outcome::Delivered { report, lag } => {
                self.report += report;
                self.lags.extend(lag);
            }
            Outcome::DeadLettered => self.report.dead_lettered += 1,
            Outcome::Failed(message_id) => self.failed.push(message_id),
        }
    }
}

/// The moment that Lambda gives as a wall-clock time. `cargo lambda watch` says for how long instead: what
/// would be a moment of 1970's first day is no deadline that passed.
pub fn deadline(time: SystemTime) -> Instant {
    Instant::now() + time_left(time, SystemTime::now())
}

fn time_left(deadline: SystemTime, now: SystemTime) -> Duration {
    let since_epoch = deadline.duration_since(UNIX_EPOCH).unwrap_or_default();
    if since_epoch < Duration::from_secs(24 * 60 * 60) {
        return since_epoch;
    }
    deadline.duration_since(now).unwrap_or_default()
}

/// What became of a record.
enum Outcome {
    Delivered {
        report: Report,
        lag: Option<Duration>,
    },
    DeadLettered,
    /// The message id.
    Failed(String),
}

async fn handle_record<S, P, Q>(
    record: SqsMessage,
    deadline: Instant,
    delivery: &Delivery<'_, S, P, Q>,
    dead_letters: &Q,
) -> Outcome
where
    S: ReadAudience + Forget,
    P: Post,
    Q: Enqueue + DeadLetter,
{
    let message_id = record.message_id.unwrap_or_default();
    let body = record.body.unwrap_or_default();
    let error = match deliver(&body, deadline, delivery).await {
        Ok(delivered) => return delivered,
        Err(error) => error,
    };
    tracing::error!(message_id, error = &error as &dyn Error, "a record failed");
    if error.is_passing() {
        return Outcome::Failed(message_id);
    }
    match dead_letters.dead_letter(&body, &in_full(&error)).await {
        Ok(()) => Outcome::DeadLettered,
        Err(error) => {
            tracing::error!(
                message_id,
                error = &error as &dyn Error,
                "a record could not be put on the dead-letter queue"
            );
            Outcome::Failed(message_id)
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
) -> Result<Outcome, RecordError>
where
    S: ReadAudience + Forget,
    P: Post,
    Q: Enqueue + DeadLetter,
{
    let push = Push::from_queue_body(body)?;
    let report = delivery.deliver(&push, deadline).await?;
    tracing::debug!(event_id = push.event_id, ?report, "a push was delivered");
    let lag = report.last_post_at.and_then(|at| lag(&push.time, at));
    Ok(Outcome::Delivered { report, lag })
}

/// From the event's time to its last post; none if the time cannot be read. Clocks that differ do not
/// make it negative.
fn lag(event_time: &str, last_post_at: SystemTime) -> Option<Duration> {
    let event_time = DateTime::from_str(event_time, DateTimeFormat::DateTimeWithOffset).ok()?;
    let event_time = SystemTime::try_from(event_time).ok()?;
    Some(last_post_at.duration_since(event_time).unwrap_or_default())
}

fn milliseconds(duration: &Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_until_the_deadline_or_as_long_as_is_said() {
        let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        for (deadline, left) in [
            (now + Duration::from_secs(60), 60),
            (now, 0),
            (now - Duration::from_secs(1), 0),
            (UNIX_EPOCH + Duration::from_secs(600), 600),
        ] {
            assert_eq!(time_left(deadline, now), Duration::from_secs(left));
        }
    }

    #[test]
    fn the_lag_counts_from_the_events_time() {
        let last_post_at = UNIX_EPOCH + Duration::from_millis(1_500);
        for (event_time, milliseconds) in [
            ("1970-01-01T00:00:01Z", Some(500)),
            ("1970-01-01T00:00:01.25Z", Some(250)),
            ("1970-01-01T01:00:00+01:00", Some(1_500)),
            ("1970-01-01T00:00:02Z", Some(0)),
            ("now", None),
        ] {
            let expected = milliseconds.map(Duration::from_millis);
            assert_eq!(lag(event_time, last_post_at), expected, "{event_time}");
        }
    }
}
