//! Many connections, subscriptions and events at once.

use std::collections::HashMap;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::TestStack;

const CONNECTIONS: usize = 200;
const SUBSCRIPTIONS: usize = 20;
const ENTITIES: usize = 1000;
const EVENTS: usize = 2000;
/// An emulator answers more than this at once too slowly for the time-outs of calls to AWS.
const AT_ONCE: usize = 10;

/// Returns the entities that a connection subscribes to; each entity has four subscribers.
fn entities_of(connection: usize) -> impl Iterator<Item = usize> {
    (0..SUBSCRIPTIONS).map(move |index| (connection * 5 + index) % ENTITIES)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_subscriber_gets_each_of_its_events_exactly_once() {
    let stack = TestStack::start().await;
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        clients.push(stack.client().await);
    }
    let mut numbered: Vec<_> = clients.iter_mut().enumerate().collect();
    for some in numbered.chunks_mut(AT_ONCE) {
        let subscribes = some.iter_mut().map(async |(number, client)| {
            let entities = entities_of(*number).map(|entity| format!("entity-{entity}"));
            client.subscribe_to_all(entities).await;
        });
        join_all(subscribes).await;
    }

    let events: Vec<_> = (0..EVENTS)
        .map(|event| {
            let entity = format!("entity-{}", event % ENTITIES);
            (
                "Entity Updated".to_owned(),
                json!({"entityId": entity, "message": event}),
            )
        })
        .collect();
    let put_all = async {
        for ten in events.chunks(10) {
            stack.put_events(ten.to_vec()).await;
        }
    };
    let receive_all = join_all(
        clients
            .iter_mut()
            .enumerate()
            .map(async |(number, client)| {
                let expected = SUBSCRIPTIONS * EVENTS / ENTITIES;
                let mut received: HashMap<u64, usize> = HashMap::new();
                for _ in 0..expected {
                    let push: Value = client.frame().await;
                    *received
                        .entry(push["message"].as_u64().unwrap())
                        .or_default() += 1;
                }
                for entity in entities_of(number) {
                    for event in (entity..EVENTS).step_by(ENTITIES) {
                        assert_eq!(received.get(&(event as u64)), Some(&1), "{number}: {event}");
                    }
                }
            }),
    );
    tokio::join!(put_all, receive_all);

    // A duplicate would arrive before this.
    stack
        .put_event("Broadcast", json!({"message": "the end"}))
        .await;
    for client in &mut clients {
        assert_eq!(client.frame().await["message"], "the end");
    }
    stack.stop().await;
}
