//! The notification queue, as the functions write to it, and its dead-letter queue.

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
    /// at the most. After an error some of them may be.
    fn enqueue(
        &self,
        pushes: &[Push],
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
    /// Whether each push is stored, in the order of the pushes.
    pub stored: Vec<bool>,
    /// The reason of the last failure, if any push is not stored.
    pub failure: Option<EnqueueError>,
}

/// Puts what cannot be delivered on the dead-letter queue.
pub trait DeadLetter: Sync {
    /// Returns once the message with this body is stored there, with the reason as an attribute.
    fn dead_letter(
        &self,
        body: &str,
        reason: &str,
    ) -> impl Future<Output = Result<(), EnqueueError>> + Send;
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
    /// Anything else.
    #[error("failed to write to the queue")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}
