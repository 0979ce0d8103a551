//! A table whose reads are stale unless they are consistent: an acknowledged subscription is found
//! nevertheless.

use std::{env, time::Duration};

use herald_local::faults::Faults;
use herald_testkit::local_only;
use serde_json::json;

use crate::harness::{Client, TestStack};

/// Returns the number of rounds, which `HERALD_STALE_ROUNDS` sets.
fn rounds() -> usize {
    let rounds = env::var("HERALD_STALE_ROUNDS").map(|rounds| rounds.parse().unwrap());
    rounds.unwrap_or(200)
}

const CLIENTS: usize = 10;

async fn start() -> TestStack {
    TestStack::start_with_faults(Faults {
        stale_reads: Some(Duration::from_millis(500)),
        ..Faults::default()
    })
    .await
}

#[local_only("needs the local stack's faults")]
#[tokio::test]
async fn event_right_after_an_acknowledgement_is_never_lost() {
    let stack = start().await;
    let clients = (0..CLIENTS).map(|_| stack.client());
    let mut clients = futures_util::future::join_all(clients).await;
    let each = clients.iter_mut().enumerate();
    let rounds = rounds() / CLIENTS;
    let subscribing =
        each.map(|(number, client)| subscribe_and_receive(&stack, client, number, rounds));
    futures_util::future::join_all(subscribing).await;
    stack.stop().await;
}

async fn subscribe_and_receive(
    stack: &TestStack,
    client: &mut Client,
    number: usize,
    rounds: usize,
) {
    for round in 0..rounds {
        let entity = format!("order-{number}-{round}");
        ask(client, "subscribe", &entity).await;
        let detail = json!({"entityId": entity, "message": round});
        stack.put_event("Entity Updated", detail).await;
        assert_eq!(client.frame().await["message"], round);
        ask(client, "unsubscribe", &entity).await;
    }
}

/// Repeats a request until it is acknowledged, like a client: on a busy machine it may time out.
async fn ask(client: &mut Client, action: &str, entity: &str) {
    let request = json!({"action": action, "entityId": entity});
    loop {
        let reply = client.ask(request.clone()).await;
        if reply["type"] == "ack" {
            return;
        }
        assert_eq!(reply["retryable"], true, "{reply}");
    }
}

#[local_only("needs the local stack's faults")]
#[tokio::test]
async fn reads_are_stale_unless_they_are_consistent() {
    let stack = start().await;
    let _client = stack.client().await;
    let table = &stack.addresses().table;
    let count = async |consistent| {
        let scan = aws_sdk_dynamodb::Client::new(stack.aws())
            .scan()
            .table_name(table)
            .consistent_read(consistent);
        scan.send().await.unwrap().count()
    };
    assert_eq!(count(true).await, 2);
    // One read may come later than the lag, but not all of them.
    let mut client = stack.client().await;
    let mut stale = false;
    for number in 0..50 {
        client.subscribe(&format!("order-{number}")).await;
        stale |= count(false).await < count(true).await;
    }
    assert!(stale, "every read was up to date");
    stack.stop().await;
}
