//! The notifier: the only one that fans out. Each record of the queue is one push, or a part of one.

mod failing;
mod lag;
mod leftovers;
#[cfg(test)]
mod properties;
mod record;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use futures_util::{StreamExt, stream};
use herald_shared::{
    delivery::{Delivery, DeliveryError, Report},
    post::Post,
    push::Push,
    queue::{DeadLetter, Enqueue, Return},
    store::{Forget, ReadAudience, ReadToken},
};
use tokio::time::Instant;

pub use failing::Failures;

use failing::{RecordError, Undelivered};
use lag::lag;
use record::Record;

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Batch {
    /// How many records it had.
    pub records: usize,
    /// The message ids of those that failed: SQS brings them again.
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
/// counts as done. One that failed for a transient reason comes again in seconds, until it was received
/// as often as the queue allows.
pub async fn handle<S, P, Q>(
    event: SqsEvent,
    deadline: Instant,
    delivery: &Delivery<'_, S, P, Q>,
    failures: &Failures<'_, Q>,
) -> Batch
where
    S: ReadAudience + ReadToken + Forget,
    P: Post,
    Q: Enqueue + DeadLetter + Return,
{
    stream::iter(event.records)
        .map(|record| handle_record(record.into(), deadline, delivery, failures))
        .buffer_unordered(usize::MAX)
        .fold(Batch::default(), |mut batch, handled| async {
            batch.add(handled);
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

    fn add(&mut self, handled: Handled) {
        self.records += 1;
        self.report += handled.report;
        self.lags.extend(handled.lags);
        self.failed.extend(handled.failed);
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
#[derive(Debug, Default)]
struct Handled {
    report: Report,
    lags: Vec<Duration>,
    /// The message id, if the record is to come again.
    failed: Option<String>,
}

async fn handle_record<S, P, Q>(
    record: Record,
    deadline: Instant,
    delivery: &Delivery<'_, S, P, Q>,
    failures: &Failures<'_, Q>,
) -> Handled
where
    S: ReadAudience + ReadToken + Forget,
    P: Post,
    Q: Enqueue + DeadLetter + Return,
{
    let mut handled = Handled::default();
    let left = failures.left_of(&record);
    if let Err(undelivered) = deliver(&record, left, deadline, delivery, &mut handled).await {
        failures
            .settle(record, undelivered, deadline, &mut handled)
            .await;
    }
    handled
}

/// Delivers what this process knows to be left of a record, or else all of it.
async fn deliver<S, P, Q>(
    record: &Record,
    left: Option<Vec<Push>>,
    deadline: Instant,
    delivery: &Delivery<'_, S, P, Q>,
    handled: &mut Handled,
) -> Result<(), Undelivered>
where
    S: ReadAudience + ReadToken + Forget,
    P: Post,
    Q: Enqueue + DeadLetter,
{
    let whole = left.is_none();
    let pushes = match left {
        Some(left) => left,
        None => vec![Push::from_queue_body(&record.body).map_err(RecordError::from)?],
    };
    let mut undelivered: Option<Undelivered> = None;
    for push in pushes {
        let (error, left) = match delivery.deliver(&push, deadline).await {
            Ok(report) => {
                handled.add(&push, report);
                continue;
            }
            Err(DeliveryError::PutBack {
                left,
                report,
                source,
            }) => {
                handled.add(&push, *report);
                (RecordError::PutBack(source), Some(left))
            }
            Err(error) => (error.into(), (!whole).then(|| vec![push])),
        };
        undelivered = Some(Undelivered::of(error, left).after(undelivered));
    }
    undelivered.map_or(Ok(()), Err)
}

impl Handled {
    fn add(&mut self, push: &Push, report: Report) {
        tracing::debug!(event_id = push.event_id, ?report, "a push was delivered");
        let lag = report.last_post_at.and_then(|at| lag(&push.time, at));
        self.lags.extend(lag);
        self.report += report;
    }
}

fn milliseconds(duration: &Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
