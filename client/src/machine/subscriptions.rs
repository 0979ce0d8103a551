//! The application's subscriptions, independent of any connection.

use std::collections::HashMap;

use herald_shared::ids::EntityId;

use super::signals::RequestNumber;

/// The entities that have subscribers.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    places: u64,
    wanted: HashMap<EntityId, Wanted>,
}

/// An entity that has subscribers.
#[derive(Debug)]
struct Wanted {
    /// Its position in the order of first subscriptions.
    place: u64,
    subscribers: usize,
    /// The subscribers that wait for the acknowledgement.
    waiting: Vec<Waiting>,
    /// True once the server has acknowledged it on any connection.
    established: bool,
}

/// A subscriber that waits for the acknowledgement.
#[derive(Debug)]
struct Waiting {
    request: RequestNumber,
    /// True if it asks for presence.
    presence: bool,
}

impl Subscriptions {
    /// Adds a subscriber that waits for the acknowledgement.
    pub(super) fn add(&mut self, entity: &EntityId, request: RequestNumber, presence: bool) {
        self.places += 1;
        let wanted = self.wanted.entry(entity.clone()).or_insert(Wanted {
            place: self.places,
            subscribers: 0,
            waiting: Vec::new(),
            established: false,
        });
        wanted.subscribers += 1;
        wanted.waiting.push(Waiting { request, presence });
    }

    /// Removes a subscriber.
    pub(super) fn release(&mut self, entity: &EntityId) {
        if let Some(wanted) = self.wanted.get_mut(entity) {
            wanted.subscribers -= 1;
            if wanted.subscribers == 0 {
                self.wanted.remove(entity);
            }
        }
    }

    /// Returns the session of an entity: a number of its own for each time from its first subscriber to its
    /// last. `None` if it has no subscribers.
    pub(super) fn session(&self, entity: &EntityId) -> Option<u64> {
        self.wanted.get(entity).map(|wanted| wanted.place)
    }

    /// Returns true if an entity has subscribers.
    pub(super) fn wants(&self, entity: &EntityId) -> bool {
        self.wanted.contains_key(entity)
    }

    /// Returns true if an entity has subscribers and was acknowledged before.
    pub(super) fn is_established(&self, entity: &EntityId) -> bool {
        self.wanted
            .get(entity)
            .is_some_and(|wanted| wanted.established)
    }

    /// Marks an entity as acknowledged. Returns the requests that waited for that: unless it is complete, only
    /// those that do not ask for presence.
    pub(super) fn acknowledged(
        &mut self,
        entity: &EntityId,
        is_complete: bool,
    ) -> Vec<RequestNumber> {
        let Some(wanted) = self.wanted.get_mut(entity) else {
            return Vec::new();
        };
        wanted.established = true;
        let resolved = wanted
            .waiting
            .extract_if(.., |waiting| is_complete || !waiting.presence);
        resolved.map(|waiting| waiting.request).collect()
    }

    /// Removes an entity with all its subscribers. Returns the requests that waited for its acknowledgement.
    pub(super) fn remove(&mut self, entity: &EntityId) -> Vec<RequestNumber> {
        let removed = self.wanted.remove(entity);
        let waiting = removed.into_iter().flat_map(|wanted| wanted.waiting);
        waiting.map(|waiting| waiting.request).collect()
    }

    /// Returns the entities in the order of their first subscriptions.
    pub(super) fn in_order(&self) -> Vec<EntityId> {
        let mut entities: Vec<_> = self.wanted.iter().collect();
        entities.sort_unstable_by_key(|(_, wanted)| wanted.place);
        entities
            .into_iter()
            .map(|(entity, _)| entity.clone())
            .collect()
    }
}
