//! `unsubscribe`: ends the connection's subscription to an entity.

use herald_shared::{
    protocol::{Ack, Refusal, Request, ServerFrame},
    store::ConnectionStore,
};

use crate::{admission::Admission, message::Message, reply::store_failure};

/// Acknowledges once the subscription is removed, or if it did not exist.
///
/// # Errors
///
/// Returns `bad_request` if the frame is invalid, and the errors of [`Admission::admit_with_any_token`]
/// and of the store.
pub async fn handle<'a>(
    message: &'a Message,
    request: &'a Request<'a>,
    store: &impl ConnectionStore,
    admission: &Admission<'_, impl ConnectionStore>,
) -> Result<ServerFrame<'a>, Refusal> {
    let id = request.id()?;
    let entity = request.entity_id()?;
    admission.admit_with_any_token(message).await?;
    store
        .unsubscribe(&message.connection, message.caller.user.as_ref(), &entity)
        .await
        .map_err(|error| store_failure(&error))?;
    Ok(ServerFrame::from(Ack {
        action: "unsubscribe",
        entity_id: Some(entity),
        id,
        ..Ack::default()
    }))
}
