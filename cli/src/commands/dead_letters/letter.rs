//! One message of a dead-letter queue, with its attributes and its push.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use herald_shared::{
    audience::{Audience, Range},
    push::{Push, Recipients},
};

use super::QueueName;

/// A message of a dead-letter queue.
#[derive(Clone, Debug)]
pub(super) struct DeadLetter {
    pub(super) queue: QueueName,
    pub(super) id: String,
    /// The receipt handle.
    pub(super) receipt: String,
    pub(super) body: String,
    /// The reason in the message's attributes, if any.
    pub(super) reason: Option<String>,
    /// The time at which the message was put on the queue.
    pub(super) sent_at: Option<SystemTime>,
    /// The number of times that the message was received, including this one.
    pub(super) receive_count: Option<u32>,
    /// The push in the body. `None` if the body is not a valid push.
    pub(super) push: Option<PushSummary>,
}

/// A push that was not delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PushSummary {
    pub(super) event_id: String,
    /// The recipients in words: those that did not receive the push, if they are known.
    pub(super) audience: String,
}

impl DeadLetter {
    /// Reads a message of a queue. `None` if the message lacks its id, receipt handle or body.
    pub(super) fn new(queue: QueueName, message: Message) -> Option<Self> {
        let system = |name| message.attributes.as_ref()?.get(&name);
        let since_epoch = system(MessageSystemAttributeName::SentTimestamp)
            .and_then(|milliseconds| milliseconds.parse().ok())
            .map(Duration::from_millis);
        let receive_count = system(MessageSystemAttributeName::ApproximateReceiveCount)
            .and_then(|count| count.parse().ok());
        let reason = reason(&message);
        let body = message.body?;
        Some(Self {
            queue,
            id: message.message_id?,
            receipt: message.receipt_handle?,
            reason,
            sent_at: since_epoch.and_then(|since_epoch| UNIX_EPOCH.checked_add(since_epoch)),
            receive_count,
            push: Push::from_queue_body(&body).ok().map(PushSummary::from),
            body,
        })
    }
}

/// Returns the notifier's attribute `Reason`, or EventBridge's `ERROR_CODE` and `ERROR_MESSAGE`.
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

impl From<Push> for PushSummary {
    fn from(push: Push) -> Self {
        let audience = match push.recipients {
            Recipients::Audience { audience, range } if range == Range::WHOLE => {
                in_words(&audience)
            }
            Recipients::Audience { audience, .. } => format!("part of {}", in_words(&audience)),
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

    fn summary(recipients: serde_json::Value) -> Option<PushSummary> {
        let push = json!({"push": {
            "eventId": "e-1", "time": "2026-11-20T10:15:30Z", "recipients": recipients, "frame": {},
        }});
        Push::from_queue_body(&push.to_string())
            .ok()
            .map(PushSummary::from)
    }

    #[test]
    fn audience_is_described_in_words() {
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
                "part of entity order-1",
            ),
            (connections(&["abc="]), "connection abc="),
            (connections(&["abc=", "def="]), "2 connections"),
        ] {
            let summary = summary(recipients).expect(words);
            assert_eq!(
                (summary.event_id.as_str(), summary.audience.as_str()),
                ("e-1", words)
            );
        }
    }

    #[test]
    fn reason_is_read_from_attributes_of_the_notifier_or_eventbridge() {
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
    fn message_with_an_invalid_push_is_still_a_dead_letter() {
        let message = Message::builder()
            .message_id("m-1")
            .receipt_handle("r-1")
            .body("no push")
            .attributes(MessageSystemAttributeName::SentTimestamp, "1764000000123")
            .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "3")
            .build();
        let letter = DeadLetter::new(QueueName::Events, message).expect("a letter");
        assert_eq!((letter.push, letter.receive_count), (None, Some(3)));
        let sent_at = UNIX_EPOCH + Duration::from_millis(1_764_000_000_123);
        assert_eq!(letter.sent_at, Some(sent_at));
    }
}
