//! Subscribing and unsubscribing.

use std::{collections::BTreeSet, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    audience::Audience,
    backoff,
    ids::{ConnectionId, EntityId, UserId},
    store::{
        Addition, Change, ENTITY_BYTES, Listener, Rows, StoreError, StoredConnection, Subscribed,
        Subscription, Superseded, TrackMembers,
    },
};

/// The maximum number of rows written at once. Conditional writes cannot be batched.
const AT_ONCE: usize = 25;

/// The number of tries to change the set while other changes interfere.
const TRIES: u32 = 10;

/// The longest pause after the second try, which doubles with each further try.
const PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// Subscribes to every entity that fits within the limits.
pub(super) async fn subscribe<R: Rows, M: TrackMembers>(
    rows: &R,
    members: &M,
    subscription: Subscription<'_>,
    limit: usize,
) -> Result<Vec<Subscribed>, StoreError> {
    let entities = subscription.entities;
    let (selection, change) = match add_to_set(rows, subscription, limit).await? {
        Added::Change(selection, change) => (selection, change),
        Added::Nothing(selection) => return Ok(selection.results(entities, &[])),
        Added::ConnectionGone => return Ok(vec![Subscribed::ConnectionGone; entities.len()]),
    };
    let added = selection.added();
    members.join(subscription, &added, change).await?;
    put_listeners(rows, subscription, &added, change).await?;
    let Some(stored) = rows.connection(subscription.connection).await? else {
        delete_own(rows, subscription.connection, &added, change).await?;
        take_back(members, subscription, &added, Superseded::Always).await?;
        return Ok(vec![Subscribed::ConnectionGone; entities.len()]);
    };
    let (kept, lost): (Vec<_>, Vec<_>) = added
        .into_iter()
        .partition(|entity| stored.entities.contains(entity));
    delete_own(rows, subscription.connection, &lost, change).await?;
    let superseded = Superseded::Below(stored.changes + 1);
    take_back(members, subscription, &lost, superseded).await?;
    follow_renewal(rows, subscription, &stored, &kept).await?;
    Ok(selection.results(entities, &lost))
}

/// Removes the entity from the set, marks the member row and deletes the listener row of an earlier change.
pub(super) async fn unsubscribe<R: Rows, M: TrackMembers>(
    rows: &R,
    members: &M,
    connection: &ConnectionId,
    user: Option<&UserId>,
    entity: &EntityId,
) -> Result<(), StoreError> {
    let superseded = match rows.remove_entity(connection, entity).await? {
        Change::Made(change) => Superseded::Below(change),
        // The set does not have the entity, so the row of any change up to this one is stale.
        Change::Refused(stored) => Superseded::Below(stored.changes + 1),
        Change::ConnectionGone => Superseded::Always,
    };
    let entities = std::slice::from_ref(entity);
    let left = members.leave(connection, user, entities, superseded);
    left.await?;
    rows.delete_listener(connection, entity, superseded).await
}

/// Marks the member rows that the subscription wrote as left: no change up to the last one has the entities.
async fn take_back<M: TrackMembers>(
    members: &M,
    subscription: Subscription<'_>,
    entities: &[EntityId],
    superseded: Superseded,
) -> Result<(), StoreError> {
    let Subscription {
        connection, user, ..
    } = subscription;
    members.leave(connection, user, entities, superseded).await
}

enum Added {
    /// The change of this number added the selection to the set.
    Change(Selection, u64),
    /// No entity of the selection fits.
    Nothing(Selection),
    ConnectionGone,
}

/// Adds every entity that fits to the set. The first try assumes an empty set, as that of a new
/// connection; a refusal returns the set, from which the next try starts.
async fn add_to_set<R: Rows>(
    rows: &R,
    subscription: Subscription<'_>,
    limit: usize,
) -> Result<Added, StoreError> {
    let mut selection = Selection::of(subscription.entities, &BTreeSet::new(), limit);
    for retry in 0..TRIES {
        if selection.is_empty() {
            return Ok(Added::Nothing(selection));
        }
        let addition = selection.addition(limit);
        match rows.add_entities(subscription.connection, addition).await? {
            Change::Made(change) => return Ok(Added::Change(selection, change)),
            Change::ConnectionGone => return Ok(Added::ConnectionGone),
            Change::Refused(stored) => {
                selection = Selection::of(subscription.entities, &stored.entities, limit);
            }
        }
        if retry > 0 {
            let bound = backoff::bound(PAUSE, LONGEST_PAUSE, retry);
            tokio::time::sleep(bound.mul_f64(fastrand::f64())).await;
        }
    }
    Err(StoreError::Throttled(
        format!("the connection's subscriptions changed during {TRIES} tries").into(),
    ))
}

/// The entities of a request, sorted by the state of the set.
#[derive(Debug, Default)]
struct Selection {
    /// Entities that the set has.
    known: Vec<EntityId>,
    /// Entities that the set does not have and that fit.
    fresh: Vec<EntityId>,
    fresh_bytes: usize,
    over_limit: BTreeSet<EntityId>,
    over_bytes: BTreeSet<EntityId>,
}

impl Selection {
    fn of(entities: &[EntityId], set: &BTreeSet<EntityId>, limit: usize) -> Self {
        let bytes: usize = set.iter().map(length).sum();
        let mut selection = Self::default();
        for entity in entities {
            if set.contains(entity) {
                selection.known.push(entity.clone());
            } else if set.len() + selection.fresh.len() >= limit {
                selection.over_limit.insert(entity.clone());
            } else if bytes + selection.fresh_bytes + length(entity) > ENTITY_BYTES {
                selection.over_bytes.insert(entity.clone());
            } else {
                selection.fresh_bytes += length(entity);
                selection.fresh.push(entity.clone());
            }
        }
        selection
    }

    fn is_empty(&self) -> bool {
        self.known.is_empty() && self.fresh.is_empty()
    }

    fn addition(&self, limit: usize) -> Addition<'_> {
        Addition {
            known: &self.known,
            fresh: &self.fresh,
            room: limit.saturating_sub(self.fresh.len()),
            bytes_room: ENTITY_BYTES - self.fresh_bytes,
        }
    }

    fn added(&self) -> Vec<EntityId> {
        self.known.iter().chain(&self.fresh).cloned().collect()
    }

    fn results(&self, entities: &[EntityId], lost: &[EntityId]) -> Vec<Subscribed> {
        let result = |entity| {
            if self.over_limit.contains(entity) {
                Subscribed::LimitReached
            } else if self.over_bytes.contains(entity) {
                Subscribed::BytesReached
            } else if lost.contains(entity) {
                Subscribed::Ended
            } else {
                Subscribed::Stored
            }
        };
        entities.iter().map(result).collect()
    }
}

fn length(entity: &EntityId) -> usize {
    entity.as_str().len()
}

async fn put_listeners<R: Rows>(
    rows: &R,
    subscription: Subscription<'_>,
    entities: &[EntityId],
    change: u64,
) -> Result<(), StoreError> {
    let puts = entities.iter().map(|entity| {
        rows.put_listener(Listener {
            connection: subscription.connection,
            entity,
            change,
            connected_at: subscription.connected_at,
            token_expires_at: subscription.token_expires_at,
            watches: subscription.watched.contains(entity),
        })
    });
    write_all(puts).await
}

/// Deletes the listener rows that this change put.
async fn delete_own<R: Rows>(
    rows: &R,
    connection: &ConnectionId,
    entities: &[EntityId],
    change: u64,
) -> Result<(), StoreError> {
    let deletes = entities
        .iter()
        .map(|entity| rows.delete_listener(connection, entity, Superseded::By(change)));
    write_all(deletes).await
}

/// Writes the connection's current end of the token on the new listener rows: a renewal may have
/// finished before these rows existed.
async fn follow_renewal<R: Rows>(
    rows: &R,
    subscription: Subscription<'_>,
    stored: &StoredConnection,
    entities: &[EntityId],
) -> Result<(), StoreError> {
    let Some(expiry) = stored.token_expires_at else {
        return Ok(());
    };
    if subscription.token_expires_at == Some(expiry) {
        return Ok(());
    }
    let audiences: Vec<_> = entities.iter().cloned().map(Audience::Entity).collect();
    let renewals = audiences
        .iter()
        .map(|audience| rows.set_listener_token_expiry(subscription.connection, audience, expiry));
    write_all(renewals).await
}

/// Waits for all writes, of which some run at once. Returns the first error.
pub(crate) async fn write_all(
    writes: impl Iterator<Item = impl Future<Output = Result<(), StoreError>> + Send> + Send,
) -> Result<(), StoreError> {
    let writes: Vec<_> = writes.collect();
    stream::iter(writes)
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(text: &str) -> EntityId {
        EntityId::new(text).expect("an id")
    }

    #[test]
    fn entities_are_selected_by_set_and_limit() {
        let set = BTreeSet::from(["a", "b"].map(entity));
        let requested = ["b", "c", "d"].map(entity);
        let selection = Selection::of(&requested, &set, 3);
        assert_eq!(selection.known, [entity("b")]);
        assert_eq!(selection.fresh, [entity("c")]);
        assert_eq!(selection.addition(3).room, 2);
        assert_eq!(
            selection.results(&requested, &[entity("b")]),
            [
                Subscribed::Ended,
                Subscribed::Stored,
                Subscribed::LimitReached
            ]
        );
    }

    #[test]
    fn ids_over_the_byte_limit_are_refused() {
        let long = |number: u32| entity(&format!("{number:0>256}"));
        let set: BTreeSet<_> = (0..31).map(long).collect();
        let requested = [long(31), long(32), entity("short")];
        let selection = Selection::of(&requested, &set, 100);
        assert_eq!(
            selection.results(&requested, &[]),
            [
                Subscribed::Stored,
                Subscribed::BytesReached,
                Subscribed::BytesReached
            ]
        );
        assert_eq!(selection.addition(100).bytes_room, ENTITY_BYTES - 256);
    }
}
