//! Subscribing and unsubscribing.

use herald_shared::{audience::Audience, ids::EntityId, store::seed::RowKey};
use herald_testkit::local_only;
use serde_json::json;

use crate::harness::{TestStack, without_position};

/// Returns whether one of the rows subscribes a connection to the entity.
fn listens(rows: &[RowKey], entity: &str) -> bool {
    let audience = Audience::Entity(EntityId::new(entity).unwrap());
    let mut rows = rows.iter().cloned();
    rows.any(|row| row.listener_of(&audience).is_some())
}

#[tokio::test]
async fn acknowledged_subscription_is_stored() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    let ack = client
        .ask(json!({"action": "subscribe", "entityId": "order-1", "id": "7"}))
        .await;
    assert_eq!(
        without_position(ack),
        json!({"type": "ack", "action": "subscribe", "entityId": "order-1", "id": "7"})
    );
    let rows = stack.rows().await;
    assert_eq!(rows.len(), 3);
    assert!(listens(&rows, "order-1"), "{rows:?}");
    stack.stop().await;
}

#[tokio::test]
async fn second_subscribe_has_no_effect() {
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
async fn unsubscribe_stops_the_pushes() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    client.subscribe("order-1").await;
    let unsubscribe = json!({"action": "unsubscribe", "entityId": "order-1", "id": 8});
    let ack = json!({"type": "ack", "action": "unsubscribe", "entityId": "order-1", "id": 8});
    assert_eq!(client.ask(unsubscribe.clone()).await, ack);
    assert_eq!(stack.rows().await.len(), 2);
    // A subscription that does not exist can be ended as well.
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
async fn connection_has_at_most_the_limit_of_subscriptions() {
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

    // An existing subscription still succeeds, and one that ends makes room.
    client.subscribe("order-0").await;
    client
        .ask(json!({"action": "unsubscribe", "entityId": "order-5"}))
        .await;
    client.subscribe("order-100").await;
    assert_eq!(client.ask(subscribe("order-101")).await["code"], "too_many");
    stack.stop().await;
}

#[tokio::test]
async fn concurrent_subscribes_keep_to_the_limit() {
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

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn concurrent_subscribes_to_one_entity_at_the_limit_all_succeed() {
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
        assert!(listens(&rows, &entity), "{rows:?}");
        let unsubscribe = json!({"action": "unsubscribe", "entityId": entity});
        assert_eq!(client.ask(unsubscribe).await["type"], "ack");
    }
    stack.stop().await;
}

#[local_only("needs tokens, which the local stack signs")]
#[tokio::test]
async fn one_frame_subscribes_to_many_with_a_result_for_each() {
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
    // The stored subscriptions, the connection's own row, its user's and everyone's.
    assert_eq!(stack.rows().await.len(), 97 + 3);
    let event = json!({"entityId": "order:96", "message": "shipped"});
    stack.put_event("Entity Updated", event).await;
    assert_eq!(client.frame().await["message"], "shipped");
    stack.stop().await;
}
