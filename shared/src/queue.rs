//! The notification queue, as the functions write to it, and its dead-letter queue.

use std::{error::Error, future::Future, time::Duration};

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
    /// Anything else.
    #[error("failed to write to the queue")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}
