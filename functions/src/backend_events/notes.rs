//! The changes that were made and are not put on the bus yet.

use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

use herald_shared::ids::ConnectionId;

use super::{
    event::{BackendEvent, Change, End},
    policy::{BackendEvents, Kind},
};

/// The maximum number of changes that a process keeps for its next invocation.
const KEPT: usize = 1_000;

/// The changes that are not put on the bus yet, of all invocations of a process.
#[derive(Debug)]
pub(super) struct Notes {
    policy: BackendEvents,
    pending: Mutex<Vec<BackendEvent>>,
}

impl Notes {
    pub(super) fn new(policy: BackendEvents) -> Self {
        Self {
            policy,
            pending: Mutex::default(),
        }
    }

    /// Adds a change, if the policy has its kind.
    pub(super) fn add(&self, event: BackendEvent) {
        let wanted = match &event {
            BackendEvent::Presence { frame, .. } => {
                self.policy.has_about(Kind::Presence, &frame.entity_id)
            }
            BackendEvent::Connection(connection) => match &connection.change {
                Change::Opened => self.policy.has(Kind::Opened),
                Change::Closed(_) => self.policy.has(Kind::Closed),
                Change::Subscribed(entity, _) => self.policy.has_about(Kind::Subscribed, entity),
                Change::Unsubscribed(entity, ..) => {
                    self.policy.has_about(Kind::Unsubscribed, entity)
                }
            },
        };
        if wanted {
            self.pending().push(event);
        }
    }

    /// Adds the reason to the changes of a connection that ended.
    pub(super) fn explain(&self, connection: &ConnectionId, reason: &End) {
        let mut pending = self.pending();
        for event in pending.iter_mut() {
            match event {
                BackendEvent::Connection(change) if change.connection == *connection => {
                    change.explain(reason);
                }
                BackendEvent::Connection(_) | BackendEvent::Presence { .. } => {}
            }
        }
    }

    /// Takes all changes. Those that are not [settled](Taken::settle) are pending again afterwards, even if
    /// the caller is cancelled.
    pub(super) fn take(&self) -> Taken<'_> {
        Taken {
            notes: self,
            events: mem::take(&mut *self.pending()),
        }
    }

    fn pending(&self) -> MutexGuard<'_, Vec<BackendEvent>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Changes that are about to be put.
#[derive(Debug)]
pub(super) struct Taken<'a> {
    notes: &'a Notes,
    pub(super) events: Vec<BackendEvent>,
}

impl Taken<'_> {
    /// Removes the changes that are on the bus or the queue: all but those with these indices, in ascending
    /// order.
    pub(super) fn settle(mut self, left: &[usize]) {
        let mut index = 0;
        self.events.retain(|_| {
            index += 1;
            left.binary_search(&(index - 1)).is_ok()
        });
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if self.events.is_empty() {
            return;
        }
        let mut pending = self.notes.pending();
        let newer = mem::replace(&mut *pending, mem::take(&mut self.events));
        pending.extend(newer);
        let excess = pending.len().saturating_sub(KEPT);
        tracing::error!(
            kept = pending.len() - excess,
            dropped = excess,
            "backend events are on neither the bus nor the queue; the next invocation of this process tries \
             again with those that are kept"
        );
        pending.drain(..excess);
    }
}
