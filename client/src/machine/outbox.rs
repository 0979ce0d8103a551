//! The outbox: the messages that wait to be sent, in order.

use std::collections::{BTreeMap, BTreeSet};

use super::signals::{Moment, RequestBody, RequestNumber};

/// A message of the application in the outbox, or in flight.
#[derive(Debug)]
pub(super) struct QueuedMessage {
    /// Its position in the order of all messages.
    place: u64,
    pub(super) request: RequestNumber,
    pub(super) body: RequestBody,
    pub(super) safe_to_repeat: bool,
    pub(super) expires_at: Moment,
}

/// The outbox. A message that is put back keeps its position.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    places: u64,
    waiting: BTreeMap<u64, QueuedMessage>,
    expiries: BTreeSet<(Moment, u64)>,
}

impl Outbox {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds a new message at the end.
    pub(super) fn push(
        &mut self,
        request: RequestNumber,
        body: RequestBody,
        safe_to_repeat: bool,
        expires_at: Moment,
    ) {
        self.places += 1;
        self.put_back(QueuedMessage {
            place: self.places,
            request,
            body,
            safe_to_repeat,
            expires_at,
        });
    }

    /// Puts a message back at its position.
    pub(super) fn put_back(&mut self, message: QueuedMessage) {
        self.expiries.insert((message.expires_at, message.place));
        self.waiting.insert(message.place, message);
    }

    /// Removes the first message.
    pub(super) fn pop(&mut self) -> Option<QueuedMessage> {
        let (place, message) = self.waiting.pop_first()?;
        self.expiries.remove(&(message.expires_at, place));
        Some(message)
    }

    /// Removes the last message.
    pub(super) fn pop_last(&mut self) -> Option<QueuedMessage> {
        let (place, message) = self.waiting.pop_last()?;
        self.expiries.remove(&(message.expires_at, place));
        Some(message)
    }

    /// Returns the time at which the next message expires.
    pub(super) fn next_expiry(&self) -> Option<Moment> {
        self.expiries.first().map(|(at, _)| *at)
    }

    /// Removes a message that has expired.
    pub(super) fn pop_expired(&mut self, now: Moment) -> Option<QueuedMessage> {
        let (at, place) = self.expiries.first().copied()?;
        if at > now {
            return None;
        }
        self.expiries.pop_first();
        self.waiting.remove(&place)
    }
}
