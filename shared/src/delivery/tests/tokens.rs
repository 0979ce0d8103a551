//! Connections whose token seems to have ended.

use super::*;

const LAST_FRAME: &str =
    r#"{"type":"disconnect","code":"token_expired","reason":"token expired","reconnect":true}"#;

const ENDED: TokenExpiry = TokenExpiry::from_epoch_seconds(1_000);
const GOOD: TokenExpiry = TokenExpiry::from_epoch_seconds(u64::MAX / 2);

fn seems_ended(number: usize) -> Recipient {
    Recipient {
        token_expires_at: Some(ENDED),
        ..recipient(number)
    }
}

async fn renew(store: &MemoryStore, number: usize, expiry: TokenExpiry) {
    let renewed = store.renew(&connection_id(number), expiry).await;
    assert!(renewed.expect("a store"));
}

/// Delivers to connections named on the queue, whose token has ended according to the message.
async fn deliver_named<P: Post>(
    store: &MemoryStore,
    poster: &P,
    queues: &MemoryQueues,
    numbers: &[usize],
) -> Vec<Report> {
    let connections = numbers.iter().map(|number| seems_ended(*number)).collect();
    let body = push().to(named(connections, 2)).to_queue_body();
    let read = Push::from_queue_body(&body).expect("a push");
    deliver_all(store, poster, queues, read).await
}

#[tokio::test(start_paused = true)]
async fn ended_token_gets_a_last_frame_instead_of_the_push() {
    let store = subscribers(10, 100).await;
    for (number, expiry) in [(3, ENDED), (4, ENDED), (5, GOOD)] {
        renew(&store, number, expiry).await;
    }
    let poster = ScriptedPoster::new(|_, _| Ok(()));
    let queues = MemoryQueues::default();
    let reports = deliver_all(&store, &poster, &queues, push()).await;
    assert_eq!((reports[0].delivered, reports[0].disconnected), (8, 2));
    for number in 0..10 {
        let posts = poster.posts(&connection_id(number));
        let expired = number == 3 || number == 4;
        let frame = push().frame.get().to_owned();
        let expected = if expired {
            LAST_FRAME.to_owned()
        } else {
            frame
        };
        assert_eq!((posts.taken, posts.disconnected), (vec![expected], expired));
    }
    let again = deliver_all(&store, &poster, &queues, push()).await;
    assert_eq!((again[0].audience, again[0].delivered), (8, 8));
}

#[tokio::test(start_paused = true)]
async fn retry_after_renewal_delivers_and_keeps_the_connection() {
    let store = subscribers(3, 100).await;
    renew(&store, 0, GOOD).await;
    renew(&store, 1, ENDED).await;
    let poster = ScriptedPoster::new(|_, _| Ok(()));
    let queues = MemoryQueues::default();
    let reports = deliver_named(&store, &poster, &queues, &[0, 1, 2]).await;
    // According to its own row, the third connection has no token.
    assert_eq!((reports[0].delivered, reports[0].disconnected), (2, 1));
    for (number, taken, closed) in [
        (0, push().frame.get(), false),
        (1, LAST_FRAME, true),
        (2, push().frame.get(), false),
    ] {
        let posts = poster.posts(&connection_id(number));
        assert_eq!(
            (&posts.taken[..], posts.disconnected),
            (&[taken.to_owned()][..], closed)
        );
    }
}

/// Delivery requeues the push and not the last frame, because the connection may renew its token meanwhile.
#[tokio::test(start_paused = true)]
async fn renewal_between_two_attempts_at_a_last_frame_gets_the_push() {
    let store = subscribers(1, 100).await;
    renew(&store, 0, ENDED).await;
    let queues = MemoryQueues::default();
    let delivery = Delivery::new(&store, &Failing, &queues, Settings::default());
    let report = delivery.deliver(&push(), Instant::now() + MINUTE).await;
    assert_eq!(report.expect("delivered").requeued, 1);
    renew(&store, 0, GOOD).await;
    let [(again, _)] = &queues.take()[..] else {
        panic!("one message")
    };
    let poster = ScriptedPoster::new(|_, _| Ok(()));
    let reports = deliver_all(&store, &poster, &queues, again.clone()).await;
    assert_eq!((reports[0].delivered, reports[0].disconnected), (1, 0));
    let posts = poster.posts(&connection_id(0));
    assert_eq!(
        (&posts.taken[0][..], posts.disconnected),
        (push().frame.get(), false)
    );
}

/// A poster whose posts and closes all fail.
struct Failing;

impl Post for Failing {
    async fn post(&self, _: &ConnectionId, _: &str) -> Result<(), PostError> {
        Err(unavailable())
    }

    async fn disconnect(&self, _: &ConnectionId) -> Result<(), PostError> {
        Err(unavailable())
    }
}

#[tokio::test(start_paused = true)]
async fn connection_that_is_not_stored_is_gone() {
    let store = subscribers(1, 100).await;
    let poster = ScriptedPoster::new(|_, _| Ok(()));
    let queues = MemoryQueues::default();
    let reports = deliver_named(&store, &poster, &queues, &[7]).await;
    assert_eq!((reports.len(), reports[0].gone), (1, 1));
    assert_eq!(poster.posts(&connection_id(7)).tries, 0);
}

/// A store that fails to read tokens the first few times, by an error or by silence.
struct FailingTokens {
    store: MemoryStore,
    failures: std::sync::atomic::AtomicUsize,
    silent: bool,
}

impl ReadAudience for FailingTokens {
    async fn read_audience(&self, audience: &Audience, range: &Range) -> Result<Page, StoreError> {
        self.store.read_audience(audience, range).await
    }

    async fn read_watchers(&self, entity: &EntityId, range: &Range) -> Result<Page, StoreError> {
        self.store.read_watchers(entity, range).await
    }
}

impl ReadToken for FailingTokens {
    async fn current_token(&self, connection: &ConnectionId) -> Result<CurrentToken, StoreError> {
        use std::sync::atomic::Ordering::Relaxed;
        let left = self.failures.load(Relaxed);
        if left == 0 {
            return self.store.current_token(connection).await;
        }
        self.failures.store(left - 1, Relaxed);
        if self.silent {
            std::future::pending::<()>().await;
        }
        Err(StoreError::Throttled("not now".into()))
    }
}

impl Forget for FailingTokens {
    async fn prune(&self, connection: &ConnectionId, _: &Audience) -> Result<(), StoreError> {
        self.forget(connection).await
    }

    async fn forget(&self, connection: &ConnectionId) -> Result<(), StoreError> {
        self.store.forget(connection).await
    }
}

#[tokio::test(start_paused = true)]
async fn failed_token_read_is_retried_and_closes_no_connection() {
    for silent in [false, true] {
        // Two failures within the first attempt, or all three tries of two attempts.
        for (failures, attempts) in [(2, 1), (6, 3)] {
            let store = subscribers(1, 100).await;
            renew(&store, 0, GOOD).await;
            let store = FailingTokens {
                store,
                failures: failures.into(),
                silent,
            };
            let poster = ScriptedPoster::new(|_, _| Ok(()));
            let queues = MemoryQueues::default();
            let delivery = Delivery::new(&store, &poster, &queues, Settings::default());
            let mut waiting = vec![push().to(named(vec![seems_ended(0)], 1))];
            let mut reports = 0;
            while let Some(push) = waiting.pop() {
                let report = delivery.deliver(&push, Instant::now() + MINUTE).await;
                report.expect("delivered");
                reports += 1;
                waiting.extend(queues.take().into_iter().map(|(push, _)| push));
            }
            assert_eq!(reports, attempts);
            let posts = poster.posts(&connection_id(0));
            assert_eq!((posts.taken.len(), posts.disconnected), (1, false));
        }
    }
}
