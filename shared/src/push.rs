//! A push: one frame, ready to send, and its recipients. An EventBridge event, a message that a rule of a user's
//! own made of one, and a client's `sendMessage` become pushes, and delivery requeues undelivered parts as pushes.

mod bare;
mod event;
mod field;

pub use bare::BareMessage;
pub use event::DetailType;

use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::value::RawValue;

use crate::{
    audience::{ALL_SLOTS, Audience, Range, Recipient},
    ids::ConnectionId,
    log::{FRAME_LIMIT, Message, Position, Stored},
    presence::Flush,
    protocol::{DisconnectCode, MESSAGE_LIMIT, Outgoing, PresenceFrame, ServerFrame, TooDeep},
};

/// One frame and its recipients.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Push {
    /// The push's id, the same in every duplicate, so that clients can drop duplicates.
    pub event_id: String,
    /// The event's time, RFC 3339.
    pub time: String,
    /// The connections that get it.
    pub recipients: Recipients,
    /// The connection that does not get it: the sender's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except: Option<ConnectionId>,
    /// The frame's JSON text, with its position in it.
    pub frame: Box<RawValue>,
    /// The position in the log of the audience. `None` if the audience has no log, or the push is not in it
    /// yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// The producer's version of the state that the message has, for a log that keeps the last message only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// True if only those connections of the audience get it that asked for the entity's presence.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub to_watchers: bool,
    /// Closes the connections once they have received the frame.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub then_disconnect: bool,
}

/// The recipients of a push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Recipients {
    /// The connections in a range of an audience.
    Audience {
        /// The audience.
        audience: Audience,
        /// The range.
        range: Range,
    },
    /// These connections, which an earlier attempt did not reach.
    Connections {
        /// The audience that they were read from.
        audience: Audience,
        /// The connections.
        connections: Vec<Recipient>,
        /// The number of the audience's slots that they were read from.
        #[serde(default = "all_slots", skip_serializing_if = "is_all_slots")]
        slots: u16,
        /// The number of this attempt; reading the audience was the first.
        attempt: u32,
        /// The number of times that the time ran out before they were tried in this attempt.
        #[serde(default, skip_serializing_if = "is_zero")]
        rounds: u32,
    },
}

impl Recipients {
    /// Returns all of an audience.
    pub fn all(audience: Audience) -> Self {
        Self::Audience {
            audience,
            range: Range::WHOLE,
        }
    }
}

/// The reason a message on the queue is not a push.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPush {
    /// The text is neither an EventBridge event nor a push of Herald's own.
    #[error("the message is neither an EventBridge event nor a push")]
    Unreadable(#[source] serde_json::Error),
    /// The text is not JSON.
    #[error("the message is not JSON{}", named(" after the field ", .field.as_deref()))]
    NotJson {
        /// The last field before the error.
        field: Option<String>,
        /// The error.
        #[source]
        source: serde_json::Error,
    },
    /// A field of a message without an event is missing or invalid.
    #[error("the message is invalid{}", named(" at the field ", .field.as_deref()))]
    BadMessage {
        /// The field, if the error does not name it.
        field: Option<String>,
        /// The error.
        #[source]
        source: serde_json::Error,
    },
    /// A message without an event names no audience, or several.
    #[error(
        "the message needs one recipient: send exactly one of entityId, userId and \"broadcast\":true"
    )]
    NotOneRecipient,
    /// The detail-type is not one of Herald's.
    #[error(
        "unknown detail-type {0:?}: use Entity Updated, Send User Push Notification, Broadcast or \
         Disconnect User"
    )]
    UnknownDetailType(String),
    /// A field of the detail is missing or invalid.
    #[error("the detail of {detail_type:?} is invalid")]
    BadDetail {
        /// The event's detail-type.
        detail_type: &'static str,
        /// The field and the reason.
        #[source]
        source: serde_json::Error,
    },
    /// The event's id is empty: clients would take all pushes with such an id for one.
    #[error("the event id is empty: give idempotencyKey a value or leave it out")]
    EmptyEventId,
    /// The event's id is too long to travel beside the event's recipients.
    #[error("the event id is {length} bytes long, the limit is {EVENT_ID_LIMIT}")]
    LongEventId {
        /// The id's length in bytes.
        length: usize,
    },
    /// A value of the detail is nested too deeply.
    #[error(transparent)]
    TooDeep(#[from] TooDeep),
    /// The frame is over the limit.
    #[error(transparent)]
    TooLarge(#[from] FrameTooLarge),
}

impl InvalidPush {
    fn bad_message(json: &str, source: serde_json::Error) -> Self {
        Self::BadMessage {
            field: field::field_at(json, &source),
            source,
        }
    }

    /// Returns an error about a detail as one about the message, for a message whose sender wrote no detail.
    fn of_message(self, detail: &RawValue) -> Self {
        match self {
            Self::BadDetail { source, .. } => Self::bad_message(detail.get(), source),
            error => error,
        }
    }
}

/// The maximum length of an event's id, which may be an `idempotencyKey`, in bytes.
pub const EVENT_ID_LIMIT: usize = 1024;

/// The refusal of a frame that no connection accepts, or no log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the frame is {length} bytes long, the limit is {limit}")]
pub struct FrameTooLarge {
    /// The frame's length in bytes.
    pub length: usize,
    /// The limit in bytes.
    pub limit: usize,
}

impl Push {
    /// Returns the push of a client's message. `time` is RFC 3339.
    ///
    /// # Errors
    ///
    /// Returns [`FrameTooLarge`] if the frame would be over the limit.
    pub fn message(
        outgoing: Outgoing<'_>,
        audience: Audience,
        sender: &ConnectionId,
        time: &str,
    ) -> Result<Self, FrameTooLarge> {
        let event_id = uuid::Uuid::new_v4().to_string();
        let entity_id = match &audience {
            Audience::Entity(entity) => Some(entity),
            Audience::User(_) | Audience::Everyone => None,
        };
        let frame = ServerFrame::Message {
            message: outgoing.message,
            name: outgoing.name,
            entity_id,
            event_id: Some(&event_id),
            time: Some(time),
            id: None,
        };
        Ok(Self {
            frame: checked(&frame)?,
            event_id,
            time: time.to_owned(),
            recipients: Recipients::all(audience),
            except: Some(sender.clone()),
            position: None,
            version: None,
            to_watchers: false,
            then_disconnect: false,
        })
    }

    /// Returns the push of a change of an entity's members. `time` is RFC 3339.
    ///
    /// # Errors
    ///
    /// Returns [`FrameTooLarge`] if the frame would be over the limit.
    pub fn presence(frame: PresenceFrame, time: &str) -> Result<Self, FrameTooLarge> {
        let audience = Audience::Entity(frame.entity_id.clone());
        Ok(Self {
            frame: checked(&ServerFrame::Presence(frame))?,
            event_id: uuid::Uuid::new_v4().to_string(),
            time: time.to_owned(),
            recipients: Recipients::all(audience),
            except: None,
            position: None,
            version: None,
            to_watchers: true,
            then_disconnect: false,
        })
    }

    /// Reads the body of a message on the notification queue of which nothing else is known: an EventBridge event,
    /// a message with an `idempotencyKey`, or a push that [`Self::to_queue_body`] wrote.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidPush`] if it is none of them.
    pub fn from_queue_body(body: &str) -> Result<Self, InvalidPush> {
        match QueueMessage::from_body(body, Received::default())? {
            QueueMessage::Push(push) => Ok(*push),
            // A flush is no push, and no event either.
            QueueMessage::Flush(_) => event::read(body),
        }
    }

    /// Returns the same push for other recipients.
    pub fn to(&self, recipients: Recipients) -> Self {
        Self {
            recipients,
            ..self.clone()
        }
    }

    /// Returns the audience in whose log the push belongs first of all. `None` if the push is in a log
    /// already, is a part of a push, tells of presence, or closes connections.
    pub fn unnumbered_audience(&self) -> Option<&Audience> {
        match &self.recipients {
            Recipients::Audience { audience, range }
                if *range == Range::WHOLE
                    && self.position.is_none()
                    && !self.to_watchers
                    && !self.then_disconnect =>
            {
                Some(audience)
            }
            _ => None,
        }
    }

    /// Returns the message for a log.
    ///
    /// # Errors
    ///
    /// Returns [`FrameTooLarge`] if the frame is over [`FRAME_LIMIT`].
    pub fn log_message(&self) -> Result<Message<'_>, FrameTooLarge> {
        let length = self.frame.get().len();
        if length > FRAME_LIMIT {
            return Err(FrameTooLarge {
                length,
                limit: FRAME_LIMIT,
            });
        }
        Ok(Message {
            event_id: &self.event_id,
            frame: &self.frame,
            version: self.version,
        })
    }

    /// Returns the same push as the log has it.
    pub fn numbered(&self, stored: Stored) -> Self {
        Self {
            frame: stored.frame,
            position: Some(stored.position),
            ..self.clone()
        }
    }

    /// Returns the body of a message on the notification queue for this push.
    pub fn to_queue_body(&self) -> String {
        Body {
            push: Some(self.clone()),
            ..Body::default()
        }
        .to_json()
    }
}

/// The facts about a message on the queue that serve a body without an event.
#[derive(Clone, Copy, Debug, Default)]
pub struct Received<'a> {
    /// The id that SQS gave the message, the same in each of its receives.
    pub message_id: &'a str,
    /// The time at which the queue received it, RFC 3339.
    pub sent_at: &'a str,
}

/// A message on the notification queue.
#[derive(Clone, Debug)]
pub enum QueueMessage {
    /// A push, or an event or a message that asks for one.
    Push(Box<Push>),
    /// A flush of an entity's presence.
    Flush(Flush),
}

impl QueueMessage {
    /// Reads the body of a message on the notification queue.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidPush`] if it is neither an EventBridge event, nor a message without one, nor a push or flush
    /// of Herald's own.
    pub fn from_body(body: &str, received: Received<'_>) -> Result<Self, InvalidPush> {
        match serde_json::from_str(body).map_err(|error| unreadable(body, error))? {
            Body {
                push: Some(push), ..
            } => Ok(Self::Push(Box::new(push))),
            Body {
                flush: Some(flush), ..
            } => Ok(Self::Flush(flush)),
            Body {
                detail_type: None,
                detail: None,
                ..
            } => bare::read(body, received).map(|push| Self::Push(Box::new(push))),
            Body { .. } => event::read(body).map(|push| Self::Push(Box::new(push))),
        }
    }
}

fn unreadable(body: &str, source: serde_json::Error) -> InvalidPush {
    if source.is_data() {
        return InvalidPush::Unreadable(source);
    }
    InvalidPush::NotJson {
        field: field::field_at(body, &source),
        source,
    }
}

/// Returns the words about a field, empty if it is not known.
fn named(words: &str, field: Option<&str>) -> String {
    field.map_or_else(String::new, |field| format!("{words}`{field}`"))
}

impl Flush {
    /// Returns the body of a message on the notification queue for this flush.
    pub fn to_queue_body(&self) -> String {
        Body {
            flush: Some(self.clone()),
            ..Body::default()
        }
        .to_json()
    }
}

/// Returns the last frame of a connection whose token has ended, which replaces the push.
pub fn token_expired_frame() -> String {
    let frame = ServerFrame::Disconnect {
        code: DisconnectCode::TokenExpired,
        reason: "token expired",
        reconnect: true,
    };
    frame.to_json()
}

fn is_zero(rounds: &u32) -> bool {
    *rounds == 0
}

fn all_slots() -> u16 {
    ALL_SLOTS
}

fn is_all_slots(slots: &u16) -> bool {
    *slots == ALL_SLOTS
}

/// The fields that distinguish the kinds of messages on the queue.
#[derive(Default, Serialize, Deserialize)]
#[serde(expecting = "an object")]
struct Body {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    push: Option<Push>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    flush: Option<Flush>,
    /// That of an EventBridge event.
    #[serde(default, rename = "detail-type", skip_serializing)]
    detail_type: Option<IgnoredAny>,
    /// That of an EventBridge event.
    #[serde(default, skip_serializing)]
    detail: Option<IgnoredAny>,
}

impl Body {
    fn to_json(&self) -> String {
        let text = serde_json::to_string(self).expect("a push or flush is always JSON");
        escape_noncharacters(text)
    }
}

/// Escapes U+FFFE and U+FFFF, which SQS refuses and JSON allows. JSON has them only in strings, where an
/// escape means the same.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
pub(crate) fn escape_noncharacters(json: String) -> String {
    if json.contains(['\u{fffe}', '\u{ffff}']) {
        json.replace('\u{fffe}', "\\ufffe")
            .replace('\u{ffff}', "\\uffff")
    } else {
        json
    }
}

/// Returns the frame's text.
///
/// # Errors
///
/// Returns [`FrameTooLarge`] if it is over the limit.
fn checked(frame: &ServerFrame<'_>) -> Result<Box<RawValue>, FrameTooLarge> {
    let text = frame.to_json();
    if text.len() > MESSAGE_LIMIT {
        return Err(FrameTooLarge {
            length: text.len(),
            limit: MESSAGE_LIMIT,
        });
    }
    Ok(raw(text))
}

fn raw(frame: String) -> Box<RawValue> {
    RawValue::from_string(frame).expect("a server frame is always JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn push_with_noncharacters_survives_the_queue() {
        let message = RawValue::from_string("\"\u{ffff}\u{fffe}\u{2028}🎉\\u0000\\\"\"".to_owned())
            .expect("JSON");
        let sender = ConnectionId::new("PcQeDRO4gIEm4LQ=").expect("an id");
        let outgoing = Outgoing {
            message: &message,
            name: None,
        };
        let push = Push::message(outgoing, Audience::Everyone, &sender, "now").expect("small");
        let body = push.to_queue_body();
        assert!(!body.contains(['\u{fffe}', '\u{ffff}']), "{body}");

        let read = Push::from_queue_body(&body).expect("a push");
        assert_eq!(read.except, Some(sender));
        let text = |push: &Push| {
            let frame: serde_json::Value = serde_json::from_str(push.frame.get()).expect("a frame");
            frame["message"].as_str().map(str::to_owned)
        };
        assert_eq!(
            text(&read).as_deref(),
            Some("\u{ffff}\u{fffe}\u{2028}🎉\u{0}\"")
        );
    }
}
