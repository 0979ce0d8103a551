//! A bus and a queue that accept what a test says.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use herald_shared::queue::{EnqueueBodies, EnqueueError, Enqueued};
use tokio::time::{Instant, sleep_until};

use crate::bus::{Bus, BusEvent, PutError};

/// A bus in memory.
#[derive(Debug, Default)]
pub(crate) struct ScriptedBus {
    pub(crate) accepted: Mutex<Vec<BusEvent>>,
    pub(crate) refuses: Mutex<Refusals>,
    /// True if it answers no call.
    pub(crate) hangs: AtomicBool,
    pub(crate) calls: AtomicUsize,
    seen: AtomicUsize,
}

/// The numbers of the events or messages that are refused, counted from the first ever.
#[derive(Clone, Debug, Default)]
pub(crate) enum Refusals {
    #[default]
    None,
    All,
    These(Vec<bool>),
}

impl Refusals {
    fn refuse(&self, number: usize) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::These(refused) => refused.get(number).copied().unwrap_or_default(),
        }
    }
}

impl ScriptedBus {
    pub(crate) fn set_refusals(&self, refusals: Refusals) {
        *self.refuses.lock().expect("no panic") = refusals;
    }

    /// Removes and returns the accepted events.
    pub(crate) fn take(&self) -> Vec<BusEvent> {
        std::mem::take(&mut *self.accepted.lock().expect("no panic"))
    }
}

impl Bus for &ScriptedBus {
    async fn put(&self, events: &[&BusEvent], answer_by: Instant) -> Vec<Result<String, PutError>> {
        self.calls.fetch_add(1, SeqCst);
        if self.hangs.load(SeqCst) {
            sleep_until(answer_by).await;
            return vec![Err(PutError::TimedOut); events.len()];
        }
        let put = |event: &&BusEvent| {
            let number = self.seen.fetch_add(1, SeqCst);
            if self.refuses.lock().expect("no panic").refuse(number) {
                return Err(PutError::Throttled);
            }
            let mut accepted = self.accepted.lock().expect("no panic");
            accepted.push((*event).clone());
            Ok(number.to_string())
        };
        events.iter().map(put).collect()
    }
}

/// A queue in memory.
#[derive(Debug, Default)]
pub(crate) struct ScriptedQueue {
    pub(crate) stored: Mutex<Vec<String>>,
    pub(crate) refuses: Mutex<Refusals>,
    seen: AtomicUsize,
}

impl ScriptedQueue {
    pub(crate) fn set_refusals(&self, refusals: Refusals) {
        *self.refuses.lock().expect("no panic") = refusals;
    }

    /// Removes and returns the stored messages.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.stored.lock().expect("no panic"))
    }
}

impl EnqueueBodies for &ScriptedQueue {
    async fn enqueue_bodies(&self, bodies: Vec<String>, _: Instant) -> Enqueued {
        let store = |body: String| {
            let number = self.seen.fetch_add(1, SeqCst);
            let refused = self.refuses.lock().expect("no panic").refuse(number);
            if !refused {
                self.stored.lock().expect("no panic").push(body);
            }
            !refused
        };
        let stored: Vec<_> = bodies.into_iter().map(store).collect();
        Enqueued {
            failure: stored.contains(&false).then_some(EnqueueError::TimedOut),
            stored,
        }
    }
}
