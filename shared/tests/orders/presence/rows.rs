//! Rows of presence and a queue whose requests each wait for a permit of the test.

use std::{
    fmt::Debug,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, SystemTime},
};

use herald_shared::{
    ids::EntityId,
    presence::{
        Begun, Commit, Committed, Flush, Joined, Joining, Member, MemberPage, MemberRow,
        MemberRows, SetRow, memory::MemoryMemberRows,
    },
    queue::{EnqueueError, EnqueueFlush},
    store::{StoreError, Superseded},
};

use crate::scheduler::{Actor, PendingRequest, Permit, Scheduler};

/// The world outside of the functions.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    /// The time in seconds since the Unix epoch.
    pub(crate) now: u64,
    /// The flushes on the queue.
    pub(crate) queue: Vec<Flush>,
    /// The writes of member rows that arrive late.
    pub(crate) late: Vec<LateJoin>,
}

/// A write of a member row that arrives late.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LateJoin {
    pub(crate) member: Member,
    change: u64,
    expires_at: u64,
}

/// The requests of one function.
#[derive(Clone, Debug)]
pub(crate) struct ScheduledMembers<'a> {
    pub(crate) rows: &'a MemoryMemberRows,
    pub(crate) outside: Arc<Mutex<Outside>>,
    pub(crate) scheduler: Scheduler,
    pub(crate) actor: Actor,
}

impl ScheduledMembers<'_> {
    pub(crate) fn outside(&self) -> MutexGuard<'_, Outside> {
        self.outside.lock().expect("no panic with the lock")
    }

    /// Returns the time, which decides the function's further requests.
    pub(crate) fn now(&self) -> SystemTime {
        let now = self.outside().now;
        let mut state = self.scheduler.state();
        let seen = state.seen.entry(self.actor).or_default();
        let mut hasher = DefaultHasher::new();
        (*seen, now).hash(&mut hasher);
        *seen = hasher.finish();
        SystemTime::UNIX_EPOCH + Duration::from_secs(now)
    }

    fn plain(&self, name: &'static str) -> PendingRequest {
        PendingRequest {
            actor: self.actor,
            name,
            may_be_late: false,
            may_lose_answer: false,
        }
    }

    /// Waits for a permit and applies a request.
    pub(crate) async fn send<T: Debug>(
        &self,
        name: &'static str,
        request: impl Future<Output = T>,
    ) -> T {
        self.scheduler.permitted(self.plain(name)).await;
        let answer = request.await;
        self.scheduler.answered(self.actor, &answer);
        answer
    }
}

impl MemberRows for ScheduledMembers<'_> {
    async fn join(&self, joining: Joining<'_>) -> Result<Joined, StoreError> {
        let pending = PendingRequest {
            may_be_late: true,
            ..self.plain("write the member")
        };
        while self.scheduler.permitted(pending).await == Permit::ApplyLate {
            self.outside().late.push(LateJoin {
                member: joining.member.clone(),
                change: joining.change,
                expires_at: joining.expires_at,
            });
            self.scheduler.answered(self.actor, &"late");
        }
        let joined = self.rows.join(joining).await;
        self.scheduler.answered(self.actor, &joined);
        joined
    }

    async fn leave(
        &self,
        entity: &EntityId,
        member: &Member,
        superseded: Superseded,
    ) -> Result<Option<MemberRow>, StoreError> {
        let request = self.rows.leave(entity, member, superseded);
        self.send("mark the member as left", request).await
    }

    async fn member(
        &self,
        entity: &EntityId,
        member: &Member,
    ) -> Result<Option<MemberRow>, StoreError> {
        let request = self.rows.member(entity, member);
        self.send("read the member", request).await
    }

    async fn members(
        &self,
        entity: &EntityId,
        after: Option<&Member>,
    ) -> Result<MemberPage, StoreError> {
        let request = self.rows.members(entity, after);
        self.send("read the members", request).await
    }

    async fn mark_announced(
        &self,
        entity: &EntityId,
        seen: &MemberRow,
    ) -> Result<bool, StoreError> {
        let request = self.rows.mark_announced(entity, seen);
        self.send("mark the member as announced", request).await
    }

    async fn retire(&self, entity: &EntityId, seen: &MemberRow) -> Result<bool, StoreError> {
        let request = self.rows.retire(entity, seen);
        self.send("retire the member", request).await
    }

    async fn remove(&self, entity: &EntityId, seen: &MemberRow) -> Result<(), StoreError> {
        let request = self.rows.remove(entity, seen);
        self.send("remove the member", request).await
    }

    async fn set(&self, entity: &EntityId) -> Result<Option<SetRow>, StoreError> {
        self.send("read the set", self.rows.set(entity)).await
    }

    async fn schedule(&self, flush: &Flush, previous: Option<u64>) -> Result<bool, StoreError> {
        let request = self.rows.schedule(flush, previous);
        self.send("schedule a flush", request).await
    }

    async fn begin(&self, flush: &Flush) -> Result<Begun, StoreError> {
        self.send("begin the flush", self.rows.begin(flush)).await
    }

    async fn commit(&self, entity: &EntityId, commit: Commit) -> Result<Committed, StoreError> {
        let request = self.rows.commit(entity, commit);
        self.send("commit the flush", request).await
    }
}

impl EnqueueFlush for ScheduledMembers<'_> {
    async fn enqueue_flush(&self, flush: &Flush, _: Duration) -> Result<(), EnqueueError> {
        let enqueue = async { self.outside().queue.push(flush.clone()) };
        self.send("put the flush on the queue", enqueue).await;
        Ok(())
    }
}

/// Applies a late write.
pub(crate) async fn apply_late(rows: &MemoryMemberRows, entity: &EntityId, late: &LateJoin) {
    let joining = Joining {
        entity,
        member: &late.member,
        info: None,
        change: late.change,
        expires_at: late.expires_at,
    };
    rows.join(joining).await.expect("rows that answer");
}
