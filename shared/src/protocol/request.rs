//! The fields that all client frames have in common.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ErrorCode;
use crate::{ids::EntityId, log::Position};

/// The maximum length of an action that is read and repeated in a reply, in bytes. Herald's own actions
/// are much shorter.
const ACTION_LIMIT: usize = 64;

/// The client's own id of a request, repeated in the reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum RequestId {
    /// A JSON string.
    Text(String),
    /// A JSON number.
    Number(serde_json::Number),
}

impl RequestId {
    /// The maximum length of a request id that is a string, in bytes.
    pub const LIMIT: usize = 256;
}

/// The refusal of a request. Its message tells the client what to do and contains nothing internal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// The code.
    pub code: ErrorCode,
    /// The mistake and how to correct it.
    pub message: String,
    /// The ids of the pushes that were sent nevertheless, in the order of `messages`, with `None` for
    /// each message that was not sent.
    pub event_ids: Option<Vec<Option<String>>>,
}

impl Refusal {
    /// Returns a refusal with `code` and the message for the client.
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

    pub(super) fn bad_position(field: &str) -> Self {
        Self::bad_request(format!(
            "{field} must be a position, e.g. {{\"epoch\":\"k3J9x2Qa\",\"offset\":42}}"
        ))
    }
}

/// A JSON object that a client sent. Its fields are read on demand; unknown fields are ignored.
#[derive(Debug)]
pub struct Request<'a> {
    fields: HashMap<String, &'a RawValue>,
}

impl<'a> Request<'a> {
    /// Reads a frame's text.
    ///
    /// # Errors
    ///
    /// Returns `unknown_action` if the text is not a JSON object.
    pub fn parse(text: &'a str) -> Result<Self, Refusal> {
        let fields = serde_json::from_str(text).map_err(|_| {
            let problem = match serde_json::from_str::<&RawValue>(text) {
                Ok(_) => "JSON but not an object",
                Err(_) => "not JSON",
            };
            wrong_endpoint(format!("the frame is {problem}"))
        })?;
        Ok(Self { fields })
    }

    /// Returns the action. `None` if it is not a string of at most 64 bytes.
    pub fn action(&self) -> Option<String> {
        self.read("action")
            .ok()
            .flatten()
            .filter(|action: &String| action.len() <= ACTION_LIMIT)
    }

    /// Returns the client's own request id. A reply repeats it, so its length is limited.
    ///
    /// # Errors
    ///
    /// Returns `bad_request` if it is neither a number nor a string of at most [`RequestId::LIMIT`]
    /// bytes.
    pub fn id(&self) -> Result<Option<RequestId>, Refusal> {
        match self.read("id") {
            Ok(Some(RequestId::Text(text))) if text.len() > RequestId::LIMIT => {
                Err(Refusal::bad_request(format!(
                    "id is {} bytes long, the limit is {}",
                    text.len(),
                    RequestId::LIMIT
                )))
            }
            Ok(id) => Ok(id),
            Err(_) => Err(Refusal::bad_request("id must be a string or a number")),
        }
    }

    /// Returns the entity.
    ///
    /// # Errors
    ///
    /// Returns `bad_request` if it is missing or not an [`EntityId`].
    pub fn entity_id(&self) -> Result<EntityId, Refusal> {
        self.optional_entity_id()?
            .ok_or_else(|| Refusal::bad_request("entityId is missing: send the entity's id"))
    }

    /// Returns the token of an `authenticate`.
    ///
    /// # Errors
    ///
    /// Returns `bad_request` if it is missing or not a string.
    pub fn token(&self) -> Result<String, Refusal> {
        self.optional_string("token")?
            .ok_or_else(|| Refusal::bad_request("token is missing: send the new token"))
    }

    /// Returns the entity. `None` if the frame names no entity.
    ///
    /// # Errors
    ///
    /// Returns `bad_request` if it is not an [`EntityId`].
    pub fn optional_entity_id(&self) -> Result<Option<EntityId>, Refusal> {
        self.optional_string("entityId")?
            .map(EntityId::new)
            .transpose()
            .map_err(|error| Refusal::bad_request(format!("entityId {error}")))
    }

    /// Returns the position in a field. `None` if the field is absent.
    pub(super) fn position(&self, field: &str) -> Result<Option<Position>, Refusal> {
        let position = self.raw(field).map(|raw| serde_json::from_str(raw.get()));
        position
            .transpose()
            .map_err(|_| Refusal::bad_position(field))
    }

    /// Returns the whole number in a field, between `least` and `most`.
    pub(super) fn count(&self, field: &str, least: usize, most: usize) -> Result<usize, Refusal> {
        let count = self.read(field).ok().flatten();
        count
            .filter(|count| (least..=most).contains(count))
            .ok_or_else(|| {
                Refusal::bad_request(match most {
                    usize::MAX => format!("{field} must be a whole number of at least {least}"),
                    _ => format!("{field} must be a whole number from {least} to {most}"),
                })
            })
    }

    /// Returns whether a field is true. False if it is absent.
    pub(super) fn is_true(&self, field: &str) -> Result<bool, Refusal> {
        let flag = self.read(field).map(Option::unwrap_or_default);
        flag.map_err(|_| Refusal::bad_request(format!("{field} must be true or false")))
    }

    /// Returns the refusal of a frame that no action of Herald's answers.
    pub fn unknown_action(&self) -> Refusal {
        match (self.action(), self.fields.get("action")) {
            (Some(action), _) => wrong_endpoint(format!("there is no action {action:?}")),
            (None, Some(_)) => wrong_endpoint(format!(
                "the action is not a string of at most {ACTION_LIMIT} bytes"
            )),
            (None, None) => wrong_endpoint("the frame has no action".to_owned()),
        }
    }

    /// Returns the JSON text of a field exactly as the client wrote it.
    pub(super) fn raw(&self, field: &str) -> Option<&'a RawValue> {
        self.fields.get(field).copied()
    }

    /// Returns the requests in a list of objects. `None` if the text is anything else.
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

    /// Returns a field's value. `None` if the field is absent or `null`.
    pub(super) fn read<T: Deserialize<'a>>(&self, field: &str) -> serde_json::Result<Option<T>> {
        self.raw(field)
            .map_or(Ok(None), |raw| serde_json::from_str(raw.get()))
    }
}

fn wrong_endpoint(problem: String) -> Refusal {
    Refusal::new(
        ErrorCode::UnknownAction,
        format!(
            "Seems like wrong endpoint: {problem}; send a JSON object whose action is subscribe, \
             unsubscribe, sendMessage, history, sync, presence, authenticate or ping"
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
    fn frame_without_known_action_is_refused_by_name() {
        for (text, problem) in [
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
                message.starts_with(&format!("Seems like wrong endpoint: {problem}; send")),
                "{text}: {message}"
            );
        }
    }

    #[test]
    fn invalid_entity_id_is_refused_with_message() {
        for (frame, message) in [
            ("{}", "entityId is missing: send the entity's id"),
            (r#"{"entityId":""}"#, "entityId must not be empty"),
            (r#"{"entityId":7}"#, "entityId must be a string"),
            (r#"{"entityId":null}"#, "entityId must be a string"),
            (r#"{"entityId":["a"]}"#, "entityId must be a string"),
            (
                r#"{"entityId":"a\u0000"}"#,
                "entityId must not contain control characters",
            ),
            (r#"{"entityId":"\ud800"}"#, "entityId must be a string"),
        ] {
            let request = Request::parse(frame).expect("an object");
            let refusal = request.entity_id().expect_err(frame);
            assert_eq!(
                (refusal.code, refusal.message.as_str()),
                (ErrorCode::BadRequest, message)
            );
        }
    }

    #[test]
    fn short_string_or_number_is_a_request_id() {
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
            Err("id is 257 bytes long, the limit is 256".to_owned())
        );
    }
}
