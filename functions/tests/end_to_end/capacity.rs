//! The table capacity that each operation consumes, compared with `docs/cost.md`.

use std::{collections::BTreeMap, fs};

use herald_local::dynamodb::Consumption;
use herald_testkit::local_only;
use serde_json::{Value, json};

use crate::harness::{Client, TestStack, repository, until};

/// Compares the consumption with the table in the document, and the requests with the expected ones.
fn assert_consumed(operation: &str, consumption: Consumption, requests: &[(&str, u64)]) {
    let requests = requests
        .iter()
        .map(|(request, count)| ((*request).to_owned(), *count))
        .collect::<BTreeMap<_, _>>();
    let (read_units, write_units) = documented(operation);
    let expected = Consumption {
        read_units,
        write_units,
        requests,
    };
    assert_eq!(consumption, expected, "{operation}");
}

/// Returns the read and write units of a row of `docs/cost.md`.
fn documented(operation: &str) -> (f64, f64) {
    let document = fs::read_to_string(repository().join("docs/cost.md")).unwrap();
    let start = format!("| {operation} | ");
    let row = document.lines().find_map(|line| line.strip_prefix(&start));
    let row = row.unwrap_or_else(|| panic!("docs/cost.md has no row for {operation}"));
    let (read, write) = row.trim_end_matches(" |").split_once(" | ").unwrap();
    (read.parse().unwrap(), write.parse().unwrap())
}

async fn ask(client: &mut Client, request: Value) {
    let reply = client.ask(request).await;
    assert_eq!(reply["type"], "ack", "{reply}");
}

#[local_only("needs the local table's consumption")]
#[tokio::test]
async fn connection_consumes_the_documented_capacity() {
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

#[local_only("needs the local table's consumption")]
#[tokio::test]
async fn event_and_message_consume_the_documented_capacity() {
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

/// Returns an entity id of 42 characters, like one with a UUID.
fn entity(number: usize) -> String {
    format!("order:{:036}", number)
}
