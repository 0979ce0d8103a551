//! The reader of messages on the notification queue.

use std::collections::HashSet;

use herald_shared::{
    audience::{Audience, Range, Recipient},
    ids::{ConnectionId, EntityId, UserId},
    log::{Epoch, Position},
    protocol::DEPTH_LIMIT,
    push::{InvalidPush, Push, Recipients},
    token_expiry::TokenExpiry,
};
use proptest::{collection::vec, option, prelude::*};
use serde_json::{Map, Value, json, value::RawValue};

use crate::{depth::depth, edits::edited, json, sentences::is_described};

proptest! {
    #[test]
    fn any_text_is_read_or_refused_with_message(body in any::<String>()) {
        read(&body)?;
    }

    #[test]
    fn damaged_event_is_read_or_refused_with_message(body in edited(event())) {
        read(&body)?;
    }

    #[test]
    fn damaged_push_is_read_or_refused_with_message(body in edited(push().prop_map(|push| push.to_queue_body()))) {
        read(&body)?;
    }

    #[test]
    fn push_survives_the_queue(push in push()) {
        let body = push.to_queue_body();
        prop_assert!(body.chars().all(sqs_accepts), "SQS refuses {:?}", body);
        let read = Push::from_queue_body(&body)?;
        prop_assert_eq!(&read.event_id, &push.event_id);
        prop_assert_eq!(&read.time, &push.time);
        prop_assert_eq!(&read.recipients, &push.recipients);
        prop_assert_eq!(&read.except, &push.except);
        prop_assert_eq!(read.then_disconnect, push.then_disconnect);
        prop_assert_eq!(as_json(read.frame.get()), as_json(push.frame.get()));
        prop_assert_eq!(read.to_queue_body(), body);
    }

    #[test]
    fn event_is_read_like_by_a_plain_reader(body in event()) {
        let found = plain(&as_json(&body));
        let read = Push::from_queue_body(&body).ok().map(|push| {
            (push.recipients.clone(), as_json(push.frame.get()))
        });
        prop_assert_eq!(read, found);
    }
}

proptest! {
    #[test]
    fn message_may_nest_up_to_the_limit(levels in json::levels(), message in json::value()) {
        let message = json::nested(&levels, &message);
        let body = format!(
            r#"{{"id":"e-1","detail-type":"Broadcast","time":"now","detail":{{"message":{message}}}}}"#
        );
        match Push::from_queue_body(&body) {
            Ok(push) => {
                prop_assert!(depth(&message) <= DEPTH_LIMIT);
                let read = Push::from_queue_body(&push.to_queue_body())?;
                prop_assert!(read.frame.get().contains(message.trim()));
            }
            Err(InvalidPush::TooDeep(_)) => prop_assert!(depth(&message) > DEPTH_LIMIT),
            // The position of a repeated field, for instance, or a frame over the limit.
            Err(error) => prop_assert!(is_described(&error), "{error:?}"),
        }
    }
}

#[test]
fn message_of_thousands_of_levels_is_refused() {
    let message = format!("{}{}", "[".repeat(60_000), "]".repeat(60_000));
    let body = format!(
        r#"{{"id":"e-1","detail-type":"Broadcast","time":"now","detail":{{"message":{message}}}}}"#
    );
    let read = Push::from_queue_body(&body);
    assert!(matches!(read, Err(InvalidPush::TooDeep(_))));
}

/// Reads a body. Fails if the error has no message, or the push could not go back to the queue.
fn read(body: &str) -> Result<(), TestCaseError> {
    match Push::from_queue_body(body) {
        Ok(push) => prop_assert!(Push::from_queue_body(&push.to_queue_body()).is_ok()),
        Err(error) => prop_assert!(is_described(&error), "{error:?}"),
    }
    Ok(())
}

/// Returns whether SQS accepts the character.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
fn sqs_accepts(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn push() -> impl Strategy<Value = Push> {
    let texts = (any::<String>(), any::<String>());
    let audience = (recipients(), option::of(connection()));
    let log = (option::of(position()), option::of(any::<u64>()));
    (texts, audience, json::value(), log, any::<bool>()).prop_map(
        |((event_id, time), (recipients, except), frame, (position, version), then_disconnect)| {
            Push {
                event_id,
                time,
                recipients,
                except,
                frame: RawValue::from_string(frame.trim().to_owned())
                    .expect("a generated value is JSON"),
                position,
                version,
                to_watchers: false,
                then_disconnect,
            }
        },
    )
}

fn position() -> impl Strategy<Value = Position> {
    let epoch =
        "[A-Za-z0-9]{8}".prop_map(|text| Epoch::new(text).expect("a generated epoch is one"));
    (option::of(epoch), any::<u64>()).prop_map(|(epoch, offset)| Position { epoch, offset })
}

fn recipients() -> impl Strategy<Value = Recipients> {
    let audience = prop_oneof![
        Just(Audience::Everyone),
        id().prop_map(|id| Audience::User(UserId::new(id).expect("a generated id is one"))),
        id().prop_map(|id| Audience::Entity(EntityId::new(id).expect("a generated id is one"))),
    ];
    let range = (any::<u8>(), any::<u8>(), option::of(connection()))
        .prop_map(|(first, last, after)| Range { first, last, after });
    prop_oneof![
        (audience.clone(), range)
            .prop_map(|(audience, range)| Recipients::Audience { audience, range }),
        (
            audience,
            vec(recipient(), 0..5),
            any::<u16>(),
            any::<[u32; 2]>()
        )
            .prop_map(|(audience, connections, slots, [attempt, rounds])| {
                Recipients::Connections {
                    audience,
                    connections,
                    slots,
                    attempt,
                    rounds,
                }
            }),
    ]
}

fn recipient() -> impl Strategy<Value = Recipient> {
    let expiry = option::of(any::<u64>().prop_map(TokenExpiry::from_epoch_seconds));
    (connection(), any::<u32>(), expiry).prop_map(|(connection, seconds, token_expires_at)| {
        Recipient {
            connection,
            connected_at: std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds.into()),
            token_expires_at,
        }
    })
}

fn connection() -> impl Strategy<Value = ConnectionId> {
    id().prop_map(|id| ConnectionId::new(id).expect("a generated id is one"))
}

fn id() -> impl Strategy<Value = String> {
    "[^\\p{Cc}]{1,16}"
}

/// Returns an EventBridge event, valid or invalid.
fn event() -> impl Strategy<Value = String> {
    // A detail with a repeated field is refused, which no second reader over a map could detect.
    let fields = vec(detail_field(), 0..5).prop_map(|mut fields| {
        let mut names = HashSet::new();
        fields.retain(|(name, _)| names.insert(name.clone()));
        fields
    });
    let envelope = (
        any::<String>(),
        detail_type(),
        any::<String>(),
        json::object(fields),
    );
    envelope.prop_map(|(id, detail_type, time, detail)| {
        let [id, detail_type, time] = [id, detail_type, time].map(|text| json!(text));
        format!(
            r#"{{"version":"0","id":{id},"detail-type":{detail_type},"source":"test","time":{time},"resources":[],"detail":{detail}}}"#
        )
    })
}

fn detail_type() -> impl Strategy<Value = String> {
    prop_oneof![
        9 => "Entity Updated|Send User Push Notification|Broadcast|Disconnect User",
        1 => any::<String>(),
    ]
}

fn detail_field() -> impl Strategy<Value = (String, String)> {
    let field = |name: &str, value: BoxedStrategy<String>| {
        (
            Just(format!("{name:?}")),
            prop_oneof![6 => value, 1 => json::value()],
        )
            .boxed()
    };
    let id = || id().prop_flat_map(json::string).boxed();
    prop_oneof![
        6 => field("message", json::value().boxed()),
        3 => field("entityId", id()),
        3 => field("userId", id()),
        1 => field("callback", json::value().boxed()),
        1 => field("reason", json::any_string().boxed()),
        1 => field("reconnect", "true|false".boxed()),
        1 => field("idempotencyKey", json::any_string().boxed()),
        1 => field("version", "null|0|[1-9][0-9]{0,24}".boxed()),
    ]
}

// The second reader, over `serde_json::Value`.

/// Returns the recipients of an event and their frame. `None` if the event is not one of Herald's.
fn plain(event: &Value) -> Option<(Recipients, Value)> {
    let detail = event["detail"].as_object()?;
    let entity = || EntityId::new(detail.get("entityId")?.as_str()?).ok();
    let user = || UserId::new(detail.get("userId")?.as_str()?).ok();
    let (kind, fields, audience) = match event["detail-type"].as_str()? {
        "Entity Updated" => (
            "Entity Updated",
            ["entityId", "message", ""],
            Audience::Entity(entity()?),
        ),
        "Send User Push Notification" => (
            "User Push Notification",
            ["userId", "message", "callback"],
            Audience::User(user()?),
        ),
        "Broadcast" => ("Broadcast", ["message", "", ""], Audience::Everyone),
        "Disconnect User" => (
            "disconnect",
            ["userId", "reason", "reconnect"],
            Audience::User(user()?),
        ),
        _ => return None,
    };
    let known = |name: &String| match name.as_str() {
        "idempotencyKey" => true,
        "version" => kind != "disconnect",
        name => fields.contains(&name),
    };
    if detail.contains_key("") || !detail.keys().all(known) {
        return None;
    }
    let version = detail.get("version").unwrap_or(&Value::Null);
    if !(version.is_null() || version.is_u64()) {
        return None;
    }
    let event_id = optional_text(detail, "idempotencyKey")?.unwrap_or_else(|| event["id"].clone());
    if event_id == "" {
        return None;
    }
    let frame = match kind {
        "disconnect" => json!({
            "type": kind,
            "code": "user_disconnected",
            "reason": optional_text(detail, "reason")?.unwrap_or_else(|| "disconnected".into()),
            "reconnect": detail.get("reconnect").map_or(Some(false), Value::as_bool)?,
        }),
        _ => push_frame(kind, detail, event_id, event)?,
    };
    Some((Recipients::all(audience), frame))
}

fn push_frame(
    kind: &str,
    detail: &Map<String, Value>,
    event_id: Value,
    event: &Value,
) -> Option<Value> {
    let mut frame = Map::new();
    frame.insert("type".into(), kind.into());
    frame.insert("message".into(), detail.get("message")?.clone());
    frame.insert("eventId".into(), event_id);
    frame.insert("time".into(), event["time"].clone());
    for name in ["entityId", "callback"] {
        frame.extend(
            detail
                .get(name)
                .map(|value| (name.to_owned(), value.clone())),
        );
    }
    Some(frame.into())
}

/// Returns the text of a field. `Some(None)` if it is absent or null, `None` if it is not a string.
fn optional_text(detail: &Map<String, Value>, name: &str) -> Option<Option<Value>> {
    match detail.get(name) {
        None | Some(Value::Null) => Some(None),
        Some(text) => text.is_string().then(|| Some(text.clone())),
    }
}

fn as_json(text: &str) -> Value {
    serde_json::from_str(text).expect("valid JSON")
}
