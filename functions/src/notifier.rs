//! The notifier: delivers the pushes on the queue. Each record is one push, a part of one, or a flush of an
//! entity's presence, which becomes a push if the members changed.

mod failing;
mod flushing;
mod lag;
mod numbering;
#[cfg(test)]
mod properties;
mod record;
mod task;
#[cfg(test)]
mod tests;
mod unfinished;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent};
use futures_util::{StreamExt, stream};
use herald_shared::{
    delivery::{Delivery, DeliveryError, Report},
    log::LogRows,
    post::Post,
    presence::{MemberRows, Members},
    push::Push,
    queue::{DeadLetter, Enqueue, EnqueueFlush, Release},
    store::{Forget, ReadAudience, ReadToken},
};
use tokio::time::Instant;

pub use failing::Failures;

use crate::logs::Logs;
use failing::{RecordError, RecordFailure};
use lag::lag;
use record::Record;
use task::{Task, tasks};

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
    /// The number of messages that were dropped because a log that keeps only the last one had a newer one.
    pub stale: usize,
    /// The time from the event to the last post, for each record that was posted.
    pub lags: Vec<Duration>,
}

/// Delivers the records of a batch concurrently. A push for an audience with a log is stored in the log
/// first.
///
/// A record that can never be delivered goes to the dead-letter queue at once, with the reason, and
/// counts as done. A record with a transient error is delivered again after seconds, until it has been
/// received as often as the queue allows.
pub async fn handle<S, P, Q>(
    event: SqsEvent,
    deadline: Instant,
    delivery: &Delivery<'_, S, P, Q>,
    failures: &Failures<'_, Q>,
    logs: &Logs<impl LogRows>,
    members: &Members<impl MemberRows, impl EnqueueFlush, impl Fn() -> SystemTime + Send + Sync>,
) -> Batch
where
    S: ReadAudience + ReadToken + Forget,
    P: Post,
    Q: Enqueue + DeadLetter + Release,
{
    let records = event.records.into_iter().map(Record::from);
    stream::iter(tasks(records, failures, logs))
        .map(async |task| match task {
            Task::Deliver {
                record,
                pushes,
                whole,
            } => {
                let mut handled = Handled::default();
                let delivered = deliver(pushes, whole, deadline, delivery, &mut handled).await;
                vec![settled(record, delivered, deadline, failures, handled).await]
            }
            Task::Flush { record, flush } => {
                let mut handled = Handled::default();
                let flushed = flushing::flush(&flush, deadline, delivery, members, &mut handled);
                let flushed = flushed.await;
                vec![settled(record, flushed, deadline, failures, handled).await]
            }
            Task::Number(group) => {
                numbering::deliver(group, deadline, delivery, failures, logs).await
            }
        })
        .buffer_unordered(usize::MAX)
        .fold(Batch::default(), |mut batch, handled| async {
            handled.into_iter().for_each(|handled| batch.add(handled));
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
            stale = self.stale,
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
        self.stale += usize::from(handled.stale);
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
    /// True if the message was dropped because its log has a newer one.
    stale: bool,
    lags: Vec<Duration>,
    /// The message id, if SQS must deliver the record again.
    failed: Option<String>,
}

/// Returns the result of a record after its failure, if it has one, was settled.
async fn settled<Q: DeadLetter + Release>(
    record: Record,
    delivered: Result<(), RecordFailure>,
    deadline: Instant,
    failures: &Failures<'_, Q>,
    mut handled: Handled,
) -> Handled {
    if let Err(failure) = delivered {
        failures
            .settle(record, failure, deadline, &mut handled)
            .await;
    }
    handled
}

/// Delivers the pushes of a record: the whole record, or those parts of it that are unfinished.
async fn deliver<S, P, Q>(
    pushes: Result<Vec<Push>, RecordFailure>,
    whole: bool,
    deadline: Instant,
    delivery: &Delivery<'_, S, P, Q>,
    handled: &mut Handled,
) -> Result<(), RecordFailure>
where
    S: ReadAudience + ReadToken + Forget,
    P: Post,
    Q: Enqueue + DeadLetter,
{
    let mut failure: Option<RecordFailure> = None;
    for push in pushes? {
        let delivered = delivery.deliver(&push, deadline).await;
        if let Err(failed) = handled.add_delivery(push, delivered, whole) {
            failure = Some(failed.after(failure));
        }
    }
    failure.map_or(Ok(()), Err)
}

impl Handled {
    /// Adds the result of a delivery. The unfinished part of a push that is not `whole` is the push.
    fn add_delivery(
        &mut self,
        push: Push,
        delivered: Result<Report, DeliveryError>,
        whole: bool,
    ) -> Result<(), RecordFailure> {
        match delivered {
            Ok(report) => {
                self.add(&push, report);
                Ok(())
            }
            Err(DeliveryError::NotRequeued {
                pushes,
                report,
                source,
            }) => {
                self.add(&push, *report);
                let error = RecordError::NotRequeued(source);
                Err(RecordFailure::new(error, Some(pushes)))
            }
            Err(error) => {
                let unfinished = (!whole).then(|| vec![push]);
                Err(RecordFailure::new(error.into(), unfinished))
            }
        }
    }

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
