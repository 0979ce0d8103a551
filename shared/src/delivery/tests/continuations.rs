//! The reading of a batch's continuations.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures_util::future::join_all;

use super::*;

/// The size of the audience.
const CONNECTIONS: usize = 1_000;

/// A store that counts the pages that are read at once.
struct CountedReads {
    store: MemoryStore,
    /// The time of a read.
    time: Duration,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl CountedReads {
    async fn new() -> Self {
        Self {
            store: subscribers(CONNECTIONS, CONNECTIONS).await,
            time: Duration::from_millis(1),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
        }
    }
}

impl ReadAudience for CountedReads {
    async fn read_audience(&self, audience: &Audience, range: &Range) -> Result<Page, StoreError> {
        let at_once = self.at_once.fetch_add(1, SeqCst) + 1;
        self.most_at_once.fetch_max(at_once, SeqCst);
        tokio::time::sleep(self.time).await;
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

/// Delivers the pushes together and returns the sum of their reports.
async fn deliver(store: &CountedReads, pushes: Vec<Push>) -> Report {
    let poster = ScriptedPoster::new(|_, _| Ok(()));
    let queues = MemoryQueues::default();
    let delivery = Delivery::new(store, &poster, &queues, Settings::default());
    let deadline = Instant::now() + 2 * MINUTE;
    let reports = join_all(pushes.iter().map(|push| delivery.deliver(push, deadline))).await;
    let mut total = Report::default();
    for report in reports {
        total += report.expect("delivered");
    }
    total
}

#[tokio::test(start_paused = true)]
async fn continuations_of_a_batch_are_read_one_at_a_time() {
    let store = CountedReads::new().await;
    let total = deliver(&store, continuations()).await;
    assert_eq!(total.delivered, CONNECTIONS);
    assert_eq!(store.most_at_once.load(SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn whole_audiences_of_a_batch_are_read_at_once() {
    let store = CountedReads::new().await;
    deliver(&store, vec![push(); 10]).await;
    assert_eq!(store.most_at_once.load(SeqCst), 10);
}

#[tokio::test(start_paused = true)]
async fn continuations_without_a_turn_in_time_are_read_and_requeued_by_name() {
    let store = CountedReads {
        time: Duration::from_secs(40),
        ..CountedReads::new().await
    };
    let total = deliver(&store, continuations()).await;
    assert_eq!(total.delivered + total.requeued, CONNECTIONS);
    assert!(total.delivered > 0 && total.requeued > 0, "{total:?}");
}
