//! The property of every batch: each of its records is accounted for, whatever its content.

use herald_shared::{
    audience::{Audience, Range, Recipient},
    delivery::Settings,
    ids::{ConnectionId, EntityId, UserId},
    post::scripted::ScriptedPoster,
    push::Recipients,
    queue::memory::{MemoryQueues, QueueFaults},
    store::{Connection, ConnectionStore, memory::MemoryStore},
};
use proptest::{collection::vec, option, prelude::*, sample::Index};
use serde_json::json;

use aws_lambda_events::sqs::SqsMessage;

use super::*;
use crate::backend_events::scripted::{ScriptedBus, ScriptedQueue};

const CONNECTIONS: usize = 5;

const RECEIVES: u32 = 8;

/// Fewer than all connections, so that a push to everyone needs several messages.
const PAGE: usize = 3;

proptest! {
    #[test]
    fn every_record_is_delivered_or_dead_lettered(records in vec(record(), 0..6)) {
        let queues = MemoryQueues::default();
        let batch = run(&records, &queues);
        prop_assert_eq!(batch.records, records.len());
        prop_assert_eq!(&batch.failed, &[] as &[String]);

        let invalid: Vec<_> = bodies(&records).filter(|body| !is_push(body)).collect();
        let mut dead: Vec<_> = queues.dead_letters();
        prop_assert!(dead.iter().all(|(_, reason)| reason.starts_with("the record is not a push: ")));
        let mut dead: Vec<_> = dead.drain(..).map(|(body, _)| body).collect();
        dead.sort();
        let mut invalid = invalid;
        invalid.sort();
        prop_assert_eq!(dead, invalid);

        let Report { audience, delivered, gone, requeued, dead_lettered, .. } = batch.report;
        prop_assert_eq!(audience, delivered);
        prop_assert_eq!((gone, requeued), (0, 0));
        prop_assert_eq!(dead_lettered, queues.dead_letters().len());
    }

    #[test]
    fn no_record_is_lost_while_the_queues_fail(records in vec(record(), 0..6)) {
        let queues = MemoryQueues::default();
        queues.set_faults(QueueFaults::ALL);
        let batch = run(&records, &queues);
        let invalid = records.iter().filter(|(_, body)| !is_push(body.as_deref().unwrap_or_default()));
        for (message_id, _) in invalid {
            prop_assert!(batch.failed.contains(&message_id.clone().unwrap_or_default()));
        }
        let answer = serde_json::to_value(batch.into_response()).expect("JSON");
        prop_assert!(answer["batchItemFailures"].is_array());
    }
}

type Record = (Option<String>, Option<String>);

fn run(records: &[Record], queues: &MemoryQueues) -> Batch {
    let mut event = SqsEvent::default();
    event.records = records.iter().map(message).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let store = MemoryStore::new(PAGE);
        for number in 0..CONNECTIONS {
            store
                .connect(&opened(number))
                .await
                .expect("a store in memory");
        }
        let poster = ScriptedPoster::new(|_, _| Ok(()));
        let delivery = Delivery::new(&store, &poster, queues, Settings::default());
        handle(
            event,
            Instant::now() + Duration::from_secs(60),
            &delivery,
            &Failures::new(queues, RECEIVES),
            &Logs::off(),
            &crate::members::off(),
            &Announcer::<&ScriptedBus, &ScriptedQueue>::off(),
        )
        .await
    })
}

fn message((message_id, body): &Record) -> SqsMessage {
    let mut message = SqsMessage::default();
    message.message_id = message_id.clone();
    message.body = body.clone();
    message
}

fn opened(number: usize) -> Connection {
    Connection {
        id: connection(number),
        connected_at: UNIX_EPOCH,
        ip_address: None,
        user_agent: None,
        user: UserId::new("u-1").ok(),
        token_expires_at: None,
    }
}

fn connection(number: usize) -> ConnectionId {
    ConnectionId::new(format!("connection-{number}")).expect("an id")
}

fn recipient(number: usize) -> Recipient {
    Recipient {
        connection: connection(number),
        connected_at: std::time::UNIX_EPOCH,
        token_expires_at: None,
    }
}

fn bodies(records: &[Record]) -> impl Iterator<Item = String> {
    records
        .iter()
        .map(|(_, body)| body.clone().unwrap_or_default())
}

fn is_push(body: &str) -> bool {
    Push::from_queue_body(body).is_ok()
}

fn record() -> impl Strategy<Value = Record> {
    let body = prop_oneof![
        3 => event(),
        3 => push(),
        2 => (event(), any::<Index>()).prop_map(|(body, place)| without_one(&body, place)),
        2 => (push(), any::<Index>()).prop_map(|(body, place)| without_one(&body, place)),
        1 => any::<String>(),
    ];
    (
        option::weighted(0.9, "[a-f0-9-]{1,36}"),
        option::weighted(0.95, body),
    )
}

/// Returns the body without one of its characters.
fn without_one(body: &str, place: Index) -> String {
    let removed = place.index(body.chars().count());
    body.chars()
        .enumerate()
        .filter(|(at, _)| *at != removed)
        .map(|(_, kept)| kept)
        .collect()
}

fn event() -> impl Strategy<Value = String> {
    let detail = prop_oneof![
        Just(("Broadcast", json!({ "message": 1 }))),
        Just((
            "Entity Updated",
            json!({ "entityId": "order-1", "message": "\u{fffe}" })
        )),
        Just((
            "Send User Push Notification",
            json!({ "userId": "u-1", "message": null })
        )),
        any::<String>().prop_map(|field| ("Broadcast", json!({ "message": 1, field: 2 }))),
    ];
    (detail, any::<String>()).prop_map(|((detail_type, detail), time)| {
        json!({ "id": "e-1", "detail-type": detail_type, "time": time, "detail": detail })
            .to_string()
    })
}

fn push() -> impl Strategy<Value = String> {
    let audience = prop::sample::select(vec![
        Audience::Everyone,
        Audience::User(UserId::new("u-1").expect("an id")),
        Audience::Entity(EntityId::new("order-1").expect("an id")),
    ]);
    let range =
        (any::<u8>(), any::<u8>(), option::of(0..CONNECTIONS)).prop_map(|(first, last, after)| {
            Range {
                first,
                last,
                after: after.map(connection),
            }
        });
    let recipients = prop_oneof![
        (audience.clone(), range)
            .prop_map(|(audience, range)| Recipients::Audience { audience, range }),
        (
            audience,
            vec(0..2 * CONNECTIONS, 0..4),
            any::<u16>(),
            any::<u32>()
        )
            .prop_map(|(audience, numbers, slots, attempt)| {
                Recipients::Connections {
                    audience,
                    connections: numbers.into_iter().map(recipient).collect(),
                    slots,
                    attempt,
                    rounds: 0,
                }
            }),
    ];
    let event = json!({ "id": "e-1", "detail-type": "Broadcast", "time": "1970-01-01T00:00:00Z", "detail": { "message": 1 } });
    let push = Push::from_queue_body(&event.to_string()).expect("a push");
    recipients.prop_map(move |recipients| push.to(recipients).to_queue_body())
}
