//! A client in Rust that reports what its application gets.

use std::{collections::BTreeMap, time::Duration};

use herald_client::{Client, EntityId, Message, Next, Options, Subscription};
use serde_json::{Value, json};
use tokio::{sync::mpsc::UnboundedSender, time::sleep};

use super::{
    Plan,
    record::{Entry, Line, Report},
};

/// Runs until the test ends.
pub async fn run(plan: Plan, lines: UnboundedSender<Line>) {
    let client = plan.client;
    let report = move |report| drop(lines.send(Line { client, report }));
    // Times are shorter than the defaults, so that all that takes time happens often in a short run.
    let options = Options::new()
        .back_off(Duration::from_secs(1), Duration::from_secs(4))
        .gap(Duration::from_millis(100), Duration::from_millis(400))
        .keep_alive(
            Duration::from_millis(plan.keep_alive),
            Duration::from_secs(10),
        )
        .buffer(100_000);
    let client = Client::start(&plan.url, options).unwrap();
    let mut positions = BTreeMap::new();
    for entity in &plan.entities {
        let subscription = subscribe(&client, entity).await;
        let start = subscription.position().unwrap().offset;
        positions.insert(entity.clone(), start);
        tokio::spawn(read(subscription, report.clone()));
    }
    report(Report::Subscribed(positions));
    for number in 0..plan.messages {
        let entity = &plan.entities[number % plan.entities.len()];
        let entity = EntityId::new(entity.clone()).unwrap();
        let message = Message::to_entity(entity, json!({"from": plan.client}));
        report(match client.send(message).await {
            Ok(reply) => Report::Acknowledged(reply.event_ids().remove(0)),
            Err(_) => Report::UnknownOutcome,
        });
        sleep(Duration::from_millis(plan.every)).await;
    }
    report(Report::SentAll);
    // The client runs for as long as its handle.
    std::future::pending::<()>().await;
}

/// Subscribes, and again after a failure that may pass: the server may refuse a subscribe under faults.
async fn subscribe(client: &Client, entity: &str) -> Subscription {
    let entity = EntityId::new(entity).unwrap();
    loop {
        match client.subscribe(entity.clone()).await {
            Ok(subscription) => return subscription,
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
        sleep(Duration::from_millis(100)).await;
    }
}

async fn read(mut subscription: Subscription, report: impl Fn(Report)) {
    let entity = subscription.entity().to_string();
    loop {
        let entry = match subscription.next_event().await.unwrap() {
            Next::Message(push) => Entry::Message {
                offset: push.position().unwrap().offset,
                event_id: push.event_id().unwrap().to_owned(),
                from: sender(&push.message().unwrap()),
            },
            Next::Lost(position) => Entry::Lost {
                until: position.unwrap().offset,
            },
            other => panic!("unknown: {other:?}"),
        };
        let entity = entity.clone();
        report(Report::Delivered { entity, entry });
    }
}

fn sender(message: &Value) -> Option<usize> {
    message["from"].as_u64().map(|client| client as usize)
}
