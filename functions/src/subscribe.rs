//! `subscribe`: subscribes the connection to one entity or several.

use std::{collections::BTreeMap, num::NonZeroU32};

use herald_shared::{
    ids::EntityId,
    protocol::{Ack, EntityResult, ErrorCode, Refusal, Request, ServerFrame, Subscribe},
    store::{ConnectionStore, ENTITY_BYTES, Subscribed, Subscription},
};

use crate::{
    admission::Admission,
    message::Message,
    reply::{forbidden, store_failure, unknown_connection},
};

/// Acknowledges once the subscriptions are stored. A connection may have `limit` of them.
///
/// # Errors
///
/// Returns `bad_request` or `too_many` if the frame is invalid, `forbidden` if a permission is missing,
/// and the errors of [`Admission::admit_up_to_burst`] and of the store.
pub async fn handle<'a>(
    message: &'a Message,
    request: &'a Request<'a>,
    store: &impl ConnectionStore,
    admission: &Admission<'_, impl ConnectionStore>,
    limit: u32,
) -> Result<ServerFrame<'a>, Refusal> {
    let id = request.id()?;
    let mut ack = Ack {
        action: "subscribe",
        id,
        ..Ack::default()
    };
    match Subscribe::parse(request)? {
        Subscribe::One(entity) => {
            may_subscribe(message, &entity)?;
            let entities = std::slice::from_ref(&entity);
            let results = subscribe(message, entities, store, admission, limit).await?;
            results.into_iter().collect::<Result<(), _>>()?;
            ack.entity_id = Some(entity);
        }
        Subscribe::Several(entities) => {
            ack.entities = Some(several(message, entities, store, admission, limit).await?);
        }
    }
    Ok(ServerFrame::Ack(ack))
}

/// Subscribes to every permitted entity and returns the result for each.
async fn several(
    message: &Message,
    entities: BTreeMap<String, Result<EntityId, Refusal>>,
    store: &impl ConnectionStore,
    admission: &Admission<'_, impl ConnectionStore>,
    limit: u32,
) -> Result<BTreeMap<String, EntityResult>, Refusal> {
    let mut results = BTreeMap::new();
    let mut allowed = Vec::new();
    for (name, checked) in entities {
        let checked = checked.and_then(|entity| may_subscribe(message, &entity).map(|()| entity));
        match checked {
            Ok(entity) => allowed.push(entity),
            Err(refusal) => {
                results.insert(name, Err(refusal).into());
            }
        }
    }
    let stored = subscribe(message, &allowed, store, admission, limit).await?;
    let names = allowed.into_iter().map(String::from);
    results.extend(names.zip(stored.into_iter().map(EntityResult::from)));
    Ok(results)
}

fn may_subscribe(message: &Message, entity: &EntityId) -> Result<(), Refusal> {
    match message.caller.permissions.may_subscribe(entity) {
        true => Ok(()),
        false => Err(forbidden(&format!("subscribe to {entity}"))),
    }
}

/// Admits and stores the subscriptions of a connection.
///
/// # Errors
///
/// Refuses the whole request if the connection is not stored.
async fn subscribe(
    message: &Message,
    entities: &[EntityId],
    store: &impl ConnectionStore,
    admission: &Admission<'_, impl ConnectionStore>,
    limit: u32,
) -> Result<Vec<Result<(), Refusal>>, Refusal> {
    let charged = u32::try_from(entities.len()).ok().and_then(NonZeroU32::new);
    admission
        .admit_up_to_burst(message, charged.unwrap_or(NonZeroU32::MIN))
        .await?;
    if entities.is_empty() {
        return Ok(Vec::new());
    }
    let subscription = Subscription {
        connection: &message.connection,
        connected_at: message.connected_at,
        token_expires_at: message.caller.token_expires_at,
        entities,
    };
    let stored = store
        .subscribe(subscription, limit)
        .await
        .map_err(|error| store_failure(&error))?;
    if stored.contains(&Subscribed::ConnectionGone) {
        return Err(unknown_connection());
    }
    Ok(stored
        .into_iter()
        .map(|subscribed| result(subscribed, limit))
        .collect())
}

fn result(subscribed: Subscribed, limit: u32) -> Result<(), Refusal> {
    match subscribed {
        Subscribed::Stored => Ok(()),
        Subscribed::LimitReached => Err(Refusal::new(
            ErrorCode::TooMany,
            format!(
                "the connection has {limit} subscriptions, which is the limit: unsubscribe from an \
                     entity first"
            ),
        )),
        Subscribed::BytesReached => Err(Refusal::new(
            ErrorCode::TooMany,
            format!(
                "the ids of the connection's entities would be longer than {ENTITY_BYTES} bytes in \
                     total: use shorter ids, or unsubscribe from an entity first"
            ),
        )),
        Subscribed::Ended => Err(Refusal::new(
            ErrorCode::Throttled,
            "an unsubscribe from this entity ran at the same time: send the subscribe again",
        )),
        Subscribed::ConnectionGone => Err(unknown_connection()),
    }
}
