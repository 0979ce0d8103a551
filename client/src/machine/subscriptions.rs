//! What the application is subscribed to, whatever connection there is.

use std::collections::HashMap;

use herald_shared::ids::EntityId;

use super::signals::RequestNumber;

/// The entities somebody wants.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    asked: u64,
    wanted: HashMap<EntityId, Wanted>,
}

/// What is known of an entity that somebody wants.
#[derive(Debug)]
struct Wanted {
    /// Its place in the order in which entities were first subscribed to.
    place: u64,
    subscribers: usize,
    /// Those of them who wait for an acknowledgement.
    waiting: Vec<RequestNumber>,
    /// Whether the server has acknowledged it, on any connection.
    established: bool,
}

impl Subscriptions {
    /// One more subscriber, who waits.
    pub(super) fn add(&mut self, entity: &EntityId, request: RequestNumber) {
        self.asked += 1;
        let wanted = self.wanted.entry(entity.clone()).or_insert(Wanted {
            place: self.asked,
            subscribers: 0,
            waiting: Vec::new(),
            established: false,
        });
        wanted.subscribers += 1;
        wanted.waiting.push(request);
    }

    /// One subscriber less.
    pub(super) fn release(&mut self, entity: &EntityId) {
        if let Some(wanted) = self.wanted.get_mut(entity) {
            wanted.subscribers -= 1;
            if wanted.subscribers == 0 {
                self.wanted.remove(entity);
            }
        }
    }

    /// Whether anybody wants an entity.
    pub(super) fn wants(&self, entity: &EntityId) -> bool {
        self.wanted.contains_key(entity)
    }

    /// Whether an entity is wanted and was acknowledged before.
    pub(super) fn is_established(&self, entity: &EntityId) -> bool {
        self.wanted
            .get(entity)
            .is_some_and(|wanted| wanted.established)
    }

    /// The server acknowledged an entity: returns who waited for that.
    pub(super) fn acknowledged(&mut self, entity: &EntityId) -> Vec<RequestNumber> {
        let Some(wanted) = self.wanted.get_mut(entity) else {
            return Vec::new();
        };
        wanted.established = true;
        std::mem::take(&mut wanted.waiting)
    }

    /// Nobody wants an entity any more: returns who waited for it.
    pub(super) fn remove(&mut self, entity: &EntityId) -> Vec<RequestNumber> {
        let removed = self.wanted.remove(entity);
        removed.map(|wanted| wanted.waiting).unwrap_or_default()
    }

    /// Everything that is wanted, in the order in which it was first asked for.
    pub(super) fn in_order(&self) -> Vec<EntityId> {
        let mut entities: Vec<_> = self.wanted.iter().collect();
        entities.sort_unstable_by_key(|(_, wanted)| wanted.place);
        entities
            .into_iter()
            .map(|(entity, _)| entity.clone())
            .collect()
    }
}
