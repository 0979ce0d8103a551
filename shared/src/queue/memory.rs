//! The notification queue and its dead-letter queue in memory, for tests of code that needs them.

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{DeadLetter, Enqueue, EnqueueError, EnqueueFlush, NotEnqueued, Release};
use crate::{presence::Flush, push::Push};

/// Both queues in memory.
#[derive(Debug, Default)]
pub struct MemoryQueues {
    pushes: Mutex<Vec<(Push, Duration)>>,
    flushes: Mutex<Vec<(Flush, Duration)>>,
    dead_letters: Mutex<Vec<(String, String)>>,
    released: Mutex<Vec<(String, Duration)>>,
    faults: Mutex<QueueFaults>,
}

/// The failures that the queues simulate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueFaults {
    /// The number of further calls to enqueue that fail.
    pub enqueue: usize,
    /// The number of pushes that the first of these calls stores before it fails.
    pub stored: usize,
    /// The number of further dead letters that are refused.
    pub dead_letter: usize,
}

impl QueueFaults {
    /// Both queues refuse everything.
    pub const ALL: Self = Self {
        enqueue: usize::MAX,
        stored: 0,
        dead_letter: usize::MAX,
    };
}

impl MemoryQueues {
    /// Removes and returns the enqueued pushes, each with its delay.
    pub fn take(&self) -> Vec<(Push, Duration)> {
        mem::take(&mut *lock(&self.pushes))
    }

    /// Removes and returns the enqueued flushes, each with its delay.
    pub fn take_flushes(&self) -> Vec<(Flush, Duration)> {
        mem::take(&mut *lock(&self.flushes))
    }

    /// Returns the dead letters so far, each body with its reason.
    pub fn dead_letters(&self) -> Vec<(String, String)> {
        lock(&self.dead_letters).clone()
    }

    /// Returns the handles of the released messages, each with its delay.
    pub fn released(&self) -> Vec<(String, Duration)> {
        lock(&self.released).clone()
    }

    /// Replaces the simulated failures.
    pub fn set_faults(&self, faults: QueueFaults) {
        *lock(&self.faults) = faults;
    }
}

impl Enqueue for MemoryQueues {
    async fn enqueue(&self, pushes: &[Push], delay: Duration) -> Result<(), NotEnqueued> {
        let mut faults = lock(&self.faults);
        let fails = faults.enqueue > 0;
        faults.enqueue -= usize::from(fails);
        let stored = match fails {
            true => mem::take(&mut faults.stored).min(pushes.len()),
            false => pushes.len(),
        };
        let delayed = pushes[..stored].iter().map(|push| (push.clone(), delay));
        lock(&self.pushes).extend(delayed);
        if stored == pushes.len() {
            return Ok(());
        }
        Err(NotEnqueued {
            refused: (stored..pushes.len()).collect(),
            source: failed(),
        })
    }
}

impl EnqueueFlush for MemoryQueues {
    async fn enqueue_flush(&self, flush: &Flush, delay: Duration) -> Result<(), EnqueueError> {
        let mut faults = lock(&self.faults);
        if faults.enqueue > 0 {
            faults.enqueue -= 1;
            return Err(failed());
        }
        lock(&self.flushes).push((flush.clone(), delay));
        Ok(())
    }
}

impl Release for MemoryQueues {
    async fn release(&self, receipt_handle: &str, delay: Duration) -> Result<(), EnqueueError> {
        lock(&self.released).push((receipt_handle.to_owned(), delay));
        Ok(())
    }
}

impl DeadLetter for MemoryQueues {
    async fn dead_letter(&self, body: &str, reason: &str) -> Result<(), EnqueueError> {
        let mut faults = lock(&self.faults);
        if faults.dead_letter > 0 {
            faults.dead_letter -= 1;
            return Err(failed());
        }
        lock(&self.dead_letters).push((body.to_owned(), reason.to_owned()));
        Ok(())
    }
}

fn failed() -> EnqueueError {
    EnqueueError::Failed("a fault of the test".into())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
