//! Subscribing and unsubscribing.

use serde_json::json;

use crate::harness::TestStack;

#[tokio::test]
async fn an_acknowledged_subscription_is_stored() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    let ack = client
        .ask(json!({"action": "subscribe", "entityId": "order-1", "id": "7"}))
        .await;
    assert_eq!(
        ack,
        json!({"type": "ack", "action": "subscribe", "entityId": "order-1", "id": "7"})
    );
    let rows = stack.rows().await;
    assert_eq!(rows.len(), 3);
    assert!(rows[0].starts_with("A#entity#order-1 "), "{rows:?}");
    stack.stop().await;
}

#[tokio::test]
async fn subscribing_twice_is_the_same_as_once() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    client.subscribe("order-1").await;
    client.subscribe("order-1").await;
    assert_eq!(stack.rows().await.len(), 3);
    let event = json!({"entityId": "order-1", "message": "once"});
    stack.put_event("Entity Updated", event).await;
    assert_eq!(client.frame().await["message"], "once");
    stack
        .put_event("Broadcast", json!({"message": "next"}))
        .await;
    assert_eq!(client.frame().await["message"], "next");
    stack.stop().await;
}

#[tokio::test]
async fn unsubscribing_stops_the_pushes() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    client.subscribe("order-1").await;
    let unsubscribe = json!({"action": "unsubscribe", "entityId": "order-1", "id": 8});
    let ack = json!({"type": "ack", "action": "unsubscribe", "entityId": "order-1", "id": 8});
    assert_eq!(client.ask(unsubscribe.clone()).await, ack);
    assert_eq!(stack.rows().await.len(), 2);
    // What is not there can be ended as well.
    assert_eq!(client.ask(unsubscribe).await, ack);
    let event = json!({"entityId": "order-1", "message": "missed"});
    stack.put_event("Entity Updated", event).await;
    stack
        .put_event("Broadcast", json!({"message": "heard"}))
        .await;
    assert_eq!(client.frame().await["message"], "heard");
    stack.stop().await;
}

#[tokio::test]
async fn a_connection_has_as_many_subscriptions_as_the_limit_and_no_more() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    for number in 0..100 {
        client.subscribe(&format!("order-{number}")).await;
    }
    let subscribe = |entity: &str| json!({"action": "subscribe", "entityId": entity});
    let refused = client.ask(subscribe("order-100")).await;
    assert_eq!(refused["code"], "too_many");
    assert_eq!(refused["retryable"], false);
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("100 subscriptions")
    );
    assert_eq!(stack.rows().await.len(), 102);

    // One that is there already still is, and one that ends makes room.
    client.subscribe("order-0").await;
    client
        .ask(json!({"action": "unsubscribe", "entityId": "order-5"}))
        .await;
    client.subscribe("order-100").await;
    assert_eq!(client.ask(subscribe("order-101")).await["code"], "too_many");
    stack.stop().await;
}

#[tokio::test]
async fn subscriptions_at_the_same_time_keep_to_the_limit_as_well() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    for number in 0..120 {
        let subscribe = json!({"action": "subscribe", "entityId": format!("order-{number}")});
        client.send_text(&subscribe.to_string()).await;
    }
    let mut acknowledged = 0;
    for _ in 0..120 {
        acknowledged += usize::from(client.frame().await["type"] == "ack");
    }
    assert_eq!(acknowledged, 100);
    assert_eq!(stack.rows().await.len(), 102);
    stack.stop().await;
}
