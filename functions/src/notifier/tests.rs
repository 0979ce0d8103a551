//! The notifier with a store, a poster and queues in memory, and the clock paused.

use std::{fs, path::Path, time::UNIX_EPOCH};

use aws_lambda_events::sqs::SqsMessage;
use herald_shared::{
    audience::{Audience, Range},
    delivery::Settings,
    ids::{ConnectionId, EntityId},
    post::{PostError, scripted::ScriptedPoster},
    push::Recipients,
    queue::memory::{MemoryQueues, QueueFaults},
    store::{
        Connection, ConnectionStore, CurrentToken, Page, StoreError, Subscription,
        memory::MemoryStore,
    },
};
use saphyr::{LoadableYamlNode, YamlOwned};
use serde_json::json;

use super::*;

const RECEIVES: u32 = 3;
const SUBSCRIBERS: usize = 20;

fn connection(number: usize) -> ConnectionId {
    ConnectionId::new(format!("c-{number}")).expect("an id")
}

async fn subscribers() -> MemoryStore {
    let store = MemoryStore::new(100);
    let entity = EntityId::new("order-1").expect("an id");
    for number in 0..SUBSCRIBERS {
        let connection = Connection {
            id: connection(number),
            connected_at: UNIX_EPOCH,
            ip_address: None,
            user_agent: None,
            user: None,
            token_expires_at: None,
        };
        store.connect(&connection).await.expect("a store");
        let subscription = Subscription {
            connection: &connection.id,
            connected_at: connection.connected_at,
            token_expires_at: None,
            entities: std::slice::from_ref(&entity),
            watched: &[],
            user: None,
            info: None,
        };
        store.subscribe(subscription, 1).await.expect("a store");
    }
    store
}

/// Returns a poster that never reaches the first connection.
fn all_but_one() -> ScriptedPoster {
    ScriptedPoster::new(|connection, _| match connection.as_str() {
        "c-0" => Err(PostError::Throttled),
        _ => Ok(()),
    })
}

fn event() -> String {
    json!({
        "id": "e-1",
        "detail-type": "Entity Updated",
        "time": "1970-01-01T00:00:00Z",
        "detail": { "entityId": "order-1", "message": 1 },
    })
    .to_string()
}

/// Receives one record for the n-th time.
async fn receive<S>(
    nth: u32,
    store: &S,
    poster: &ScriptedPoster,
    queues: &MemoryQueues,
    failures: &Failures<'_, MemoryQueues>,
) -> Batch
where
    S: ReadAudience + ReadToken + Forget,
{
    let mut record = SqsMessage::default();
    record.message_id = Some("m-1".to_owned());
    record.receipt_handle = Some(format!("r-{nth}"));
    record.body = Some(event());
    let count = ("ApproximateReceiveCount".to_owned(), nth.to_string());
    record.attributes = [count].into();
    let mut batch = SqsEvent::default();
    batch.records = vec![record];
    let delivery = Delivery::new(store, poster, queues, Settings::default());
    let deadline = Instant::now() + Duration::from_secs(60);
    let members = crate::members::off();
    handle(batch, deadline, &delivery, failures, &Logs::off(), &members).await
}

#[tokio::test(start_paused = true)]
async fn half_delivered_record_reaches_only_the_other_connections_again() {
    let store = subscribers().await;
    let poster = all_but_one();
    let queues = MemoryQueues::default();
    queues.set_faults(QueueFaults::ALL);
    let failures = Failures::new(&queues, RECEIVES);
    for nth in 1..RECEIVES {
        let batch = receive(nth, &store, &poster, &queues, &failures).await;
        assert_eq!(batch.failed, ["m-1"]);
        let delivered = if nth == 1 { SUBSCRIBERS - 1 } else { 0 };
        assert_eq!(batch.report.delivered, delivered, "{nth}");
    }
    queues.set_faults(QueueFaults::default());
    let batch = receive(RECEIVES, &store, &poster, &queues, &failures).await;
    assert_eq!((batch.failed.len(), batch.report.requeued), (0, 1));
    for number in 1..SUBSCRIBERS {
        assert_eq!(poster.posts(&connection(number)).tries, 1, "{number}");
    }
}

/// At the last receive, SQS would move the whole record without a reason.
#[tokio::test(start_paused = true)]
async fn last_receive_of_a_half_delivered_record_makes_a_dead_letter_of_its_rest() {
    let store = subscribers().await;
    let poster = all_but_one();
    let queues = MemoryQueues::default();
    let failures = Failures::new(&queues, 1);
    queues.set_faults(QueueFaults::ALL);
    let first = receive(1, &store, &poster, &queues, &failures).await;
    assert_eq!(first.failed, ["m-1"]);
    // Both queues refuse, so SQS would move the record. If the dead-letter queue recovers before that:
    queues.set_faults(QueueFaults {
        enqueue: usize::MAX,
        stored: 0,
        dead_letter: 0,
    });
    let second = receive(2, &store, &poster, &queues, &failures).await;
    assert_eq!((second.failed.len(), second.report.dead_lettered), (0, 1));
    let dead_letters = queues.dead_letters();
    let [(body, reason)] = &dead_letters[..] else {
        panic!("{dead_letters:?}")
    };
    assert!(reason.starts_with("failed to requeue"), "{reason}");
    let push = Push::from_queue_body(body).expect("a push");
    let Recipients::Connections { connections, .. } = push.recipients else {
        panic!("{body}")
    };
    assert_eq!(connections.len(), 1);
}

/// A store that is throttled.
struct Throttled;

impl ReadAudience for Throttled {
    async fn read_audience(&self, _: &Audience, _: &Range) -> Result<Page, StoreError> {
        Err(StoreError::Throttled("not now".into()))
    }

    async fn read_watchers(&self, _: &EntityId, _: &Range) -> Result<Page, StoreError> {
        Err(StoreError::Throttled("not now".into()))
    }
}

impl ReadToken for Throttled {
    async fn current_token(&self, _: &ConnectionId) -> Result<CurrentToken, StoreError> {
        Err(StoreError::Throttled("not now".into()))
    }
}

impl Forget for Throttled {
    async fn prune(&self, _: &ConnectionId, _: &Audience) -> Result<(), StoreError> {
        Ok(())
    }

    async fn forget(&self, _: &ConnectionId) -> Result<(), StoreError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn failed_record_is_released_in_seconds_and_a_dead_letter_after_its_last_receive() {
    let poster = ScriptedPoster::new(|_, _| Ok(()));
    let queues = MemoryQueues::default();
    let failures = Failures::new(&queues, RECEIVES);
    for nth in 1..RECEIVES {
        let batch = receive(nth, &Throttled, &poster, &queues, &failures).await;
        assert_eq!((batch.failed.len(), batch.report.dead_lettered), (1, 0));
    }
    let released = queues.released();
    let handles: Vec<_> = released.iter().map(|(handle, _)| handle.as_str()).collect();
    assert_eq!(handles, ["r-1", "r-2"]);
    for (handle, pause) in &released {
        assert!((1..=4).contains(&pause.as_secs()), "{handle}: {pause:?}");
    }
    assert!(queues.dead_letters().is_empty());

    let batch = receive(RECEIVES, &Throttled, &poster, &queues, &failures).await;
    assert_eq!((batch.failed.len(), batch.report.dead_lettered), (0, 1));
    assert_eq!(
        queues.dead_letters(),
        [(
            event(),
            "failed 3 times: the push was not delivered: the audience could not be read: the \
             connection table is throttled: not now"
                .to_owned()
        )]
    );
}

/// SQS then moves the record to the dead-letter queue by itself.
#[tokio::test(start_paused = true)]
async fn record_refused_by_the_dead_letter_queue_is_released() {
    let poster = ScriptedPoster::new(|_, _| Ok(()));
    let queues = MemoryQueues::default();
    queues.set_faults(QueueFaults::ALL);
    let failures = Failures::new(&queues, RECEIVES);
    let batch = receive(RECEIVES, &Throttled, &poster, &queues, &failures).await;
    assert_eq!((batch.failed.len(), batch.report.dead_lettered), (1, 0));
    assert_eq!(queues.released().len(), 1);
}

/// Without the first setting, Lambda would end the notifier's loop over its own queue; without the
/// second, the notifier would not know its last receive.
#[test]
fn template_allows_the_notifiers_loop_and_sets_its_number_of_receives() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    let text = fs::read_to_string(file).expect("our own template");
    let documents = YamlOwned::load_from_str(&text).expect("YAML");
    let resources = &documents[0]["Resources"];
    let notifier = &resources["NotifierFunction"]["Properties"];
    assert_eq!(notifier["RecursiveLoop"].as_str(), Some("Allow"));
    let receives = &notifier["Environment"]["Variables"]["NOTIFICATION_RECEIVES"];
    let queue = &resources["NotificationQueue"]["Properties"];
    assert_eq!(receives, &queue["RedrivePolicy"]["maxReceiveCount"]);
}

#[test]
fn time_left_is_read_from_a_time_or_a_duration() {
    let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    for (deadline, left) in [
        (now + Duration::from_secs(60), 60),
        (now, 0),
        (now - Duration::from_secs(1), 0),
        (UNIX_EPOCH + Duration::from_secs(600), 600),
    ] {
        assert_eq!(time_left(deadline, now), Duration::from_secs(left));
    }
}
