//! The body of a request, and each of its messages.

use herald_shared::{
    audience::Audience,
    error_chain::error_chain,
    protocol::{ErrorCode, PUBLISH_LIMIT, Refusal},
    push::{BareMessage, InvalidPush, Push, Recipients},
};
use serde::Deserialize;
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

/// A message that may be sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) audience: Audience,
    pub(super) push: Push,
    pub(super) event: BusEvent,
    /// The message's key, which becomes the id of the push. Without it, the push of `event` has the event's id.
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
        let message = BareMessage::parse(json.get()).map_err(|error| refusal(&error))?;
        let detail_type = message.detail_type().map_err(|error| refusal(&error))?;
        let detail = message.detail();
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

fn refusal(error: &InvalidPush) -> Refusal {
    match error {
        InvalidPush::TooLarge(error) => too_large(error.length, error.limit),
        InvalidPush::BadMessage { .. } => bad_request(without_place(&error_chain(error))),
        error => bad_request(error_chain(error)),
    }
}

/// Returns an error's text without the place of the error: a detail is not as the caller wrote it.
fn without_place(error: &str) -> &str {
    error
        .split_once(" at line ")
        .map_or(error, |(text, _)| text)
}

fn bad_request(message: impl Into<String>) -> Refusal {
    Refusal::new(ErrorCode::BadRequest, message)
}
