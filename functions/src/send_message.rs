//! `sendMessage`: returns a message to its sender, or enqueues it for an entity's subscribers or
//! everyone.

use std::{num::NonZeroU32, slice};

use herald_shared::{
    audience::Audience,
    log::{LogRows, Published},
    protocol::{
        Ack, ErrorCode, LogReply, Outgoing, Refusal, Request, RequestId, SendMessage, ServerFrame,
    },
    push::Push,
    queue::EnqueueEach,
    store::Admit,
};

use crate::{
    admission::Admission,
    logs::Logs,
    message::{Message, rfc3339},
    outbox::{enqueue, store},
    reply::{forbidden, too_large},
};

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
    admission: &Admission<'_, impl Admit>,
    queue: &impl EnqueueEach,
    logs: &Logs<impl LogRows>,
) -> Result<ServerFrame<'a>, Refusal> {
    let id = request.id()?;
    let sent = SendMessage::parse(request)?;
    check_permission(message, &sent)?;
    admission.admit_several(message, count(&sent)).await?;
    match sent {
        SendMessage::Echo(outgoing) => Ok(echo(outgoing, id)),
        SendMessage::One(audience, outgoing) => {
            let outgoing = slice::from_ref(&outgoing);
            let mut pushes = send(message, &audience, outgoing, queue, logs).await?;
            let push = pushes.remove(0);
            Ok(ServerFrame::from(Ack {
                event_id: Some(push.event_id),
                log: push.position.map(LogReply::from).unwrap_or_default(),
                ..ack(audience, id)
            }))
        }
        SendMessage::Several(audience, outgoing) => {
            let pushes = send(message, &audience, &outgoing, queue, logs).await?;
            let positions = pushes.iter().map(|push| push.position.clone()).collect();
            let event_ids = pushes.into_iter().map(|push| push.event_id);
            Ok(ServerFrame::from(Ack {
                event_ids: Some(event_ids.collect()),
                positions,
                ..ack(audience, id)
            }))
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

fn ack(audience: Audience, id: Option<RequestId>) -> Ack {
    Ack {
        action: "sendMessage",
        entity_id: match audience {
            Audience::Entity(entity) => Some(entity),
            Audience::User(_) | Audience::Everyone => None,
        },
        id,
        ..Ack::default()
    }
}

/// Sends each message as its own push: stores it in the log of the audience if that has one, and then
/// enqueues it. Returns the pushes.
///
/// # Errors
///
/// Returns `partly_sent` if only some of them were sent, and otherwise the reason none was.
async fn send(
    message: &Message,
    audience: &Audience,
    outgoing: &[Outgoing<'_>],
    queue: &impl EnqueueEach,
    logs: &Logs<impl LogRows>,
) -> Result<Vec<Push>, Refusal> {
    let time = rfc3339(message.received_at);
    let pushes = outgoing
        .iter()
        .map(|&outgoing| Push::message(outgoing, audience.clone(), &message.connection, &time))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| too_large(error.length, error.limit))?;
    let event_ids: Vec<_> = pushes.iter().map(|push| push.event_id.clone()).collect();
    let (now, answer_by) = (message.received_at, message.answer_by);
    let logged = store(&pushes, audience, logs, now, answer_by).await?;
    // A client's message has no version, so none is stale.
    let logged = logged
        .into_iter()
        .zip(pushes)
        .map(|(logged, push)| match logged? {
            Published::Delivered(push) => Ok(push),
            Published::Stale => Ok(push),
        });
    let sent = enqueue(logged.collect(), answer_by, queue).await;
    let stored: Vec<_> = sent.iter().map(Result::is_ok).collect();
    let sent = sent.into_iter().collect::<Result<Vec<_>, _>>();
    sent.map_err(|refusal| match stored.contains(&true) {
        true => partly_sent(&stored, event_ids.into_iter()),
        false => refusal,
    })
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
