//! A flush: tells the watchers of an entity who joined and who left.

use std::{error::Error, time::SystemTime};

use futures_util::{StreamExt, TryStreamExt, future::try_join_all, stream};

use super::{
    Begun, Commit, Committed, Flush, FlushReason, MemberRow, MemberRows, Members, PresencePolicy,
    SetRow, users::Users,
};
use crate::{
    ids::EntityId,
    protocol::{MembersChanged, PresenceFrame},
    queue::EnqueueFlush,
    store::StoreError,
};

/// The maximum number of member rows that are written at once.
const AT_ONCE: usize = 50;

/// The number of tries to commit while other flushes commit.
const TRIES: usize = 10;

/// The maximum size of the lists in a frame, in bytes: what API Gateway accepts in one message, less room for
/// the other fields.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
const LISTS_LIMIT: usize = 120 * 1024;

/// The result of a flush.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flushed<T> {
    /// A frame was posted, with this result.
    Posted(T),
    /// Nothing changed that a frame would tell.
    Unchanged,
}

/// The reason a flush failed. The same flush again completes it.
#[derive(Debug, thiserror::Error)]
pub enum FlushError<E: Error + 'static> {
    /// The rows could not be read or written.
    #[error("the members could not be read or marked")]
    Store(#[from] StoreError),
    /// The frame was not posted.
    #[error("the frame of presence was not posted")]
    Post(#[source] E),
}

/// The frame of a flush, and what the set becomes with it.
struct Announcement {
    frame: Option<PresenceFrame>,
    version: u64,
    count: usize,
}

impl<R, Q, C> Members<R, Q, C>
where
    R: MemberRows,
    Q: EnqueueFlush,
    C: Fn() -> SystemTime + Send + Sync,
{
    /// Makes a flush: posts the frame of what changed, if anything did, and then marks what it told.
    ///
    /// # Errors
    ///
    /// Returns [`FlushError`] if a step failed. Nothing is lost: the same flush again repeats the frame, with
    /// a higher version.
    pub async fn flush<T, E: Error + 'static>(
        &self,
        flush: &Flush,
        post: impl AsyncFnOnce(PresenceFrame) -> Result<T, E>,
    ) -> Result<Flushed<T>, FlushError<E>> {
        let entity = &flush.entity_id;
        let Some(policy) = self.presence.policy(entity) else {
            return Ok(Flushed::Unchanged);
        };
        let mut set = match self.rows.begin(flush).await? {
            Begun::Removed(set) => set,
            // A flush of changes that is late runs all the same: the other may never come.
            Begun::Other(set) if flush.reason == FlushReason::Changes => set,
            Begun::Other(_) => return Ok(Flushed::Unchanged),
        };
        for _ in 0..TRIES {
            let now = self.now();
            let rows = self.read(entity).await?;
            let users = Users::of(&rows);
            let announcement = announcement(entity, policy, &set, &users, now);
            let listed = policy.lists(announcement.count);
            if listed && !self.retire(entity, &users.to_retire(now)).await? {
                continue;
            }
            let unmarked = has_unmarked(&rows, now);
            if announcement.frame.is_some() || unmarked {
                let commit = Commit {
                    turn: set.turn,
                    version: announcement.version,
                    count: announcement.count,
                };
                if let Committed::Refused(newer) = self.rows.commit(entity, commit).await? {
                    set = newer;
                    continue;
                }
            }
            let posted = match announcement.frame {
                Some(frame) => Flushed::Posted(post(frame).await.map_err(FlushError::Post)?),
                None => Flushed::Unchanged,
            };
            self.mark(entity, &rows, now).await?;
            let present = rows.iter().filter(|row| row.is_present(now));
            if let Some(first) = present.map(|row| row.expires_at).min() {
                self.schedule_expiry(entity, &set, first).await?;
            }
            return Ok(posted);
        }
        Err(StoreError::Throttled(
            format!("the members of {entity} changed during {TRIES} tries").into(),
        )
        .into())
    }

    /// Reads all member rows.
    async fn read(&self, entity: &EntityId) -> Result<Vec<MemberRow>, StoreError> {
        let mut page = self.rows.members(entity, None).await?;
        let mut rows = page.rows;
        while let Some(after) = page.read_to {
            page = self.rows.members(entity, Some(&after)).await?;
            rows.append(&mut page.rows);
        }
        Ok(rows)
    }

    /// Returns false if a row has changed since it was read.
    async fn retire(&self, entity: &EntityId, rows: &[&MemberRow]) -> Result<bool, StoreError> {
        let retired = stream::iter(rows.to_vec())
            .map(|row| self.rows.retire(entity, row))
            .buffer_unordered(AT_ONCE);
        retired
            .try_fold(true, async |all, one| Ok(all && one))
            .await
    }

    /// Marks the rows that are present, and then removes the others: of a user with both, the mark has to
    /// outlive the row that was announced first.
    async fn mark(
        &self,
        entity: &EntityId,
        rows: &[MemberRow],
        now: u64,
    ) -> Result<(), StoreError> {
        let (present, gone): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.is_present(now));
        let unannounced = present.into_iter().filter(|row| !row.announced);
        stream::iter(unannounced.collect::<Vec<_>>())
            .map(|row| self.rows.mark_announced(entity, row))
            .buffer_unordered(AT_ONCE)
            .try_for_each(async |_| Ok(()))
            .await?;
        for some in gone.chunks(AT_ONCE) {
            try_join_all(some.iter().map(|row| self.rows.remove(entity, row))).await?;
        }
        Ok(())
    }
}

/// Returns whether a row is to be marked or removed.
pub(super) fn has_unmarked(rows: &[MemberRow], now: u64) -> bool {
    rows.iter()
        .any(|row| !row.announced || !row.is_present(now))
}

/// Returns what a flush tells. Without a change there is no frame.
fn announcement(
    entity: &EntityId,
    policy: PresencePolicy,
    set: &SetRow,
    users: &Users<'_>,
    now: u64,
) -> Announcement {
    let count = users.count(now);
    let mut version = set.version + 1;
    let mut changed = None;
    if policy.lists(count) {
        let lists = MembersChanged {
            joined: users.joined(now),
            left: users.left(now),
        };
        if lists.is_empty() && count == set.count {
            return Announcement::none(set, count);
        }
        changed = Some(if lists.length() <= LISTS_LIMIT {
            lists
        } else {
            // A version is left out, so that every client asks for the members.
            version += 1;
            MembersChanged::default()
        });
    } else if count == set.count {
        return Announcement::none(set, count);
    }
    Announcement {
        frame: Some(PresenceFrame {
            entity_id: entity.clone(),
            version,
            count,
            changed,
        }),
        version,
        count,
    }
}

impl Announcement {
    fn none(set: &SetRow, count: usize) -> Self {
        Self {
            frame: None,
            version: set.version,
            count,
        }
    }
}
