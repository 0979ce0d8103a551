//! A value that is fetched from another service and kept: an issuer's keys, a secret, or the API keys.
//!
//! It is fetched when it is first needed and when it has a certain age, an hour unless its source says
//! otherwise. A token that does not match may be a sign of a newer value, so it causes another fetch; their
//! number is limited, because any client can send such tokens. While the fetch fails, the old value is used
//! for up to a day.

use std::{
    error::Error,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use herald_shared::error_chain::error_chain;
use tokio::{sync::Mutex, time::timeout};

/// The minimum time between two fetches because of tokens that do not match, and between two tries while
/// there is an old value.
const PAUSE: Duration = Duration::from_secs(30);

/// The minimum time between two tries while there is no value.
const PAUSE_WITHOUT: Duration = Duration::from_secs(1);

/// The time limit of a fetch: a client waits for it, and no longer than 3 s in all.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// The source of a value.
pub(crate) trait Fetch: Sync {
    /// The value.
    type Value: Send + Sync;

    /// The value's name in the log.
    const NAME: &str;

    /// The age at which the value is fetched again.
    const MAX_AGE: Duration = Duration::from_secs(60 * 60);

    /// The age up to which the value is used if it cannot be fetched.
    const USABLE: Duration = Duration::from_secs(24 * 60 * 60);

    /// Fetches the value.
    fn fetch(&self) -> impl Future<Output = Result<Self::Value, Failure>> + Send;
}

/// The reason a value is missing.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// The value, fetched when needed. A caller that needs it during a fetch waits for that fetch.
#[derive(Debug)]
pub(crate) struct Cached<F: Fetch> {
    source: F,
    state: Mutex<State<F::Value>>,
}

#[derive(Debug)]
struct State<V> {
    value: Option<Fetched<V>>,
    /// The time the last fetch failed. `None` if it succeeded.
    failed_at: Option<Instant>,
    /// The time of the last fetch because of a token.
    renewed_at: Option<Instant>,
}

#[derive(Debug)]
struct Fetched<V> {
    value: Arc<V>,
    at: Instant,
}

/// The failure of the last fetch, while it is too early for another.
#[derive(Debug, thiserror::Error)]
#[error("failed to fetch {0} a moment ago")]
struct FailedBefore(&'static str);

impl<F: Fetch> Cached<F> {
    /// Returns a cache that has not fetched the value yet.
    pub(crate) fn new(source: F) -> Self {
        let state = State {
            value: None,
            failed_at: None,
            renewed_at: None,
        };
        Self {
            source,
            state: Mutex::new(state),
        }
    }

    /// Returns the value.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no value that is young enough to be used.
    pub(crate) async fn value(&self, now: Instant) -> Result<Arc<F::Value>, Failure> {
        let mut state = self.state.lock().await;
        let usable = state.value_younger_than(F::USABLE, now);
        if let Some(young) = state.value_younger_than(F::MAX_AGE, now) {
            return Ok(young);
        }
        let pause = match usable {
            Some(_) => PAUSE,
            None => PAUSE_WITHOUT,
        };
        let fetched = if is_within(pause, state.failed_at, now) {
            Err(FailedBefore(F::NAME).into())
        } else {
            self.fetch(&mut state, now).await
        };
        match (fetched, usable) {
            (Err(_), Some(old)) => Ok(old),
            (fetched, _) => fetched,
        }
    }

    /// Returns a value that was fetched after `unfit`, which did not match a token. `None` if `unfit` is
    /// the newest value that may be fetched now.
    ///
    /// # Errors
    ///
    /// Returns an error if the value could not be fetched.
    pub(crate) async fn newer_than(
        &self,
        unfit: &Arc<F::Value>,
        now: Instant,
    ) -> Result<Option<Arc<F::Value>>, Failure> {
        let mut state = self.state.lock().await;
        if let Some(Fetched { value, .. }) = &state.value
            && !Arc::ptr_eq(value, unfit)
        {
            return Ok(Some(Arc::clone(value)));
        }
        if !is_within(PAUSE, state.renewed_at, now) {
            state.renewed_at = Some(now);
            self.fetch(&mut state, now).await.map(Some)
        } else if state.failed_at.is_some() {
            Err(FailedBefore(F::NAME).into())
        } else {
            Ok(None)
        }
    }

    async fn fetch(
        &self,
        state: &mut State<F::Value>,
        now: Instant,
    ) -> Result<Arc<F::Value>, Failure> {
        let fetched = timeout(TIME_LIMIT, self.source.fetch()).await;
        match fetched.unwrap_or_else(|elapsed| Err(elapsed.into())) {
            Ok(value) => {
                tracing::info!("fetched {}", F::NAME);
                let value = Arc::new(value);
                state.failed_at = None;
                state.value = Some(Fetched {
                    value: Arc::clone(&value),
                    at: now,
                });
                Ok(value)
            }
            Err(error) => {
                let reason = error_chain(&*error);
                tracing::error!(reason, "failed to fetch {}", F::NAME);
                state.failed_at = Some(now);
                Err(error)
            }
        }
    }
}

impl<V> State<V> {
    fn value_younger_than(&self, age: Duration, now: Instant) -> Option<Arc<V>> {
        self.value
            .as_ref()
            .filter(|fetched| now.saturating_duration_since(fetched.at) < age)
            .map(|fetched| Arc::clone(&fetched.value))
    }
}

fn is_within(pause: Duration, then: Option<Instant>, now: Instant) -> bool {
    then.is_some_and(|then| now.saturating_duration_since(then) < pause)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    const MAX_AGE: Duration = Source::MAX_AGE;
    const USABLE: Duration = Source::USABLE;

    /// A source whose value is the number of fetches.
    #[derive(Default)]
    struct Source {
        down: AtomicBool,
        fetches: AtomicUsize,
    }

    impl Fetch for Source {
        type Value = usize;

        const NAME: &str = "the count";

        async fn fetch(&self) -> Result<usize, Failure> {
            let count = self.fetches.fetch_add(1, Ordering::Relaxed) + 1;
            tokio::task::yield_now().await;
            if self.down.load(Ordering::Relaxed) {
                return Err("down".into());
            }
            Ok(count)
        }
    }

    struct Test {
        cached: Cached<Source>,
        start: Instant,
    }

    impl Test {
        fn new() -> Self {
            Self {
                cached: Cached::new(Source::default()),
                start: Instant::now(),
            }
        }

        fn down(&self, down: bool) {
            self.cached.source.down.store(down, Ordering::Relaxed);
        }

        fn fetches(&self) -> usize {
            self.cached.source.fetches.load(Ordering::Relaxed)
        }

        async fn value(&self, after: Duration) -> Option<Arc<usize>> {
            self.cached.value(self.start + after).await.ok()
        }

        async fn newer(&self, unfit: &Arc<usize>, after: Duration) -> Result<Option<usize>, ()> {
            let newer = self.cached.newer_than(unfit, self.start + after).await;
            newer.map(|newer| newer.map(|value| *value)).map_err(|_| ())
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn value_is_fetched_once_an_hour() {
        let test = Test::new();
        for (after, value) in [
            (Duration::ZERO, 1),
            (MAX_AGE - SECOND, 1),
            (MAX_AGE, 2),
            (MAX_AGE * 2 - SECOND, 2),
            (MAX_AGE * 2, 3),
        ] {
            assert_eq!(
                test.value(after).await.as_deref(),
                Some(&value),
                "{after:?}"
            );
        }
    }

    #[tokio::test]
    async fn concurrent_callers_share_one_fetch() {
        let test = Test::new();
        let values = join_all((0..100).map(|_| test.value(Duration::ZERO))).await;
        assert!(values.iter().all(|value| value.as_deref() == Some(&1)));
        let old = values[0].clone().expect("a value");
        let newer = join_all((0..100).map(|_| test.newer(&old, SECOND))).await;
        assert!(newer.iter().all(|newer| *newer == Ok(Some(2))));
        assert_eq!(test.fetches(), 2);
    }

    #[tokio::test]
    async fn unfit_value_is_fetched_again_but_not_for_every_token() {
        let test = Test::new();
        let first = test.value(Duration::ZERO).await.expect("a value");
        assert_eq!(test.newer(&first, SECOND).await, Ok(Some(2)));
        let second = test.value(SECOND).await.expect("a value");
        for _ in 0..10 {
            assert_eq!(test.newer(&second, PAUSE).await, Ok(None));
        }
        assert_eq!(test.newer(&second, SECOND + PAUSE).await, Ok(Some(3)));
    }

    #[tokio::test]
    async fn missing_value_is_fetched_again_after_a_short_pause() {
        let test = Test::new();
        test.down(true);
        assert_eq!(test.value(Duration::ZERO).await, None);
        assert_eq!(test.value(PAUSE_WITHOUT / 2).await, None);
        assert_eq!(test.fetches(), 1);
        test.down(false);
        assert_eq!(test.value(PAUSE_WITHOUT).await.as_deref(), Some(&2));
    }

    #[tokio::test]
    async fn old_value_is_used_for_a_day_if_the_source_is_down() {
        let test = Test::new();
        assert!(test.value(Duration::ZERO).await.is_some());
        test.down(true);
        assert_eq!(test.value(MAX_AGE).await.as_deref(), Some(&1));
        assert_eq!(test.value(MAX_AGE + PAUSE / 2).await.as_deref(), Some(&1));
        assert_eq!(test.fetches(), 2);
        assert_eq!(test.value(USABLE - SECOND).await.as_deref(), Some(&1));
        assert_eq!(test.fetches(), 3);
        assert_eq!(test.value(USABLE).await, None);
        test.down(false);
        assert_eq!(test.value(USABLE + SECOND * 2).await.as_deref(), Some(&5));
    }

    #[tokio::test]
    async fn newer_value_is_an_error_if_the_source_is_down() {
        let test = Test::new();
        let first = test.value(Duration::ZERO).await.expect("a value");
        test.down(true);
        assert_eq!(test.newer(&first, SECOND).await, Err(()));
        assert_eq!(test.newer(&first, SECOND * 2).await, Err(()));
        assert_eq!(test.fetches(), 2);
        assert_eq!(test.value(SECOND * 2).await.as_deref(), Some(&1));
    }

    #[tokio::test]
    async fn hanging_fetch_times_out() {
        struct Hanging;

        impl Fetch for Hanging {
            type Value = ();

            const NAME: &str = "nothing";

            async fn fetch(&self) -> Result<(), Failure> {
                std::future::pending().await
            }
        }

        tokio::time::pause();
        assert!(Cached::new(Hanging).value(Instant::now()).await.is_err());
    }
}
