//! The entities and messages of a run on the wire.

use std::sync::Arc;

use herald_client::{EntityId, Push};
use serde::{Deserialize, Serialize};

/// The id of one run, which is part of its entity ids: a run ignores the events of other runs.
#[derive(Clone)]
pub(super) struct RunId(Arc<str>);

/// The message of an event.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Message {
    /// The event's number.
    pub(super) event: usize,
    /// Fills the message up to its size.
    padding: String,
}

impl RunId {
    /// Makes a random id.
    pub(super) fn new() -> Self {
        Self(format!("{:08x}", fastrand::u32(..)).into())
    }

    /// Returns the id of an entity.
    pub(super) fn entity(&self, entity: usize) -> EntityId {
        EntityId::new(format!("bench-{}-{entity}", self.0))
            .expect("short, and without control characters")
    }

    /// Returns the event of a push. `None` if it belongs to no event of this run, or names another entity than
    /// `entity_of` returns.
    pub(super) fn event_of(
        &self,
        push: &Push,
        entity_of: impl FnOnce(usize) -> usize,
    ) -> Option<usize> {
        let message: Message = push.message().ok()?;
        let entity = self.entity(entity_of(message.event));
        (push.entity_id() == Some(&entity)).then_some(message.event)
    }
}

impl Message {
    /// Makes the message of an event, with at least this many bytes of JSON.
    pub(super) fn new(event: usize, bytes: usize) -> Self {
        let empty = Self {
            event,
            padding: String::new(),
        };
        let length = serde_json::to_string(&empty).map_or(0, |json| json.len());
        Self {
            padding: "x".repeat(bytes.saturating_sub(length)),
            ..empty
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_has_the_given_length_or_the_shortest_possible() {
        for (event, bytes, length) in [
            (0, 100, 100),
            (123_456, 100, 100),
            (1, 0, 24),
            (1, 131_072, 131_072),
        ] {
            let json = serde_json::to_string(&Message::new(event, bytes)).expect("JSON");
            assert_eq!(json.len(), length);
        }
    }

    #[test]
    fn runs_have_different_entities() {
        let (one, another) = (RunId::new(), RunId::new());
        assert_eq!(one.entity(1), one.clone().entity(1));
        assert_ne!(one.entity(1), one.entity(2));
        assert_ne!(one.entity(1), another.entity(1));
    }
}
