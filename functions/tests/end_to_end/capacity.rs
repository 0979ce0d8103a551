//! The capacity of the table that each thing consumes, as `docs/cost.md` and `docs/delivery.md` have it.

use std::collections::BTreeMap;

use herald_local::dynamodb::Consumption;
use serde_json::{Value, json};

use crate::harness::{Client, TestStack, until};

/// What is consumed: read units, write units, and requests by operation.
type Consumed<'a> = (f64, f64, &'a [(&'a str, u64)]);

fn assert_consumed(what: &str, consumption: Consumption, (read, write, requests): Consumed<'_>) {
    let requests = requests
        .iter()
        .map(|(operation, count)| ((*operation).to_owned(), *count))
        .collect::<BTreeMap<_, _>>();
    let expected = Consumption {
        read_units: read,
        write_units: write,
        requests,
    };
    assert_eq!(consumption, expected, "{what}");
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
        "connect: the user's connections are read, three rows written",
        consumed(),
        (1.0, 3.0, &[("Query", 1), ("BatchWriteItem", 1)]),
    );

    let one = json!({"action": "subscribe", "entityId": entity(0)});
    ask(&mut client, one).await;
    assert_consumed(
        "a subscribe: the charge, the set, a row, and two looks at the connection",
        consumed(),
        (
            2.0,
            3.0,
            &[("UpdateItem", 2), ("PutItem", 1), ("GetItem", 2)],
        ),
    );

    let nineteen: Value = (1..20).map(|number| (entity(number), json!({}))).collect();
    ask(
        &mut client,
        json!({"action": "subscribe", "entities": nineteen}),
    )
    .await;
    assert_consumed(
        "a subscribe to 19 in one frame",
        consumed(),
        (
            2.0,
            21.0,
            &[("UpdateItem", 2), ("PutItem", 19), ("GetItem", 2)],
        ),
    );

    ask(
        &mut client,
        json!({"action": "unsubscribe", "entityId": entity(19)}),
    )
    .await;
    assert_consumed(
        "an unsubscribe: the charge, the set, a row",
        consumed(),
        (
            1.0,
            3.0,
            &[("UpdateItem", 2), ("DeleteItem", 1), ("GetItem", 1)],
        ),
    );

    client.close().await;
    until("no row is left", async || stack.rows().await.is_empty()).await;
    assert_consumed(
        "a disconnect with 19 subscriptions: its own row, theirs, everyone's, and the user's",
        consumed(),
        (0.0, 22.0, &[("DeleteItem", 1), ("BatchWriteItem", 2)]),
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
    assert_consumed(
        "an event: one query",
        consumed(),
        (1.0, 0.0, &[("Query", 1)]),
    );

    ask(
        &mut sender,
        json!({"action": "sendMessage", "entityId": entity(0), "message": "hello"}),
    )
    .await;
    subscriber.frame().await;
    assert_consumed(
        "a message: the charge and a look at the connection, and one query",
        consumed(),
        (2.0, 1.0, &[("UpdateItem", 1), ("GetItem", 1), ("Query", 1)]),
    );

    stack
        .put_event("Broadcast", json!({"message": "to everyone"}))
        .await;
    subscriber.frame().await;
    sender.frame().await;
    assert_consumed(
        "a broadcast: a query of each shard",
        consumed(),
        (16.0, 0.0, &[("Query", 16)]),
    );
    stack.stop().await;
}

/// An entity id of 42 characters, as one with a UUID has.
fn entity(number: usize) -> String {
    format!("order:{:036}", number)
}
