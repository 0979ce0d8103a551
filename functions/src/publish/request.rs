//! The body of a request, and each of its messages.

use herald_shared::{
    audience::Audience,
    error_chain::error_chain,
    protocol::{ErrorCode, PUBLISH_LIMIT, Refusal},
    push::{DetailType, InvalidPush, Push, Recipients},
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::{bus::BusEvent, http::HttpRefusal, reply::too_large};

/// The body of a request. An unknown or repeated field is an error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PublishRequest<'a> {
    #[serde(borrow)]
    pub(super) messages: Vec<&'a RawValue>,
    /// True if the messages go over the event bus.
    #[serde(default)]
    pub(super) bus: bool,
}

impl<'a> PublishRequest<'a> {
    /// Reads the body.
    ///
    /// # Errors
    ///
    /// Returns `bad_request` if it is not such an object, or has no message, and `too_many` if it has more
    /// than [`PUBLISH_LIMIT`] messages.
    pub(super) fn parse(body: &'a str) -> Result<Self, HttpRefusal> {
        let request: Self = serde_json::from_str(body).map_err(|error| {
            HttpRefusal::bad_request(format!(
                "the body must be {{\"messages\":[…]}} with an optional \"bus\":true: {error}"
            ))
        })?;
        match request.messages.len() {
            0 => Err(HttpRefusal::bad_request(
                "messages is empty: send at least one message",
            )),
            1..=PUBLISH_LIMIT => Ok(request),
            count => Err(Refusal::new(
                ErrorCode::TooMany,
                format!(
                    "messages has {count} entries, the limit is {PUBLISH_LIMIT}: send the others in \
                     another request"
                ),
            )
            .into()),
        }
    }
}

/// One message, as the detail of the event that it would be on the bus. `broadcast` is no field of a detail.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Message<'a> {
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
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<String>,
}

/// Returns the value of a field that is present, `null` included.
fn present<'de, D: Deserializer<'de>>(field: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(field).map(Some)
}

/// A message that may be sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) audience: Audience,
    pub(super) push: Push,
    pub(super) event: BusEvent,
    /// The id that the push of its event will have, if not that of the event.
    pub(super) idempotency_key: Option<String>,
}

impl Outgoing {
    /// Reads a message that was received at `time`, RFC 3339.
    ///
    /// # Errors
    ///
    /// Returns `bad_request` if a field is missing, unknown, repeated or invalid, and `too_large` if the frame
    /// would be over the limit.
    pub(super) fn read(json: &RawValue, time: &str) -> Result<Self, Refusal> {
        let message: Message<'_> =
            serde_json::from_str(json.get()).map_err(|error| invalid(&error))?;
        let detail_type = detail_type(&message)?;
        let detail = serde_json::value::to_raw_value(&message).expect("JSON that was parsed");
        let push = Push::of_detail(detail_type, &detail, time).map_err(|error| refusal(&error))?;
        let Recipients::Audience { audience, .. } = &push.recipients else {
            unreachable!("an event is for an audience")
        };
        Ok(Self {
            audience: audience.clone(),
            push,
            event: BusEvent {
                detail_type: detail_type.as_str(),
                detail: String::from(Box::<str>::from(detail)),
            },
            idempotency_key: message.idempotency_key,
        })
    }
}

fn detail_type(message: &Message<'_>) -> Result<DetailType, Refusal> {
    match (
        message.entity_id.is_some(),
        message.user_id.is_some(),
        message.broadcast,
    ) {
        (true, false, false) => Ok(DetailType::EntityUpdated),
        (false, true, false) => Ok(DetailType::UserPushNotification),
        (false, false, true) => Ok(DetailType::Broadcast),
        _ => Err(bad_request(
            "the message needs one recipient: send exactly one of entityId, userId and \"broadcast\":true",
        )),
    }
}

fn refusal(error: &InvalidPush) -> Refusal {
    match error {
        InvalidPush::TooLarge(error) => too_large(error.length, error.limit),
        InvalidPush::BadDetail { source, .. } => invalid(source),
        error => bad_request(error_chain(error)),
    }
}

/// Returns the refusal without the place of the error: a detail is not as the caller wrote it.
fn invalid(error: &serde_json::Error) -> Refusal {
    let text = error.to_string();
    let problem = text
        .split_once(" at line ")
        .map_or(&*text, |(problem, _)| problem);
    bad_request(format!("the message is invalid: {problem}"))
}

fn bad_request(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::BadRequest, message)
}
