//! The error of the last attempt to connect that failed, for the application. No rule depends on it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::AttemptError;

/// The last failure, shared by the tasks that may fail and the handles that ask for it.
#[derive(Clone, Default)]
pub(crate) struct LastFailure(Arc<Mutex<Option<AttemptError>>>);

impl LastFailure {
    /// Remembers a failure in place of the one before.
    pub(super) fn set(&self, error: AttemptError) {
        // No code panics while it holds the lock.
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
    }

    /// Returns the last failure, if there was one.
    pub(crate) fn last(&self) -> Option<AttemptError> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }
}
