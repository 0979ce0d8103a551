//! Connections that the server closes: those with an ended token, and those of a disconnected user.

use herald_shared::{
    store::{ConnectionStore, ConnectionTable},
    token_expiry::TokenExpiry,
};
use herald_testkit::local_only;
use serde_json::json;

use crate::harness::{TestStack, until};

#[local_only("needs tokens, which the local stack signs")]
#[tokio::test]
async fn connection_with_ended_token_gets_a_last_frame_instead_of_a_push() {
    let stack = TestStack::start_with_users().await;
    let mut ended = stack.client_of("ann").await;
    let mut good = stack.client_of("ben").await;
    for client in [&mut ended, &mut good] {
        client.subscribe("order:1").await;
    }
    end_token(&stack, "ann").await;

    let detail = json!({"entityId": "order:1", "message": "shipped"});
    stack.put_event("Entity Updated", detail).await;
    assert_eq!(good.frame().await["message"], "shipped");
    let last_frame = json!({
        "type": "disconnect", "code": "token_expired", "reason": "token expired", "reconnect": true,
    });
    assert_eq!(ended.frame().await, last_frame);
    ended.closed().await;
    until("the connection's rows are removed", || async {
        stack.rows().await.len() == 4
    })
    .await;
    assert_eq!(stack.open_connections(), 1);
    stack.stop().await;
}

#[local_only("needs tokens, which the local stack signs")]
#[tokio::test]
async fn connection_with_ended_token_may_only_authenticate_unsubscribe_and_ping() {
    let stack = TestStack::start_with_users().await;
    let mut client = stack.client_of("ann").await;
    end_token(&stack, "ann").await;
    for (request, expected) in [
        (
            json!({"action": "subscribe", "entityId": "order:2"}),
            Some("unauthorized"),
        ),
        (
            json!({"action": "sendMessage", "message": 1}),
            Some("unauthorized"),
        ),
        (
            json!({"action": "history", "entityId": "order:1", "last": 1}),
            Some("unauthorized"),
        ),
        (
            json!({"action": "sync", "entities": {"order:1": {}}}),
            Some("unauthorized"),
        ),
        (
            json!({"action": "unsubscribe", "entityId": "order:1"}),
            None,
        ),
        (json!({"action": "ping"}), None),
    ] {
        let reply = client.ask(request.clone()).await;
        assert_eq!(reply["code"].as_str(), expected, "{request}: {reply}");
    }
    assert_eq!(stack.rows().await.len(), 3);
    stack.stop().await;
}

#[local_only("needs tokens, which the local stack signs")]
#[tokio::test]
async fn disconnected_user_is_closed_at_once() {
    let stack = TestStack::start_with_users().await;
    let mut phone = stack.client_of("ann").await;
    let mut browser = stack.client_of("ann").await;
    let mut other = stack.client_of("ben").await;
    phone.subscribe("order:1").await;
    other.subscribe("order:1").await;
    let detail = json!({"userId": "ann", "reason": "password changed"});
    stack.put_event("Disconnect User", detail).await;
    let last_frame = json!({
        "type": "disconnect", "code": "user_disconnected", "reason": "password changed",
        "reconnect": false,
    });
    for client in [&mut phone, &mut browser] {
        assert_eq!(client.frame().await, last_frame);
        client.closed().await;
    }
    until("only the other user's rows are left", || async {
        stack.rows().await.len() == 4
    })
    .await;
    let detail = json!({"entityId": "order:1", "message": "shipped"});
    stack.put_event("Entity Updated", detail).await;
    assert_eq!(other.frame().await["message"], "shipped");
    assert!(stack.messages("NotificationDeadLetterQueue").is_empty());
    stack.stop().await;
}

/// Sets the end of the token of the user's connections to the distant past.
pub async fn end_token(stack: &TestStack, user: &str) {
    store_end_of_token(stack, user, TokenExpiry::from_epoch_seconds(1)).await;
}

/// Stores the end of the token of the user's connections.
pub async fn store_end_of_token(stack: &TestStack, user: &str, expiry: TokenExpiry) {
    let client = aws_sdk_dynamodb::Client::new(stack.aws());
    let table = &stack.running().addresses().tables["Table"];
    let store = ConnectionTable::new(client, table);
    for connection in stack.connections_of(user).await {
        assert!(store.renew(&connection, expiry).await.unwrap());
    }
}
