//! Rows of presence that fail, for tests of what a failure leaves behind.

use super::{
    Begun, Commit, Committed, Flush, Joined, Joining, Member, MemberPage, MemberRow, MemberRows,
    SetRow,
};
use crate::{
    failure_plan::FailurePlan,
    ids::EntityId,
    store::{StoreError, Superseded},
};

/// Rows of which a chosen request fails.
#[derive(Debug)]
pub struct FailingMemberRows<'a, R> {
    rows: &'a R,
    plan: FailurePlan,
}

impl<'a, R> FailingMemberRows<'a, R> {
    /// Returns rows of which no request fails yet.
    pub fn over(rows: &'a R) -> Self {
        let plan = FailurePlan::default();
        Self { rows, plan }
    }

    /// Returns the plan of their failures.
    pub fn plan(&self) -> &FailurePlan {
        &self.plan
    }

    async fn send<T>(
        &self,
        request: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let lost = || StoreError::Failed {
            step: "get an answer",
            source: "as planned".into(),
        };
        let throttled = || StoreError::Throttled("as planned".into());
        self.plan.send(request, throttled, lost).await
    }
}

impl<R: MemberRows> MemberRows for FailingMemberRows<'_, R> {
    async fn join(&self, joining: Joining<'_>) -> Result<Joined, StoreError> {
        self.send(self.rows.join(joining)).await
    }

    async fn leave(
        &self,
        entity: &EntityId,
        member: &Member,
        superseded: Superseded,
    ) -> Result<Option<MemberRow>, StoreError> {
        self.send(self.rows.leave(entity, member, superseded)).await
    }

    async fn member(
        &self,
        entity: &EntityId,
        member: &Member,
    ) -> Result<Option<MemberRow>, StoreError> {
        self.send(self.rows.member(entity, member)).await
    }

    async fn members(
        &self,
        entity: &EntityId,
        after: Option<&Member>,
    ) -> Result<MemberPage, StoreError> {
        self.send(self.rows.members(entity, after)).await
    }

    async fn mark_announced(
        &self,
        entity: &EntityId,
        seen: &MemberRow,
    ) -> Result<bool, StoreError> {
        self.send(self.rows.mark_announced(entity, seen)).await
    }

    async fn retire(&self, entity: &EntityId, seen: &MemberRow) -> Result<bool, StoreError> {
        self.send(self.rows.retire(entity, seen)).await
    }

    async fn remove(&self, entity: &EntityId, seen: &MemberRow) -> Result<(), StoreError> {
        self.send(self.rows.remove(entity, seen)).await
    }

    async fn set(&self, entity: &EntityId) -> Result<Option<SetRow>, StoreError> {
        self.send(self.rows.set(entity)).await
    }

    async fn schedule(&self, flush: &Flush, previous: Option<u64>) -> Result<bool, StoreError> {
        self.send(self.rows.schedule(flush, previous)).await
    }

    async fn begin(&self, flush: &Flush) -> Result<Begun, StoreError> {
        self.send(self.rows.begin(flush)).await
    }

    async fn commit(&self, entity: &EntityId, commit: Commit) -> Result<Committed, StoreError> {
        self.send(self.rows.commit(entity, commit)).await
    }
}
