//! Forgetting connections while the table is slow, or does not answer.

use tokio::time::timeout_at;

use super::*;

/// A store in which forgetting takes this time.
struct SlowToForget(MemoryStore, Duration);

impl ReadAudience for SlowToForget {
    async fn read_audience(&self, audience: &Audience, range: &Range) -> Result<Page, StoreError> {
        self.0.read_audience(audience, range).await
    }

    async fn read_watchers(&self, entity: &EntityId, range: &Range) -> Result<Page, StoreError> {
        self.0.read_watchers(entity, range).await
    }
}

impl ReadToken for SlowToForget {
    async fn current_token(&self, connection: &ConnectionId) -> Result<CurrentToken, StoreError> {
        self.0.current_token(connection).await
    }
}

impl Forget for SlowToForget {
    async fn prune(&self, connection: &ConnectionId, _: &Audience) -> Result<(), StoreError> {
        self.forget(connection).await
    }

    async fn forget(&self, connection: &ConnectionId) -> Result<(), StoreError> {
        tokio::time::sleep(self.1).await;
        self.0.forget(connection).await
    }
}

#[tokio::test(start_paused = true)]
async fn connections_not_forgotten_in_time_are_requeued() {
    let store = SlowToForget(subscribers(100, 1000).await, Duration::from_secs(1));
    let poster = ScriptedPoster::new(|_, _| Err(PostError::Gone));
    let queues = MemoryQueues::default();
    let settings = Settings {
        forgetting: 1,
        reserve: Duration::from_secs(10),
        ..Settings::default()
    };
    let delivery = Delivery::new(&store, &poster, &queues, settings);
    let started = Instant::now();
    let deadline = started + Duration::from_secs(30);
    delivery
        .deliver(&push(), deadline)
        .await
        .expect("delivered");
    assert!(Instant::now() < deadline);
    let (connections, ..) = requeued(&queues);
    assert_eq!(connections, 75);
}

#[tokio::test(start_paused = true)]
async fn connections_are_requeued_before_the_deadline_although_the_table_does_not_answer() {
    let store = SlowToForget(subscribers(3, 100).await, Duration::MAX);
    let poster = ScriptedPoster::new(|_, _| Err(PostError::Gone));
    let queues = MemoryQueues::default();
    let delivery = Delivery::new(&store, &poster, &queues, Settings::default());
    let deadline = Instant::now() + MINUTE;
    let push = push();
    let delivered = timeout_at(deadline, delivery.deliver(&push, deadline)).await;
    let report = delivered.expect("an end in time").expect("delivered");
    assert_eq!(report.gone, 3);
    assert_eq!(requeued(&queues), (3, 1, Duration::ZERO));
}
