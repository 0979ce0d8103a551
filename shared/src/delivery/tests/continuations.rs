//! The continuations of a batch that are in memory at once.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures_util::future::join_all;
use tokio::sync::Semaphore;

use super::*;
use crate::delivery::CONTINUATIONS;

/// The size of the audience, which is far above the number of connections in progress.
const CONNECTIONS: usize = 20_000;

/// A store that counts the pages that are read, and those that are read at once.
struct CountedReads {
    store: MemoryStore,
    reads: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl CountedReads {
    /// Returns a store with many more connections than may be in progress.
    async fn new() -> Self {
        Self {
            store: subscribers(CONNECTIONS, CONNECTIONS).await,
            reads: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
        }
    }
}

impl ReadAudience for CountedReads {
    async fn read_audience(&self, audience: &Audience, range: &Range) -> Result<Page, StoreError> {
        self.reads.fetch_add(1, SeqCst);
        let at_once = self.at_once.fetch_add(1, SeqCst) + 1;
        self.most_at_once.fetch_max(at_once, SeqCst);
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.at_once.fetch_sub(1, SeqCst);
        self.store.read_audience(audience, range).await
    }

    async fn read_watchers(&self, entity: &EntityId, range: &Range) -> Result<Page, StoreError> {
        self.store.read_watchers(entity, range).await
    }
}

impl ReadToken for CountedReads {
    async fn current_token(&self, connection: &ConnectionId) -> Result<CurrentToken, StoreError> {
        self.store.current_token(connection).await
    }
}

impl Forget for CountedReads {
    async fn prune(
        &self,
        connection: &ConnectionId,
        audience: &Audience,
    ) -> Result<(), StoreError> {
        self.store.prune(connection, audience).await
    }

    async fn forget(&self, connection: &ConnectionId) -> Result<(), StoreError> {
        self.store.forget(connection).await
    }
}

/// A poster that answers no post before its gate is closed.
struct HeldPoster(Semaphore);

impl Post for HeldPoster {
    async fn post(&self, _: &ConnectionId, _: &str) -> Result<(), PostError> {
        self.0.acquire().await.ok();
        Ok(())
    }

    async fn disconnect(&self, _: &ConnectionId) -> Result<(), PostError> {
        Ok(())
    }
}

/// Returns ten continuations that together have the whole audience.
fn continuations() -> Vec<Push> {
    let parts = (0..10).map(|number| Range {
        first: number * 26,
        last: (number * 26).saturating_add(25),
        after: None,
    });
    let parts = parts.map(|range| {
        push().to(Recipients::Audience {
            audience: audience(),
            range,
        })
    });
    parts.collect()
}

#[tokio::test(start_paused = true)]
async fn continuations_are_read_one_at_a_time_and_few_are_in_memory() {
    let store = CountedReads::new().await;
    let poster = HeldPoster(Semaphore::new(0));
    let queues = MemoryQueues::default();
    let delivery = Delivery::new(&store, &poster, &queues, Settings::default());
    let pushes = continuations();
    let deadline = Instant::now() + MINUTE;
    let deliveries = join_all(pushes.iter().map(|push| delivery.deliver(push, deadline)));
    let whole = push();
    let observed = async {
        // The paused clock moves on when nothing else can.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let first = store.reads.load(SeqCst);
        poster.0.close();
        first
    };
    let (reports, whole, first) =
        tokio::join!(deliveries, delivery.deliver(&whole, deadline), observed);
    // A push to a whole audience, which is usually small, waits for no continuation.
    assert_eq!(first, CONTINUATIONS + 1);
    assert_eq!(store.reads.load(SeqCst), pushes.len() + 1);
    // One of the continuations, and the whole audience.
    assert_eq!(store.most_at_once.load(SeqCst), 2);
    let delivered = reports
        .into_iter()
        .map(|report| report.expect("delivered").delivered);
    assert_eq!(delivered.sum::<usize>(), CONNECTIONS);
    assert!(whole.is_ok(), "{whole:?}");
}

#[tokio::test(start_paused = true)]
async fn continuations_without_a_turn_in_time_are_requeued_by_name() {
    let store = CountedReads::new().await;
    let queues = MemoryQueues::default();
    let delivery = Delivery::new(&store, &SlowPoster, &queues, Settings::default());
    let pushes = continuations();
    let deadline = Instant::now() + MINUTE;
    let reports = join_all(pushes.iter().map(|push| delivery.deliver(push, deadline))).await;
    let mut total = Report::default();
    for report in reports {
        total += report.expect("delivered");
    }
    assert!(Instant::now() < deadline);
    assert_eq!(total.delivered + total.requeued, CONNECTIONS);
    assert!(total.requeued > 0 && total.delivered > 0, "{total:?}");
    assert_eq!(store.reads.load(SeqCst), pushes.len());
}
