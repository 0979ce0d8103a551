//! The notification queue and its dead-letter queue in memory, for tests of what stands on them.

use std::{
    mem,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{DeadLetter, Enqueue, EnqueueError};
use crate::push::Push;

/// Both queues in memory.
#[derive(Debug, Default)]
pub struct MemoryQueues {
    pushes: Mutex<Vec<(Push, Duration)>>,
    dead_letters: Mutex<Vec<(String, String)>>,
    failing: AtomicBool,
}

impl MemoryQueues {
    /// Takes what was enqueued, each push with its delay.
    pub fn take(&self) -> Vec<(Push, Duration)> {
        mem::take(&mut *lock(&self.pushes))
    }

    /// The dead letters so far, each body with its reason.
    pub fn dead_letters(&self) -> Vec<(String, String)> {
        lock(&self.dead_letters).clone()
    }

    /// From now on, both queues refuse everything, or no longer do.
    pub fn fail(&self, failing: bool) {
        self.failing.store(failing, Relaxed);
    }

    fn check(&self) -> Result<(), EnqueueError> {
        if self.failing.load(Relaxed) {
            return Err(EnqueueError::Failed("the queue was told to fail".into()));
        }
        Ok(())
    }
}

impl Enqueue for MemoryQueues {
    async fn enqueue(&self, pushes: &[Push], delay: Duration) -> Result<(), EnqueueError> {
        self.check()?;
        let delayed = pushes.iter().map(|push| (push.clone(), delay));
        lock(&self.pushes).extend(delayed);
        Ok(())
    }
}

impl DeadLetter for MemoryQueues {
    async fn dead_letter(&self, body: &str, reason: &str) -> Result<(), EnqueueError> {
        self.check()?;
        lock(&self.dead_letters).push((body.to_owned(), reason.to_owned()));
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
