//! Injected faults, and the recovery of the stack.

use std::{collections::BTreeSet, time::Duration};

use herald_local::{faults::Faults, gateway, sqs};
use herald_testkit::local_only;
use serde_json::json;
use tokio_tungstenite::tungstenite::Error;

use crate::{
    harness::{Client, TestStack, until},
    proxy::Proxy,
};

#[local_only("moves the local table's clock")]
#[tokio::test]
async fn rows_expire_after_their_time_to_live() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    client.subscribe("order-1").await;
    let rows = |hours: u64| {
        stack
            .running()
            .dynamodb()
            .expire(Duration::from_secs(hours * 3600))
    };
    assert_eq!(rows(2).unwrap(), 0);
    // The connection's own row, those of everyone and of the entity, and that of its charges.
    assert_eq!(rows(3).unwrap(), 4);
    assert!(stack.rows().await.is_empty());
    for action in ["subscribe", "unsubscribe", "sendMessage"] {
        let request = json!({"action": action, "entityId": "order-2", "message": "hello"});
        let expected = json!({
            "type": "error", "action": action, "code": "unknown_connection",
            "message": "the connection is no longer stored: connect again", "retryable": false,
        });
        assert_eq!(client.ask(request).await, expected);
    }
    assert!(stack.rows().await.is_empty());
    stack.stop().await;
}

#[local_only("needs the local stack's faults")]
#[tokio::test]
async fn killed_notifiers_failing_posts_and_duplicates_lose_no_push() {
    let stack = TestStack::start_with_faults(Faults {
        gateway: gateway::Faults {
            failing: 0.3,
            post_delay: Duration::from_millis(5),
            ..Default::default()
        },
        queues: sqs::Faults {
            duplicates: 0.3,
            shuffle: true,
            ..Default::default()
        },
        killed: 0.3,
        ..Faults::default()
    })
    .await;
    let mut client = stack.client().await;
    client.subscribe("order-1").await;
    for number in 0..20 {
        let key = event_id(number);
        let detail = json!({"entityId": "order-1", "message": number, "idempotencyKey": key});
        stack.put_event("Entity Updated", detail).await;
    }
    // A killed notifier's messages are received again after their visibility timeout, failed posts
    // sooner.
    until("the queue is empty", async || {
        stack
            .running()
            .queues()
            .clock()
            .advance(Duration::from_secs(30));
        stack.messages("NotificationQueue").is_empty()
    })
    .await;
    client.send_text(r#"{"action":"ping"}"#).await;
    let mut accounted_for = BTreeSet::new();
    loop {
        let push = client.frame().await;
        match push["eventId"].as_str() {
            // A duplicate has an id that was seen.
            Some(event_id) => accounted_for.insert(event_id.to_owned()),
            None => break assert_eq!(push["type"], "pong"),
        };
    }
    for dead_letter in stack.messages("NotificationDeadLetterQueue") {
        let body = &dead_letter.content.body;
        let named = (0..20)
            .map(event_id)
            .filter(|id| body.contains(&format!("\"{id}\"")));
        accounted_for.extend(named);
    }
    assert_eq!(accounted_for, (0..20).map(event_id).collect());
    stack.stop().await;
}

#[local_only("puts a proxy between functions and DynamoDB")]
#[tokio::test]
async fn silent_dynamodb_makes_retryable_errors() {
    let proxy = Proxy::start().await;
    let stack = TestStack::try_start_with(|config| {
        let name = "AWS_ENDPOINT_URL_DYNAMODB".to_owned();
        config.environment.insert(name, proxy.endpoint.clone());
    });
    let stack = stack.await.unwrap();
    proxy.forward_to(&stack.running().addresses().endpoint);
    let mut client = stack.client().await;
    client.subscribe("order-1").await;

    proxy.block(true);
    // All at once, because each takes the full time limit of an operation.
    let requests = [
        json!({"action": "subscribe", "entityId": "order-2", "id": 0}),
        json!({"action": "unsubscribe", "entityId": "order-1", "id": 1}),
        json!({"action": "sendMessage", "message": "hello", "id": 2}),
    ];
    for request in &requests {
        client.send_text(&request.to_string()).await;
    }
    let newcomer = Client::try_connect_with(&stack.web_socket(), "user-agent", "newcomer").await;
    let Err(Error::Http(refused)) = newcomer else {
        panic!("the client was admitted")
    };
    assert_eq!(refused.status(), 502);
    let mut answered = BTreeSet::new();
    for _ in &requests {
        let error = client.frame().await;
        let id = error["id"].as_u64().unwrap();
        let action = &requests[id as usize]["action"];
        assert_eq!(
            error,
            json!({
                "type": "error", "action": action, "id": id, "code": "internal",
                "message": "Herald failed to process the frame: send it again in a moment",
                "retryable": true,
            })
        );
        answered.insert(id);
    }
    assert_eq!(answered.len(), requests.len());

    proxy.block(false);
    client.subscribe("order-2").await;
    stack.stop().await;
}

fn event_id(number: usize) -> String {
    format!("e-{number}")
}
