//! Retries failed records soon, or sends them to the dead-letter queue with the reason.

use std::{error::Error, future::Future, sync::Arc, time::Duration};

use herald_shared::{
    backoff::bound,
    delivery::DeliveryError,
    error_chain::error_chain,
    log::LogError,
    push::{FrameTooLarge, InvalidPush, Push, Recipients},
    queue::{DeadLetter, EnqueueError, Release},
    store::StoreError,
};

use tokio::time::{Instant, timeout_at};

use super::{Handled, record::Record, unfinished::UnfinishedRecords};

/// The longest time for which a record that failed once is hidden, which doubles with each further
/// receive.
const PAUSE: Duration = Duration::from_secs(2);

/// The time between the end of the last call and the deadline: a function that Lambda ends loses its
/// memory of what it delivered.
const MARGIN: Duration = Duration::from_millis(500);

/// The longest time for which a record is ever hidden.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// The handler of failed records, for all batches of a process.
#[derive(Debug)]
pub struct Failures<'a, Q> {
    queues: &'a Q,
    /// The number of receives after which SQS moves a message to the dead-letter queue.
    receives: u32,
    unfinished: UnfinishedRecords,
}

/// The reason a record failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    #[error("the record is not a push")]
    Invalid(#[from] InvalidPush),
    #[error("the message is too large for a log")]
    TooLarge(#[source] FrameTooLarge),
    #[error("the message could not be stored in its log")]
    Log(#[source] Arc<LogError>),
    #[error("the push was not delivered")]
    Delivery(#[from] DeliveryError),
    #[error("the members could not be read or marked")]
    Members(#[source] StoreError),
    #[error("the undelivered parts of the push could be put on neither queue")]
    NotRequeued(#[source] EnqueueError),
}

impl RecordError {
    /// Returns whether the same record may succeed later.
    fn is_transient(&self) -> bool {
        match self {
            Self::Invalid(_)
            | Self::TooLarge(_)
            | Self::Delivery(DeliveryError::TooLarge { .. }) => false,
            Self::Log(error) => error.is_transient(),
            Self::Delivery(_) | Self::Members(_) | Self::NotRequeued(_) => true,
        }
    }
}

/// The failure of a record.
#[derive(Debug)]
pub(super) struct RecordFailure {
    error: RecordError,
    /// The undelivered parts. `None` if they are the whole record.
    unfinished: Option<Vec<Push>>,
}

impl RecordFailure {
    pub(super) fn new(error: RecordError, unfinished: Option<Vec<Push>>) -> Self {
        Self { error, unfinished }
    }

    /// Merges this failure into an earlier one of the same record, whose error is kept.
    pub(super) fn after(self, earlier: Option<Self>) -> Self {
        let Some(mut earlier) = earlier else {
            return self;
        };
        let unfinished = earlier.unfinished.get_or_insert_default();
        unfinished.extend(self.unfinished.unwrap_or_default());
        earlier
    }
}

impl From<RecordError> for RecordFailure {
    fn from(error: RecordError) -> Self {
        Self::new(error, None)
    }
}

impl<'a, Q: DeadLetter + Release> Failures<'a, Q> {
    /// Returns a handler that releases a record to `queues` until it has been received `receives` times.
    pub fn new(queues: &'a Q, receives: u32) -> Self {
        Self {
            queues,
            receives,
            unfinished: UnfinishedRecords::default(),
        }
    }

    /// Removes and returns the unfinished parts of a record. `None` if this process has not seen it fail.
    pub(super) fn unfinished(&self, record: &Record) -> Option<Vec<Push>> {
        self.unfinished.take(&record.message_id)
    }

    /// Sends a record to the dead-letter queue if it can never be delivered or this was its last
    /// receive. Otherwise SQS delivers it again in seconds.
    pub(super) async fn settle(
        &self,
        record: Record,
        failure: RecordFailure,
        deadline: Instant,
        handled: &mut Handled,
    ) {
        let until = deadline - MARGIN;
        let RecordFailure { error, unfinished } = failure;
        let message_id = record.message_id.as_str();
        tracing::error!(
            message_id,
            error = &error as &dyn Error,
            "failed to deliver a record"
        );
        let unfinished = if error.is_transient() && record.receives < self.receives {
            unfinished
        } else {
            let reason = self.reason(&error, &record);
            let sent = self.dead_letter(&record, unfinished, &reason, until, handled);
            match sent.await {
                Ok(()) => return,
                Err(unfinished) => unfinished,
            }
        };
        if let Some(unfinished) = unfinished {
            log_unfinished(message_id, &unfinished);
            self.unfinished
                .insert(record.message_id.clone(), unfinished);
        }
        self.release(&record, until).await;
        handled.failed = Some(record.message_id);
    }

    fn reason(&self, error: &RecordError, record: &Record) -> String {
        let reason = error_chain(error);
        match error.is_transient() {
            true => format!("failed {} times: {reason}", record.receives),
            false => reason,
        }
    }

    /// Sends the unfinished parts of a record to the dead-letter queue.
    ///
    /// # Errors
    ///
    /// Returns the parts that the queue refused. `None` if that is the whole record.
    async fn dead_letter(
        &self,
        record: &Record,
        unfinished: Option<Vec<Push>>,
        reason: &str,
        until: Instant,
        handled: &mut Handled,
    ) -> Result<(), Option<Vec<Push>>> {
        let Some(unfinished) = unfinished else {
            let sent = self
                .send_dead_letter(record, &record.body, reason, until)
                .await;
            handled.report.dead_lettered += usize::from(sent);
            return if sent { Ok(()) } else { Err(None) };
        };
        let mut refused = Vec::new();
        for push in unfinished {
            let body = push.to_queue_body();
            if self.send_dead_letter(record, &body, reason, until).await {
                handled.report.dead_lettered += connections_of(&push).map_or(1, <[_]>::len);
            } else {
                refused.push(push);
            }
        }
        if refused.is_empty() {
            Ok(())
        } else {
            Err(Some(refused))
        }
    }

    async fn send_dead_letter(
        &self,
        record: &Record,
        body: &str,
        reason: &str,
        until: Instant,
    ) -> bool {
        let sent = before(until, self.queues.dead_letter(body, reason)).await;
        if let Err(error) = &sent {
            tracing::error!(
                message_id = record.message_id,
                reason,
                error = error as &dyn Error,
                "failed to put a record on the dead-letter queue"
            );
        }
        sent.is_ok()
    }

    /// Makes a record visible again soon. If that fails, it becomes visible after the queue's visibility
    /// timeout.
    async fn release(&self, record: &Record, until: Instant) {
        let Some(receipt_handle) = &record.receipt_handle else {
            return;
        };
        let pause = pause_after(record.receives, fastrand::f64());
        if let Err(error) = before(until, self.queues.release(receipt_handle, pause)).await {
            tracing::warn!(
                message_id = record.message_id,
                error = &error as &dyn Error,
                "failed to release a record; SQS delivers it again after the visibility timeout"
            );
        }
    }
}

/// Cancels a call at `until`.
async fn before(
    until: Instant,
    call: impl Future<Output = Result<(), EnqueueError>>,
) -> Result<(), EnqueueError> {
    let answer = timeout_at(until, call).await;
    answer.unwrap_or_else(|elapsed| Err(EnqueueError::Failed(elapsed.into())))
}

/// Returns the time for which a record is hidden after this many receives; `random` is between 0 and 1.
/// The time is in whole seconds, as SQS counts them, and never zero: an immediate retry rarely helps.
fn pause_after(receives: u32, random: f64) -> Duration {
    let longest = bound(PAUSE, LONGEST_PAUSE, receives.saturating_sub(1));
    Duration::from_secs(longest.mul_f64(random).as_secs().max(1))
}

/// Logs the recipients of undelivered pushes, which are on no queue until SQS delivers the record again.
fn log_unfinished(message_id: &str, unfinished: &[Push]) {
    for push in unfinished {
        let event_id = push.event_id.as_str();
        match connections_of(push) {
            Some(named) => {
                let connections: Vec<_> = named.iter().map(|one| one.connection.as_str()).collect();
                tracing::error!(message_id, event_id, ?connections, "not delivered yet");
            }
            None => {
                let recipients = &push.recipients;
                tracing::error!(message_id, event_id, ?recipients, "not delivered yet");
            }
        }
    }
}

fn connections_of(push: &Push) -> Option<&[herald_shared::audience::Recipient]> {
    match &push.recipients {
        Recipients::Connections { connections, .. } => Some(connections),
        Recipients::Audience { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pause_doubles_up_to_two_minutes_and_is_never_zero() {
        let seconds = |receives| pause_after(receives, 1.0).as_secs();
        assert_eq!([1, 2, 3, 6, 7, 1000].map(seconds), [2, 4, 8, 64, 120, 120]);
        assert_eq!(pause_after(3, 0.5), Duration::from_secs(4));
        assert_eq!(pause_after(5, 0.0), Duration::from_secs(1));
    }
}
