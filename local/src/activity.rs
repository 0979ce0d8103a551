//! What happens in the stack, for whoever looks: the services tell [`Activity`], which keeps the last
//! records and hands them to its watchers.
//!
//! Records are kept whether or not somebody watches, so that who comes late sees what led here. They are
//! made into text only for a watcher.

pub(crate) mod event_ids;
mod excerpt;
mod hiding;
mod record;
mod ring;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::Utc;
use tokio::sync::watch;

pub(crate) use excerpt::Excerpt;
pub(crate) use record::{Cause, Happening, Outcome, Record, kept_detail, milliseconds};
pub(crate) use ring::Batch;

use crate::template::Queue;
use ring::Ring;

/// What happens in a stack. Clones are of the same stack.
#[derive(Clone, Debug, Default)]
pub struct Activity(Arc<Kept>);

#[derive(Debug, Default)]
struct Kept {
    ring: Mutex<Ring>,
    /// Wakes the watchers.
    news: watch::Sender<()>,
    /// The queues' logical ids by ARN.
    queues: HashMap<String, String>,
}

/// Somebody who reads the records in their order, each once.
pub(crate) struct Watcher {
    activity: Activity,
    /// The number of the last record that was read.
    seen: u64,
    news: watch::Receiver<()>,
}

impl Activity {
    /// Nothing has happened yet to a stack with these queues.
    pub fn new(queues: &[Queue]) -> Self {
        let queues = queues.iter();
        Self(Arc::new(Kept {
            queues: queues
                .map(|queue| (queue.arn.clone(), queue.logical_id.clone()))
                .collect(),
            ..Kept::default()
        }))
    }

    /// Keeps a record of what has just happened.
    pub(crate) fn record(&self, happening: Happening) {
        self.record_at(now(), happening);
    }

    /// Keeps a record of what happened at this time, in epoch milliseconds.
    pub(crate) fn record_at(&self, at: f64, happening: Happening) {
        self.ring().push(at, happening);
        self.0.news.send_replace(());
    }

    /// The logical id of the queue with this ARN, or the ARN if the stack has none.
    pub(crate) fn queue_name(&self, arn: &str) -> String {
        let name = self.0.queues.get(arn);
        name.map_or(arn, String::as_str).to_owned()
    }

    /// Reads from the record after this one on, or else from the oldest that is kept.
    pub(crate) fn watch(&self, after: Option<u64>) -> Watcher {
        let news = self.0.news.subscribe();
        let seen = after.unwrap_or_else(|| self.ring().first() - 1);
        Watcher {
            activity: self.clone(),
            seen,
            news,
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In epoch milliseconds, to the microsecond.
pub(crate) fn now() -> f64 {
    Utc::now().timestamp_micros() as f64 / 1000.0
}

impl Watcher {
    /// The records that are next, at least one, as soon as there are any.
    pub(crate) async fn next(&mut self) -> Batch {
        loop {
            // Marked as seen before looking, so that a record made right after the look is not missed.
            self.news.borrow_and_update();
            let batch = self.activity.ring().after(self.seen);
            if let Some(last) = batch.records.last() {
                self.seen = last.number;
                return batch;
            }
            // Its sender is in `activity`.
            let _ = self.news.changed().await;
        }
    }
}
