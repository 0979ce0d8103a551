//! The permissions of users.

use herald_local::lambda::{Invocation, Invoke};
use herald_testkit::local_only;
use serde_json::{Value, json};

use crate::{
    harness::{Client, TestStack},
    sample_events::sample,
};

const READER: &str = r#"{"order:*":["subscribe"],"room:**":["subscribe","publish"]}"#;

#[local_only("needs tokens, which the local stack signs")]
#[tokio::test]
async fn request_without_permission_is_forbidden_and_leaves_no_row() {
    let stack = TestStack::start_with_users().await;
    let mut client = stack.client_with(&stack.token("ann", READER)).await;
    let rows = stack.rows().await;
    for (request, action) in [
        (subscribe("invoice:1"), "subscribe to invoice:1"),
        (subscribe("order:1:lines"), "subscribe to order:1:lines"),
        (subscribe("order"), "subscribe to order"),
        (send(json!({"entityId": "order:1"})), "publish to order:1"),
        (send(json!({"entityId": "ann"})), "publish to ann"),
        (send(json!({"broadcast": true})), "broadcast"),
        (
            json!({"action": "sendMessage", "id": 1, "broadcast": true, "messages": [{"message": 1}]}),
            "broadcast",
        ),
        (
            json!({"action": "history", "id": 1, "entityId": "order:1", "last": 1}),
            "read the history of order:1",
        ),
        (
            json!({"action": "history", "id": 1, "everyone": true, "last": 1}),
            "read the history of broadcasts",
        ),
        (
            json!({"action": "subscribe", "id": 1, "entityId": "order:1", "rewind": 1}),
            "read the history of order:1",
        ),
    ] {
        let reply = client.ask(request.clone()).await;
        let expected = json!({
            "type": "error", "action": request["action"], "id": 1, "code": "forbidden",
            "message": format!("you may not {action}: no permission of your token allows it"),
            "retryable": false,
        });
        assert_eq!(reply, expected);
    }
    assert_eq!(stack.rows().await, rows);
    assert!(stack.messages("NotificationQueue").is_empty());
    stack.stop().await;
}

#[local_only("needs tokens, which the local stack signs")]
#[tokio::test]
async fn request_with_permission_succeeds() {
    let stack = TestStack::start_with_users().await;
    let mut ann = stack.client_with(&stack.token("ann", READER)).await;
    let mut ben = stack.client_with(&stack.token("ben", READER)).await;
    for client in [&mut ann, &mut ben] {
        client.subscribe("order:1").await;
        client.subscribe("room:1:typing").await;
    }
    let reply = ann.ask(send(json!({"entityId": "room:1:typing"}))).await;
    assert_eq!(reply["type"], "ack");
    assert_eq!(ben.frame().await["message"], "hello");
    let echo = ann.ask(send(json!({}))).await;
    assert_eq!(
        (&echo["type"], &echo["message"]),
        (&json!("message"), &json!("hello"))
    );
    stack.stop().await;
}

/// The token alone decides the user, whatever a client writes into its frames.
#[local_only("needs tokens, which the local stack signs")]
#[tokio::test]
async fn no_frame_subscribes_to_another_users_notifications() {
    let stack = TestStack::start_with_users().await;
    let mut eve = stack.client_of("eve").await;
    let mut ann = stack.client_of("ann").await;
    for frame in [
        json!({"action": "subscribe", "entityId": "user#ann"}),
        json!({"action": "subscribe", "entityId": "U#ann"}),
        json!({"action": "subscribe", "entityId": "ann", "userId": "ann"}),
        json!({"action": "subscribe", "entityId": "a", "user": "ann", "principalId": "ann"}),
        json!({"action": "subscribe", "entityId": "everyone"}),
        json!({"action": "subscribe", "userId": "ann"}),
        json!({"action": "ping", "userId": "ann"}),
        json!({"action": "sendMessage", "message": 1, "userId": "ann"}),
        json!({"action": "history", "user": "ann", "last": 1}),
        json!({"action": "sync", "user": "ann"}),
        json!({"action": "Send User Push Notification", "userId": "ann"}),
    ] {
        eve.ask(frame.clone()).await;
    }
    let detail = json!({"userId": "ann", "message": "for ann alone"});
    stack.put_event("Send User Push Notification", detail).await;
    assert_eq!(ann.frame().await["message"], "for ann alone");
    stack
        .put_event("Broadcast", json!({"message": "for all"}))
        .await;
    assert_eq!(eve.frame().await["message"], "for all");
    stack.stop().await;
}

/// An event without an authorizer's context cannot come from the gateway. If it did, nothing would be
/// allowed.
#[local_only("invokes functions directly")]
#[tokio::test]
async fn message_without_authorizer_context_is_forbidden() {
    let stack = TestStack::start().await;
    let mut event: Value = serde_json::from_str(&sample("subscribe.json")).unwrap();
    event["requestContext"]
        .as_object_mut()
        .unwrap()
        .remove("authorizer");
    let host = stack.running().functions().unwrap();
    let payload = event.to_string().into();
    let Invocation::Returned(answer) = host.invoke("SubscribeFunction", payload).await else {
        panic!("the function failed");
    };
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let frame: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(frame["code"], "forbidden");
    stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn token_without_claim_has_the_default_permissions() {
    let permissions = [("DefaultPermissions", r#"{"news:*":["subscribe"]}"#)];
    let stack = TestStack::start_with_users_and_parameters(&permissions).await;
    let mut client = stack
        .client_with(&stack.token_without_permissions("ann"))
        .await;
    client.subscribe("news:1").await;
    assert_eq!(code(&mut client, subscribe("order:1")).await, "forbidden");
    stack.stop().await;

    let stack = TestStack::start_with_users().await;
    let mut client = stack
        .client_with(&stack.token_without_permissions("ann"))
        .await;
    assert_eq!(code(&mut client, subscribe("news:1")).await, "forbidden");
    stack.stop().await;
}

fn subscribe(entity: &str) -> Value {
    json!({"action": "subscribe", "entityId": entity, "id": 1})
}

fn send(target: Value) -> Value {
    let mut frame = json!({"action": "sendMessage", "message": "hello", "id": 1});
    frame
        .as_object_mut()
        .unwrap()
        .extend(target.as_object().unwrap().clone());
    frame
}

async fn code(client: &mut Client, request: Value) -> String {
    let reply = client.ask(request.clone()).await;
    reply["code"].as_str().unwrap().to_owned()
}
