//! `herald tail`.

use herald_local::Authentication;
use serde_json::{Value, json};

use crate::harness::{TestStack, json_lines};

/// Removes the fields of a push that differ from run to run, and its position, if the audience has a log.
fn without_ids(mut push: Value) -> Value {
    let fields = push.as_object_mut().expect("an object");
    assert!(fields.remove("eventId").is_some());
    assert!(fields.remove("time").is_some());
    fields.remove("epoch");
    fields.remove("offset");
    push
}

#[tokio::test]
async fn pushes_of_all_kinds_are_printed_as_lines_of_json() {
    let stack = TestStack::start(Authentication::Jwks).await;
    let arguments = ["tail", "order-1", "--user", "--broadcast", "--as", "alice"];
    let mut tail = stack.herald(&arguments).start();
    assert_eq!(
        tail.says("subscribed").await,
        "subscribed to order-1, pushes to the user, broadcasts; press Ctrl-C to exit"
    );
    // A line of the output is a push, however its message was written.
    let message = "{\n  \"state\": \"shipped\"\n}";
    let published = stack
        .done(&["publish", "--entity", "order-1", message])
        .await;
    let push = tail.prints().await;
    assert_eq!(push["eventId"], published.trim());
    assert_eq!(
        without_ids(push),
        json!({"type": "Entity Updated", "entityId": "order-1", "message": {"state": "shipped"}})
    );
    let callback = r#"{"open":"/"}"#;
    let user = ["publish", "--user", "alice", "1", "--callback", callback];
    stack.done(&user).await;
    assert_eq!(
        without_ids(tail.prints().await),
        json!({"type": "User Push Notification", "message": 1, "callback": {"open": "/"}})
    );
    stack.done(&["publish", "--broadcast", "--text", "1"]).await;
    assert_eq!(
        without_ids(tail.prints().await),
        json!({"type": "Broadcast", "message": "1"})
    );
    stack
        .done(&["publish", "--user", "bob", "not for alice"])
        .await;
    tail.signal("INT").await;
    let ended = tail.ended().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(130), ""));
    stack.stop().await;
}

#[tokio::test]
async fn tail_ends_after_count_and_fails_if_timeout_is_first() {
    let stack = TestStack::start(Authentication::Open).await;
    let mut tail = stack.herald(&["tail", "a", "b", "--count", "2"]).start();
    tail.says("subscribed").await;
    let lines = r#"
        {"entityId":"a","message":1}
        {"entityId":"c","message":2}
        {"entityId":"b","message":3}
    "#;
    let published = stack.herald(&["publish", "--lines"]).run(lines).await;
    assert_eq!(published.code, Some(0));
    let ended = tail.ended().await;
    assert_eq!(ended.code, Some(0));
    let mut messages: Vec<_> = json_lines(&ended.stdout)
        .iter()
        .map(|push| push["message"].as_u64())
        .collect();
    messages.sort();
    assert_eq!(messages, [Some(1), Some(3)]);

    let too_few = ["tail", "a", "--count", "1", "--timeout", "1"];
    let ended = stack.herald(&too_few).run("").await;
    assert_eq!(ended.code, Some(4));
    assert!(
        ended.stderr.contains("--timeout passed"),
        "{}",
        ended.stderr
    );
    assert_eq!(stack.done(&["tail", "a", "--timeout", "1"]).await, "");
    stack.stop().await;
}

#[tokio::test]
async fn broken_connection_is_reported_and_reconnected() {
    let stack = TestStack::start(Authentication::Open).await;
    let mut tail = stack.herald(&["tail", "order-1", "--count", "1"]).start();
    tail.says("subscribed").await;
    stack.running.gateway().close_all();
    // A client that reconnects at once reports no delay.
    tail.says("reconnected").await;
    stack
        .done(&["publish", "--entity", "order-1", "Hello"])
        .await;
    let ended = tail.ended().await;
    assert_eq!(ended.code, Some(0));
    assert_eq!(json_lines(&ended.stdout)[0]["message"], "Hello");

    let mut tail = stack.herald(&["tail", "order-1"]).start();
    tail.says("subscribed").await;
    stack.stop().await;
    tail.says("Connection refused").await;
    tail.signal("INT").await;
    assert_eq!(tail.ended().await.code, Some(130));
}

#[tokio::test]
async fn tail_ends_without_error_when_its_output_is_closed_between_pushes() {
    let stack = TestStack::start(Authentication::Open).await;
    let mut tail = stack.herald(&["tail", "order-1"]).start();
    tail.says("subscribed").await;
    stack
        .done(&["publish", "--entity", "order-1", "Hello"])
        .await;
    tail.prints().await;
    tail.stop_reading();
    let ended = tail.ended().await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    stack.stop().await;
}

#[tokio::test]
async fn disconnected_user_sees_the_reason() {
    let stack = TestStack::start(Authentication::Secret).await;
    let mut tail = stack.herald(&["tail", "--user", "--as", "alice"]).start();
    tail.says("subscribed").await;
    stack.disconnect_user("alice", "password changed").await;
    let ended = tail.ended().await;
    assert_eq!(ended.code, Some(3));
    assert_eq!(
        ended.stderr,
        "herald: disconnected by the server: password changed\n"
    );
    stack.stop().await;
}
