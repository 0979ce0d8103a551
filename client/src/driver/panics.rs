//! Panics of the application's code and of the client's own, as errors: a client that panicked must not seem
//! to be connecting for ever.

use std::{any::Any, future::Future, panic::AssertUnwindSafe};

use futures_util::FutureExt;
use tokio::sync::watch;

use crate::{ConnectionState, StopReason};

/// Runs a future.
///
/// # Errors
///
/// Returns the message of its panic if it panicked.
pub(super) async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let outcome = AssertUnwindSafe(future).catch_unwind().await;
    outcome.map_err(|panic| format!("panic: {}", message_of(&*panic)))
}

/// Runs a client. Announces that it stopped if it panics, or if the runtime drops it.
pub(crate) fn supervise(
    client: impl Future<Output = ()>,
    states: watch::Sender<ConnectionState>,
) -> impl Future<Output = ()> {
    // Made before the future runs, since a runtime that shuts down may never run it.
    let guard = StopGuard(states);
    async move {
        if let Err(reason) = caught(client).await {
            tracing::error!(reason, "the client panicked");
            guard.announce(reason);
        }
        drop(guard);
    }
}

/// Announces that the client stopped when it is dropped, unless the client announced that itself.
struct StopGuard(watch::Sender<ConnectionState>);

impl StopGuard {
    fn announce(&self, reason: String) {
        self.0.send_if_modified(|state| {
            let is_running = !matches!(state, ConnectionState::Stopped(_));
            if is_running {
                *state = ConnectionState::Stopped(StopReason::Failed { reason });
            }
            is_running
        });
    }
}

impl Drop for StopGuard {
    fn drop(&mut self) {
        self.announce("the tokio runtime was shut down".to_owned());
    }
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a value that is not a text").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stopped(reason: &str) -> ConnectionState {
        let reason = reason.to_owned();
        ConnectionState::Stopped(StopReason::Failed { reason })
    }

    #[tokio::test]
    async fn client_that_panics_is_stopped_with_the_reason() {
        let (states, state) = watch::channel(ConnectionState::Connecting);
        supervise(async { panic!("seven {}", 8) }, states).await;
        assert_eq!(*state.borrow(), stopped("panic: seven 8"));
    }

    #[test]
    fn client_that_its_runtime_drops_is_stopped_with_the_reason() {
        let (states, state) = watch::channel(ConnectionState::Connecting);
        drop(supervise(std::future::pending(), states));
        assert_eq!(*state.borrow(), stopped("the tokio runtime was shut down"));
    }

    #[tokio::test]
    async fn client_that_stopped_by_itself_keeps_its_reason() {
        let closed = ConnectionState::Stopped(StopReason::Closed);
        let (states, state) = watch::channel(closed.clone());
        supervise(async {}, states).await;
        assert_eq!(*state.borrow(), closed);
    }
}
