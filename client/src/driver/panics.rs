//! Panics, of the application's code and of our own, as values: a client that panicked must not seem to be
//! connecting for ever.

use std::{any::Any, future::Future, panic::AssertUnwindSafe};

use futures_util::FutureExt;
use tokio::sync::watch;

use crate::{ConnectionState, StopReason};

/// Runs a future.
///
/// # Errors
///
/// Returns what it panicked with if it did.
pub(super) async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let outcome = AssertUnwindSafe(future).catch_unwind().await;
    outcome.map_err(|panic| words_of(&*panic))
}

/// Runs a client, and announces that it stopped if it panics.
pub(crate) async fn supervise(
    client: impl Future<Output = ()>,
    states: watch::Sender<ConnectionState>,
) {
    if let Err(reason) = caught(client).await {
        tracing::error!(reason, "the client panicked");
        states.send_replace(ConnectionState::Stopped(StopReason::Failed { reason }));
    }
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it did not say why").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn client_that_panics_is_stopped_with_the_reason() {
        let (states, state) = watch::channel(ConnectionState::Connecting);
        supervise(async { panic!("seven {}", 8) }, states).await;
        let reason = "seven 8".to_owned();
        let stopped = ConnectionState::Stopped(StopReason::Failed { reason });
        assert_eq!(*state.borrow(), stopped);
    }
}
