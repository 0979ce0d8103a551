//! One event for `PutEvents`.

use std::borrow::Cow;

use anyhow::{Context, anyhow, bail};
use herald_shared::{
    audience::Audience,
    ids::{EntityId, UserId},
    push::Push,
};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};

const BROADCAST: &str = "Broadcast";

/// One event that Herald can deliver. Others are refused here, because they would end in a dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) detail_type: &'static str,
    pub(super) detail: String,
    /// The event id that clients receive. `None` for the id that EventBridge assigns.
    pub(super) idempotency_key: Option<String>,
}

/// An event as a line of input.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line<'a> {
    entity_id: Option<EntityId>,
    user_id: Option<UserId>,
    #[serde(default)]
    broadcast: bool,
    #[serde(borrow)]
    message: &'a RawValue,
    #[serde(borrow)]
    callback: Option<&'a RawValue>,
    version: Option<u64>,
    idempotency_key: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_id: Option<&'a EntityId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a UserId>,
    message: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    callback: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
}

/// The content of an event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content<'a> {
    pub(super) message: &'a RawValue,
    pub(super) callback: Option<&'a RawValue>,
    /// The version of the entity's state. Herald drops an event that comes after one of a version as high.
    pub(super) version: Option<u64>,
    pub(super) idempotency_key: Option<&'a str>,
}

impl Entry {
    /// Makes the event of a message. Fails if Herald cannot deliver it, for example because the frame is too large for a
    /// client.
    pub(super) fn new(audience: Audience, content: Content<'_>) -> anyhow::Result<Self> {
        let (detail_type, entity_id, user_id) = match &audience {
            Audience::Entity(entity) => ("Entity Updated", Some(entity), None),
            Audience::User(user) => ("Send User Push Notification", None, Some(user)),
            Audience::Everyone => (BROADCAST, None, None),
        };
        let Content {
            message,
            callback,
            version,
            idempotency_key,
        } = content;
        let detail = serde_json::to_string(&Detail {
            entity_id,
            user_id,
            message,
            callback,
            version,
            idempotency_key,
        })?;
        let entry = Self {
            detail_type,
            detail,
            idempotency_key: idempotency_key.map(str::to_owned),
        };
        Push::from_queue_body(&entry.as_delivered()?)
            .context("Herald cannot deliver this event")?;
        Ok(entry)
    }

    /// Parses a line.
    pub(super) fn parse(line: &[u8]) -> anyhow::Result<Self> {
        let line: Line<'_> = serde_json::from_slice(line).map_err(|error| without_line(&error))?;
        let audience = match (line.entity_id, line.user_id, line.broadcast) {
            (Some(entity), None, false) => Audience::Entity(entity),
            (None, Some(user), false) => Audience::User(user),
            (None, None, true) => Audience::Everyone,
            _ => bail!(r#"expected exactly one of entityId, userId and "broadcast":true"#),
        };
        let content = Content {
            message: line.message,
            callback: line.callback,
            version: line.version,
            idempotency_key: line.idempotency_key.as_deref(),
        };
        Self::new(audience, content)
    }

    /// Returns the message as a request to publish over HTTP has it: the detail, which names no audience if
    /// that is everyone.
    pub(super) fn as_message(&self) -> Cow<'_, str> {
        match (self.detail_type, self.detail.strip_prefix('{')) {
            (BROADCAST, Some(fields)) => format!(r#"{{"broadcast":true,{fields}"#).into(),
            _ => self.detail.as_str().into(),
        }
    }

    /// Returns the event as EventBridge would deliver it, with an id and a time of the real length.
    fn as_delivered(&self) -> anyhow::Result<String> {
        let detail: &RawValue = serde_json::from_str(&self.detail)?;
        Ok(serde_json::to_string(&json!({
            "id": "00000000-0000-0000-0000-000000000000",
            "detail-type": self.detail_type,
            "time": "1970-01-01T00:00:00Z",
        }))
        .map(|head| {
            format!(
                r#"{},"detail":{}}}"#,
                head.trim_end_matches('}'),
                detail.get()
            )
        })?)
    }
}

/// Removes the line number from a JSON error: it is always 1, whatever the line of the input.
fn without_line(error: &serde_json::Error) -> anyhow::Error {
    let text = error.to_string();
    let words = text
        .split_once(" at line ")
        .map_or(&*text, |(words, _)| words);
    anyhow!("{words} (column {})", error.column())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_names_everyone_as_its_audience() {
        for (line, message) in [
            (
                r#"{"entityId":"order-1","message":{"a":[ ]},"version":7}"#,
                r#"{"entityId":"order-1","message":{"a":[ ]},"version":7}"#,
            ),
            (
                r#"{"message":"hi","broadcast":true}"#,
                r#"{"broadcast":true,"message":"hi"}"#,
            ),
        ] {
            let entry = Entry::parse(line.as_bytes()).expect(line);
            assert_eq!(entry.as_message(), message);
        }
    }

    #[test]
    fn line_becomes_the_event_of_its_audience() {
        for (line, detail_type, detail) in [
            (
                r#"{"entityId":"order-1","message":{"b":1.0,"a":[ ]}}"#,
                "Entity Updated",
                r#"{"entityId":"order-1","message":{"b":1.0,"a":[ ]}}"#,
            ),
            (
                r#"{"message":null,"userId":"alice","callback":{"x":1},"idempotencyKey":"k"}"#,
                "Send User Push Notification",
                r#"{"userId":"alice","message":null,"callback":{"x":1},"idempotencyKey":"k"}"#,
            ),
            (
                r#"{"broadcast":true,"message":"hi"}"#,
                "Broadcast",
                r#"{"message":"hi"}"#,
            ),
            (
                r#"{"entityId":"price:7","message":4.20,"version":12}"#,
                "Entity Updated",
                r#"{"entityId":"price:7","message":4.20,"version":12}"#,
            ),
        ] {
            let entry = Entry::parse(line.as_bytes()).expect(line);
            assert_eq!(
                (entry.detail_type, entry.detail.as_str()),
                (detail_type, detail)
            );
        }
    }

    #[test]
    fn line_that_cannot_be_delivered_is_refused() {
        let too_large = format!(
            r#"{{"broadcast":true,"message":"{}"}}"#,
            "x".repeat(128 * 1024)
        );
        for (line, words) in [
            ("", "EOF"),
            ("[]", "invalid"),
            (r#"{"message":1}"#, "expected exactly one of"),
            (
                r#"{"message":1,"broadcast":false}"#,
                "expected exactly one of",
            ),
            (
                r#"{"message":1,"broadcast":true,"userId":"a"}"#,
                "expected exactly one of",
            ),
            (r#"{"broadcast":true}"#, "missing field `message`"),
            (
                r#"{"broadcast":true,"message":1,"to":"a"}"#,
                "unknown field `to`",
            ),
            (r#"{"broadcast":true,"message":1,"callback":1}"#, "callback"),
            (r#"{"entityId":"","message":1}"#, "must not be empty"),
            (&too_large, "the frame is 131"),
        ] {
            let error = Entry::parse(line.as_bytes()).expect_err(line);
            let error = format!("{error:#}");
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
