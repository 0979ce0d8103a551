//! Rows of a log whose every request waits for a permit.

use std::{fmt::Debug, future::Future, ops::RangeInclusive, time::Duration};

use herald_shared::{
    audience::Audience,
    log::{Claim, Claimed, Consistency, Epoch, Head, LogError, LogRow, LogRows, Put, RowPage},
};

use super::scheduler::{Actor, PendingRequest, Permit, Scheduler};

/// The name of an eventually consistent read of a head.
pub(crate) const LAGGING_READ: &str = "read the head, maybe late";

/// The rows as one function sees them.
#[derive(Debug)]
pub(crate) struct ScheduledLog<'a, R> {
    pub(crate) rows: &'a R,
    pub(crate) scheduler: Scheduler,
    pub(crate) actor: Actor,
    /// The head as an eventually consistent read may find it: as it was when the run began.
    pub(crate) old_head: Option<Head>,
}

impl<R: LogRows> ScheduledLog<'_, R> {
    /// Sends a request as the SDK does: again, if its answer is lost.
    async fn send<T: Debug, F: Future<Output = Result<T, LogError>>>(
        &self,
        name: &'static str,
        may_lose_answer: bool,
        request: impl Fn() -> F,
    ) -> Result<T, LogError> {
        loop {
            let waiting = PendingRequest {
                actor: self.actor,
                name,
                may_be_late: false,
                may_lose_answer,
            };
            let permit = self.scheduler.permitted(waiting).await;
            let answer = request().await;
            if permit == Permit::Apply {
                self.scheduler.answered(self.actor, &answer);
                return answer;
            }
            self.scheduler.answered(self.actor, &permit);
        }
    }
}

impl<R: LogRows> LogRows for ScheduledLog<'_, R> {
    async fn claim(&self, audience: &Audience, claim: Claim<'_>) -> Result<Claimed, LogError> {
        self.send("claim an offset", true, || self.rows.claim(audience, claim))
            .await
    }

    async fn replace_head(
        &self,
        audience: &Audience,
        ended: &Epoch,
        head: &Head,
    ) -> Result<bool, LogError> {
        self.send("replace the head", true, || {
            self.rows.replace_head(audience, ended, head)
        })
        .await
    }

    async fn head(
        &self,
        audience: &Audience,
        consistency: Consistency,
    ) -> Result<Option<Head>, LogError> {
        if consistency == Consistency::Strong {
            let read = || self.rows.head(audience, consistency);
            return self.send("read the head", false, read).await;
        }
        let waiting = PendingRequest {
            actor: self.actor,
            name: LAGGING_READ,
            may_be_late: true,
            may_lose_answer: false,
        };
        let answer = match self.scheduler.permitted(waiting).await {
            Permit::ApplyLate => Ok(self.old_head.clone()),
            Permit::Apply | Permit::LoseAnswer => self.rows.head(audience, consistency).await,
        };
        self.scheduler.answered(self.actor, &answer);
        answer
    }

    async fn put(
        &self,
        audience: &Audience,
        epoch: &Epoch,
        row: &LogRow,
        kept_until: Duration,
    ) -> Result<Put, LogError> {
        self.send("put a row", true, || {
            self.rows.put(audience, epoch, row, kept_until)
        })
        .await
    }

    async fn rows(
        &self,
        audience: &Audience,
        epoch: &Epoch,
        offsets: RangeInclusive<u64>,
        limit: usize,
    ) -> Result<RowPage, LogError> {
        self.send("read rows", false, || {
            self.rows.rows(audience, epoch, offsets.clone(), limit)
        })
        .await
    }
}
