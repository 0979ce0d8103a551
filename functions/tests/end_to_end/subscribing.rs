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

#[tokio::test]
#[cfg_attr(
    feature = "deployed",
    ignore = "needs a stack with parameters of its own"
)]
async fn subscribes_to_one_entity_at_the_limit_are_stored_if_one_is_acknowledged() {
    let stack = TestStack::start_with_parameters(&[("SubscriptionsPerConnection", "2")]).await;
    let mut client = stack.client().await;
    client.subscribe("other").await;
    for round in 0..10 {
        let entity = format!("order-{round}");
        let subscribe = json!({"action": "subscribe", "entityId": entity}).to_string();
        for _ in 0..6 {
            client.send_text(&subscribe).await;
        }
        for _ in 0..6 {
            assert_eq!(client.frame().await["type"], "ack");
        }
        let rows = stack.rows().await;
        let row = format!("A#entity#{entity} ");
        assert!(
            rows.iter().any(|stored| stored.starts_with(&row)),
            "{rows:?}"
        );
        let unsubscribe = json!({"action": "unsubscribe", "entityId": entity});
        assert_eq!(client.ask(unsubscribe).await["type"], "ack");
    }
    stack.stop().await;
}

#[tokio::test]
#[cfg_attr(
    feature = "deployed",
    ignore = "needs tokens, which the local stack signs"
)]
async fn one_frame_subscribes_to_many_and_tells_the_result_of_each() {
    let stack = TestStack::start_with_users().await;
    let token = stack.token("ann", r#"{"order:*":["subscribe"]}"#);
    let mut client = stack.client_with(&token).await;
    let mut entities: serde_json::Map<_, _> = (0..97)
        .map(|number| (format!("order:{number}"), json!({})))
        .collect();
    entities.insert("room:1".to_owned(), json!({}));
    entities.insert("order:x".to_owned(), json!(7));
    entities.insert(String::new(), json!({}));
    let request = json!({"action": "subscribe", "id": "7", "entities": entities});
    let mut ack = client.ask(request).await;
    let results = ack["entities"].take();
    assert_eq!(
        ack,
        json!({"type": "ack", "action": "subscribe", "id": "7", "entities": null})
    );
    let results = results.as_object().unwrap();
    assert_eq!(results.len(), 100);
    for (entity, code) in [
        ("order:0", None),
        ("order:96", None),
        ("room:1", Some("forbidden")),
        ("order:x", Some("bad_request")),
        ("", Some("bad_request")),
    ] {
        assert_eq!(results[entity]["error"]["code"].as_str(), code, "{entity}");
    }
    // Those that are stored, and its own row, its user's and everyone's.
    assert_eq!(stack.rows().await.len(), 97 + 3);
    let event = json!({"entityId": "order:96", "message": "shipped"});
    stack.put_event("Entity Updated", event).await;
    assert_eq!(client.frame().await["message"], "shipped");
    stack.stop().await;
}
