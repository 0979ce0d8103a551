//! One dead letter: what SQS says of it, and what its body is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use herald_shared::{
    audience::{Audience, Range},
    push::{Push, Recipients},
};

use super::Name;

/// A message of a dead-letter queue.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) queue: Name,
    pub(super) id: String,
    /// What deletes it or makes it visible.
    pub(super) receipt: String,
    pub(super) body: String,
    /// Why it is here, if whoever put it here said so.
    pub(super) reason: Option<String>,
    /// When it was put on the queue.
    pub(super) sent_at: Option<SystemTime>,
    /// How often it was received, this time included.
    pub(super) received: Option<u32>,
    /// What it was to be; none: it is no push.
    pub(super) push: Option<Meant>,
}

/// What a dead letter was to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meant {
    pub(super) event_id: String,
    /// Whom it was for, in words: those who did not get it, if they are known.
    pub(super) audience: String,
}

impl Letter {
    /// A message as it was received from a queue; none if SQS left out what every message has.
    pub(super) fn new(queue: Name, message: Message) -> Option<Self> {
        let system = |name| message.attributes.as_ref()?.get(&name);
        let since_epoch = system(MessageSystemAttributeName::SentTimestamp)
            .and_then(|milliseconds| milliseconds.parse().ok())
            .map(Duration::from_millis);
        let received = system(MessageSystemAttributeName::ApproximateReceiveCount)
            .and_then(|count| count.parse().ok());
        let reason = reason(&message);
        let body = message.body?;
        Some(Self {
            queue,
            id: message.message_id?,
            receipt: message.receipt_handle?,
            reason,
            sent_at: since_epoch.and_then(|since_epoch| UNIX_EPOCH.checked_add(since_epoch)),
            received,
            push: Push::from_queue_body(&body).ok().map(Meant::from),
            body,
        })
    }
}

/// What the notifier says in `Reason`, or EventBridge in its own attributes.
///
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html>
fn reason(message: &Message) -> Option<String> {
    let attribute = |name: &str| {
        let attribute = message.message_attributes.as_ref()?.get(name)?;
        attribute.string_value.clone()
    };
    attribute("Reason").or_else(|| {
        let code = attribute("ERROR_CODE")?;
        Some(match attribute("ERROR_MESSAGE") {
            Some(words) => format!("{code}: {words}"),
            None => code,
        })
    })
}

impl From<Push> for Meant {
    fn from(push: Push) -> Self {
        let audience = match push.recipients {
            Recipients::Audience { audience, range } if range == Range::WHOLE => {
                in_words(&audience)
            }
            Recipients::Audience { audience, .. } => format!("a part of {}", in_words(&audience)),
            Recipients::Connections { connections, .. } => match &connections[..] {
                [one] => format!("connection {}", one.connection),
                several => format!("{} connections", several.len()),
            },
        };
        Self {
            event_id: push.event_id,
            audience,
        }
    }
}

fn in_words(audience: &Audience) -> String {
    match audience {
        Audience::Everyone => "everyone".to_owned(),
        Audience::User(user) => format!("user {user}"),
        Audience::Entity(entity) => format!("entity {entity}"),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::types::MessageAttributeValue;
    use serde_json::json;

    use super::*;

    fn meant(recipients: serde_json::Value) -> Option<Meant> {
        let push = json!({"push": {
            "eventId": "e-1", "time": "2026-11-20T10:15:30Z", "recipients": recipients, "frame": {},
        }});
        Push::from_queue_body(&push.to_string())
            .ok()
            .map(Meant::from)
    }

    #[test]
    fn whom_it_was_for_is_said_in_words() {
        let audience = |audience, last| json!({"audience": {"audience": audience, "range": {"first": 0, "last": last}}});
        let connections = |ids: &[&str]| {
            let named: Vec<_> = ids.iter().map(|id| json!([id, 0])).collect();
            json!({"connections": {"audience": "everyone", "connections": named, "attempt": 1}})
        };
        for (recipients, words) in [
            (audience(json!("everyone"), 255), "everyone"),
            (audience(json!({"user": "alice"}), 255), "user alice"),
            (
                audience(json!({"entity": "order-1"}), 255),
                "entity order-1",
            ),
            (
                audience(json!({"entity": "order-1"}), 9),
                "a part of entity order-1",
            ),
            (connections(&["abc="]), "connection abc="),
            (connections(&["abc=", "def="]), "2 connections"),
        ] {
            let meant = meant(recipients).expect(words);
            assert_eq!(
                (meant.event_id.as_str(), meant.audience.as_str()),
                ("e-1", words)
            );
        }
    }

    #[test]
    fn a_reason_is_the_notifiers_or_eventbridges() {
        let message = |attributes: &[(&str, &str)]| {
            let attributes = attributes.iter().map(|(name, value)| {
                let value = MessageAttributeValue::builder()
                    .data_type("String")
                    .string_value(*value)
                    .build();
                ((*name).to_owned(), value.expect("an attribute"))
            });
            Message::builder()
                .set_message_attributes(Some(attributes.collect()))
                .build()
        };
        for (attributes, expected) in [
            (&[][..], None),
            (&[("Reason", "no push")], Some("no push")),
            (&[("ERROR_CODE", "NO_PERMISSIONS")], Some("NO_PERMISSIONS")),
            (
                &[
                    ("ERROR_CODE", "NO_PERMISSIONS"),
                    ("ERROR_MESSAGE", "denied"),
                ],
                Some("NO_PERMISSIONS: denied"),
            ),
        ] {
            assert_eq!(reason(&message(attributes)).as_deref(), expected);
        }
    }

    #[test]
    fn what_is_no_push_is_a_letter_all_the_same() {
        let message = Message::builder()
            .message_id("m-1")
            .receipt_handle("r-1")
            .body("no push")
            .attributes(MessageSystemAttributeName::SentTimestamp, "1764000000123")
            .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "3")
            .build();
        let letter = Letter::new(Name::Events, message).expect("a letter");
        assert_eq!((letter.push, letter.received), (None, Some(3)));
        let sent_at = UNIX_EPOCH + Duration::from_millis(1_764_000_000_123);
        assert_eq!(letter.sent_at, Some(sent_at));
    }
}
