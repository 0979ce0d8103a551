//! `subscribe`: from now on, the connection gets what concerns an entity.

use herald_shared::{
    protocol::{Ack, ErrorCode, Refusal, Request, ServerFrame},
    store::{ConnectionStore, Subscribed},
};

use crate::{message::Message, reply::store_failed};

/// Acknowledges once the subscription is stored; a connection may have `limit` of them.
pub async fn handle<'a>(
    message: &'a Message,
    request: &'a Request<'a>,
    store: &impl ConnectionStore,
    limit: u32,
) -> Result<ServerFrame<'a>, Refusal> {
    let id = request.id()?;
    let entity = request.entity_id()?;
    let subscribed = store
        .subscribe(&message.connection, message.connected_at, &entity, limit)
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
        Subscribed::ConnectionGone => Err(Refusal::new(
            ErrorCode::BadRequest,
            "this connection is not known any more: connect again",
        )),
    }
}
