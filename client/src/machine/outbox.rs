//! What waits to be sent, in order.

use std::collections::{BTreeMap, BTreeSet};

use super::signals::{Body, Moment, RequestNumber};

/// A message of the application's.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// Its place among all that was ever sent.
    place: u64,
    pub(super) request: RequestNumber,
    pub(super) body: Body,
    pub(super) safe_to_repeat: bool,
    pub(super) expires_at: Moment,
}

/// The outbox. What comes back to it keeps its place.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    places: u64,
    waiting: BTreeMap<u64, Outgoing>,
    expiries: BTreeSet<(Moment, u64)>,
}

impl Outbox {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Puts a new message last.
    pub(super) fn push(
        &mut self,
        request: RequestNumber,
        body: Body,
        safe_to_repeat: bool,
        expires_at: Moment,
    ) {
        self.places += 1;
        self.put_back(Outgoing {
            place: self.places,
            request,
            body,
            safe_to_repeat,
            expires_at,
        });
    }

    /// Puts a message back where it was.
    pub(super) fn put_back(&mut self, outgoing: Outgoing) {
        self.expiries.insert((outgoing.expires_at, outgoing.place));
        self.waiting.insert(outgoing.place, outgoing);
    }

    /// Takes the first message.
    pub(super) fn pop(&mut self) -> Option<Outgoing> {
        let (place, outgoing) = self.waiting.pop_first()?;
        self.expiries.remove(&(outgoing.expires_at, place));
        Some(outgoing)
    }

    /// Takes the last message.
    pub(super) fn pop_last(&mut self) -> Option<Outgoing> {
        let (place, outgoing) = self.waiting.pop_last()?;
        self.expiries.remove(&(outgoing.expires_at, place));
        Some(outgoing)
    }

    /// When the next message expires.
    pub(super) fn next_expiry(&self) -> Option<Moment> {
        self.expiries.first().map(|(at, _)| *at)
    }

    /// Takes a message that has expired.
    pub(super) fn pop_expired(&mut self, now: Moment) -> Option<Outgoing> {
        let (at, place) = self.expiries.first().copied()?;
        if at > now {
            return None;
        }
        self.expiries.pop_first();
        self.waiting.remove(&place)
    }
}
