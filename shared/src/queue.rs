//! The traits of the notification queue and its dead-letter queue.

use std::{error::Error, future::Future, time::Duration};

use tokio::time::Instant;

use crate::{presence::Flush, push::Push};

#[cfg(any(test, feature = "fakes"))]
pub mod memory;
#[cfg(feature = "aws")]
mod sqs;

#[cfg(feature = "aws")]
pub use sqs::{DeadLetterQueue, NotificationQueue, NotifierQueues};

/// A writer to the notification queue.
pub trait Enqueue: Sync {
    /// Stores every push on the queue, hidden for `delay`: whole seconds, at most 15 minutes.
    ///
    /// # Errors
    ///
    /// Returns [`NotEnqueued`] with the pushes that were refused; the others are stored.
    fn enqueue(
        &self,
        pushes: &[Push],
        delay: Duration,
    ) -> impl Future<Output = Result<(), NotEnqueued>> + Send;
}

/// A writer of flushes of presence to the notification queue.
pub trait EnqueueFlush: Send + Sync {
    /// Stores a flush on the queue, hidden for `delay`: whole seconds, at most 15 minutes.
    ///
    /// # Errors
    ///
    /// Returns [`EnqueueError`] if the queue did not store it.
    fn enqueue_flush(
        &self,
        flush: &Flush,
        delay: Duration,
    ) -> impl Future<Output = Result<(), EnqueueError>> + Send;
}

/// A consumer of the notification queue that can release messages.
pub trait Release: Sync {
    /// Makes the message with this receipt handle visible again after `delay`, in whole seconds.
    ///
    /// # Errors
    ///
    /// Returns [`EnqueueError`] if the queue did not confirm it.
    fn release(
        &self,
        receipt_handle: &str,
        delay: Duration,
    ) -> impl Future<Output = Result<(), EnqueueError>> + Send;
}

/// A writer to the notification queue that stores each push independently of the others.
pub trait EnqueueEach: Sync {
    /// Stores as many of the pushes as it can before `until`. It retries those that fail with a
    /// transient error; a push that was not confirmed before `until` counts as not stored.
    fn enqueue_each(
        &self,
        pushes: &[Push],
        until: Instant,
    ) -> impl Future<Output = Enqueued> + Send;
}

/// The result for pushes that were enqueued independently.
#[derive(Debug)]
pub struct Enqueued {
    /// True for each push that is stored, in the order of the pushes.
    pub stored: Vec<bool>,
    /// The reason of the last failure, if any push is not stored.
    pub failure: Option<EnqueueError>,
}

/// A writer to the dead-letter queue.
pub trait DeadLetter: Sync {
    /// Stores a message with this body, and the reason as an attribute. Cuts the reason if both
    /// together are too large, and the body if it alone is too large.
    ///
    /// # Errors
    ///
    /// Returns [`EnqueueError`] if the queue did not store it.
    fn dead_letter(
        &self,
        body: &str,
        reason: &str,
    ) -> impl Future<Output = Result<(), EnqueueError>> + Send;
}

/// The refusal of pushes by the queue.
#[derive(Debug, thiserror::Error)]
#[error("the queue did not store {} of the messages", refused.len())]
pub struct NotEnqueued {
    /// The indices of the refused pushes.
    pub refused: Vec<usize>,
    /// The reason for one of the refusals.
    #[source]
    pub source: EnqueueError,
}

/// The reason a queue did not store a message.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// The queue is throttled; the same call may succeed later.
    #[error("the queue is throttled")]
    Throttled(#[source] Box<dyn Error + Send + Sync>),
    /// The queue did not confirm in time.
    #[error("the queue did not confirm in time")]
    TimedOut,
    /// The queue refused the request. A retry does not help.
    #[error("the queue refused the request")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
    /// Any other failure.
    #[error("failed to write to the queue")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl EnqueueError {
    /// Returns whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Throttled(_) | Self::TimedOut | Self::Failed(_) => true,
            Self::Refused(_) => false,
        }
    }
}
