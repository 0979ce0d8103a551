//! Forgetting connections while the table does not answer.

use tokio::time::timeout_at;

use super::*;

/// A store whose deletions never end.
struct Silent(MemoryStore);

impl ReadAudience for Silent {
    async fn read_audience(&self, audience: &Audience, range: &Range) -> Result<Page, StoreError> {
        self.0.read_audience(audience, range).await
    }

    async fn read_watchers(&self, entity: &EntityId, range: &Range) -> Result<Page, StoreError> {
        self.0.read_watchers(entity, range).await
    }
}

impl ReadToken for Silent {
    async fn current_token(&self, connection: &ConnectionId) -> Result<CurrentToken, StoreError> {
        self.0.current_token(connection).await
    }
}

impl Forget for Silent {
    async fn prune(&self, _: &ConnectionId, _: &Audience) -> Result<(), StoreError> {
        std::future::pending().await
    }

    async fn forget(&self, _: &ConnectionId) -> Result<(), StoreError> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn connections_that_are_not_forgotten_in_time_are_requeued_before_the_deadline() {
    let store = Silent(subscribers(3, 100).await);
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
