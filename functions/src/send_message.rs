//! `sendMessage`: returns a message to its sender, or enqueues it for an entity's subscribers or
//! everyone.

use std::{
    num::NonZeroU32,
    slice,
    time::{Duration, SystemTime},
};

use aws_sdk_sqs::primitives::{DateTime, DateTimeFormat};
use herald_shared::{
    audience::Audience,
    protocol::{
        Ack, ErrorCode, MESSAGE_LIMIT, Outgoing, Refusal, Request, RequestId, SendMessage,
        ServerFrame,
    },
    push::Push,
    queue::EnqueueEach,
    store::ConnectionStore,
};

use crate::{
    admission::Admission,
    message::Message,
    reply::{enqueue_failure, forbidden, too_large},
};

/// The time between the last attempt to enqueue and the deadline of the answer.
const RESERVE: Duration = Duration::from_millis(500);

/// Echoes a message without a target. Acknowledges a message with a target once it is on the queue.
///
/// # Errors
///
/// Returns `bad_request` or `too_many` if the frame is invalid, `forbidden` if a permission is missing,
/// `partly_sent` if only some messages were enqueued, and the errors of [`Admission::admit_several`] and
/// of the queue.
pub async fn handle<'a>(
    message: &'a Message,
    request: &'a Request<'a>,
    admission: &Admission<'_, impl ConnectionStore>,
    queue: &impl EnqueueEach,
) -> Result<ServerFrame<'a>, Refusal> {
    let id = request.id()?;
    let sent = SendMessage::parse(request)?;
    check_permission(message, &sent)?;
    admission.admit_several(message, count(&sent)).await?;
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

/// Returns the number of messages in a frame.
fn count(sent: &SendMessage<'_>) -> NonZeroU32 {
    let count = match sent {
        SendMessage::Echo(_) | SendMessage::One(..) => 1,
        SendMessage::Several(_, messages) => messages.len(),
    };
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN)
}

/// An echo goes only to its sender, so it needs no permission.
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

/// Enqueues each message as its own push and returns their event ids.
///
/// # Errors
///
/// Returns `partly_sent` if the queue stored only some of them, and otherwise the reason it stored none.
async fn enqueue(
    message: &Message,
    audience: &Audience,
    outgoing: &[Outgoing<'_>],
    queue: &impl EnqueueEach,
) -> Result<Vec<String>, Refusal> {
    let time = rfc3339(message.received_at);
    let pushes = outgoing
        .iter()
        .map(|&outgoing| Push::message(outgoing, audience.clone(), &message.connection, &time))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| too_large(error.length, MESSAGE_LIMIT))?;
    let until = message.answer_by.checked_sub(RESERVE);
    let enqueued = queue
        .enqueue_each(&pushes, until.unwrap_or(message.answer_by))
        .await;
    let event_ids = pushes.into_iter().map(|push| push.event_id);
    match enqueued.failure {
        None => Ok(event_ids.collect()),
        Some(failure) => {
            let refusal = enqueue_failure(&failure);
            Err(match enqueued.stored.contains(&true) {
                true => partly_sent(&enqueued.stored, event_ids),
                false => refusal,
            })
        }
    }
}

/// Returns the refusal of a frame of which some messages are enqueued. The client must not send the same
/// frame again: these messages would arrive twice, with different ids.
fn partly_sent(stored: &[bool], event_ids: impl Iterator<Item = String>) -> Refusal {
    let event_ids = stored.iter().zip(event_ids);
    let event_ids: Vec<_> = event_ids
        .map(|(stored, event_id)| stored.then_some(event_id))
        .collect();
    let missing = stored.iter().filter(|stored| !**stored).count();
    let were = if missing == 1 { "was" } else { "were" };
    Refusal {
        event_ids: Some(event_ids),
        ..Refusal::new(
            ErrorCode::PartlySent,
            format!(
                "{missing} of {} messages {were} not sent: send only those again whose entry in eventIds is null",
                stored.len()
            ),
        )
    }
}

fn rfc3339(time: SystemTime) -> String {
    DateTime::from(time)
        .fmt(DateTimeFormat::DateTime)
        .expect("the gateway's clock is within the years RFC 3339 can write")
}
