//! The notification queue and its dead-letter queue in memory, for tests of what stands on them.

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{DeadLetter, Enqueue, EnqueueError, NotEnqueued, Return};
use crate::push::Push;

/// Both queues in memory.
#[derive(Debug, Default)]
pub struct MemoryQueues {
    pushes: Mutex<Vec<(Push, Duration)>>,
    dead_letters: Mutex<Vec<(String, String)>>,
    given_back: Mutex<Vec<(String, Duration)>>,
    trouble: Mutex<Trouble>,
}

/// The failures of the queues.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// The number of further calls that fail to put pushes on the notification queue.
    pub enqueue: usize,
    /// The number of pushes that the first such call stores before it fails.
    pub stored: usize,
    /// The number of further dead letters that are not taken.
    pub dead_letter: usize,
}

impl Trouble {
    /// Both queues take nothing.
    pub const WITH_ALL: Self = Self {
        enqueue: usize::MAX,
        stored: 0,
        dead_letter: usize::MAX,
    };
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

    /// The handles of the messages that were given back, each with its delay.
    pub fn given_back(&self) -> Vec<(String, Duration)> {
        lock(&self.given_back).clone()
    }

    /// From now on, the queues have this trouble and no other.
    pub fn set_trouble(&self, trouble: Trouble) {
        *lock(&self.trouble) = trouble;
    }
}

impl Enqueue for MemoryQueues {
    async fn enqueue(&self, pushes: &[Push], delay: Duration) -> Result<(), NotEnqueued> {
        let mut trouble = lock(&self.trouble);
        let fails = trouble.enqueue > 0;
        trouble.enqueue -= usize::from(fails);
        let stored = match fails {
            true => mem::take(&mut trouble.stored).min(pushes.len()),
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

impl Return for MemoryQueues {
    async fn give_back(&self, receipt_handle: &str, delay: Duration) -> Result<(), EnqueueError> {
        lock(&self.given_back).push((receipt_handle.to_owned(), delay));
        Ok(())
    }
}

impl DeadLetter for MemoryQueues {
    async fn dead_letter(&self, body: &str, reason: &str) -> Result<(), EnqueueError> {
        let mut trouble = lock(&self.trouble);
        if trouble.dead_letter > 0 {
            trouble.dead_letter -= 1;
            return Err(failed());
        }
        lock(&self.dead_letters).push((body.to_owned(), reason.to_owned()));
        Ok(())
    }
}

fn failed() -> EnqueueError {
    EnqueueError::Failed("the queue was told to fail".into())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
