//! A record of everything that happens in the stack: the services report to [`Activity`], which keeps
//! the last records for its watchers.
//!
//! Records are kept even without a watcher, so that a later one sees what happened before. They are
//! serialized only for a watcher.

pub(crate) mod event_ids;
mod excerpt;
mod hiding;
pub(crate) mod logs;
pub(crate) mod presence;
mod record;
mod ring;
mod totals;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::Utc;
use tokio::sync::watch;

pub(crate) use excerpt::Excerpt;
pub(crate) use record::{Cause, InvocationStatus, Record, RecordKind, kept_detail, milliseconds};
pub(crate) use ring::Batch;
pub(crate) use totals::Totals;

use crate::template::Queue;
use ring::Ring;

/// The records of a stack. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Activity(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    ring: Mutex<Ring>,
    totals: Mutex<Totals>,
    /// Wakes the watchers.
    news: watch::Sender<()>,
    /// The queues' logical ids by ARN.
    queues: HashMap<String, String>,
}

/// A reader that receives each record once, in order.
pub(crate) struct Watcher {
    activity: Activity,
    /// The number of the last record that it read.
    seen: u64,
    news: watch::Receiver<()>,
}

impl Activity {
    /// Returns an empty record of a stack with these queues.
    pub fn new(queues: &[Queue]) -> Self {
        let queues = queues.iter();
        Self(Arc::new(Shared {
            queues: queues
                .map(|queue| (queue.arn.clone(), queue.logical_id.clone()))
                .collect(),
            ..Shared::default()
        }))
    }

    /// Adds a record at the current time.
    pub(crate) fn record(&self, kind: RecordKind) {
        self.record_at(now(), kind);
    }

    /// Adds a record at a time in epoch milliseconds.
    pub(crate) fn record_at(&self, at: f64, kind: RecordKind) {
        self.totals_mut().count(&kind);
        self.ring().push(at, kind);
        self.0.news.send_replace(());
    }

    /// Returns the numbers of records so far.
    pub(crate) fn totals(&self) -> Totals {
        self.totals_mut().clone()
    }

    /// Returns the logical id of the queue with this ARN, or the ARN if the stack has no such queue.
    pub(crate) fn queue_name(&self, arn: &str) -> String {
        let name = self.0.queues.get(arn);
        name.map_or(arn, String::as_str).to_owned()
    }

    /// Returns a watcher that begins after the record `after`, or with the oldest.
    pub(crate) fn watch(&self, after: Option<u64>) -> Watcher {
        let news = self.0.news.subscribe();
        let seen = after.unwrap_or_else(|| self.ring().first() - 1);
        Watcher {
            activity: self.clone(),
            seen,
            news,
        }
    }

    fn totals_mut(&self) -> MutexGuard<'_, Totals> {
        self.0.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the time in epoch milliseconds, with microseconds.
pub(crate) fn now() -> f64 {
    Utc::now().timestamp_micros() as f64 / 1000.0
}

impl Watcher {
    /// Waits for the next records and returns them, at least one.
    pub(crate) async fn next(&mut self) -> Batch {
        loop {
            // Marked as seen before reading, so that a record added right after is not missed.
            self.news.borrow_and_update();
            let batch = self.activity.ring().after(self.seen);
            if let Some(last) = batch.records.last() {
                self.seen = last.number;
                return batch;
            }
            // `activity` holds the sender, so this cannot fail.
            let _ = self.news.changed().await;
        }
    }
}
