//! What an application sends.

use std::time::Duration;

use herald_shared::{ids::EntityId, protocol::BATCH_LIMIT};
use serde::Serialize;
use serde_json::Value;

use crate::machine::Body;

/// One message: to the other subscribers of an entity, to everyone else, or back to its sender.
///
/// ```
/// use std::time::Duration;
/// use herald_client::{EntityId, Message};
/// use serde_json::json;
///
/// let room = EntityId::new("room-1")?;
/// let message = Message::to_entity(room, json!({"text": "Hello"}))
///     .from_name("Aseem")
///     .time_to_live(Duration::from_secs(10));
/// # Ok::<(), herald_client::InvalidId>(())
/// ```
#[derive(Clone, Debug)]
pub struct Message {
    target: Target,
    said: Said,
    handling: Handling,
}

/// Several messages to one audience in one frame, each delivered as its own: one at least, and 25 at most.
///
/// ```
/// use herald_client::Batch;
///
/// let batch = Batch::to_everyone("one").and("two")?.and_from("three", "Aseem")?;
/// # Ok::<(), herald_client::BatchIsFull>(())
/// ```
#[derive(Clone, Debug)]
pub struct Batch {
    target: Target,
    said: Vec<Said>,
    handling: Handling,
}

/// The batch has all the messages that a frame may carry: 25.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a batch holds {BATCH_LIMIT} messages at most: send it, and begin another")]
pub struct BatchIsFull;

/// A [`Message`] or a [`Batch`], ready to be sent.
#[derive(Debug)]
pub struct Outgoing {
    pub(crate) body: Body,
    pub(crate) safe_to_repeat: bool,
    pub(crate) time_to_live: Option<Duration>,
}

#[derive(Clone, Debug)]
enum Target {
    Entity(EntityId),
    Everyone,
    Sender,
}

#[derive(Clone, Debug, Serialize)]
struct Said {
    message: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Handling {
    safe_to_repeat: bool,
    time_to_live: Option<Duration>,
}

impl Message {
    /// A message to the other subscribers of an entity. The sender need not be one.
    pub fn to_entity(entity: EntityId, message: impl Into<Value>) -> Self {
        Self::new(Target::Entity(entity), message)
    }

    /// A message to every other connection.
    pub fn to_everyone(message: impl Into<Value>) -> Self {
        Self::new(Target::Everyone, message)
    }

    /// A message that comes back, as the [`Reply`](crate::Reply).
    pub fn echo(message: impl Into<Value>) -> Self {
        Self::new(Target::Sender, message)
    }

    fn new(target: Target, message: impl Into<Value>) -> Self {
        Self {
            target,
            said: Said {
                message: message.into(),
                name: None,
            },
            handling: Handling::default(),
        }
    }

    /// Says whom it is from. Nobody checks that.
    pub fn from_name(mut self, name: impl Into<String>) -> Self {
        self.said.name = Some(name.into());
        self
    }

    /// How long it may wait in the outbox.
    pub fn time_to_live(mut self, time_to_live: Duration) -> Self {
        self.handling.time_to_live = Some(time_to_live);
        self
    }

    /// Says that it may be sent again when nobody knows what became of it: whoever gets it twice
    /// takes no harm.
    pub fn safe_to_repeat(mut self) -> Self {
        self.handling.safe_to_repeat = true;
        self
    }
}

impl Batch {
    /// A batch to the other subscribers of an entity.
    pub fn to_entity(entity: EntityId, first: impl Into<Value>) -> Self {
        Self::new(Target::Entity(entity), first)
    }

    /// A batch to every other connection.
    pub fn to_everyone(first: impl Into<Value>) -> Self {
        Self::new(Target::Everyone, first)
    }

    fn new(target: Target, first: impl Into<Value>) -> Self {
        Self {
            target,
            said: vec![Said {
                message: first.into(),
                name: None,
            }],
            handling: Handling::default(),
        }
    }

    /// Adds a message; errs if there is no room for it.
    pub fn and(self, message: impl Into<Value>) -> Result<Self, BatchIsFull> {
        self.add(message.into(), None)
    }

    /// Adds a message that says whom it is from; errs if there is no room for it.
    pub fn and_from(
        self,
        message: impl Into<Value>,
        name: impl Into<String>,
    ) -> Result<Self, BatchIsFull> {
        self.add(message.into(), Some(name.into()))
    }

    fn add(mut self, message: Value, name: Option<String>) -> Result<Self, BatchIsFull> {
        if self.said.len() == BATCH_LIMIT {
            return Err(BatchIsFull);
        }
        self.said.push(Said { message, name });
        Ok(self)
    }

    /// How long it may wait in the outbox.
    pub fn time_to_live(mut self, time_to_live: Duration) -> Self {
        self.handling.time_to_live = Some(time_to_live);
        self
    }

    /// Says that it may be sent again when nobody knows what became of it.
    pub fn safe_to_repeat(mut self) -> Self {
        self.handling.safe_to_repeat = true;
        self
    }
}

impl From<Message> for Outgoing {
    fn from(message: Message) -> Self {
        let Message {
            target,
            said,
            handling,
        } = message;
        Self::new(&target, Content::One(said), handling)
    }
}

impl From<Batch> for Outgoing {
    fn from(batch: Batch) -> Self {
        let messages = batch.said;
        Self::new(&batch.target, Content::Several { messages }, batch.handling)
    }
}

impl Outgoing {
    fn new(target: &Target, content: Content, handling: Handling) -> Self {
        let frame = Frame {
            action: "sendMessage",
            entity_id: match target {
                Target::Entity(entity) => Some(entity),
                _ => None,
            },
            broadcast: matches!(target, Target::Everyone),
            content,
        };
        // Strings and JSON values: there is nothing serde_json can refuse.
        let text = serde_json::to_string(&frame).expect("a message is always JSON");
        Self {
            body: Body::new(text),
            safe_to_repeat: handling.safe_to_repeat,
            time_to_live: handling.time_to_live,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Frame<'a> {
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_id: Option<&'a EntityId>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    broadcast: bool,
    #[serde(flatten)]
    content: Content,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content {
    One(Said),
    Several { messages: Vec<Said> },
}

#[cfg(test)]
mod tests {
    use herald_shared::protocol::{Request, SendMessage};
    use serde_json::json;

    use super::*;

    fn frame(outgoing: impl Into<Outgoing>) -> (Value, String) {
        let text = outgoing.into().body.with_id(7);
        let request = Request::parse(&text).expect("an object");
        let parsed = match SendMessage::parse(&request).expect("what the server takes") {
            SendMessage::Echo(_) => "echo".to_owned(),
            SendMessage::One(audience, _) => format!("{audience:?}"),
            SendMessage::Several(audience, messages) => format!("{audience:?} {}", messages.len()),
        };
        (serde_json::from_str(&text).expect("JSON"), parsed)
    }

    #[test]
    fn messages_are_what_the_server_takes() {
        let room = EntityId::new("room-1").expect("an id");
        let (text, parsed) = frame(Message::to_entity(room.clone(), "Hello").from_name("Aseem"));
        assert_eq!(
            text,
            json!({"action": "sendMessage", "entityId": "room-1", "message": "Hello", "name": "Aseem", "id": "7"})
        );
        assert_eq!(parsed, r#"Entity(EntityId("room-1"))"#);
        assert_eq!(frame(Message::to_everyone(json!(null))).1, "Everyone");
        assert_eq!(frame(Message::echo(1)).1, "echo");
        let batch = Batch::to_entity(room, 1).and(2).expect("room");
        assert_eq!(frame(batch).1, r#"Entity(EntityId("room-1")) 2"#);
    }

    #[test]
    fn a_batch_holds_what_a_frame_may_carry() {
        let mut batch = Batch::to_everyone(1);
        for number in 1..BATCH_LIMIT {
            batch = batch.and(number).expect("room");
        }
        assert_eq!(frame(batch.clone()).1, "Everyone 25");
        assert!(batch.and("one more").is_err());
    }
}
