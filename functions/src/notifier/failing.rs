//! Records that failed: back to the queue soon, or to the dead-letter queue with the reason.

use std::{error::Error, future::Future, time::Duration};

use herald_shared::{
    backoff::bound,
    delivery::DeliveryError,
    in_full::in_full,
    push::{InvalidPush, Push, Recipients},
    queue::{DeadLetter, EnqueueError, Return},
};

use tokio::time::{Instant, timeout_at};

use super::{Handled, leftovers::Leftovers, record::Record};

/// The bound of the time that a record that failed is hidden: 2 s, then 4 s and so on.
const PAUSE: Duration = Duration::from_secs(2);

/// The time between the end of the last call and the deadline: a function that is killed forgets what it delivered.
const MARGIN: Duration = Duration::from_millis(500);

/// The longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// Sees to the records that failed, of all batches of a process.
#[derive(Debug)]
pub struct Failures<'a, Q> {
    queues: &'a Q,
    /// The number of receives after which SQS moves a message to the dead-letter queue.
    receives: u32,
    leftovers: Leftovers,
}

/// The reason a record failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    #[error("the record is no push")]
    Invalid(#[from] InvalidPush),
    #[error("the push was not delivered")]
    Delivery(#[from] DeliveryError),
    #[error("what is left of the push could be put on neither queue")]
    PutBack(#[source] EnqueueError),
}

impl RecordError {
    /// Returns whether the same record may succeed later.
    fn is_transient(&self) -> bool {
        match self {
            Self::Invalid(_) | Self::Delivery(DeliveryError::TooLarge { .. }) => false,
            Self::Delivery(_) | Self::PutBack(_) => true,
        }
    }
}

/// A record that failed, and what is left of it.
#[derive(Debug)]
pub(super) struct Undelivered {
    error: RecordError,
    /// `None` if all of it is left.
    left: Option<Vec<Push>>,
}

impl Undelivered {
    pub(super) fn of(error: RecordError, left: Option<Vec<Push>>) -> Self {
        Self { error, left }
    }

    /// Adds it to an earlier failure of the same record, whose reason counts.
    pub(super) fn after(self, earlier: Option<Self>) -> Self {
        let Some(mut earlier) = earlier else {
            return self;
        };
        let left = earlier.left.get_or_insert_default();
        left.extend(self.left.unwrap_or_default());
        earlier
    }
}

impl From<RecordError> for Undelivered {
    fn from(error: RecordError) -> Self {
        Self { error, left: None }
    }
}

impl<'a, Q: DeadLetter + Return> Failures<'a, Q> {
    /// Returns a record to `queues` until it was received as often as the queue allows.
    pub fn new(queues: &'a Q, receives: u32) -> Self {
        Self {
            queues,
            receives,
            leftovers: Leftovers::default(),
        }
    }

    /// Takes what this process knows to be left of a record. `None` if it has not seen it fail.
    pub(super) fn left_of(&self, record: &Record) -> Option<Vec<Push>> {
        self.leftovers.take(&record.message_id)
    }

    /// Sends a record to the dead-letter queue if it can never be delivered or this was the last receive,
    /// and lets it come again in seconds otherwise.
    pub(super) async fn settle(
        &self,
        record: Record,
        undelivered: Undelivered,
        deadline: Instant,
        handled: &mut Handled,
    ) {
        let until = deadline - MARGIN;
        let Undelivered { error, left } = undelivered;
        let message_id = record.message_id.as_str();
        tracing::error!(message_id, error = &error as &dyn Error, "a record failed");
        let left = if error.is_transient() && record.receives < self.receives {
            left
        } else {
            let reason = self.reason(&error, &record);
            match self.bury(&record, left, &reason, until, handled).await {
                Ok(()) => return,
                Err(left) => left,
            }
        };
        if let Some(left) = left {
            log_left(message_id, &left);
            self.leftovers.remember(record.message_id.clone(), left);
        }
        self.give_back(&record, until).await;
        handled.failed = Some(record.message_id);
    }

    fn reason(&self, error: &RecordError, record: &Record) -> String {
        let reason = in_full(error);
        match error.is_transient() {
            true => format!("failed {} times: {reason}", record.receives),
            false => reason,
        }
    }

    /// Sends what is left of a record to the dead-letter queue.
    ///
    /// # Errors
    ///
    /// Returns what the queue did not take. `None` if that is the whole record.
    async fn bury(
        &self,
        record: &Record,
        left: Option<Vec<Push>>,
        reason: &str,
        until: Instant,
        handled: &mut Handled,
    ) -> Result<(), Option<Vec<Push>>> {
        let Some(left) = left else {
            let buried = self.bury_one(record, &record.body, reason, until).await;
            handled.report.dead_lettered += usize::from(buried);
            return if buried { Ok(()) } else { Err(None) };
        };
        let mut refused = Vec::new();
        for push in left {
            let body = push.to_queue_body();
            if self.bury_one(record, &body, reason, until).await {
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

    async fn bury_one(&self, record: &Record, body: &str, reason: &str, until: Instant) -> bool {
        let buried = by(until, self.queues.dead_letter(body, reason)).await;
        if let Err(error) = &buried {
            tracing::error!(
                message_id = record.message_id,
                reason,
                error = error as &dyn Error,
                "a record could not be put on the dead-letter queue"
            );
        }
        buried.is_ok()
    }

    /// Lets a record come again soon. If that fails, it comes after the queue's visibility timeout.
    async fn give_back(&self, record: &Record, until: Instant) {
        let Some(receipt_handle) = &record.receipt_handle else {
            return;
        };
        let pause = pause_after(record.receives, fastrand::f64());
        if let Err(error) = by(until, self.queues.give_back(receipt_handle, pause)).await {
            tracing::warn!(
                message_id = record.message_id,
                error = &error as &dyn Error,
                "a record that failed comes again only after the visibility timeout"
            );
        }
    }
}

/// Ends a call in time.
async fn by(
    until: Instant,
    call: impl Future<Output = Result<(), EnqueueError>>,
) -> Result<(), EnqueueError> {
    let answer = timeout_at(until, call).await;
    answer.unwrap_or_else(|elapsed| Err(EnqueueError::Failed(elapsed.into())))
}

/// Returns the time for which a record is hidden that was received so often; `random` is between 0 and 1. Whole seconds, as
/// SQS counts them, and never none: what failed a moment ago is not helped at once.
fn pause_after(receives: u32, random: f64) -> Duration {
    let longest = bound(PAUSE, LONGEST_PAUSE, receives.saturating_sub(1));
    Duration::from_secs(longest.mul_f64(random).as_secs().max(1))
}

/// Names those who did not get a push, which no queue does until the record comes again.
fn log_left(message_id: &str, left: &[Push]) {
    for push in left {
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
    fn pause_doubles_up_to_two_minutes_and_is_never_none() {
        let seconds = |receives| pause_after(receives, 1.0).as_secs();
        assert_eq!([1, 2, 3, 6, 7, 1000].map(seconds), [2, 4, 8, 64, 120, 120]);
        assert_eq!(pause_after(3, 0.5), Duration::from_secs(4));
        assert_eq!(pause_after(5, 0.0), Duration::from_secs(1));
    }
}
