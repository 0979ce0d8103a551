//! The notification queue, as the functions write to it and return messages to it, and its dead-letter
//! queue.

use std::{error::Error, future::Future, time::Duration};

use tokio::time::Instant;

use crate::push::Push;

pub mod memory;
#[cfg(feature = "aws")]
mod sqs;

#[cfg(feature = "aws")]
pub use sqs::{DeadLetterQueue, NotificationQueue, NotifierQueues};

/// Puts pushes on the notification queue.
pub trait Enqueue: Sync {
    /// Returns once every push is stored on the queue, hidden for `delay`: whole seconds, 15 minutes
    /// at the most.
    ///
    /// # Errors
    ///
    /// Returns [`NotEnqueued`] with those that the queue did not take; the others are stored.
    fn enqueue(
        &self,
        pushes: &[Push],
        delay: Duration,
    ) -> impl Future<Output = Result<(), NotEnqueued>> + Send;
}

/// Returns messages to the notification queue that were received from it.
pub trait Return: Sync {
    /// Makes the message received with this handle visible again after `delay`, in whole seconds.
    fn give_back(
        &self,
        receipt_handle: &str,
        delay: Duration,
    ) -> impl Future<Output = Result<(), EnqueueError>> + Send;
}

/// Puts pushes on the notification queue, each independently of the others.
pub trait EnqueueEach: Sync {
    /// Stores as many of the pushes as it can by `until` and returns which are stored. It repeats those
    /// that fail for a transient reason; a push whose storing was not confirmed by `until` is not stored.
    fn enqueue_each(
        &self,
        pushes: &[Push],
        until: Instant,
    ) -> impl Future<Output = Enqueued> + Send;
}

/// The result of pushes that were enqueued independently.
#[derive(Debug)]
pub struct Enqueued {
    /// True for each push that is stored, in the order of the pushes.
    pub stored: Vec<bool>,
    /// The reason of the last failure, if any push is not stored.
    pub failure: Option<EnqueueError>,
}

/// Puts what cannot be delivered on the dead-letter queue.
pub trait DeadLetter: Sync {
    /// Returns once the message with this body is stored there, with the reason as an attribute. If they
    /// are too large together, the reason is cut; if the body is too large by itself, its beginning is
    /// stored.
    fn dead_letter(
        &self,
        body: &str,
        reason: &str,
    ) -> impl Future<Output = Result<(), EnqueueError>> + Send;
}

/// Pushes that the queue did not take.
#[derive(Debug, thiserror::Error)]
#[error("{} messages could not be put on the queue", refused.len())]
pub struct NotEnqueued {
    /// Their places among the pushes that were to be stored.
    pub refused: Vec<usize>,
    /// The reason one of them was not taken.
    #[source]
    pub source: EnqueueError,
}

/// Why something could not be put on a queue.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// The queue takes no more just now.
    #[error("the queue is throttled")]
    Throttled(#[source] Box<dyn Error + Send + Sync>),
    /// The queue did not confirm in time.
    #[error("the queue did not confirm in time")]
    TimedOut,
    /// The queue refuses what it was asked. Asking again at once does not help.
    #[error("the queue refused the request")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
    /// Anything else.
    #[error("failed to write to the queue")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}

impl EnqueueError {
    /// Returns whether the same may succeed a moment later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Throttled(_) | Self::TimedOut | Self::Failed(_) => true,
            Self::Refused(_) => false,
        }
    }
}
