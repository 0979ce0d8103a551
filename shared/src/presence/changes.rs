//! The changes of member rows that the connection store makes between its own writes.

use std::time::SystemTime;

use super::{Joined, Joining, MEMBER_LIFETIME, Member, MemberRow, MemberRows, Members};
use crate::{
    ids::{ConnectionId, EntityId, UserId},
    queue::EnqueueFlush,
    store::{StoreError, Subscription, Superseded, TrackMembers, write_all},
};

impl<R, Q, C> TrackMembers for Members<R, Q, C>
where
    R: MemberRows,
    Q: EnqueueFlush,
    C: Fn() -> SystemTime + Send + Sync,
{
    async fn join(
        &self,
        subscription: Subscription<'_>,
        entities: &[EntityId],
        change: u64,
    ) -> Result<(), StoreError> {
        let member = &Member {
            user: subscription.user.cloned(),
            connection: subscription.connection.clone(),
        };
        let expires_at = self.now() + MEMBER_LIFETIME.as_secs();
        write_all(self.with_members(entities).map(async |entity| {
            let joining = Joining {
                entity,
                member,
                info: subscription.info,
                change,
                expires_at,
            };
            self.join_one(joining).await.map(drop)
        }))
        .await
    }

    async fn leave(
        &self,
        connection: &ConnectionId,
        user: Option<&UserId>,
        entities: &[EntityId],
        superseded: Superseded,
    ) -> Result<(), StoreError> {
        let member = &Member {
            user: user.cloned(),
            connection: connection.clone(),
        };
        write_all(self.with_members(entities).map(async |entity| {
            match self.rows.leave(entity, member, superseded).await? {
                Some(_) => self.schedule_changes(entity).await,
                None => Ok(()),
            }
        }))
        .await
    }
}

impl<R, Q, C> Members<R, Q, C>
where
    R: MemberRows,
    Q: EnqueueFlush,
    C: Fn() -> SystemTime + Send + Sync,
{
    /// Writes a member's row and schedules a flush if the row does not tell that the member is known.
    pub(super) async fn join_one(&self, joining: Joining<'_>) -> Result<Joined, StoreError> {
        let joined = self.rows.join(joining).await?;
        if let Joined::Written(before) = &joined
            && !before.as_ref().is_some_and(|row| self.is_known(row))
        {
            self.schedule_changes(joining.entity).await?;
        }
        Ok(joined)
    }

    /// Returns whether the row was present and announced: another write of it changes nothing for others.
    pub(super) fn is_known(&self, row: &MemberRow) -> bool {
        row.is_present(self.now()) && row.announced
    }

    pub(super) fn with_members<'a>(
        &self,
        entities: &'a [EntityId],
    ) -> impl Iterator<Item = &'a EntityId> + use<'a, '_, R, Q, C> {
        let has_members = |entity: &&EntityId| self.presence.policy(entity).is_some();
        entities.iter().filter(has_members)
    }
}
