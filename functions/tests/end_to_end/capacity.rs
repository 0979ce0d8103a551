//! The table capacity that each operation consumes, compared with `docs/cost.md`.

use std::{collections::BTreeMap, fs};

use herald_local::dynamodb::Consumption;
use herald_testkit::local_only;
use serde_json::{Value, json};

use crate::harness::{Client, TestStack, repository, until};

/// The parameter `History` with both kinds of logs.
const HISTORY: &str =
    r#"{"order:*": {"messages": 100, "seconds": 600}, "price:*": {"last": true}}"#;

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
    let stack = TestStack::start_with_users_and_parameters(&[("History", "{}")]).await;
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
    let stack = TestStack::start_without_history().await;
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

#[local_only("needs the local table's consumption")]
#[tokio::test]
async fn publishing_to_a_log_consumes_the_documented_capacity() {
    let stack = TestStack::start_with_parameters(&[("History", HISTORY)]).await;
    let consumed = || stack.running().dynamodb().consumption();
    let mut subscriber = stack.client().await;
    let mut sender = stack.client().await;
    consumed();
    let subscribe = json!({"action": "subscribe", "entityId": entity(0)});
    ask(&mut subscriber, subscribe).await;
    assert_consumed(
        "a subscribe to one entity with a log",
        consumed(),
        &[("UpdateItem", 2), ("PutItem", 1), ("GetItem", 3)],
    );

    for (operation, length) in [
        ("an event for one subscriber, stored in a log", 500),
        ("the same with a frame of 2.5 KB", 2_500),
    ] {
        let detail = json!({"entityId": entity(0), "message": "x".repeat(length)});
        stack.put_event("Entity Updated", detail).await;
        subscriber.frame().await;
        let requests = [("UpdateItem", 1), ("PutItem", 1), ("Query", 1)];
        assert_consumed(operation, consumed(), &requests);
    }

    let message = json!({"action": "sendMessage", "entityId": entity(0), "message": "hello"});
    ask(&mut sender, message).await;
    subscriber.frame().await;
    assert_consumed(
        "a message of a client for one subscriber, stored in a log",
        consumed(),
        &[
            ("UpdateItem", 2),
            ("PutItem", 1),
            ("GetItem", 1),
            ("Query", 1),
        ],
    );

    let price = json!({"action": "subscribe", "entityId": "price:1"});
    ask(&mut subscriber, price).await;
    consumed();
    let detail = json!({"entityId": "price:1", "message": "x".repeat(500)});
    stack.put_event("Entity Updated", detail).await;
    subscriber.frame().await;
    assert_consumed(
        "an event for one subscriber, stored as the last message",
        consumed(),
        &[("UpdateItem", 1), ("Query", 1)],
    );
    stack.stop().await;
}

#[local_only("needs the local table's consumption")]
#[tokio::test]
async fn reading_logs_consumes_the_documented_capacity() {
    let stack = TestStack::start_with_parameters(&[("History", HISTORY)]).await;
    let consumed = || stack.running().dynamodb().consumption();
    let mut writer = stack.client().await;
    let mut positions = Vec::new();
    for number in 0..5 {
        let subscribe = json!({"action": "subscribe", "entityId": entity(number)});
        ask(&mut writer, subscribe).await;
        for _ in 0..4 {
            let detail = json!({"entityId": entity(number), "message": "x".repeat(500)});
            stack.put_event("Entity Updated", detail).await;
            let push = writer.frame().await;
            positions.push(json!({"epoch": push["epoch"], "offset": push["offset"]}));
        }
    }
    let (first, last) = (&positions[0], &positions[3]);
    let heads: Value = (0..5)
        .map(|number| (entity(number), positions[4 * number + 3].clone()))
        .collect();
    let subscribe =
        |recover: &Value| json!({"action": "subscribe", "entityId": entity(0), "recover": recover});
    let charge = ("UpdateItem", 1);
    let mut clients = Vec::new();
    for (operation, request, missed, requests) in [
        (
            "a subscribe that recovers, nothing missed",
            subscribe(last),
            0,
            &[("UpdateItem", 2), ("PutItem", 1), ("GetItem", 3)][..],
        ),
        (
            "a subscribe that recovers up to 4 KB",
            subscribe(first),
            3,
            &[
                ("UpdateItem", 2),
                ("PutItem", 1),
                ("GetItem", 3),
                ("Query", 1),
            ],
        ),
        (
            "a sync of 5 entities, nothing missed",
            json!({"action": "sync", "entities": heads}),
            0,
            &[charge, ("GetItem", 6)],
        ),
        (
            "a sync of one entity that finds up to 4 KB",
            json!({"action": "sync", "entities": {entity(0): first}}),
            3,
            &[charge, ("GetItem", 3), ("Query", 1)],
        ),
        (
            "a history of up to 4 KB",
            json!({"action": "history", "entityId": entity(0), "since": first}),
            3,
            &[charge, ("GetItem", 2), ("Query", 1)],
        ),
    ] {
        // A function charges a connection that it does not know yet for this request alone. The connection
        // stays open, because its end would be counted.
        clients.push(stack.client().await);
        let client = clients.last_mut().unwrap();
        consumed();
        let ack = client.ask(request).await;
        assert_eq!(ack["type"], "ack", "{ack}");
        let result = match &ack["entities"][entity(0)] {
            Value::Null => &ack,
            result => result,
        };
        let messages = result["messages"].as_array().map_or(0, Vec::len);
        assert_eq!(messages, missed, "{operation}: {ack}");
        assert_consumed(operation, consumed(), requests);
    }
    stack.stop().await;
}

/// Returns an entity id of 42 characters, like one with a UUID.
fn entity(number: usize) -> String {
    format!("order:{:036}", number)
}
