//! Rows that fail, for tests of what a failure leaves behind.

use std::{ops::RangeInclusive, time::Duration};

use super::{Claim, Claimed, Consistency, Epoch, Head, LogError, LogRow, LogRows, Put, RowPage};
pub use crate::failure_plan::Failure;
use crate::{audience::Audience, failure_plan::FailurePlan};

/// Rows of which a chosen request fails.
#[derive(Debug)]
pub struct FailingLogRows<'a, R> {
    rows: &'a R,
    plan: FailurePlan,
}

impl<'a, R> FailingLogRows<'a, R> {
    /// Returns rows of which no request fails yet.
    pub fn over(rows: &'a R) -> Self {
        let plan = FailurePlan::default();
        Self { rows, plan }
    }

    /// Lets one request fail, after so many that succeed.
    pub fn fail_after(&self, spared: usize, failure: Failure) {
        self.plan.fail_after(spared, failure);
    }

    /// Returns whether a request is still to fail, and lets it succeed.
    pub fn take_back(&self) -> bool {
        self.plan.take_back()
    }

    async fn send<T>(
        &self,
        request: impl Future<Output = Result<T, LogError>>,
    ) -> Result<T, LogError> {
        let lost = || LogError::Failed {
            step: "get an answer",
            source: "as planned".into(),
        };
        let throttled = || LogError::Throttled("as planned".into());
        self.plan.send(request, throttled, lost).await
    }
}

impl<R: LogRows> LogRows for FailingLogRows<'_, R> {
    async fn claim(&self, audience: &Audience, claim: Claim<'_>) -> Result<Claimed, LogError> {
        self.send(self.rows.claim(audience, claim)).await
    }

    async fn replace_head(
        &self,
        audience: &Audience,
        ended: &Epoch,
        head: &Head,
    ) -> Result<bool, LogError> {
        self.send(self.rows.replace_head(audience, ended, head))
            .await
    }

    async fn head(
        &self,
        audience: &Audience,
        consistency: Consistency,
    ) -> Result<Option<Head>, LogError> {
        self.send(self.rows.head(audience, consistency)).await
    }

    async fn put(
        &self,
        audience: &Audience,
        epoch: &Epoch,
        row: &LogRow,
        kept_until: Duration,
    ) -> Result<Put, LogError> {
        self.send(self.rows.put(audience, epoch, row, kept_until))
            .await
    }

    async fn rows(
        &self,
        audience: &Audience,
        epoch: &Epoch,
        offsets: RangeInclusive<u64>,
        limit: usize,
    ) -> Result<RowPage, LogError> {
        self.send(self.rows.rows(audience, epoch, offsets, limit))
            .await
    }
}
