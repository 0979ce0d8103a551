//! The conversion of an EventBridge event to a push.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{EVENT_ID_LIMIT, InvalidPush, Push, Recipients, checked};
use crate::{
    audience::Audience,
    ids::{EntityId, UserId},
    protocol::{DisconnectCode, ServerFrame, check_depth},
};

/// The detail-type of an event with a message, which decides the kind of its audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DetailType {
    /// A message for the subscribers of an entity.
    EntityUpdated,
    /// A message for a user.
    UserPushNotification,
    /// A message for everyone.
    Broadcast,
}

impl DetailType {
    /// Returns the detail-type as events have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EntityUpdated => "Entity Updated",
            Self::UserPushNotification => "Send User Push Notification",
            Self::Broadcast => "Broadcast",
        }
    }
}

impl Push {
    /// Returns the push of an event with this detail that comes over no bus: what EventBridge would deliver,
    /// under an id of its own. `time` is RFC 3339.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidPush`] if the detail is invalid.
    pub fn of_detail(
        detail_type: DetailType,
        detail: &RawValue,
        time: &str,
    ) -> Result<Self, InvalidPush> {
        let id = uuid::Uuid::new_v4().to_string();
        push_of_detail(&id, detail_type, detail, time).map_err(|error| error.of_message(detail))
    }
}

/// Returns the push of an event with this id and detail.
pub(super) fn push_of_detail(
    id: &str,
    detail_type: DetailType,
    detail: &RawValue,
    time: &str,
) -> Result<Push, InvalidPush> {
    let event = Event {
        id: id.to_owned(),
        detail_type: detail_type.as_str().to_owned(),
        time: time.to_owned(),
        detail,
    };
    match detail_type {
        DetailType::EntityUpdated => entity_updated(&event),
        DetailType::UserPushNotification => user_push_notification(&event),
        DetailType::Broadcast => broadcast(&event),
    }
}

/// The fields of an EventBridge event that Herald reads.
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

/// Returns the push that an event asks for.
pub(super) fn read(body: &str) -> Result<Push, InvalidPush> {
    let event: Event<'_> = serde_json::from_str(body).map_err(InvalidPush::Unreadable)?;
    match event.detail_type.as_str() {
        "Entity Updated" => entity_updated(&event),
        "Send User Push Notification" => user_push_notification(&event),
        "Broadcast" => broadcast(&event),
        "Disconnect User" => disconnect_user(&event),
        other => Err(InvalidPush::UnknownDetailType(other.to_owned())),
    }
}

// A detail names exactly one audience, so each type refuses the fields of the others.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EntityUpdated<'a> {
    entity_id: EntityId,
    #[serde(borrow)]
    message: &'a RawValue,
    version: Option<u64>,
    idempotency_key: Option<String>,
}

fn entity_updated(event: &Event<'_>) -> Result<Push, InvalidPush> {
    let detail: EntityUpdated<'_> = detail(event, "Entity Updated")?;
    let event_id = event_id(event, detail.idempotency_key)?;
    check_depth("message", detail.message)?;
    let frame = checked(&ServerFrame::EntityUpdated {
        entity_id: &detail.entity_id,
        message: detail.message,
        event_id: &event_id,
        time: &event.time,
    })?;
    Ok(Push {
        version: detail.version,
        ..for_all(event, Audience::Entity(detail.entity_id), event_id, frame)
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct UserPushNotification<'a> {
    user_id: UserId,
    #[serde(borrow)]
    message: &'a RawValue,
    #[serde(borrow, default, deserialize_with = "present")]
    callback: Option<&'a RawValue>,
    version: Option<u64>,
    idempotency_key: Option<String>,
}

/// Returns the value of a field that is present, `null` included.
pub(super) fn present<'de, D: Deserializer<'de>>(
    field: D,
) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(field).map(Some)
}

fn user_push_notification(event: &Event<'_>) -> Result<Push, InvalidPush> {
    let detail: UserPushNotification<'_> = detail(event, "Send User Push Notification")?;
    let event_id = event_id(event, detail.idempotency_key)?;
    check_depth("message", detail.message)?;
    if let Some(callback) = detail.callback {
        check_depth("callback", callback)?;
    }
    let frame = checked(&ServerFrame::UserPushNotification {
        message: detail.message,
        callback: detail.callback,
        event_id: &event_id,
        time: &event.time,
    })?;
    Ok(Push {
        version: detail.version,
        ..for_all(event, Audience::User(detail.user_id), event_id, frame)
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Broadcast<'a> {
    #[serde(borrow)]
    message: &'a RawValue,
    version: Option<u64>,
    idempotency_key: Option<String>,
}

fn broadcast(event: &Event<'_>) -> Result<Push, InvalidPush> {
    let detail: Broadcast<'_> = detail(event, "Broadcast")?;
    let event_id = event_id(event, detail.idempotency_key)?;
    check_depth("message", detail.message)?;
    let frame = checked(&ServerFrame::Broadcast {
        message: detail.message,
        event_id: &event_id,
        time: &event.time,
    })?;
    Ok(Push {
        version: detail.version,
        ..for_all(event, Audience::Everyone, event_id, frame)
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DisconnectUser {
    user_id: UserId,
    reason: Option<String>,
    #[serde(default)]
    reconnect: bool,
    idempotency_key: Option<String>,
}

fn disconnect_user(event: &Event<'_>) -> Result<Push, InvalidPush> {
    let detail: DisconnectUser = detail(event, "Disconnect User")?;
    let event_id = event_id(event, detail.idempotency_key)?;
    let frame = checked(&ServerFrame::Disconnect {
        code: DisconnectCode::UserDisconnected,
        reason: detail.reason.as_deref().unwrap_or("disconnected"),
        reconnect: detail.reconnect,
    })?;
    Ok(Push {
        then_disconnect: true,
        ..for_all(event, Audience::User(detail.user_id), event_id, frame)
    })
}

/// Returns the id of the push: the key in the detail, or else the event's own id.
fn event_id(event: &Event<'_>, key: Option<String>) -> Result<String, InvalidPush> {
    let id = key.unwrap_or_else(|| event.id.clone());
    match id.len() {
        0 => Err(InvalidPush::EmptyEventId),
        length if length > EVENT_ID_LIMIT => Err(InvalidPush::LongEventId { length }),
        _ => Ok(id),
    }
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
        position: None,
        version: None,
        to_watchers: false,
        then_disconnect: false,
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;
    use crate::protocol::MESSAGE_LIMIT;

    fn event(detail_type: &str, detail: &str) -> String {
        format!(
            r#"{{"version":"0","id":"e-1","detail-type":"{detail_type}","source":"com.example",
               "account":"123456789012","time":"2026-11-20T10:15:30Z","region":"us-east-1",
               "resources":[],"detail":{detail}}}"#
        )
    }

    #[test]
    fn event_id_over_limit_is_refused_with_both_lengths() {
        for detail_type in ["Broadcast", "Disconnect User"] {
            let read_with_key = |length| {
                let key = "k".repeat(length);
                let field = match detail_type {
                    "Broadcast" => r#""message":1"#,
                    _ => r#""userId":"ann""#,
                };
                let detail = format!(r#"{{{field},"idempotencyKey":"{key}"}}"#);
                read(&event(detail_type, &detail))
            };
            assert!(read_with_key(EVENT_ID_LIMIT).is_ok());
            let error = read_with_key(EVENT_ID_LIMIT + 1).expect_err("too long");
            assert_eq!(
                error.to_string(),
                "the event id is 1025 bytes long, the limit is 1024"
            );
        }
    }

    /// Clients would drop every later push with the same empty id as a repeat.
    #[test]
    fn empty_event_id_is_refused() {
        for (detail_type, field) in [
            ("Entity Updated", r#""entityId":"order-1","message":1"#),
            (
                "Send User Push Notification",
                r#""userId":"ann","message":1"#,
            ),
            ("Broadcast", r#""message":1"#),
            ("Disconnect User", r#""userId":"ann""#),
        ] {
            let detail = format!(r#"{{{field},"idempotencyKey":""}}"#);
            let error = read(&event(detail_type, &detail)).expect_err("an empty id");
            assert_eq!(
                error.to_string(),
                "the event id is empty: give idempotencyKey a value or leave it out"
            );
        }
    }

    #[test]
    fn detail_nested_too_deeply_is_refused() {
        let deep = format!("{}{}", "[".repeat(101), "]".repeat(101));
        let user = "Send User Push Notification";
        for (detail_type, detail, field) in [
            (
                "Entity Updated",
                format!(r#"{{"entityId":"order-1","message":{deep}}}"#),
                "message",
            ),
            (
                user,
                format!(r#"{{"userId":"ann","message":{deep}}}"#),
                "message",
            ),
            (
                user,
                format!(r#"{{"userId":"ann","message":1,"callback":{deep}}}"#),
                "callback",
            ),
            ("Broadcast", format!(r#"{{"message":{deep}}}"#), "message"),
        ] {
            let error = read(&event(detail_type, &detail)).expect_err("too deep");
            let expected = format!(
                "{field} has more than 100 levels of arrays and objects: flatten it, or send it as a string"
            );
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn event_becomes_push_of_its_detail_type() {
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
                "Disconnect User",
                r#"{"userId":"u-1"}"#,
                Audience::User(UserId::new("u-1").expect("an id")),
                r#"{"type":"disconnect","code":"user_disconnected","reason":"disconnected","reconnect":false}"#,
            ),
            (
                "Disconnect User",
                r#"{"userId":"u-1","reason":"password changed","reconnect":true}"#,
                Audience::User(UserId::new("u-1").expect("an id")),
                r#"{"type":"disconnect","code":"user_disconnected","reason":"password changed","reconnect":true}"#,
            ),
            (
                "Send User Push Notification",
                r#"{"userId":"u-1","message":null,"callback":null}"#,
                Audience::User(UserId::new("u-1").expect("an id")),
                r#"{"type":"User Push Notification","message":null,"callback":null,"eventId":"e-1","time":"2026-11-20T10:15:30Z"}"#,
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
            assert_eq!(push.then_disconnect, detail_type == "Disconnect User");
        }
    }

    #[test]
    fn invalid_event_is_refused_with_message() {
        for (body, message) in [
            ("x".to_owned(), "expected value at line 1 column 1"),
            (
                r#"{"detail-type":"Broadcast","detail":{}}"#.to_owned(),
                "missing field `id` at line 1 column 39",
            ),
            (
                "{}".to_owned(),
                "missing field `message` at line 1 column 2",
            ),
            (
                event("order.updated", "{}"),
                "unknown detail-type \"order.updated\": use Entity Updated, Send User Push Notification, Broadcast or Disconnect User",
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
                "unknown field `userId`, expected one of `entityId`, `message`, `version`, `idempotencyKey` at line 1 column 24",
            ),
            (
                event(
                    "Broadcast",
                    &format!(r#"{{"message":"{}"}}"#, "x".repeat(MESSAGE_LIMIT)),
                ),
                "the frame is 131151 bytes long, the limit is 131072",
            ),
        ] {
            let error = Push::from_queue_body(&body).expect_err(&body);
            let cause = error
                .source()
                .map_or_else(|| error.to_string(), |cause| cause.to_string());
            assert_eq!(cause, message);
        }
    }
}
