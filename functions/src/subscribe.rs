//! `subscribe`: from now on, the connection gets what concerns an entity, or several.

use std::{collections::BTreeMap, num::NonZeroU32};

use herald_shared::{
    ids::EntityId,
    protocol::{Ack, EntityResult, ErrorCode, Refusal, Request, ServerFrame, Subscribe},
    store::{ConnectionStore, ENTITY_BYTES, Subscribed, Subscription},
};

use crate::{
    admission::Admission,
    message::Message,
    reply::{forbidden, not_known, store_failed},
};

/// Acknowledges once the subscriptions are stored; a connection may have `limit` of them.
pub async fn handle<'a>(
    message: &'a Message,
    request: &'a Request<'a>,
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
            let results = store(message, entities, admission, limit).await?;
            results.into_iter().collect::<Result<(), _>>()?;
            ack.entity_id = Some(entity);
        }
        Subscribe::Several(entities) => {
            ack.entities = Some(several(message, entities, admission, limit).await?);
        }
    }
    Ok(ServerFrame::Ack(ack))
}

/// Subscribes to what may be subscribed to, and returns the result of each.
async fn several(
    message: &Message,
    entities: BTreeMap<String, Result<EntityId, Refusal>>,
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
    let stored = store(message, &allowed, admission, limit).await?;
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

/// Stores the subscriptions of a connection that is admitted. Refuses the whole request if the table
/// does not know the connection.
async fn store(
    message: &Message,
    entities: &[EntityId],
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
    let stored = admission
        .store()
        .subscribe(subscription, limit)
        .await
        .map_err(|error| store_failed(&error))?;
    if stored.contains(&Subscribed::ConnectionGone) {
        return Err(not_known());
    }
    Ok(stored
        .into_iter()
        .map(|subscribed| outcome(subscribed, limit))
        .collect())
}

fn outcome(subscribed: Subscribed, limit: u32) -> Result<(), Refusal> {
    match subscribed {
        Subscribed::Stored => Ok(()),
        Subscribed::LimitReached => Err(Refusal::new(
            ErrorCode::TooMany,
            format!(
                "this connection has {limit} subscriptions, the most it may have: unsubscribe from one \
                 first"
            ),
        )),
        Subscribed::BytesReached => Err(Refusal::new(
            ErrorCode::TooMany,
            format!(
                "the ids of this connection's entities would have more than {ENTITY_BYTES} bytes: use \
                 shorter ids, or unsubscribe from one first"
            ),
        )),
        Subscribed::Ended => Err(Refusal::new(
            ErrorCode::Throttled,
            "an unsubscribe from this entity came between: send the subscribe again",
        )),
        Subscribed::ConnectionGone => Err(not_known()),
    }
}
