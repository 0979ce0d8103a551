//! `presence`: the members of an entity.

use herald_shared::{
    presence::{MembersBudget, ReadPresence},
    protocol::{Ack, ErrorCode, Refusal, Request, ServerFrame},
    store::ConnectionStore,
};

use crate::{
    admission::Admission,
    message::Message,
    reply::{forbidden, store_failure},
};

/// Answers with the members of an entity, or with their count alone if there are too many.
///
/// # Errors
///
/// Returns `bad_request` if the frame is invalid or the entity has no policy, `forbidden` if the permission
/// `presence` is missing, and the errors of [`Admission::admit`] and of the store.
pub async fn handle<'a>(
    message: &'a Message,
    request: &'a Request<'a>,
    presence: &impl ReadPresence,
    admission: &Admission<'_, impl ConnectionStore>,
) -> Result<ServerFrame<'a>, Refusal> {
    let id = request.id()?;
    let entity = request.entity_id()?;
    if !message.caller.permissions.may_see_presence(&entity) {
        return Err(forbidden(&format!("see the presence of {entity}")));
    }
    admission.admit(message).await?;
    let mut budget = MembersBudget::WHOLE;
    let snapshot = presence.snapshot(&entity, &mut budget).await;
    let snapshot = snapshot.map_err(|error| store_failure(&error))?;
    Ok(ServerFrame::from(Ack {
        action: "presence",
        entity_id: Some(entity),
        id,
        presence: Some(snapshot.ok_or_else(no_presence)?),
        ..Ack::default()
    }))
}

fn no_presence() -> Refusal {
    Refusal::new(
        ErrorCode::BadRequest,
        "this entity has no presence: the stack's parameter Presence has no policy for it",
    )
}
