//! A client's frame, as far as all actions have it in common.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ErrorCode;
use crate::ids::EntityId;

/// The most bytes of an action that is read, and repeated in a reply. No action of Herald's is nearly
/// as long.
const ACTION_LIMIT: usize = 64;

/// The client's own id of a request, echoed in the reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RequestId {
    /// A JSON string.
    Text(String),
    /// A JSON number.
    Number(serde_json::Number),
}

impl RequestId {
    /// The most bytes a request id may have that is a string.
    pub const LIMIT: usize = 256;
}

/// Why a request was refused, in words for the client: they say what to do and hold nothing internal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The code.
    pub code: ErrorCode,
    /// What was wrong and what to do.
    pub message: String,
    /// The ids of the pushes that the request led to all the same, in the order of `messages`, with
    /// `None` for each message that led to none.
    pub event_ids: Option<Vec<Option<String>>>,
}

impl Refusal {
    /// A refusal with `code` and the words for the client.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            event_ids: None,
        }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::BadRequest, message)
    }
}

/// A JSON object that a client sent; its fields are read on demand, and unknown ones ignored.
#[derive(Debug)]
pub struct Request<'a> {
    fields: HashMap<String, &'a RawValue>,
}

impl<'a> Request<'a> {
    /// Reads a frame's text; `unknown_action` when it is not a JSON object.
    pub fn parse(text: &'a str) -> Result<Self, Refusal> {
        let fields = serde_json::from_str(text).map_err(|_| {
            let what = match serde_json::from_str::<&RawValue>(text) {
                Ok(_) => "JSON but not an object",
                Err(_) => "not JSON",
            };
            wrong_endpoint(format!("the frame is {what}"))
        })?;
        Ok(Self { fields })
    }

    /// The action, if it is a string of at most 64 bytes.
    pub fn action(&self) -> Option<String> {
        self.read("action")
            .ok()
            .flatten()
            .filter(|action: &String| action.len() <= ACTION_LIMIT)
    }

    /// The client's own request id; `bad_request` if it is neither a string of at most
    /// [`RequestId::LIMIT`] bytes nor a number. A reply repeats it, and has to fit into a message.
    pub fn id(&self) -> Result<Option<RequestId>, Refusal> {
        match self.read("id") {
            Ok(Some(RequestId::Text(text))) if text.len() > RequestId::LIMIT => {
                Err(Refusal::bad_request(format!(
                    "id is {} bytes long, the most is {}",
                    text.len(),
                    RequestId::LIMIT
                )))
            }
            Ok(id) => Ok(id),
            Err(_) => Err(Refusal::bad_request("id must be a string or a number")),
        }
    }

    /// The entity; `bad_request` if it is missing or no [`EntityId`].
    pub fn entity_id(&self) -> Result<EntityId, Refusal> {
        self.optional_entity_id()?
            .ok_or_else(|| Refusal::bad_request("entityId is missing: name the entity"))
    }

    /// The token of an `authenticate`; `bad_request` if it is missing or no string.
    pub fn token(&self) -> Result<String, Refusal> {
        self.optional_string("token")?
            .ok_or_else(|| Refusal::bad_request("token is missing: send the new token"))
    }

    /// The entity, if there is one; `bad_request` if it is no [`EntityId`].
    pub fn optional_entity_id(&self) -> Result<Option<EntityId>, Refusal> {
        self.optional_string("entityId")?
            .map(EntityId::new)
            .transpose()
            .map_err(|error| Refusal::bad_request(format!("entityId {error}")))
    }

    /// Why no action of Herald's answers this frame.
    pub fn unknown_action(&self) -> Refusal {
        match (self.action(), self.fields.get("action")) {
            (Some(action), _) => wrong_endpoint(format!("there is no action {action:?}")),
            (None, Some(_)) => wrong_endpoint(format!(
                "the action is not a string of at most {ACTION_LIMIT} bytes"
            )),
            (None, None) => wrong_endpoint("the frame has no action".to_owned()),
        }
    }

    /// The JSON text of a field exactly as the client wrote it.
    pub(super) fn raw(&self, field: &str) -> Option<&'a RawValue> {
        self.fields.get(field).copied()
    }

    /// The requests in a list of objects; none if the text is anything else.
    pub(super) fn parse_list(text: &'a str) -> Option<Vec<Self>> {
        let requests: Vec<HashMap<String, &RawValue>> = serde_json::from_str(text).ok()?;
        Some(requests.into_iter().map(|fields| Self { fields }).collect())
    }

    pub(super) fn optional_string(&self, field: &str) -> Result<Option<String>, Refusal> {
        match self.raw(field) {
            None => Ok(None),
            Some(raw) => serde_json::from_str(raw.get())
                .map(Some)
                .map_err(|_| Refusal::bad_request(format!("{field} must be a string"))),
        }
    }

    /// A field's value: none if the field is absent or `null`.
    pub(super) fn read<T: Deserialize<'a>>(&self, field: &str) -> serde_json::Result<Option<T>> {
        self.raw(field)
            .map_or(Ok(None), |raw| serde_json::from_str(raw.get()))
    }
}

fn wrong_endpoint(what: String) -> Refusal {
    Refusal::new(
        ErrorCode::UnknownAction,
        format!(
            "Seems like wrong endpoint: {what}; send a JSON object whose action is subscribe, \
             unsubscribe, sendMessage, authenticate or ping"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let refusal = match Request::parse(text) {
            Ok(request) => request.unknown_action(),
            Err(refusal) => refusal,
        };
        assert_eq!(refusal.code, ErrorCode::UnknownAction);
        refusal.message
    }

    #[test]
    fn what_no_action_answers_is_named() {
        for (text, said) in [
            ("", "the frame is not JSON"),
            ("hello", "the frame is not JSON"),
            (r#"{"action":"subscribe""#, "the frame is not JSON"),
            ("[1,2]", "the frame is JSON but not an object"),
            ("5", "the frame is JSON but not an object"),
            ("null", "the frame is JSON but not an object"),
            ("{}", "the frame has no action"),
            (
                r#"{"action":5}"#,
                "the action is not a string of at most 64 bytes",
            ),
            (
                r#"{"action":null}"#,
                "the action is not a string of at most 64 bytes",
            ),
            (
                &format!(r#"{{"action":"{}"}}"#, "x".repeat(65)),
                "the action is not a string of at most 64 bytes",
            ),
            (r#"{"action":"dance"}"#, "there is no action \"dance\""),
        ] {
            let message = refused(text);
            assert!(
                message.starts_with(&format!("Seems like wrong endpoint: {said}; send")),
                "{text}: {message}"
            );
        }
    }

    #[test]
    fn an_entity_id_that_is_none_is_refused_in_words() {
        for (frame, said) in [
            ("{}", "entityId is missing: name the entity"),
            (r#"{"entityId":""}"#, "entityId must not be empty"),
            (r#"{"entityId":7}"#, "entityId must be a string"),
            (r#"{"entityId":null}"#, "entityId must be a string"),
            (r#"{"entityId":["a"]}"#, "entityId must be a string"),
            (
                r#"{"entityId":"a\u0000"}"#,
                "entityId must not hold control characters",
            ),
            (r#"{"entityId":"\ud800"}"#, "entityId must be a string"),
        ] {
            let request = Request::parse(frame).expect("an object");
            let refusal = request.entity_id().expect_err(frame);
            assert_eq!(
                (refusal.code, refusal.message.as_str()),
                (ErrorCode::BadRequest, said)
            );
        }
    }

    #[test]
    fn a_request_id_is_a_short_string_or_a_number() {
        let id = |frame: &str| Request::parse(frame).expect("an object").id();
        assert_eq!(
            id(r#"{"id":"7"}"#),
            Ok(Some(RequestId::Text("7".to_owned())))
        );
        assert_eq!(id(r#"{"id":7}"#), Ok(Some(RequestId::Number(7.into()))));
        assert_eq!(id("{}"), Ok(None));
        assert!(id(r#"{"id":[7]}"#).is_err());
        let of_length = |length| id(&format!(r#"{{"id":"{}"}}"#, "x".repeat(length)));
        assert!(of_length(256).is_ok());
        assert_eq!(
            of_length(257).map_err(|refusal| refusal.message),
            Err("id is 257 bytes long, the most is 256".to_owned())
        );
    }
}
