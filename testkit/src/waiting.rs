//! Waiting that ends a test rather than hang it.

use std::{env, time::Duration};

use tokio::time::{sleep, timeout};

/// Returns how long tests wait for what must come: 240 s, or the seconds that `HERALD_PATIENCE_SECONDS` tells.
///
/// Nothing takes that long; it ends a test that would wait for ever.
pub fn patience() -> Duration {
    let seconds = env::var("HERALD_PATIENCE_SECONDS").map(|seconds| seconds.parse());
    let seconds = seconds.map_or(240, |seconds| seconds.expect("a number of seconds"));
    Duration::from_secs(seconds)
}

/// Waits for something that must come.
///
/// # Panics
///
/// Panics if it does not come in time; `event` says what was awaited: "the client stopped".
pub async fn in_time<T>(event: &str, future: impl Future<Output = T>) -> T {
    let waited = timeout(patience(), future).await;
    waited.unwrap_or_else(|_| panic!("waited in vain until {event}"))
}

/// Waits until a condition holds.
///
/// # Panics
///
/// Panics as [`in_time`] does.
pub async fn until(event: &str, mut condition: impl FnMut() -> bool) {
    until_async(event, || std::future::ready(condition())).await;
}

/// Waits until a condition holds that takes a while to look at.
///
/// # Panics
///
/// Panics as [`in_time`] does.
pub async fn until_async<F: Future<Output = bool>>(event: &str, mut condition: impl FnMut() -> F) {
    let polled = async {
        while !condition().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    in_time(event, polled).await;
}
