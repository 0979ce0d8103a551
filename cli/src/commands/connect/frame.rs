//! What a frame of the server's is, as far as a conversation needs to know.

use herald_client::EntityId;
use serde::Deserialize;

/// A frame of the server's.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// The reply to a request.
    Reply(Reply),
    /// The server is about to close the connection.
    Goodbye {
        /// Whether we may come back.
        reconnect: bool,
        reason: String,
    },
    /// What nobody asked for: a push.
    Push,
}

/// A reply, and what it changes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Subscribed(EntityId),
    Unsubscribed(EntityId),
    /// It changes nothing: an error, or the acknowledgement of something else.
    Other,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Fields {
    #[serde(rename = "type")]
    kind: Option<String>,
    action: Option<String>,
    entity_id: Option<EntityId>,
    event_id: Option<String>,
    connection_id: Option<String>,
    request_id: Option<String>,
    reconnect: Option<bool>,
    reason: Option<String>,
}

impl Frame {
    /// Reads a frame. What cannot be read is nobody's reply.
    pub(super) fn read(text: &str) -> Self {
        let fields: Fields = serde_json::from_str(text).unwrap_or_default();
        match fields.kind.as_deref() {
            Some("ack") => Self::Reply(fields.acknowledged()),
            Some("pong" | "error") => Self::Reply(Reply::Other),
            // An echo; what other clients say has an id.
            Some("message") if fields.event_id.is_none() => Self::Reply(Reply::Other),
            Some("disconnect") => Self::Goodbye {
                reconnect: fields.reconnect.unwrap_or(true),
                reason: fields.reason.unwrap_or_default(),
            },
            // The gateway's own error.
            None if fields.connection_id.is_some() || fields.request_id.is_some() => {
                Self::Reply(Reply::Other)
            }
            _ => Self::Push,
        }
    }
}

impl Fields {
    fn acknowledged(self) -> Reply {
        match (self.action.as_deref(), self.entity_id) {
            (Some("subscribe"), Some(entity)) => Reply::Subscribed(entity),
            (Some("unsubscribe"), Some(entity)) => Reply::Unsubscribed(entity),
            _ => Reply::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_has_one_reply_and_a_push_is_none() {
        let order = || EntityId::new("order-1").expect("an id");
        let goodbye = |reconnect, reason: &str| Frame::Goodbye {
            reconnect,
            reason: reason.to_owned(),
        };
        for (text, expected) in [
            (
                r#"{"type":"ack","action":"subscribe","entityId":"order-1","id":"7"}"#,
                Frame::Reply(Reply::Subscribed(order())),
            ),
            (
                r#"{"type":"ack","action":"unsubscribe","entityId":"order-1"}"#,
                Frame::Reply(Reply::Unsubscribed(order())),
            ),
            (
                r#"{"type":"ack","action":"sendMessage","entityId":"order-1","eventId":"e"}"#,
                Frame::Reply(Reply::Other),
            ),
            (r#"{"type":"pong"}"#, Frame::Reply(Reply::Other)),
            (
                r#"{"type":"message","message":"Hello"}"#,
                Frame::Reply(Reply::Other),
            ),
            (
                r#"{"type":"error","code":"throttled","message":"…","retryable":true}"#,
                Frame::Reply(Reply::Other),
            ),
            (
                r#"{"message": "Internal server error", "connectionId":"c", "requestId":"r"}"#,
                Frame::Reply(Reply::Other),
            ),
            (
                r#"{"type":"message","message":"Hello","entityId":"order-1","eventId":"e"}"#,
                Frame::Push,
            ),
            (
                r#"{"type":"Entity Updated","entityId":"order-1","message":1,"eventId":"e"}"#,
                Frame::Push,
            ),
            (
                r#"{"type":"disconnect","code":"token_expired","reason":"token expired","reconnect":true}"#,
                goodbye(true, "token expired"),
            ),
            (
                r#"{"type":"disconnect","reason":"no","reconnect":false}"#,
                goodbye(false, "no"),
            ),
            ("no JSON", Frame::Push),
            ("[]", Frame::Push),
        ] {
            assert_eq!(Frame::read(text), expected, "{text}");
        }
    }
}
