//! `sendMessage` and `ping`, from one client to itself and to others.

use serde_json::{Value, json};

use crate::harness::{Client, TestStack, without_position};

#[tokio::test]
async fn message_without_a_target_is_echoed() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    client
        .send_text(r#"{"action":"sendMessage","message":"Hello","name":"Aseem"}"#)
        .await;
    assert_eq!(
        client.text().await,
        r#"{"type":"message","message":"Hello","name":"Aseem"}"#
    );
    let with_id = json!({"action": "sendMessage", "message": {"a": 1}, "id": "7"});
    assert_eq!(
        client.ask(with_id).await,
        json!({"type": "message", "message": {"a": 1}, "id": "7"})
    );
    stack.stop().await;
}

/// Sends a message and returns the event id of the ack.
async fn acknowledged(client: &mut Client, mut request: Value) -> String {
    request["action"] = json!("sendMessage");
    request["id"] = json!("7");
    let ack = client.ask(request.clone()).await;
    let event_id = ack["eventId"].as_str().unwrap().to_owned();
    let mut expected = json!({
        "type": "ack", "action": "sendMessage", "eventId": event_id, "id": "7",
    });
    if let Some(entity) = request.get("entityId") {
        expected["entityId"] = entity.clone();
    }
    assert_eq!(without_position(ack), expected);
    event_id
}

#[tokio::test]
async fn message_to_an_entity_reaches_only_its_other_subscribers() {
    let stack = TestStack::start().await;
    let (mut sender, mut reader, mut stranger) = (
        stack.client().await,
        stack.client().await,
        stack.client().await,
    );
    sender.subscribe("room-1").await;
    reader.subscribe("room-1").await;
    let request = json!({"message": "Hello", "name": "Aseem", "entityId": "room-1"});
    let event_id = acknowledged(&mut sender, request).await;
    let mut push = without_position(reader.frame().await);
    assert!(push.as_object_mut().unwrap().remove("time").is_some());
    assert_eq!(
        push,
        json!({
            "type": "message",
            "message": "Hello",
            "name": "Aseem",
            "entityId": "room-1",
            "eventId": event_id,
        })
    );
    stack
        .put_event("Broadcast", json!({"message": "to all"}))
        .await;
    for client in [&mut sender, &mut reader, &mut stranger] {
        assert_eq!(client.frame().await["message"], "to all");
    }
    stack.stop().await;
}

#[tokio::test]
async fn broadcast_reaches_all_but_the_sender() {
    let stack = TestStack::start().await;
    let (mut sender, mut one, mut other) = (
        stack.client().await,
        stack.client().await,
        stack.client().await,
    );
    let event_id = acknowledged(&mut sender, json!({"message": "Hi", "broadcast": true})).await;
    for client in [&mut one, &mut other] {
        let push = client.frame().await;
        assert_eq!(push["message"], "Hi");
        assert_eq!(push["eventId"], event_id.as_str());
        assert!(push.get("entityId").is_none());
    }
    stack
        .put_event("Broadcast", json!({"message": "to all"}))
        .await;
    assert_eq!(sender.frame().await["message"], "to all");
    stack.stop().await;
}

#[tokio::test]
async fn several_messages_are_acknowledged_once_and_delivered_separately() {
    let stack = TestStack::start().await;
    let (mut sender, mut reader) = (stack.client().await, stack.client().await);
    let messages: Vec<_> = (0..25)
        .map(|n| json!({"message": n, "name": "n"}))
        .collect();
    let request = json!({"action": "sendMessage", "messages": messages, "broadcast": true});
    let ack = sender.ask(request).await;
    let mut acknowledged: Vec<_> = ack["eventIds"].as_array().unwrap().clone();
    assert_eq!(acknowledged.len(), 25);
    let mut delivered = Vec::new();
    let mut numbers = Vec::new();
    for _ in 0..25 {
        let push = reader.frame().await;
        numbers.push(push["message"].as_u64().unwrap());
        delivered.push(push["eventId"].clone());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..25).collect::<Vec<_>>());
    let by_text = |id: &Value| id.as_str().unwrap().to_owned();
    acknowledged.sort_by_key(by_text);
    delivered.sort_by_key(by_text);
    assert_eq!(acknowledged, delivered);
    stack.stop().await;
}

#[tokio::test]
async fn ping_is_answered_by_a_pong() {
    let stack = TestStack::start().await;
    let mut client = stack.client().await;
    assert_eq!(
        client.ask(json!({"action": "ping"})).await,
        json!({"type": "pong"})
    );
    assert_eq!(
        client.ask(json!({"action": "ping", "id": 3})).await,
        json!({"type": "pong", "id": 3})
    );
    stack.stop().await;
}
