//! The renewal of a connection's member rows by its `ping` or `sync`.

use std::{future::Future, time::SystemTime};

use super::{Info, Joined, Joining, MEMBER_LIFETIME, Member, MemberRows, Members};
use crate::{
    ids::{ConnectionId, EntityId, UserId},
    queue::EnqueueFlush,
    store::{Connections, Rows, StoreError, StoredConnection, Superseded, TrackMembers, write_all},
};

/// The seconds that a member row must have left so that a `ping` or `sync` need not write it. Clients send
/// one every few minutes, so a client that sends one every few seconds pays for reads.
const ENOUGH: u64 = 8 * 60;

/// A store that renews the member rows of connections.
pub trait RenewMembers: Sync {
    /// Renews the member rows of a connection that end before long, and writes those that are missing.
    ///
    /// # Errors
    ///
    /// Returns [`StoreError`] if some rows could not be read or written. The next renewal completes it.
    fn renew_members(
        &self,
        connection: &ConnectionId,
        user: Option<&UserId>,
        info: Option<&Info>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

impl<S, R, Q, C> RenewMembers for Connections<S, Members<R, Q, C>>
where
    S: Rows,
    R: MemberRows,
    Q: EnqueueFlush,
    C: Fn() -> SystemTime + Send + Sync,
{
    async fn renew_members(
        &self,
        connection: &ConnectionId,
        user: Option<&UserId>,
        info: Option<&Info>,
    ) -> Result<(), StoreError> {
        if self.members().presence.is_off() {
            return Ok(());
        }
        let Some(stored) = self.inspect(connection).await? else {
            return Ok(());
        };
        let member = &Member {
            user: user.cloned(),
            connection: connection.clone(),
        };
        let entities: Vec<_> = stored.entities.iter().cloned().collect();
        let stored = &stored;
        write_all(self.members().with_members(&entities).map(async |entity| {
            match self.members().renew(entity, member, info, stored).await? {
                Renewed::Kept => Ok(()),
                Renewed::Made => self.look_again(entity, member).await,
            }
        }))
        .await
    }
}

/// The result of a renewal.
enum Renewed {
    /// The member had a row.
    Kept,
    /// The member had no row.
    Made,
}

impl<R, Q, C> Members<R, Q, C>
where
    R: MemberRows,
    Q: EnqueueFlush,
    C: Fn() -> SystemTime + Send + Sync,
{
    async fn renew(
        &self,
        entity: &EntityId,
        member: &Member,
        info: Option<&Info>,
        stored: &StoredConnection,
    ) -> Result<Renewed, StoreError> {
        let now = self.now();
        let row = self.rows.member(entity, member).await?;
        if let Some(row) = &row
            && row.is_present(now)
            && row.expires_at >= now + ENOUGH
        {
            if !row.announced {
                // The flush that should have told of it may be lost.
                self.schedule_changes(entity).await?;
            }
            return Ok(Renewed::Kept);
        }
        let joining = Joining {
            entity,
            member,
            info,
            change: stored.changes,
            expires_at: now + MEMBER_LIFETIME.as_secs(),
        };
        Ok(match self.join_one(joining).await? {
            Joined::Written(None) => Renewed::Made,
            Joined::Written(Some(_)) | Joined::Superseded => Renewed::Kept,
        })
    }
}

impl<S, R, Q, C> Connections<S, Members<R, Q, C>>
where
    S: Rows,
    R: MemberRows,
    Q: EnqueueFlush,
    C: Fn() -> SystemTime + Send + Sync,
{
    /// Takes a row back that a renewal made, if the subscription has ended meanwhile.
    async fn look_again(&self, entity: &EntityId, member: &Member) -> Result<(), StoreError> {
        let superseded = match self.inspect(&member.connection).await? {
            Some(stored) if stored.entities.contains(entity) => return Ok(()),
            Some(stored) => Superseded::Below(stored.changes + 1),
            None => Superseded::Always,
        };
        let (connection, user) = (&member.connection, member.user.as_ref());
        let entity = std::slice::from_ref(entity);
        self.members()
            .leave(connection, user, entity, superseded)
            .await
    }
}
