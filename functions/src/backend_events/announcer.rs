//! Puts the noted changes on the bus.

use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use herald_shared::{
    delivery::CloseReason,
    ids::{ConnectionId, UserId},
    protocol::PresenceFrame,
    queue::EnqueueBodies,
    store::{Connections, Rows},
};
use tokio::time::Instant;

use super::{
    event::{BackendEvent, End, to_queue_body},
    notes::Notes,
    policy::BackendEvents,
    watched_rows::{Watch, WatchedRows},
};
use crate::{
    bus::{Bus, BusEvent, PutError, batches},
    message::Message,
};

/// The time for one group of events on the bus. The bus ends its last attempt half a second earlier.
const BUS_TIME: Duration = Duration::from_millis(2_500);

/// The time that is left for the queue.
const QUEUE_TIME: Duration = Duration::from_secs(2);

/// The time between the end of the last call and the deadline.
const RESERVE: Duration = Duration::from_millis(500);

/// The number of events that are put at once, with calls in parallel.
const AT_ONCE: usize = 250;

/// The time for which a bus that accepted nothing is not tried again: a client would wait each time.
const PAUSE: Duration = Duration::from_secs(10);

/// The announcer of changes: it puts them on `B`, or else on `Q`.
#[derive(Debug)]
pub struct Announcer<B, Q> {
    /// `None` if no event is put.
    on: Option<On<B, Q>>,
}

#[derive(Debug)]
struct On<B, Q> {
    notes: Arc<Notes>,
    bus: B,
    queue: Q,
    /// The time until which the bus is not tried.
    avoided_until: Mutex<Option<Instant>>,
}

impl<B: Bus, Q: EnqueueBodies> Announcer<B, Q> {
    /// Returns an announcer that puts nothing.
    pub fn off() -> Self {
        Self { on: None }
    }

    /// Returns an announcer of the changes that `policy` has.
    pub fn new(policy: BackendEvents, bus: B, queue: Q) -> Self {
        Self {
            on: Some(On {
                notes: Arc::new(Notes::new(policy)),
                bus,
                queue,
                avoided_until: Mutex::default(),
            }),
        }
    }

    /// Returns a store that notes the connections that it opens, and those that it removes because of `end`.
    pub fn watch<R: Rows + Clone, M: Clone>(
        &self,
        store: &Connections<R, M>,
        end: End,
    ) -> Connections<WatchedRows<R>, M> {
        let watch = self.watching(None, UNIX_EPOCH, end);
        store.over_rows(|rows| WatchedRows { rows, watch })
    }

    /// Returns a store that notes the changes of a message.
    pub fn watch_message<R: Rows + Clone, M: Clone>(
        &self,
        store: &Connections<R, M>,
        message: &Message,
    ) -> Connections<WatchedRows<R>, M> {
        let user = message.caller.user.clone();
        let watch = self.watching(user, message.connected_at, End::Gone);
        store.over_rows(|rows| WatchedRows { rows, watch })
    }

    pub(super) fn watching(
        &self,
        user: Option<UserId>,
        connected_at: SystemTime,
        end: End,
    ) -> Option<Watch> {
        let on = self.on.as_ref()?;
        Some(Watch {
            notes: on.notes.clone(),
            user,
            connected_at,
            end,
        })
    }

    /// Adds the reason for which delivery closed connections to their changes.
    pub fn explain(&self, closed: &[(ConnectionId, CloseReason)]) {
        let Some(on) = &self.on else { return };
        for (connection, reason) in closed {
            let end = match reason {
                CloseReason::TokenEnded => End::TokenEnded,
                CloseReason::UserDisconnected => End::UserDisconnected,
            };
            on.notes.explain(connection, &end);
        }
    }

    /// Notes a change of an entity's members.
    pub(crate) fn note_presence(&self, frame: &PresenceFrame) {
        if let Some(on) = &self.on {
            on.notes.add(BackendEvent::Presence {
                time: SystemTime::now(),
                frame: frame.clone(),
            });
        }
    }

    /// Waits for `handled`, and then puts the changes that it made. Returns its result.
    pub async fn after<T>(&self, handled: impl Future<Output = T>, deadline: Instant) -> T {
        let result = handled.await;
        self.put(deadline).await;
        result
    }

    /// Puts the noted changes on the bus or the queue, before `deadline`. Those that neither accepts stay
    /// noted.
    pub async fn put(&self, deadline: Instant) {
        let Some(on) = &self.on else { return };
        let taken = on.notes.take();
        if taken.events.is_empty() {
            return;
        }
        let events: Vec<_> = taken
            .events
            .iter()
            .map(|event| event.to_bus_event())
            .collect();
        let left = on.put(&events, deadline).await;
        taken.settle(&left);
    }

    /// Puts the events of a message of the queue on the bus, before `deadline`. `None` if no event is put.
    ///
    /// # Errors
    ///
    /// Returns [`PutError`] if the bus did not accept all of them.
    pub(crate) async fn put_queued(
        &self,
        events: &[BusEvent],
        deadline: Instant,
    ) -> Option<Result<(), PutError>> {
        let on = self.on.as_ref()?;
        let events: Vec<_> = events.iter().collect();
        let results = on.bus.put(&events, deadline).await;
        Some(results.into_iter().try_for_each(|result| result.map(drop)))
    }
}

impl<B: Bus, Q: EnqueueBodies> On<B, Q> {
    /// Puts events on the bus or the queue, and returns the indices of those that neither accepted.
    async fn put(&self, events: &[BusEvent], deadline: Instant) -> Vec<usize> {
        let mut left = Vec::new();
        for (group, number) in events.chunks(AT_ONCE).zip(0..) {
            let refused = self.put_on_bus(group, deadline).await;
            let refused = self.enqueue(group, refused, deadline).await.into_iter();
            left.extend(refused.map(|index| number * AT_ONCE + index));
        }
        left
    }

    /// Puts events on the bus, and returns the indices of those that it did not accept.
    async fn put_on_bus(&self, events: &[BusEvent], deadline: Instant) -> Vec<usize> {
        let until = (Instant::now() + BUS_TIME).min(before(deadline, QUEUE_TIME));
        if self.is_avoided() || Instant::now() >= until {
            return (0..events.len()).collect();
        }
        let results = self
            .bus
            .put(&events.iter().collect::<Vec<_>>(), until)
            .await;
        let refused = results.iter().enumerate().filter(|(_, put)| put.is_err());
        let refused: Vec<_> = refused.map(|(index, _)| index).collect();
        if refused.len() == events.len() {
            self.avoid();
        }
        refused
    }

    /// Puts the refused events on the queue, and returns the indices of those that it did not store either.
    async fn enqueue(
        &self,
        events: &[BusEvent],
        refused: Vec<usize>,
        deadline: Instant,
    ) -> Vec<usize> {
        if refused.is_empty() {
            return refused;
        }
        let to_store: Vec<_> = refused.iter().map(|&index| &events[index]).collect();
        let messages = batches(&to_store);
        let lengths: Vec<_> = messages.iter().map(|message| message.len()).collect();
        let bodies = messages.into_iter().map(to_queue_body).collect();
        let until = before(deadline, RESERVE);
        let enqueued = self.queue.enqueue_bodies(bodies, until).await;
        if let Some(error) = &enqueued.failure {
            let error = error as &dyn Error;
            tracing::error!(
                error,
                "failed to put backend events on the notification queue"
            );
        }
        let stored = lengths.into_iter().zip(enqueued.stored);
        let stored = stored.flat_map(|(length, stored)| std::iter::repeat_n(stored, length));
        let left = refused.iter().zip(stored).filter(|(_, stored)| !stored);
        let left: Vec<_> = left.map(|(index, _)| *index).collect();
        tracing::warn!(
            events = refused.len() - left.len(),
            "put backend events on the notification queue, because the bus did not accept them"
        );
        left
    }

    fn is_avoided(&self) -> bool {
        let until = self.avoided_until.lock();
        let until = until.unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| Instant::now() < until)
    }

    fn avoid(&self) {
        let until = self.avoided_until.lock();
        *until.unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + PAUSE);
    }
}

fn before(deadline: Instant, time: Duration) -> Instant {
    deadline.checked_sub(time).unwrap_or(deadline)
}
