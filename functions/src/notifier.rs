//! The notifier: delivers the pushes on the queue. Each record is one push, or a part of one.

mod failing;
mod lag;

#[cfg(test)]
mod properties;
mod record;
#[cfg(test)]
mod tests;
mod unfinished;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use futures_util::{StreamExt, stream};
use herald_shared::{
    delivery::{Delivery, DeliveryError, Report},
    post::Post,
    push::Push,
    queue::{DeadLetter, Enqueue, Release},
    store::{Forget, ReadAudience, ReadToken},
};
use tokio::time::Instant;

pub use failing::Failures;

use failing::{RecordError, RecordFailure};
use lag::lag;
use record::Record;

/// The result of a batch.
#[derive(Debug, Default)]
pub struct Batch {
    /// The number of records.
    pub records: usize,
    /// The message ids of the failed records, which SQS delivers again.
    pub failed: Vec<String>,
    /// The sum of all deliveries. A whole record on the dead-letter queue counts as one connection,
    /// because the size of its audience is unknown.
    pub report: Report,
    /// The time from the event to the last post, for each record that was posted.
    pub lags: Vec<Duration>,
}

/// Delivers the records of a batch concurrently.
///
/// A record that can never be delivered goes to the dead-letter queue at once, with the reason, and
/// counts as done. A record with a transient error is delivered again after seconds, until it has been
/// received as often as the queue allows.
pub async fn handle<S, P, Q>(
    event: SqsEvent,
    deadline: Instant,
    delivery: &Delivery<'_, S, P, Q>,
    failures: &Failures<'_, Q>,
) -> Batch
where
    S: ReadAudience + ReadToken + Forget,
    P: Post,
    Q: Enqueue + DeadLetter + Release,
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
    /// Logs the batch in one line.
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
            "delivered a batch"
        );
    }

    /// Returns the answer that names the failed records.
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

/// Returns Lambda's deadline, which is a wall-clock time. `cargo lambda watch` gives a duration instead,
/// so a time on the first day of 1970 is read as one.
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

/// The result of a record.
#[derive(Debug, Default)]
struct Handled {
    report: Report,
    lags: Vec<Duration>,
    /// The message id, if SQS must deliver the record again.
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
    Q: Enqueue + DeadLetter + Release,
{
    let mut handled = Handled::default();
    let unfinished = failures.unfinished(&record);
    if let Err(failure) = deliver(&record, unfinished, deadline, delivery, &mut handled).await {
        failures
            .settle(record, failure, deadline, &mut handled)
            .await;
    }
    handled
}

/// Delivers the unfinished parts of a record if this process knows them, or else the whole record.
async fn deliver<S, P, Q>(
    record: &Record,
    unfinished: Option<Vec<Push>>,
    deadline: Instant,
    delivery: &Delivery<'_, S, P, Q>,
    handled: &mut Handled,
) -> Result<(), RecordFailure>
where
    S: ReadAudience + ReadToken + Forget,
    P: Post,
    Q: Enqueue + DeadLetter,
{
    let whole = unfinished.is_none();
    let pushes = match unfinished {
        Some(unfinished) => unfinished,
        None => vec![Push::from_queue_body(&record.body).map_err(RecordError::from)?],
    };
    let mut failure: Option<RecordFailure> = None;
    for push in pushes {
        let (error, unfinished) = match delivery.deliver(&push, deadline).await {
            Ok(report) => {
                handled.add(&push, report);
                continue;
            }
            Err(DeliveryError::NotRequeued {
                pushes,
                report,
                source,
            }) => {
                handled.add(&push, *report);
                (RecordError::NotRequeued(source), Some(pushes))
            }
            Err(error) => (error.into(), (!whole).then(|| vec![push])),
        };
        failure = Some(RecordFailure::new(error, unfinished).after(failure));
    }
    failure.map_or(Ok(()), Err)
}

impl Handled {
    fn add(&mut self, push: &Push, report: Report) {
        tracing::debug!(event_id = push.event_id, ?report, "delivered a push");
        let lag = report.last_post_at.and_then(|at| lag(&push.time, at));
        self.lags.extend(lag);
        self.report += report;
    }
}

fn milliseconds(duration: &Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
