//! `subscribe`: from now on, the connection gets what concerns an entity.

use herald_shared::{
    protocol::{Ack, ErrorCode, Refusal, Request, ServerFrame},
    store::{ConnectionStore, Subscribed, Subscription},
};

use crate::{
    admission::Admission,
    message::Message,
    reply::{forbidden, not_known, store_failed},
};

/// Acknowledges once the subscription is stored; a connection may have `limit` of them.
pub async fn handle<'a>(
    message: &'a Message,
    request: &'a Request<'a>,
    admission: &Admission<'_, impl ConnectionStore>,
    limit: u32,
) -> Result<ServerFrame<'a>, Refusal> {
    let id = request.id()?;
    let entity = request.entity_id()?;
    if !message.caller.permissions.may_subscribe(&entity) {
        return Err(forbidden(&format!("subscribe to {entity}")));
    }
    admission.admit(message).await?;
    let subscription = Subscription {
        connection: &message.connection,
        connected_at: message.connected_at,
        token_expires_at: message.caller.token_expires_at,
        entity: &entity,
    };
    let subscribed = admission
        .store()
        .subscribe(subscription, limit)
        .await
        .map_err(|error| store_failed(&error))?;
    match subscribed {
        Subscribed::Stored => Ok(ServerFrame::Ack(Ack {
            action: "subscribe",
            entity_id: Some(entity),
            id,
            ..Ack::default()
        })),
        Subscribed::LimitReached => Err(Refusal::new(
            ErrorCode::TooMany,
            format!(
                "this connection has {limit} subscriptions, the most it may: unsubscribe from one first"
            ),
        )),
        Subscribed::ConnectionGone => Err(not_known()),
    }
}
