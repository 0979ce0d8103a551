//! The members of an entity at one time, for a client that asks.

use std::{future::Future, time::SystemTime};

use super::{MemberRow, MemberRows, Members, flushing::has_unmarked, users::Users};
use crate::{ids::EntityId, protocol::PresenceReply, queue::EnqueueFlush, store::StoreError};

/// The bytes that the members in one reply may have together.
#[derive(Clone, Copy, Debug)]
pub struct MembersBudget(usize);

impl MembersBudget {
    /// The budget of a reply that has nothing else.
    pub const WHOLE: Self = Self(120 * 1024);

    /// The budget of a reply to `subscribe`, which may also have messages of logs. Members that do not fit are
    /// left out, and the client asks for them alone.
    pub const SHARED: Self = Self(24 * 1024);

    /// Returns whether a list of this length fits, and takes its room.
    fn take(&mut self, length: usize) -> bool {
        let fits = length <= self.0;
        if fits {
            self.0 -= length;
        }
        fits
    }
}

/// A reader of the members of entities.
pub trait ReadPresence: Sync {
    /// Returns whether the entity has members.
    fn has_members(&self, entity: &EntityId) -> bool;

    /// Returns the members of an entity. Members that no frame has told of yet are among them, and so are those
    /// whose leaving no frame has told of. `None` if the
    /// entity has no policy.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if the table could not be read.
    fn snapshot(
        &self,
        entity: &EntityId,
        budget: &mut MembersBudget,
    ) -> impl Future<Output = Result<Option<PresenceReply>, StoreError>> + Send;
}

impl<R, Q, C> ReadPresence for Members<R, Q, C>
where
    R: MemberRows,
    Q: EnqueueFlush,
    C: Fn() -> SystemTime + Send + Sync,
{
    fn has_members(&self, entity: &EntityId) -> bool {
        self.presence.policy(entity).is_some()
    }

    /// Reads the set before the members: they are then at least as new as its version. Of a set over the limit
    /// it reads nothing else. What a flush has yet to tell is in the reply, so there has to be one to come: the
    /// client would never be told that it ended.
    async fn snapshot(
        &self,
        entity: &EntityId,
        budget: &mut MembersBudget,
    ) -> Result<Option<PresenceReply>, StoreError> {
        let Some(policy) = self.presence.policy(entity) else {
            return Ok(None);
        };
        let set = self.rows.set(entity).await?.unwrap_or_default();
        let alone = |count| PresenceReply {
            version: set.version,
            count,
            members: None,
        };
        if !policy.lists(set.count) {
            return Ok(Some(alone(set.count)));
        }
        let (rows, is_whole) = self.read_up_to(entity, policy.members).await?;
        let now = self.now();
        if has_unmarked(&rows, now) {
            self.schedule_changes(entity).await?;
        }
        let users = Users::of(&rows);
        let count = users.listed_count(now);
        if !is_whole || !policy.lists(count) {
            return Ok(Some(alone(count.max(set.count))));
        }
        let members = users.listed(now);
        let length = serde_json::to_vec(&members).map_or(usize::MAX, |json| json.len());
        Ok(Some(PresenceReply {
            members: budget.take(length).then_some(members),
            ..alone(count)
        }))
    }
}

impl<R: MemberRows, Q, C: Fn() -> SystemTime> Members<R, Q, C> {
    /// Reads member rows until there are more than `limit` users and anonymous connections. Returns whether
    /// these are all rows.
    async fn read_up_to(
        &self,
        entity: &EntityId,
        limit: usize,
    ) -> Result<(Vec<MemberRow>, bool), StoreError> {
        let mut page = self.rows.members(entity, None).await?;
        let mut rows = page.rows;
        while let Some(after) = page.read_to {
            if Users::of(&rows).listed_count(self.now()) > limit {
                return Ok((rows, false));
            }
            page = self.rows.members(entity, Some(&after)).await?;
            rows.append(&mut page.rows);
        }
        Ok((rows, true))
    }
}
