//! Rows that fail, for tests of what a failure leaves behind.

use std::{
    ops::RangeInclusive,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{Claim, Claimed, Consistency, Epoch, Head, LogError, LogRow, LogRows, Put, RowPage};
use crate::audience::Audience;

/// Rows of which a chosen request fails.
#[derive(Debug)]
pub struct FailingLogRows<'a, R> {
    rows: &'a R,
    plan: Mutex<Option<Plan>>,
}

#[derive(Clone, Copy, Debug)]
struct Plan {
    /// The requests that succeed before.
    spared: usize,
    failure: Failure,
}

/// A way in which a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The table is throttled, and the request is not applied.
    Throttled,
    /// The request is applied, and its answer is lost.
    AnswerLost,
}

impl<'a, R> FailingLogRows<'a, R> {
    /// Returns rows of which no request fails yet.
    pub fn over(rows: &'a R) -> Self {
        let plan = Mutex::default();
        Self { rows, plan }
    }

    /// Lets one request fail, after so many that succeed.
    pub fn fail_after(&self, spared: usize, failure: Failure) {
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Some(Plan { spared, failure });
    }

    /// Returns whether a request is still to fail, and lets it succeed.
    pub fn take_back(&self) -> bool {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        plan.take().is_some()
    }

    /// Returns how the next request fails, if it does.
    fn next(&self) -> Option<Failure> {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        match plan.as_mut()? {
            Plan { spared: 0, failure } => {
                let failure = *failure;
                *plan = None;
                Some(failure)
            }
            Plan { spared, .. } => {
                *spared -= 1;
                None
            }
        }
    }

    async fn send<T>(
        &self,
        request: impl Future<Output = Result<T, LogError>>,
    ) -> Result<T, LogError> {
        match self.next() {
            None => request.await,
            Some(Failure::Throttled) => Err(LogError::Throttled("as planned".into())),
            Some(Failure::AnswerLost) => {
                request.await?;
                Err(LogError::Failed {
                    step: "get an answer",
                    source: "as planned".into(),
                })
            }
        }
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
