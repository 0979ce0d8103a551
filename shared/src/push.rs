//! A push: one frame, ready to send, and whom it is for. Everything that is to reach clients becomes
//! one, whether it came over EventBridge or from a client's `sendMessage`, and whatever is left of
//! one goes back to the queue as one.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    audience::{Audience, Range},
    ids::{ConnectionId, EntityId, UserId},
    protocol::{MESSAGE_LIMIT, Outgoing, ServerFrame},
};

/// One frame and whom it is for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Push {
    /// The push's id, the same in every repeat, so that a client can drop one.
    pub event_id: String,
    /// The event's time, RFC 3339.
    pub time: String,
    /// Who is to get it.
    pub recipients: Recipients,
    /// The one connection that is not to get it: the sender's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub except: Option<ConnectionId>,
    /// The frame's JSON text.
    pub frame: Box<RawValue>,
}

/// Who is to get a push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Recipients {
    /// The connections of an audience that are in a range of it.
    Audience {
        /// The audience.
        audience: Audience,
        /// The range.
        range: Range,
    },
    /// These connections, which an earlier attempt did not reach.
    Connections {
        /// The connections.
        connections: Vec<ConnectionId>,
        /// The number of this attempt; reading the audience was the first.
        attempt: u32,
    },
}

impl Recipients {
    /// All of an audience.
    pub fn all(audience: Audience) -> Self {
        Self::Audience {
            audience,
            range: Range::WHOLE,
        }
    }
}

/// Why something is no push. The message says what was wrong with it.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPush {
    /// The text is neither an EventBridge event nor a push of Herald's own.
    #[error("neither an EventBridge event nor a push")]
    Unreadable(#[source] serde_json::Error),
    /// The detail-type is none of Herald's.
    #[error(
        "unknown detail-type {0:?}: use Entity Updated, Send User Push Notification or Broadcast"
    )]
    UnknownDetailType(String),
    /// The detail lacks a field or has one of the wrong kind.
    #[error("bad detail of {detail_type:?}")]
    BadDetail {
        /// The event's detail-type.
        detail_type: &'static str,
        /// What was wrong.
        #[source]
        source: serde_json::Error,
    },
    /// The frame is over the limit.
    #[error(transparent)]
    TooLarge(#[from] FrameTooLarge),
}

/// A frame is over [`MESSAGE_LIMIT`], so that no connection could take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the frame is {length} bytes, the most is {MESSAGE_LIMIT}")]
pub struct FrameTooLarge {
    /// The frame's length in bytes.
    pub length: usize,
}

impl Push {
    /// The push of a client's message. `time` is RFC 3339.
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
        })
    }

    /// Reads the body of a message on the notification queue: an EventBridge event, or a push that
    /// [`Self::to_queue_body`] wrote.
    pub fn from_queue_body(body: &str) -> Result<Self, InvalidPush> {
        match serde_json::from_str(body).map_err(InvalidPush::Unreadable)? {
            Body {
                push: Some(push), ..
            } => Ok(push),
            Body { push: None, .. } => from_event(body),
        }
    }

    /// The same push for other recipients.
    pub fn to(&self, recipients: Recipients) -> Self {
        Self {
            recipients,
            ..self.clone()
        }
    }

    /// The text that stands for this push on the notification queue.
    pub fn to_queue_body(&self) -> String {
        let text = serde_json::to_string(&Body {
            push: Some(self.clone()),
        })
        .expect("a push is always JSON");
        escape_noncharacters(text)
    }
}

/// What tells a push of Herald's own from an EventBridge event.
#[derive(Serialize, Deserialize)]
struct Body {
    #[serde(default)]
    push: Option<Push>,
}

/// SQS refuses U+FFFE and U+FFFF, which JSON allows. In JSON they stand only in strings, where their
/// escapes mean the same.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
fn escape_noncharacters(json: String) -> String {
    if json.contains(['\u{fffe}', '\u{ffff}']) {
        json.replace('\u{fffe}', "\\ufffe")
            .replace('\u{ffff}', "\\uffff")
    } else {
        json
    }
}

/// An EventBridge event, as far as it matters here.
///
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html>
#[derive(Deserialize)]
struct Event<'a> {
    id: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
    time: String,
    #[serde(borrow)]
    detail: &'a RawValue,
}

fn from_event(body: &str) -> Result<Push, InvalidPush> {
    let event: Event<'_> = serde_json::from_str(body).map_err(InvalidPush::Unreadable)?;
    match event.detail_type.as_str() {
        "Entity Updated" => entity_updated(&event),
        "Send User Push Notification" => user_push_notification(&event),
        "Broadcast" => broadcast(&event),
        other => Err(InvalidPush::UnknownDetailType(other.to_owned())),
    }
}

// A detail names exactly one audience, so each of them refuses the fields of the others.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EntityUpdated<'a> {
    entity_id: EntityId,
    #[serde(borrow)]
    message: &'a RawValue,
    idempotency_key: Option<String>,
}

fn entity_updated(event: &Event<'_>) -> Result<Push, InvalidPush> {
    let detail: EntityUpdated<'_> = detail(event, "Entity Updated")?;
    let event_id = detail.idempotency_key.unwrap_or_else(|| event.id.clone());
    let frame = checked(&ServerFrame::EntityUpdated {
        entity_id: &detail.entity_id,
        message: detail.message,
        event_id: &event_id,
        time: &event.time,
    })?;
    Ok(for_all(
        event,
        Audience::Entity(detail.entity_id),
        event_id,
        frame,
    ))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UserPushNotification<'a> {
    user_id: UserId,
    #[serde(borrow)]
    message: &'a RawValue,
    #[serde(borrow, default)]
    callback: Option<&'a RawValue>,
    idempotency_key: Option<String>,
}

fn user_push_notification(event: &Event<'_>) -> Result<Push, InvalidPush> {
    let detail: UserPushNotification<'_> = detail(event, "Send User Push Notification")?;
    let event_id = detail.idempotency_key.unwrap_or_else(|| event.id.clone());
    let frame = checked(&ServerFrame::UserPushNotification {
        message: detail.message,
        callback: detail.callback,
        event_id: &event_id,
        time: &event.time,
    })?;
    Ok(for_all(
        event,
        Audience::User(detail.user_id),
        event_id,
        frame,
    ))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Broadcast<'a> {
    #[serde(borrow)]
    message: &'a RawValue,
    idempotency_key: Option<String>,
}

fn broadcast(event: &Event<'_>) -> Result<Push, InvalidPush> {
    let detail: Broadcast<'_> = detail(event, "Broadcast")?;
    let event_id = detail.idempotency_key.unwrap_or_else(|| event.id.clone());
    let frame = checked(&ServerFrame::Broadcast {
        message: detail.message,
        event_id: &event_id,
        time: &event.time,
    })?;
    Ok(for_all(event, Audience::Everyone, event_id, frame))
}

fn detail<'a, T: Deserialize<'a>>(
    event: &Event<'a>,
    detail_type: &'static str,
) -> Result<T, InvalidPush> {
    serde_json::from_str(event.detail.get()).map_err(|source| InvalidPush::BadDetail {
        detail_type,
        source,
    })
}

fn for_all(event: &Event<'_>, audience: Audience, event_id: String, frame: Box<RawValue>) -> Push {
    Push {
        event_id,
        time: event.time.clone(),
        recipients: Recipients::all(audience),
        except: None,
        frame,
    }
}

/// The frame's text, if it can be sent.
fn checked(frame: &ServerFrame<'_>) -> Result<Box<RawValue>, FrameTooLarge> {
    let text = frame.to_json();
    if text.len() > MESSAGE_LIMIT {
        return Err(FrameTooLarge { length: text.len() });
    }
    Ok(RawValue::from_string(text).expect("a server frame is always JSON"))
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    fn event(detail_type: &str, detail: &str) -> String {
        format!(
            r#"{{"version":"0","id":"e-1","detail-type":"{detail_type}","source":"com.example",
               "account":"123456789012","time":"2026-11-20T10:15:30Z","region":"us-east-1",
               "resources":[],"detail":{detail}}}"#
        )
    }

    #[test]
    fn an_event_becomes_the_push_its_detail_type_asks_for() {
        for (detail_type, detail, audience, frame) in [
            (
                "Entity Updated",
                r#"{"entityId":"order-1","message":{"n":12345678901234567890123}}"#,
                Audience::Entity(EntityId::new("order-1").expect("an id")),
                r#"{"type":"Entity Updated","entityId":"order-1","message":{"n":12345678901234567890123},"eventId":"e-1","time":"2026-11-20T10:15:30Z"}"#,
            ),
            (
                "Send User Push Notification",
                r#"{"userId":"u-1","message":"hi","callback":{"open":"/x"},"idempotencyKey":"k-1"}"#,
                Audience::User(UserId::new("u-1").expect("an id")),
                r#"{"type":"User Push Notification","message":"hi","callback":{"open":"/x"},"eventId":"k-1","time":"2026-11-20T10:15:30Z"}"#,
            ),
            (
                "Broadcast",
                r#"{"message":null}"#,
                Audience::Everyone,
                r#"{"type":"Broadcast","message":null,"eventId":"e-1","time":"2026-11-20T10:15:30Z"}"#,
            ),
        ] {
            let push = Push::from_queue_body(&event(detail_type, detail)).expect(detail);
            assert_eq!(push.recipients, Recipients::all(audience));
            assert_eq!(push.frame.get(), frame);
            assert!(push.except.is_none());
        }
    }

    #[test]
    fn what_is_wrong_with_an_event_is_said() {
        for (body, said) in [
            ("x".to_owned(), "expected value at line 1 column 1"),
            ("{}".to_owned(), "missing field `id` at line 1 column 2"),
            (
                event("order.updated", "{}"),
                "unknown detail-type \"order.updated\": use Entity Updated, Send User Push Notification or Broadcast",
            ),
            (
                event("Entity Updated", r#"{"message":1}"#),
                "missing field `entityId` at line 1 column 13",
            ),
            (
                event("Entity Updated", r#"{"entityId":"","message":1}"#),
                "must not be empty at line 1 column 14",
            ),
            (
                event(
                    "Entity Updated",
                    r#"{"entityId":"a","userId":"b","message":1}"#,
                ),
                "unknown field `userId`, expected one of `entityId`, `message`, `idempotencyKey` at line 1 column 24",
            ),
            (
                event(
                    "Broadcast",
                    &format!(r#"{{"message":"{}"}}"#, "x".repeat(MESSAGE_LIMIT)),
                ),
                "the frame is 131151 bytes, the most is 131072",
            ),
        ] {
            let error = Push::from_queue_body(&body).expect_err(&body);
            let cause = error
                .source()
                .map_or_else(|| error.to_string(), |cause| cause.to_string());
            assert_eq!(cause, said);
        }
    }

    #[test]
    fn a_push_survives_the_queue_with_every_character() {
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
