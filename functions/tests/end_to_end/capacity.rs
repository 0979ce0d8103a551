//! The capacity of the table that each thing consumes, held to `docs/cost.md`.

use std::{collections::BTreeMap, fs};

use herald_local::dynamodb::Consumption;
use serde_json::{Value, json};

use crate::harness::{Client, TestStack, repository, until};

/// Holds what was consumed to the table of the document, and the requests to those expected.
fn assert_consumed(what: &str, consumption: Consumption, requests: &[(&str, u64)]) {
    let requests = requests
        .iter()
        .map(|(operation, count)| ((*operation).to_owned(), *count))
        .collect::<BTreeMap<_, _>>();
    let (read_units, write_units) = documented(what);
    let expected = Consumption {
        read_units,
        write_units,
        requests,
    };
    assert_eq!(consumption, expected, "{what}");
}

/// The read and write units of a row of `docs/cost.md`.
fn documented(what: &str) -> (f64, f64) {
    let document = fs::read_to_string(repository().join("docs/cost.md")).unwrap();
    let start = format!("| {what} | ");
    let row = document.lines().find_map(|line| line.strip_prefix(&start));
    let row = row.unwrap_or_else(|| panic!("docs/cost.md says nothing of {what}"));
    let (read, write) = row.trim_end_matches(" |").split_once(" | ").unwrap();
    (read.parse().unwrap(), write.parse().unwrap())
}

async fn ask(client: &mut Client, request: Value) {
    let reply = client.ask(request).await;
    assert_eq!(reply["type"], "ack", "{reply}");
}

#[tokio::test]
#[cfg_attr(feature = "deployed", ignore = "asks the local table what it reckons")]
async fn a_connection_consumes_what_is_documented() {
    let stack = TestStack::start_with_users().await;
    let consumed = || stack.running().dynamodb().consumption();
    consumed();
    let mut client = stack.client_of("ann").await;
    assert_consumed(
        "a connect of a user",
        consumed(),
        &[("Query", 1), ("PutItem", 1), ("BatchWriteItem", 1)],
    );

    let one = json!({"action": "subscribe", "entityId": entity(0)});
    ask(&mut client, one).await;
    assert_consumed(
        "a subscribe to one entity",
        consumed(),
        &[("UpdateItem", 2), ("PutItem", 1), ("GetItem", 2)],
    );

    let nineteen: Value = (1..20).map(|number| (entity(number), json!({}))).collect();
    ask(
        &mut client,
        json!({"action": "subscribe", "entities": nineteen}),
    )
    .await;
    assert_consumed(
        "a subscribe to 19 entities in one frame",
        consumed(),
        &[("UpdateItem", 2), ("PutItem", 19), ("GetItem", 2)],
    );

    ask(
        &mut client,
        json!({"action": "unsubscribe", "entityId": entity(19)}),
    )
    .await;
    assert_consumed(
        "an unsubscribe",
        consumed(),
        &[("UpdateItem", 2), ("DeleteItem", 1), ("GetItem", 1)],
    );

    client.close().await;
    until("no row is left", async || stack.rows().await.is_empty()).await;
    assert_consumed(
        "a disconnect with 19 subscriptions",
        consumed(),
        &[("DeleteItem", 1), ("BatchWriteItem", 2)],
    );
    stack.stop().await;
}

#[tokio::test]
#[cfg_attr(feature = "deployed", ignore = "asks the local table what it reckons")]
async fn an_event_and_a_message_consume_what_is_documented() {
    let stack = TestStack::start().await;
    let consumed = || stack.running().dynamodb().consumption();
    let mut subscriber = stack.client().await;
    let mut sender = stack.client().await;
    subscriber.subscribe(&entity(0)).await;
    consumed();

    let detail = json!({"entityId": entity(0), "message": "shipped"});
    stack.put_event("Entity Updated", detail).await;
    subscriber.frame().await;
    assert_consumed("an event for one subscriber", consumed(), &[("Query", 1)]);

    ask(
        &mut sender,
        json!({"action": "sendMessage", "entityId": entity(0), "message": "hello"}),
    )
    .await;
    subscriber.frame().await;
    assert_consumed(
        "a message of a client for one subscriber",
        consumed(),
        &[("UpdateItem", 1), ("GetItem", 1), ("Query", 1)],
    );

    stack
        .put_event("Broadcast", json!({"message": "to everyone"}))
        .await;
    subscriber.frame().await;
    sender.frame().await;
    assert_consumed(
        "a broadcast to two connections",
        consumed(),
        &[("Query", 16)],
    );
    stack.stop().await;
}

/// An entity id of 42 characters, as one with a UUID has.
fn entity(number: usize) -> String {
    format!("order:{:036}", number)
}
