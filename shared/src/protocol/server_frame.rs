//! The frames that the server sends.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    DisconnectCode, EntityResult, ErrorCode, LogReply, PresenceFrame, PresenceReply, RequestId,
};
use crate::{ids::EntityId, log::Position};

/// A frame to a client, with the JSON that is sent: `type` tells its kind.
#[derive(Clone, Debug, Serialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum ServerFrame<'a> {
    /// The request succeeded: the row is stored, or the message is on the queue.
    Ack(Box<Ack>),
    /// A client's message. If it named no target, its sender gets it back with the request id;
    /// otherwise it is a push to an audience with the event's id and time.
    Message {
        /// The message as it was sent.
        message: &'a RawValue,
        /// The sender's name as the client claims it.
        #[serde(skip_serializing_if = "Option::is_none")]
        name: Option<&'a RawValue>,
        /// The entity it was sent to.
        #[serde(skip_serializing_if = "Option::is_none")]
        entity_id: Option<&'a EntityId>,
        /// The push's id, the same in every duplicate.
        #[serde(skip_serializing_if = "Option::is_none")]
        event_id: Option<&'a str>,
        /// The time it was sent, RFC 3339.
        #[serde(skip_serializing_if = "Option::is_none")]
        time: Option<&'a str>,
        /// The client's request id.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
    },
    /// The answer to `ping`.
    Pong {
        /// The client's request id.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
    },
    /// The request was refused.
    Error {
        /// The action, if it could be read.
        #[serde(skip_serializing_if = "Option::is_none")]
        action: Option<String>,
        /// The client's request id.
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<RequestId>,
        /// The reason, for programs.
        code: ErrorCode,
        /// The reason and what to do, for people.
        message: String,
        /// True if the same frame may succeed later.
        retryable: bool,
        /// With the code `partly_sent`: the ids of the pushes that were sent, in the order of
        /// `messages`, with `None` for each message that was not sent.
        #[serde(skip_serializing_if = "Option::is_none")]
        event_ids: Option<Vec<Option<String>>>,
    },
    /// An event about an entity.
    #[serde(rename = "Entity Updated")]
    EntityUpdated {
        /// The entity.
        entity_id: &'a EntityId,
        /// The event's message.
        message: &'a RawValue,
        /// The push's id, the same in every duplicate.
        event_id: &'a str,
        /// The event's time, RFC 3339.
        time: &'a str,
    },
    /// An event for a user.
    #[serde(rename = "User Push Notification")]
    UserPushNotification {
        /// The event's message.
        message: &'a RawValue,
        /// The action that the sender asks the client for.
        #[serde(skip_serializing_if = "Option::is_none")]
        callback: Option<&'a RawValue>,
        /// The push's id, the same in every duplicate.
        event_id: &'a str,
        /// The event's time, RFC 3339.
        time: &'a str,
    },
    /// An event for everyone.
    #[serde(rename = "Broadcast")]
    Broadcast {
        /// The event's message.
        message: &'a RawValue,
        /// The push's id, the same in every duplicate.
        event_id: &'a str,
        /// The event's time, RFC 3339.
        time: &'a str,
    },
    /// A change of an entity's members, for the connections that asked for it.
    Presence(PresenceFrame),
    /// The last frame before the server closes the connection. The close itself cannot carry a reason.
    Disconnect {
        /// The reason, for programs.
        code: DisconnectCode,
        /// The reason, for people.
        reason: &'a str,
        /// True if the client should connect again.
        reconnect: bool,
    },
}

/// The acknowledgement of a request. A field that does not apply is omitted.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ack {
    /// The action.
    pub action: &'static str,
    /// The entity of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entity_id: Option<EntityId>,
    /// The result for each entity of a `subscribe` to several, and of a `sync` for each that is not current.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entities: Option<BTreeMap<String, EntityResult>>,
    /// The result of a `sync` for the log of the connection's user, unless it is current.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<EntityResult>,
    /// The result of a `sync` for the log of everyone, unless it is current.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub everyone: Option<EntityResult>,
    /// The id of the push that was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_id: Option<String>,
    /// The ids of the pushes that were sent, in the order of `messages`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_ids: Option<Vec<String>>,
    /// The positions of those pushes in the log of their audience, in the same order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positions: Option<Vec<Position>>,
    /// The end of the connection's new token, in epoch seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// The most seconds from one `ping` or `sync` of the connection to the next, if an entity that a `subscribe`
    /// subscribed to has members.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_alive: Option<u64>,
    /// The client's request id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<RequestId>,
    /// The answer of the log of the request's only audience.
    #[serde(flatten)]
    pub log: LogReply,
    /// The members of the request's only entity, if the client asked for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence: Option<PresenceReply>,
}

impl From<Ack> for ServerFrame<'_> {
    fn from(ack: Ack) -> Self {
        Self::Ack(Box::new(ack))
    }
}

impl ServerFrame<'_> {
    /// Returns the frame's JSON text.
    pub fn to_json(&self) -> String {
        // Strings, numbers and JSON that was parsed before: serde_json can refuse none of them.
        serde_json::to_string(self).expect("a server frame is always JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).expect("JSON")
    }

    #[test]
    fn frames_are_serialized_as_documented() {
        let entity = EntityId::new("order-1").expect("an id");
        let hello = raw(r#""Hello""#);
        let frames = [
            ServerFrame::from(Ack {
                action: "subscribe",
                entity_id: Some(entity.clone()),
                id: Some(RequestId::Text("7".to_owned())),
                ..Ack::default()
            }),
            ServerFrame::Message {
                message: &hello,
                name: Some(&raw(r#""Aseem""#)),
                entity_id: None,
                event_id: None,
                time: None,
                id: None,
            },
            ServerFrame::Pong { id: None },
            ServerFrame::Error {
                action: None,
                id: None,
                code: ErrorCode::UnknownAction,
                message: "Seems like wrong endpoint".to_owned(),
                retryable: false,
                event_ids: None,
            },
            ServerFrame::Error {
                action: None,
                id: None,
                code: ErrorCode::PartlySent,
                message: "1 of 2 messages was not sent".to_owned(),
                retryable: false,
                event_ids: Some(vec![None, Some("e-1".to_owned())]),
            },
            ServerFrame::EntityUpdated {
                entity_id: &entity,
                message: &hello,
                event_id: "e-1",
                time: "2026-11-20T10:15:30Z",
            },
            ServerFrame::Disconnect {
                code: DisconnectCode::TokenExpired,
                reason: "token expired",
                reconnect: true,
            },
        ]
        .map(|frame| frame.to_json());
        assert_eq!(
            frames,
            [
                r#"{"type":"ack","action":"subscribe","entityId":"order-1","id":"7"}"#,
                r#"{"type":"message","message":"Hello","name":"Aseem"}"#,
                r#"{"type":"pong"}"#,
                r#"{"type":"error","code":"unknown_action","message":"Seems like wrong endpoint","retryable":false}"#,
                r#"{"type":"error","code":"partly_sent","message":"1 of 2 messages was not sent","retryable":false,"eventIds":[null,"e-1"]}"#,
                r#"{"type":"Entity Updated","entityId":"order-1","message":"Hello","eventId":"e-1","time":"2026-11-20T10:15:30Z"}"#,
                r#"{"type":"disconnect","code":"token_expired","reason":"token expired","reconnect":true}"#,
            ]
        );
    }
}
