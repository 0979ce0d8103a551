//! `history`: reads messages of one log.

use herald_shared::{
    audience::Audience,
    log::{Budget, LogRows, Selection},
    protocol::{Ack, ErrorCode, HistoryRequest, LogName, LogReply, Refusal, Request, ServerFrame},
    store::ConnectionStore,
};

use crate::{
    admission::Admission,
    logs::Logs,
    message::Message,
    reply::{anonymous, forbidden, log_failure},
};

/// Answers with messages of a log in their order, and with the position after them.
///
/// # Errors
///
/// Returns `bad_request` if the frame is invalid or the audience has no log, `forbidden` if the permission
/// `history` is missing, and the errors of [`Admission::admit`] and of the log.
pub async fn handle<'a>(
    message: &'a Message,
    request: &'a Request<'a>,
    admission: &Admission<'_, impl ConnectionStore>,
    logs: &Logs<impl LogRows>,
) -> Result<ServerFrame<'a>, Refusal> {
    let id = request.id()?;
    let HistoryRequest {
        log,
        selection,
        limit,
    } = HistoryRequest::parse(request)?;
    let audience = permitted(message, &log)?;
    admission.admit(message).await?;
    let policy = logs.policy(&audience).ok_or_else(no_log)?;
    let mut budget = Budget::REPLY.at_most(limit);
    let read = logs
        .log
        .history(
            &audience,
            policy,
            &selection,
            &mut budget,
            message.received_at,
        )
        .await;
    let mut reply = LogReply::from(read.map_err(|error| log_failure(&error))?);
    if !matches!(selection, Selection::Since(_)) {
        reply.recovered = None;
    }
    Ok(ServerFrame::from(Ack {
        action: "history",
        entity_id: match audience {
            Audience::Entity(entity) => Some(entity),
            Audience::User(_) | Audience::Everyone => None,
        },
        id,
        log: reply,
        ..Ack::default()
    }))
}

/// Returns the audience of a log that the connection may read. A user may always read their own.
fn permitted(message: &Message, log: &LogName) -> Result<Audience, Refusal> {
    let permissions = &message.caller.permissions;
    match log {
        LogName::Entity(entity) if permissions.may_read_history(entity) => {
            Ok(Audience::Entity(entity.clone()))
        }
        LogName::Entity(entity) => Err(forbidden(&format!("read the history of {entity}"))),
        LogName::User => {
            let user = message.caller.user.clone();
            user.map(Audience::User).ok_or_else(anonymous)
        }
        LogName::Everyone if permissions.may_read_history_of_everyone() => Ok(Audience::Everyone),
        LogName::Everyone => Err(forbidden("read the history of broadcasts")),
    }
}

/// Returns the refusal of a request about an audience without a log.
pub(crate) fn no_log() -> Refusal {
    Refusal::new(
        ErrorCode::BadRequest,
        "this audience has no log: the stack's parameter History has no policy for it",
    )
}
