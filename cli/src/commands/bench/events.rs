//! What a run's entities and messages are called and look like on the wire.

use std::sync::Arc;

use herald_client::{EntityId, Push};
use serde::{Deserialize, Serialize};

/// The names of one run: what another run publishes is not for this one.
#[derive(Clone)]
pub(super) struct Names {
    run: Arc<str>,
}

/// The message of an event.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Message {
    /// The event's number.
    pub(super) event: usize,
    /// What makes it as long as it is to be.
    padding: String,
}

impl Names {
    /// The names of a run of its own.
    pub(super) fn new() -> Self {
        Self {
            run: format!("{:08x}", fastrand::u32(..)).into(),
        }
    }

    /// What an entity is called.
    pub(super) fn entity(&self, entity: usize) -> EntityId {
        EntityId::new(format!("bench-{}-{entity}", self.run))
            .expect("short, and without control characters")
    }

    /// The event that a push is of; none if it is of none, or says another entity than `entity_of` knows.
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
    /// The message of an event, as JSON of so many bytes, or as few more as it takes.
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
    fn a_message_is_as_long_as_it_is_to_be() {
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
    fn runs_have_names_of_their_own() {
        let (one, another) = (Names::new(), Names::new());
        assert_eq!(one.entity(1), one.clone().entity(1));
        assert_ne!(one.entity(1), one.entity(2));
        assert_ne!(one.entity(1), another.entity(1));
    }
}
