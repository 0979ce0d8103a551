//! Pushes to connections in their upgrade: the gateway answers 410, though they are not gone.

use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, future::join_all, stream};
use herald_local::gateway;
use herald_shared::store::seed::RowKey;
use herald_testkit::local_only;
use serde_json::json;

use crate::harness::{Client, TestStack, until};

fn hold_openings(stack: &TestStack, hold_openings: bool) {
    stack.running().gateway().set_faults(gateway::Faults {
        hold_openings,
        ..Default::default()
    });
}

#[local_only("holds the local gateway's upgrades")]
#[tokio::test]
async fn push_during_connect_reaches_the_client_once_it_is_open() {
    let stack = TestStack::start().await;
    hold_openings(&stack, true);
    let web_socket = stack.web_socket();
    let opening = tokio::spawn(async move { Client::connect(&web_socket).await });
    until("the connection is stored", async || {
        !stack.rows().await.is_empty()
    })
    .await;
    let rows = stack.rows().await;

    let broadcast = json!({"message": "hello", "idempotencyKey": "e-1"});
    stack.put_event("Broadcast", broadcast).await;
    // Every try of the first attempt is answered 410.
    until("the push is requeued", async || {
        let waiting = stack.messages("NotificationQueue");
        waiting
            .iter()
            .any(|message| message.content.body.contains(r#""attempt":2"#))
    })
    .await;
    assert_eq!(stack.rows().await, rows);

    hold_openings(&stack, false);
    let mut client = opening.await.unwrap();
    let clock = stack.running().queues().clock();
    clock.advance(Duration::from_secs(2));
    assert_eq!(client.frame().await["eventId"], "e-1");
    assert_eq!(stack.rows().await, rows);
    stack
        .put_event("Broadcast", json!({"message": "later"}))
        .await;
    assert_eq!(client.frame().await["message"], "later");
    stack.stop().await;
}

/// A client that gave up before its connection was open is forgotten once the connection is old, without
/// a dead letter.
#[local_only("moves the local queues' clock")]
#[tokio::test]
async fn connection_that_never_opens_is_forgotten_without_dead_letter() {
    let stack = TestStack::start_with_parameters(&[("DeliveryAttempts", "1")]).await;
    // Two seconds before it becomes old.
    let connected_at = SystemTime::now() - Duration::from_secs(28);
    stack
        .leave_behind("PcQeDRO4gIEm4LQ=", "order-1", connected_at)
        .await;
    let detail = json!({"entityId": "order-1", "message": "hello"});
    stack.put_event("Entity Updated", detail).await;
    until("the connection is forgotten", async || {
        stack.rows().await.is_empty()
    })
    .await;
    stack.notifications().until_idle().await;
    assert!(stack.messages("NotificationDeadLetterQueue").is_empty());
    stack.stop().await;
}

#[local_only("floods the local stack")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_connect_during_a_flood_of_broadcasts_are_reached_later() {
    const CLIENTS: usize = 500;
    let stack = TestStack::start().await;
    let connected = async {
        let connecting = (0..CLIENTS).map(|_| stack.client());
        let connecting = stream::iter(connecting).buffer_unordered(20);
        connecting.collect::<Vec<_>>().await
    };
    let flood = async {
        loop {
            stack
                .put_event("Broadcast", json!({"message": "flood"}))
                .await;
        }
    };
    let mut clients = tokio::select! {
        clients = connected => clients,
        () = flood => unreachable!("the flood does not end"),
    };
    stack
        .put_event("Broadcast", json!({"message": "later"}))
        .await;
    join_all(clients.iter_mut().map(
        async |client| {
            while client.frame().await["message"] != "later" {}
        },
    ))
    .await;
    assert_eq!(stack.open_connections(), CLIENTS);
    let rows = stack.rows().await;
    let connections = rows
        .iter()
        .filter(|row| matches!(row, RowKey::Connection(_)));
    assert!(connections.count() >= CLIENTS);
    stack.stop().await;
}
