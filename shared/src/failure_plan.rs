//! A plan by which one request of a fake fails.

use std::sync::{Mutex, PoisonError};

/// The plan of the requests of a fake.
#[derive(Debug, Default)]
pub struct FailurePlan(Mutex<Option<Plan>>);

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

impl FailurePlan {
    /// Lets one request fail, after so many that succeed.
    pub fn fail_after(&self, spared: usize, failure: Failure) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Plan { spared, failure });
    }

    /// Returns whether a request is still to fail, and lets it succeed.
    pub fn take_back(&self) -> bool {
        let mut plan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        plan.take().is_some()
    }

    /// Returns how the next request fails, if it does.
    fn next(&self) -> Option<Failure> {
        let mut plan = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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

    /// Sends a request, unless it is the one to fail. `throttled` and `lost` are the errors.
    pub(crate) async fn send<T, E>(
        &self,
        request: impl Future<Output = Result<T, E>>,
        throttled: impl FnOnce() -> E,
        lost: impl FnOnce() -> E,
    ) -> Result<T, E> {
        match self.next() {
            None => request.await,
            Some(Failure::Throttled) => Err(throttled()),
            Some(Failure::AnswerLost) => {
                request.await?;
                Err(lost())
            }
        }
    }
}
