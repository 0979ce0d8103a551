//! The notification queue, as the functions write to it.

use std::{error::Error, future::Future};

use crate::push::Push;

#[cfg(feature = "aws")]
mod sqs;

#[cfg(feature = "aws")]
pub use sqs::NotificationQueue;

/// Puts pushes on the notification queue.
pub trait Enqueue: Sync {
    /// Returns once every push is stored on the queue. After an error some of them may be.
    fn enqueue(&self, pushes: &[Push]) -> impl Future<Output = Result<(), EnqueueError>> + Send;
}

/// Why pushes could not be queued.
#[derive(Debug, thiserror::Error)]
pub enum EnqueueError {
    /// The queue takes no more just now.
    #[error("the notification queue is throttled")]
    Throttled(#[source] Box<dyn Error + Send + Sync>),
    /// Anything else.
    #[error("failed to write to the notification queue")]
    Failed(#[source] Box<dyn Error + Send + Sync>),
}
