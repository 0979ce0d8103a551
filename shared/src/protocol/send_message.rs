//! The request `sendMessage`: its messages and their audience.

use serde_json::value::RawValue;

use super::{BATCH_LIMIT, ErrorCode, Refusal, Request, check_depth};
use crate::audience::Audience;

/// One message, with its JSON exactly as the client wrote it.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Any JSON value.
    pub message: &'a RawValue,
    /// The sender's name as the client claims it: a JSON string.
    pub name: Option<&'a RawValue>,
}

/// A checked `sendMessage`.
#[derive(Debug)]
pub enum SendMessage<'a> {
    /// A message without a target: its sender gets it back.
    Echo(Outgoing<'a>),
    /// One message for an audience.
    One(Audience, Outgoing<'a>),
    /// Several messages for an audience, each delivered as a push of its own.
    Several(Audience, Vec<Outgoing<'a>>),
}

impl<'a> SendMessage<'a> {
    /// Reads the fields `message` and `name` or `messages`, and `entityId` or `broadcast`.
    ///
    /// # Errors
    ///
    /// Returns `bad_request` if a field is missing, of the wrong type, nested too deeply or excludes another, and
    /// `too_many` if `messages` has more than [`BATCH_LIMIT`] entries.
    pub fn parse(request: &Request<'a>) -> Result<Self, Refusal> {
        let audience = audience(request)?;
        let Some(messages) = request.raw("messages") else {
            let outgoing = outgoing(request)?;
            return Ok(match audience {
                Some(audience) => Self::One(audience, outgoing),
                None => Self::Echo(outgoing),
            });
        };
        let messages = several(request, messages)?;
        let audience = audience.ok_or_else(|| {
            Refusal::bad_request("messages needs a target: send entityId or broadcast: true")
        })?;
        Ok(Self::Several(audience, messages))
    }
}

fn audience(request: &Request<'_>) -> Result<Option<Audience>, Refusal> {
    let entity = request.optional_entity_id()?;
    let broadcast = request
        .read::<bool>("broadcast")
        .map_err(|_| Refusal::bad_request("broadcast must be true or false"))?;
    match (entity, broadcast.unwrap_or(false)) {
        (Some(_), true) => Err(Refusal::bad_request(
            "entityId and broadcast exclude each other: send one of them",
        )),
        (Some(entity), false) => Ok(Some(Audience::Entity(entity))),
        (None, true) => Ok(Some(Audience::Everyone)),
        (None, false) => Ok(None),
    }
}

fn outgoing<'a>(request: &Request<'a>) -> Result<Outgoing<'a>, Refusal> {
    let message = request
        .raw("message")
        .ok_or_else(|| Refusal::bad_request("message is missing: send any JSON value"))?;
    check_depth("message", message).map_err(|error| Refusal::bad_request(error.to_string()))?;
    Ok(Outgoing {
        message,
        name: checked_name(request.raw("name"))?,
    })
}

fn several<'a>(
    request: &Request<'a>,
    messages: &'a RawValue,
) -> Result<Vec<Outgoing<'a>>, Refusal> {
    if request.raw("message").is_some() || request.raw("name").is_some() {
        return Err(Refusal::bad_request(
            "messages excludes message and name: send either messages, or message and name",
        ));
    }
    let entries = Request::parse_list(messages.get())
        .ok_or_else(|| Refusal::bad_request("messages must be a list of objects"))?;
    match entries.len() {
        0 => Err(Refusal::bad_request(
            "messages is empty: send at least one message",
        )),
        1..=BATCH_LIMIT => entries.iter().map(outgoing).collect(),
        count => Err(Refusal::new(
            ErrorCode::TooMany,
            format!(
                "messages has {count} entries, the limit is {BATCH_LIMIT}: send the others in another frame"
            ),
        )),
    }
}

fn checked_name(name: Option<&RawValue>) -> Result<Option<&RawValue>, Refusal> {
    match name {
        Some(name) if !name.get().starts_with('"') => {
            Err(Refusal::bad_request("name must be a string"))
        }
        name => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(frame: &str) -> Refusal {
        let request = Request::parse(frame).expect("an object");
        SendMessage::parse(&request).expect_err(frame)
    }

    #[test]
    fn message_is_for_its_sender_an_entity_or_everyone() {
        let kind = |frame: &str| {
            let request = Request::parse(frame).expect("an object");
            match SendMessage::parse(&request).expect(frame) {
                SendMessage::Echo(_) => "echo".to_owned(),
                SendMessage::One(audience, _) => format!("{audience:?}"),
                SendMessage::Several(audience, messages) => {
                    format!("{audience:?} {}", messages.len())
                }
            }
        };
        assert_eq!(kind(r#"{"message":"Hello","name":"Aseem"}"#), "echo");
        assert_eq!(kind(r#"{"message":null}"#), "echo");
        assert_eq!(kind(r#"{"message":1,"broadcast":false}"#), "echo");
        assert_eq!(kind(r#"{"message":1,"broadcast":true}"#), "Everyone");
        assert_eq!(
            kind(r#"{"message":{"a":[1]},"entityId":"room-1"}"#),
            r#"Entity(EntityId("room-1"))"#
        );
        assert_eq!(
            kind(r#"{"messages":[{"message":1,"name":"a"},{"message":2}],"broadcast":true}"#),
            "Everyone 2"
        );
    }

    #[test]
    fn invalid_message_is_refused_with_message() {
        for (frame, message) in [
            ("{}", "message is missing: send any JSON value"),
            (r#"{"message":1,"name":2}"#, "name must be a string"),
            (
                r#"{"message":1,"broadcast":"yes"}"#,
                "broadcast must be true or false",
            ),
            (
                r#"{"message":1,"broadcast":true,"entityId":"a"}"#,
                "entityId and broadcast exclude each other: send one of them",
            ),
            (
                r#"{"message":1,"entityId":""}"#,
                "entityId must not be empty",
            ),
            (
                r#"{"messages":[{"message":1}]}"#,
                "messages needs a target: send entityId or broadcast: true",
            ),
            (
                r#"{"messages":[],"broadcast":true}"#,
                "messages is empty: send at least one message",
            ),
            (
                r#"{"messages":[{"name":"a"}],"broadcast":true}"#,
                "message is missing: send any JSON value",
            ),
            (
                r#"{"messages":[["a"]],"broadcast":true}"#,
                "messages must be a list of objects",
            ),
            (
                r#"{"messages":[{"message":1}],"message":1,"broadcast":true}"#,
                "messages excludes message and name: send either messages, or message and name",
            ),
        ] {
            let refusal = refused(frame);
            assert_eq!(
                (refusal.code, refusal.message.as_str()),
                (ErrorCode::BadRequest, message),
                "{frame}"
            );
        }
    }

    #[test]
    fn message_nested_too_deeply_is_refused_alone_and_among_others() {
        let deep = format!("{}{}", "[".repeat(101), "]".repeat(101));
        for frame in [
            format!(r#"{{"message":{deep}}}"#),
            format!(r#"{{"messages":[{{"message":1}},{{"message":{deep}}}],"broadcast":true}}"#),
        ] {
            let refusal = refused(&frame);
            assert_eq!(refusal.code, ErrorCode::BadRequest);
            assert_eq!(
                refusal.message,
                "message has more than 100 levels of arrays and objects: flatten it, or send it as a string"
            );
        }
    }

    #[test]
    fn messages_over_the_batch_limit_are_too_many() {
        let entries = vec![r#"{"message":1}"#; BATCH_LIMIT + 1].join(",");
        let refusal = refused(&format!(r#"{{"messages":[{entries}],"broadcast":true}}"#));
        assert_eq!(refusal.code, ErrorCode::TooMany);
    }
}
