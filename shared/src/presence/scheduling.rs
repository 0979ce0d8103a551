//! The schedule of flushes.

use std::time::{Duration, SystemTime};

use super::{Flush, FlushReason, MemberRows, Members, SetRow};
use crate::{ids::EntityId, queue::EnqueueFlush, store::StoreError};

/// The seconds past its time after which a flush counts as lost: a function stopped between its two writes,
/// or the queue is late.
const OVERDUE: u64 = 5;

/// The longest delay of a message on the queue.
///
/// Source: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>
const LONGEST_DELAY: u64 = 900;

impl<R, Q, C> Members<R, Q, C>
where
    R: MemberRows,
    Q: EnqueueFlush,
    C: Fn() -> SystemTime + Send + Sync,
{
    /// Schedules a flush of changes after the entity's interval, unless one is scheduled. The set is read
    /// first: a refused write costs five times as much as a read, and most of the changes of a busy entity
    /// find a flush.
    pub(super) async fn schedule_changes(&self, entity: &EntityId) -> Result<(), StoreError> {
        let Some(policy) = self.presence.policy(entity) else {
            return Ok(());
        };
        let set = self.rows.set(entity).await?.unwrap_or_default();
        let now = self.now();
        if is_pending(set.flush_at, now) {
            return Ok(());
        }
        let flush = Flush {
            entity_id: entity.clone(),
            reason: FlushReason::Changes,
            at: now + policy.interval,
        };
        if !self.rows.schedule(&flush, set.flush_at).await? {
            return Ok(());
        }
        let enqueued = self.queue.enqueue_flush(&flush, policy.interval()).await;
        if let Err(error) = enqueued {
            // The same change again then schedules another flush at once.
            self.rows.begin(&flush).await?;
            return Err(StoreError::Failed {
                step: "put a flush of presence on the queue",
                source: error.into(),
            });
        }
        Ok(())
    }

    /// Schedules a flush for the first expiry of a member row, unless one is scheduled.
    pub(super) async fn schedule_expiry(
        &self,
        entity: &EntityId,
        set: &SetRow,
        expires_at: u64,
    ) -> Result<(), StoreError> {
        let now = self.now();
        if is_pending(set.watch_at, now) {
            return Ok(());
        }
        let delay = expires_at.saturating_sub(now).clamp(1, LONGEST_DELAY);
        let flush = Flush {
            entity_id: entity.clone(),
            reason: FlushReason::Expiry,
            at: now + delay,
        };
        // The message goes first: one that no schedule names does nothing if another is scheduled.
        let enqueued = self.queue.enqueue_flush(&flush, Duration::from_secs(delay));
        enqueued.await.map_err(|error| StoreError::Failed {
            step: "put a flush of presence on the queue",
            source: error.into(),
        })?;
        self.rows.schedule(&flush, set.watch_at).await.map(drop)
    }
}

fn is_pending(scheduled: Option<u64>, now: u64) -> bool {
    scheduled.is_some_and(|at| now < at + OVERDUE)
}
