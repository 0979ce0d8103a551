//! `sendMessage`: back to the sender, or onto the queue for an entity's subscribers or everyone.

use std::{
    slice,
    time::{Duration, SystemTime},
};

use aws_sdk_sqs::primitives::{DateTime, DateTimeFormat};
use herald_shared::{
    audience::Audience,
    protocol::{
        Ack, MESSAGE_LIMIT, Outgoing, Refusal, Request, RequestId, SendMessage, ServerFrame,
    },
    push::Push,
    queue::Enqueue,
    store::ConnectionStore,
};

use crate::{
    admission::Admission,
    message::Message,
    reply::{enqueue_failed, forbidden, too_large},
};

/// Echoes a message without a target; acknowledges one with a target once it is on the queue.
pub async fn handle<'a>(
    message: &'a Message,
    request: &'a Request<'a>,
    admission: &Admission<'_, impl ConnectionStore>,
    queue: &impl Enqueue,
) -> Result<ServerFrame<'a>, Refusal> {
    let id = request.id()?;
    let sent = SendMessage::parse(request)?;
    check_permission(message, &sent)?;
    admission.admit(message).await?;
    match sent {
        SendMessage::Echo(outgoing) => Ok(echo(outgoing, id)),
        SendMessage::One(audience, outgoing) => {
            let mut ids = enqueue(message, &audience, slice::from_ref(&outgoing), queue).await?;
            Ok(ack(audience, ids.pop(), None, id))
        }
        SendMessage::Several(audience, outgoing) => {
            let ids = enqueue(message, &audience, &outgoing, queue).await?;
            Ok(ack(audience, None, Some(ids), id))
        }
    }
}

/// An echo goes to nobody else, so it needs no permission.
fn check_permission(message: &Message, sent: &SendMessage<'_>) -> Result<(), Refusal> {
    let permissions = &message.caller.permissions;
    let (SendMessage::One(audience, _) | SendMessage::Several(audience, _)) = sent else {
        return Ok(());
    };
    match audience {
        Audience::Entity(entity) if !permissions.may_publish(entity) => {
            Err(forbidden(&format!("publish to {entity}")))
        }
        Audience::Everyone if !permissions.may_broadcast() => Err(forbidden("broadcast")),
        Audience::Entity(_) | Audience::Everyone => Ok(()),
        Audience::User(_) => Err(forbidden("send to a user")),
    }
}

fn echo(outgoing: Outgoing<'_>, id: Option<RequestId>) -> ServerFrame<'_> {
    ServerFrame::Message {
        message: outgoing.message,
        name: outgoing.name,
        entity_id: None,
        event_id: None,
        time: None,
        id,
    }
}

fn ack(
    audience: Audience,
    event_id: Option<String>,
    event_ids: Option<Vec<String>>,
    id: Option<RequestId>,
) -> ServerFrame<'static> {
    ServerFrame::Ack(Ack {
        action: "sendMessage",
        entity_id: match audience {
            Audience::Entity(entity) => Some(entity),
            Audience::User(_) | Audience::Everyone => None,
        },
        event_id,
        event_ids,
        id,
        ..Ack::default()
    })
}

/// Puts each message on the queue as its own push; returns their event ids.
async fn enqueue(
    message: &Message,
    audience: &Audience,
    outgoing: &[Outgoing<'_>],
    queue: &impl Enqueue,
) -> Result<Vec<String>, Refusal> {
    let time = rfc3339(message.received_at);
    let pushes = outgoing
        .iter()
        .map(|&outgoing| Push::message(outgoing, audience.clone(), &message.connection, &time))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| too_large(error.length, MESSAGE_LIMIT))?;
    queue
        .enqueue(&pushes, Duration::ZERO)
        .await
        .map_err(|error| enqueue_failed(&error.source))?;
    Ok(pushes.into_iter().map(|push| push.event_id).collect())
}

fn rfc3339(time: SystemTime) -> String {
    DateTime::from(time)
        .fmt(DateTimeFormat::DateTime)
        .expect("the gateway's clock is within the years RFC 3339 can write")
}
