//! A message without an event around it: the form of messages over HTTP, and of the bodies that a rule of a user's own
//! puts on the notification queue.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{
    DetailType, InvalidPush, Push, Received,
    event::{self, present},
};

/// A message for one audience. It is serialized as the detail of the event that it would be on the bus, which has no
/// field `broadcast`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "an object")]
pub struct BareMessage<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a RawValue>,
    #[serde(default, skip_serializing)]
    broadcast: bool,
    #[serde(borrow)]
    message: &'a RawValue,
    #[serde(borrow, default, deserialize_with = "present")]
    #[serde(skip_serializing_if = "Option::is_none")]
    callback: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    /// The id of the push.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}

impl<'a> BareMessage<'a> {
    /// Reads a message.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidPush::BadMessage`] if a field is missing, unknown, repeated or of the wrong type.
    pub fn parse(json: &'a str) -> Result<Self, InvalidPush> {
        serde_json::from_str(json).map_err(|source| InvalidPush::bad_message(json, source))
    }

    /// Returns the detail-type of the event that it would be on the bus.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidPush::NotOneRecipient`] unless it names exactly one audience.
    pub fn detail_type(&self) -> Result<DetailType, InvalidPush> {
        match (
            self.entity_id.is_some(),
            self.user_id.is_some(),
            self.broadcast,
        ) {
            (true, false, false) => Ok(DetailType::EntityUpdated),
            (false, true, false) => Ok(DetailType::UserPushNotification),
            (false, false, true) => Ok(DetailType::Broadcast),
            _ => Err(InvalidPush::NotOneRecipient),
        }
    }

    /// Returns the detail of that event.
    pub fn detail(&self) -> Box<RawValue> {
        serde_json::value::to_raw_value(self).expect("JSON that was parsed")
    }
}

/// Returns the push of a body without an event. Without a key of its own it has the id of the queue's message.
pub(super) fn read(body: &str, received: Received<'_>) -> Result<Push, InvalidPush> {
    let message = BareMessage::parse(body)?;
    let detail_type = message.detail_type()?;
    let detail = message.detail();
    let push = event::push_of_detail(received.message_id, detail_type, &detail, received.sent_at);
    push.map_err(|error| error.of_message(&detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audience::Audience,
        error_chain::error_chain,
        ids::{EntityId, UserId},
        push::{QueueMessage, Recipients},
    };

    const RECEIVED: Received<'_> = Received {
        message_id: "sqs-1",
        sent_at: "2026-11-20T10:15:30Z",
    };

    fn read(body: &str) -> Result<Push, InvalidPush> {
        match QueueMessage::from_body(body, RECEIVED)? {
            QueueMessage::Push(push) => Ok(*push),
            QueueMessage::Flush(flush) => panic!("{flush:?}"),
        }
    }

    #[test]
    fn body_without_event_becomes_push_of_its_audience() {
        let entity = Audience::Entity(EntityId::new("order-1").expect("an id"));
        let user = Audience::User(UserId::new("ann").expect("an id"));
        for (body, audience, frame) in [
            (
                r#"{"entityId":"order-1","message":{"n":12345678901234567890123},"idempotencyKey":"e-1"}"#,
                entity.clone(),
                r#"{"type":"Entity Updated","entityId":"order-1","message":{"n":12345678901234567890123},"eventId":"e-1","time":"2026-11-20T10:15:30Z"}"#,
            ),
            (
                "{\n  \"message\": null,\n  \"entityId\": \"order-1\"\n}\n",
                entity,
                r#"{"type":"Entity Updated","entityId":"order-1","message":null,"eventId":"sqs-1","time":"2026-11-20T10:15:30Z"}"#,
            ),
            (
                r#"{"userId":"ann","message":1,"callback":null}"#,
                user,
                r#"{"type":"User Push Notification","message":1,"callback":null,"eventId":"sqs-1","time":"2026-11-20T10:15:30Z"}"#,
            ),
            (
                r#"{"broadcast":true,"message":"hi"}"#,
                Audience::Everyone,
                r#"{"type":"Broadcast","message":"hi","eventId":"sqs-1","time":"2026-11-20T10:15:30Z"}"#,
            ),
        ] {
            let push = read(body).expect(body);
            assert_eq!(push.recipients, Recipients::all(audience));
            assert_eq!(push.frame.get(), frame);
            assert_eq!(push.time, RECEIVED.sent_at);
        }
        let versioned = read(r#"{"entityId":"a","message":1,"version":7}"#).expect("a push");
        assert_eq!(versioned.version, Some(7));
    }

    #[test]
    fn body_that_is_not_readable_is_refused_with_its_field() {
        for (body, message) in [
            // A variable of an input template whose value is missing leaves nothing in its place.
            (
                r#"{"entityId": , "message": 1}"#,
                "the message is not JSON after the field `entityId`: expected value at line 1 column 14",
            ),
            (
                r#"{"entityId":"a","message":{"carrier":}}"#,
                "the message is not JSON after the field `carrier`: expected value at line 1 column 38",
            ),
            (
                "{\n\"entityId\":\"a\",\n\"message\":\"a \"b\"\"}",
                "the message is not JSON after the field `message`: expected `,` or `}` at line 3 column 15",
            ),
            (
                r#"{"message":1}"#,
                r#"the message needs one recipient: send exactly one of entityId, userId and "broadcast":true"#,
            ),
            (
                r#"{"entityId":"a","userId":"b","message":1}"#,
                r#"the message needs one recipient: send exactly one of entityId, userId and "broadcast":true"#,
            ),
            (
                r#"{"entityId":"a"}"#,
                "the message is invalid: missing field `message` at line 1 column 16",
            ),
            (
                r#"{"entityId":"","message":1}"#,
                "the message is invalid at the field `entityId`: must not be empty at line 1 column 14",
            ),
            (
                r#"{"message":1,"entityId":5}"#,
                "the message is invalid at the field `entityId`: invalid type: integer `5`, expected a string at line 1 column 13",
            ),
            (
                r#"{"broadcast":true,"message":1,"orderId":"a"}"#,
                "the message is invalid: unknown field `orderId`, expected one of `entityId`, `userId`, `broadcast`, `message`, `callback`, `version`, `idempotencyKey` at line 1 column 39",
            ),
            (
                r#"{"broadcast":true,"message":1,"callback":1}"#,
                "the message is invalid: unknown field `callback`, expected one of `message`, `version`, `idempotencyKey` at line 1 column 23",
            ),
            (
                r#"{"broadcast":true,"message":1,"idempotencyKey":""}"#,
                "the event id is empty: give idempotencyKey a value or leave it out",
            ),
        ] {
            let error = read(body).expect_err(body);
            assert_eq!(error_chain(&error), message, "{body}");
        }
    }
}
