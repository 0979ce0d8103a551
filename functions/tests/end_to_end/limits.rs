//! The limits of a connection and of a user, which do not affect others.

use herald_testkit::local_only;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Error;

use crate::harness::{Client, LEFT_BEHIND, TestStack, until};

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn only_the_connection_that_sends_too_fast_is_throttled() {
    let stack = TestStack::start_with_parameters(&[("MessagesPerSecond", "4")]).await;
    let mut fast = stack.client().await;
    let mut other = stack.client().await;
    let echo = json!({"action": "sendMessage", "message": "hello"});
    let subscribe = json!({"action": "subscribe", "entityId": "order-1"});
    let unsubscribe = json!({"action": "unsubscribe", "entityId": "order-1"});
    let sync = json!({"action": "sync", "everyone": {}});
    for request in [&echo, &subscribe, &unsubscribe, &sync] {
        let expected = json!({
            "type": "error", "action": request["action"], "code": "throttled",
            "message": "the connection sends more than 4 messages per second: send the frame again in a moment",
            "retryable": true,
        });
        assert_eq!(refusal(&mut fast, request).await, expected);
    }
    assert_eq!(fast.ask(json!({"action": "ping"})).await["type"], "pong");
    assert_eq!(other.ask(echo.clone()).await["type"], "message");
    other.subscribe("order-1").await;
    stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn connection_limit_of_a_user_does_not_affect_others() {
    let limit = [("ConnectionsPerUser", "2")];
    let stack = TestStack::start_with_users_and_parameters(&limit).await;
    let first = stack.client_of("ann").await;
    let _second = stack.client_of("ann").await;
    let token = stack.token("ann", "{}");
    assert_eq!(refused_with(&stack, &token).await, 429);
    stack.client_of("ben").await;
    assert_eq!(stack.open_connections(), 3);

    first.close().await;
    until("the closed connection is forgotten", || async {
        stack.connections_of("ann").await.len() < 2
    })
    .await;
    stack.client_of("ann").await;
    stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn messages_of_one_frame_are_counted_separately() {
    let stack = TestStack::start_with_parameters(&[("MessagesPerSecond", "4")]).await;
    let mut client = stack.client().await;
    let frame = |messages: usize| {
        let messages = vec![json!({"message": 1}); messages];
        json!({"action": "sendMessage", "broadcast": true, "messages": messages})
    };
    // The messages of five seconds may come at once, but never more.
    let refused = client.ask(frame(21)).await;
    assert_eq!(
        refused,
        json!({
            "type": "error", "action": "sendMessage", "code": "too_many",
            "message": "the frame has 21 messages, the limit is 20 at once: send the others in another frame",
            "retryable": false,
        })
    );
    assert_eq!(client.ask(frame(20)).await["type"], "ack");
    assert_eq!(client.ask(frame(20)).await["code"], "throttled");
    stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn lost_disconnects_do_not_lock_their_user_out() {
    let limit = [("ConnectionsPerUser", "5")];
    let stack = TestStack::start_with_users_and_parameters(&limit).await;
    // One is open; the others are closed but still stored.
    let mut open = stack.client_of("ann").await;
    stack.leave_connections_of("ann", 4).await;
    let mut newcomer = stack.client_of("ann").await;
    for client in [&mut open, &mut newcomer] {
        assert_eq!(client.ask(json!({"action": "ping"})).await["type"], "pong");
    }
    let rows = stack.rows().await;
    assert!(
        !rows
            .iter()
            .any(|row| format!("{row:?}").contains(LEFT_BEHIND)),
        "{rows:?}"
    );
    stack.stop().await;
}

#[local_only("needs a stack with parameters of its own")]
#[tokio::test]
async fn message_over_the_limit_of_its_action_is_refused() {
    let stack = TestStack::start_with_parameters(&[("MessageBytes", "2048")]).await;
    let mut client = stack.client().await;
    for (action, limit) in [
        ("subscribe", 32 * 1024),
        ("unsubscribe", 4096),
        ("sendMessage", 2048),
        ("sync", 32 * 1024),
    ] {
        let mut frame =
            json!({"action": action, "entityId": "a", "message": 1, "everyone": {}, "padding": ""});
        let padding = limit - frame.to_string().len();
        frame["padding"] = json!("x".repeat(padding));
        assert_eq!(client.ask(frame.clone()).await["type"], "ack", "{action}");
        frame["padding"] = json!("x".repeat(padding + 1));
        client.send_in_frames(&frame.to_string()).await;
        let reply = client.frame().await;
        assert_eq!(reply["code"], "too_large", "{action}");
        let length = limit + 1;
        assert_eq!(
            reply["message"],
            format!(
                "the message is {length} bytes long, the limit is {limit}: send a shorter message"
            )
        );
    }
    stack.stop().await;
}

/// Repeats a request as fast as it is answered, and returns the first refusal.
async fn refusal(client: &mut Client, request: &Value) -> Value {
    loop {
        let reply = client.ask(request.clone()).await;
        if reply["type"] == "error" {
            return reply;
        }
    }
}

async fn refused_with(stack: &TestStack, token: &str) -> u16 {
    let bearer = format!("Bearer {token}");
    match Client::try_connect_with(&stack.web_socket(), "authorization", &bearer).await {
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("the client was admitted"),
    }
}
