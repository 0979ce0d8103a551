//! `unsubscribe`: the connection gets no more of what concerns an entity.

use herald_shared::{
    protocol::{Ack, Refusal, Request, ServerFrame},
    store::ConnectionStore,
};

use crate::{message::Message, reply::store_failed};

/// Acknowledges once the subscription is removed, or if there was none.
pub async fn handle<'a>(
    message: &'a Message,
    request: &'a Request<'a>,
    store: &impl ConnectionStore,
) -> Result<ServerFrame<'a>, Refusal> {
    let id = request.id()?;
    let entity = request.entity_id()?;
    store
        .unsubscribe(&message.connection, &entity)
        .await
        .map_err(|error| store_failed(&error))?;
    Ok(ServerFrame::Ack(Ack {
        action: "unsubscribe",
        entity_id: Some(entity),
        id,
        ..Ack::default()
    }))
}
