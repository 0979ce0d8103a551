//! `publish`: the messages of servers that have an API key, over HTTP.
//!
//! A message becomes the push that the same message as an event on the bus would become: it has the same
//! frame, and the same id if it has an `idempotencyKey`. It goes straight onto the notification queue, or on
//! request over the bus.

mod key_ring;
mod keys;
#[cfg(test)]
mod properties;
mod publisher;
mod request;

use herald_shared::{
    audience::Audience,
    log::LogRows,
    permissions::Permissions,
    protocol::{ErrorCode, PUBLISH_BYTES, PublishReply, Refusal},
    queue::EnqueueEach,
};
use tokio::time::Instant;

pub use key_ring::KeyRing;
pub use publisher::Publisher;

use crate::{
    bus::Bus,
    http::{HttpAnswer, HttpRefusal, HttpRequest},
    message::rfc3339,
};
use request::{Outgoing, PublishRequest};

/// Answers a request before `answer_by`.
///
/// # Errors
///
/// Returns the refusal of a whole request. A message that is refused or fails has a result of its own.
pub async fn handle(
    request: &HttpRequest,
    keys: &KeyRing,
    publisher: &Publisher<'_, impl EnqueueEach, impl Bus, impl LogRows>,
    answer_by: Instant,
) -> Result<HttpAnswer, HttpRefusal> {
    match request.route() {
        ("POST", "/") => {}
        (_, "/") => return Err(HttpRefusal::method("POST")),
        _ => return Err(HttpRefusal::no_such_path("POST /")),
    }
    let may = keys.identify(request).await?;
    if !may.may_send() {
        let message = "the key may not publish at all: give it permissions";
        return Err(Refusal::new(ErrorCode::Forbidden, message).into());
    }
    let body = request.json_body(PUBLISH_BYTES)?;
    let parsed = PublishRequest::parse(&body)?;
    let time = rfc3339(request.received_at());
    let outgoing: Vec<_> = parsed
        .messages
        .into_iter()
        .map(|message| {
            let outgoing = Outgoing::read(message, &time)?;
            check_permission(&may, &outgoing.audience)?;
            Ok(outgoing)
        })
        .collect();
    let results = match parsed.bus {
        true => publisher.put_on_bus(outgoing, answer_by).await,
        false => {
            let now = request.received_at();
            publisher.enqueue(outgoing, now, answer_by).await
        }
    };
    let body = serde_json::to_string(&PublishReply { results }).expect("results are always JSON");
    Ok(HttpAnswer::new(200, body))
}

fn check_permission(may: &Permissions, audience: &Audience) -> Result<(), Refusal> {
    let action = match audience {
        Audience::Entity(entity) if !may.may_publish(entity) => format!("publish to {entity}"),
        Audience::User(_) if !may.may_send_to_users() => "send to users".to_owned(),
        Audience::Everyone if !may.may_broadcast() => "broadcast".to_owned(),
        Audience::Entity(_) | Audience::User(_) | Audience::Everyone => return Ok(()),
    };
    Err(Refusal::new(
        ErrorCode::Forbidden,
        format!("the key may not {action}: none of its permissions allows it"),
    ))
}
