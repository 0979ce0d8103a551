//! The messages that an application sends.

use std::time::Duration;

use herald_shared::{
    ids::{EntityId, InvalidId},
    protocol::BATCH_LIMIT,
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::{Cause, RequestError, machine::RequestBody};

/// One message: to the other subscribers of an entity, to every other connection, or back to its sender.
///
/// ```
/// use std::time::Duration;
/// use herald_client::Message;
///
/// #[derive(serde::Serialize)]
/// struct ChatLine {
///     text: String,
/// }
///
/// let line = ChatLine { text: "Hello".to_owned() };
/// let message = Message::to_entity("room-1", line)
///     .from_name("Aseem")
///     .time_to_live(Duration::from_secs(10));
/// ```
pub type Message = Envelope<Content>;

/// Several messages to one audience in one frame, 25 at most. Each is delivered as a push of its own.
///
/// ```
/// use herald_client::Batch;
///
/// let batch = Batch::to_everyone("one").and("two")?.and_from("three", "Aseem")?;
/// # Ok::<(), herald_client::BatchIsFull>(())
/// ```
pub type Batch = Envelope<Contents>;

/// A [`Message`] or a [`Batch`]: contents with their audience and their options.
#[derive(Clone, Debug)]
#[must_use = "a message does nothing until it is sent"]
pub struct Envelope<C> {
    audience: Audience,
    contents: C,
    safe_to_repeat: bool,
    time_to_live: Option<Duration>,
}

/// The content of a [`Message`]: any JSON value, and a name.
#[derive(Clone, Debug)]
pub struct Content {
    message: Result<Box<RawValue>, Cause>,
    name: Option<String>,
}

/// The contents of a [`Batch`].
#[derive(Clone, Debug)]
pub struct Contents(Vec<Content>);

/// The error of a [`Batch`] that already has the 25 messages that a frame may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a batch holds at most {BATCH_LIMIT} messages: send it, and start another")]
#[non_exhaustive]
pub struct BatchIsFull;

/// A [`Message`] or a [`Batch`] as JSON, ready to be sent.
#[derive(Debug)]
pub struct Outgoing {
    pub(crate) body: Result<RequestBody, RequestError>,
    pub(crate) safe_to_repeat: bool,
    pub(crate) time_to_live: Option<Duration>,
}

#[derive(Clone, Debug)]
enum Audience {
    Entity(Result<EntityId, InvalidId>),
    Everyone,
    Sender,
}

impl<C: From<Content>> Envelope<C> {
    /// Makes a message, or the first message of a batch, to the other subscribers of an entity. The sender
    /// need not be a subscriber.
    ///
    /// An id that is invalid fails when the message is sent, as [`RequestError::InvalidEntity`], and a `message` that
    /// cannot be serialised as JSON as [`RequestError::Serialize`].
    pub fn to_entity<E>(entity: E, message: impl Serialize) -> Self
    where
        E: TryInto<EntityId>,
        E::Error: Into<InvalidId>,
    {
        let entity = entity.try_into().map_err(Into::into);
        Self::new(Audience::Entity(entity), message)
    }

    /// Makes a message, or the first message of a batch, to every other connection.
    pub fn to_everyone(message: impl Serialize) -> Self {
        Self::new(Audience::Everyone, message)
    }

    fn new(audience: Audience, message: impl Serialize) -> Self {
        Self {
            audience,
            contents: Content::new(message, None).into(),
            safe_to_repeat: false,
            time_to_live: None,
        }
    }
}

impl<C> Envelope<C> {
    /// Sets the time that it may wait in the outbox.
    pub fn time_to_live(mut self, time_to_live: Duration) -> Self {
        self.time_to_live = Some(time_to_live);
        self
    }

    /// Allows the client to send it again when the outcome is unknown: receiving it twice does no harm.
    pub fn safe_to_repeat(mut self) -> Self {
        self.safe_to_repeat = true;
        self
    }
}

impl Message {
    /// Makes a message that comes back, as the [`Reply`](crate::Reply).
    pub fn echo(message: impl Serialize) -> Self {
        Self::new(Audience::Sender, message)
    }

    /// Sets the sender's name, which the server does not check.
    pub fn from_name(mut self, name: impl Into<String>) -> Self {
        self.contents.name = Some(name.into());
        self
    }
}

impl Batch {
    /// Adds a message.
    ///
    /// # Errors
    ///
    /// Returns [`BatchIsFull`] if the batch has 25 messages.
    pub fn and(self, message: impl Serialize) -> Result<Self, BatchIsFull> {
        self.add(Content::new(message, None))
    }

    /// Adds a message with a sender's name, which the server does not check.
    ///
    /// # Errors
    ///
    /// Returns [`BatchIsFull`] if the batch has 25 messages.
    pub fn and_from(
        self,
        message: impl Serialize,
        name: impl Into<String>,
    ) -> Result<Self, BatchIsFull> {
        self.add(Content::new(message, Some(name.into())))
    }

    fn add(mut self, content: Content) -> Result<Self, BatchIsFull> {
        let Contents(contents) = &mut self.contents;
        if contents.len() == BATCH_LIMIT {
            return Err(BatchIsFull);
        }
        contents.push(content);
        Ok(self)
    }
}

impl Content {
    fn new(message: impl Serialize, name: Option<String>) -> Self {
        Self {
            message: to_raw_value(&message).map_err(Cause::new),
            name,
        }
    }

    fn fields(&self) -> Result<ContentFields<'_>, Cause> {
        Ok(ContentFields {
            message: self.message.as_deref().map_err(Cause::clone)?,
            name: self.name.as_deref(),
        })
    }
}

impl From<Content> for Contents {
    fn from(first: Content) -> Self {
        Self(vec![first])
    }
}

impl From<Message> for Outgoing {
    fn from(message: Message) -> Self {
        let content = message.contents.fields().map(FrameContent::One);
        Self::new(content, &message)
    }
}

impl From<Batch> for Outgoing {
    fn from(batch: Batch) -> Self {
        let Contents(contents) = &batch.contents;
        let messages: Result<_, _> = contents.iter().map(Content::fields).collect();
        let content = messages.map(|messages| FrameContent::Several { messages });
        Self::new(content, &batch)
    }
}

impl Outgoing {
    fn new<C>(content: Result<FrameContent<'_>, Cause>, envelope: &Envelope<C>) -> Self {
        Self {
            body: envelope.body(content),
            safe_to_repeat: envelope.safe_to_repeat,
            time_to_live: envelope.time_to_live,
        }
    }
}

impl<C> Envelope<C> {
    fn body(&self, content: Result<FrameContent<'_>, Cause>) -> Result<RequestBody, RequestError> {
        let entity_id = match &self.audience {
            Audience::Entity(entity) => Some(entity.as_ref().map_err(Clone::clone)),
            Audience::Everyone | Audience::Sender => None,
        };
        let frame = Frame {
            action: "sendMessage",
            entity_id: entity_id.transpose().map_err(RequestError::InvalidEntity)?,
            broadcast: matches!(self.audience, Audience::Everyone),
            content: content.map_err(RequestError::Serialize)?,
        };
        let text = serde_json::to_string(&frame);
        let text = text.map_err(|error| RequestError::Serialize(Cause::new(error)))?;
        Ok(RequestBody::new(text))
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
    content: FrameContent<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum FrameContent<'a> {
    One(ContentFields<'a>),
    Several { messages: Vec<ContentFields<'a>> },
}

#[derive(Serialize)]
struct ContentFields<'a> {
    message: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use herald_shared::protocol::{Request, SendMessage};
    use serde_json::{Value, json};

    use super::*;

    fn frame(outgoing: impl Into<Outgoing>) -> (Value, String) {
        let body = outgoing.into().body.expect("JSON");
        let text = body.with_id(7);
        let request = Request::parse(&text).expect("an object");
        let parsed = match SendMessage::parse(&request).expect("a valid request") {
            SendMessage::Echo(_) => "echo".to_owned(),
            SendMessage::One(audience, _) => format!("{audience:?}"),
            SendMessage::Several(audience, messages) => format!("{audience:?} {}", messages.len()),
        };
        (serde_json::from_str(&text).expect("JSON"), parsed)
    }

    fn room() -> EntityId {
        EntityId::new("room-1").expect("an id")
    }

    #[test]
    fn server_accepts_messages_and_batches() {
        let (text, parsed) = frame(Message::to_entity(room(), "Hello").from_name("Aseem"));
        assert_eq!(
            text,
            json!({"action": "sendMessage", "entityId": "room-1", "message": "Hello", "name": "Aseem", "id": "7"})
        );
        assert_eq!(parsed, r#"Entity(EntityId("room-1"))"#);
        assert_eq!(frame(Message::to_everyone(json!(null))).1, "Everyone");
        assert_eq!(frame(Message::echo(1)).1, "echo");
        let batch = Batch::to_entity(room(), 1).and(2).expect("space");
        let (text, parsed) = frame(batch.and_from(3, "Aseem").expect("space"));
        assert_eq!(
            text["messages"],
            json!([{"message": 1}, {"message": 2}, {"message": 3, "name": "Aseem"}])
        );
        assert_eq!(parsed, r#"Entity(EntityId("room-1")) 3"#);
    }

    #[test]
    fn message_is_any_serialisable_type() {
        #[derive(Serialize)]
        struct ChatLine {
            text: &'static str,
        }
        let (text, _) = frame(Message::to_everyone(ChatLine { text: "Hello" }));
        assert_eq!(text["message"], json!({"text": "Hello"}));
    }

    #[test]
    fn message_without_a_json_form_has_an_error_in_place_of_a_body() {
        let keys_are_no_texts = BTreeMap::from([((1, 2), 3)]);
        let message = Message::to_everyone(&keys_are_no_texts);
        let batch = Batch::to_everyone(1).and(&keys_are_no_texts);
        for outgoing in [Outgoing::from(message), batch.expect("space").into()] {
            let Err(RequestError::Serialize(cause)) = outgoing.body else {
                panic!("a body: {:?}", outgoing.body);
            };
            assert!(cause.is::<serde_json::Error>(), "{cause}");
        }
    }

    #[test]
    fn message_to_an_invalid_entity_has_an_error_in_place_of_a_body() {
        let outgoing = Outgoing::from(Message::to_entity("", "Hello"));
        let expected = RequestError::InvalidEntity(InvalidId::Empty);
        assert_eq!(outgoing.body.err(), Some(expected));
    }

    #[test]
    fn batch_holds_as_many_messages_as_a_frame() {
        let mut batch = Batch::to_everyone(1);
        for number in 1..BATCH_LIMIT {
            batch = batch.and(number).expect("space");
        }
        assert_eq!(frame(batch.clone()).1, "Everyone 25");
        assert!(batch.and("one more").is_err());
    }
}
