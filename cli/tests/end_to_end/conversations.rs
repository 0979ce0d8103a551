//! `herald connect` from a script. At a terminal it is in `terminal`.

use herald_local::Authentication;
use serde_json::json;

use crate::harness::{TestStack, json_lines};

#[tokio::test]
async fn a_scripts_frames_are_sent_and_all_are_answered_before_it_ends() {
    let stack = TestStack::start(Authentication::Jwks).await;
    let script = r#"
        sub order-1
        {"action":"ping"}
        echo {"a": 1.0}
        raw hello
        auth
    "#;
    let ended = stack.herald(&["connect", "order-2"]).run(script).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let frames = json_lines(&ended.stdout);
    let has = |field: &str, value: &str| frames.iter().any(|frame| frame[field] == value);
    assert_eq!(frames.len(), 6, "{}", ended.stdout);
    assert!(has("entityId", "order-1") && has("entityId", "order-2"));
    assert!(has("type", "pong") && has("code", "unknown_action"));
    assert!(has("action", "authenticate"));
    assert!(ended.stdout.contains(r#""message":{"a": 1.0}"#));
    assert_eq!(
        ended.stderr.trim(),
        format!("connected to {}", stack.running.addresses().web_socket)
    );
    stack.stop().await;
}

#[tokio::test]
async fn a_broken_connection_is_made_again_with_what_was_subscribed_to() {
    let stack = TestStack::start(Authentication::Open).await;
    let mut connect = stack.herald(&["connect"]).start();
    connect.says("connected to").await;
    connect
        .types(r#"{"action":"subscribe","entityId":"order-1","id":"mine"}"#)
        .await;
    let acknowledged = connect.prints().await;
    assert_eq!(
        (&acknowledged["entityId"], &acknowledged["id"]),
        (&json!("order-1"), &json!("mine"))
    );
    for command in ["sub order-2", "unsub order-2"] {
        connect.types(command).await;
        assert_eq!(connect.prints().await["entityId"], "order-2");
    }

    stack.running.gateway().close_all();
    connect
        .says("the server closed the connection with 10")
        .await;
    connect.says("connected again").await;
    let acknowledged = json!({"type": "ack", "action": "subscribe", "entityId": "order-1"});
    assert_eq!(connect.prints().await, acknowledged);
    stack
        .done(&["publish", "--entity", "order-1", "Hello"])
        .await;
    assert_eq!(connect.prints().await["message"], "Hello");
    connect.types("quit").await;
    assert_eq!(connect.ended().await.code, Some(0));
    stack.stop().await;
}

#[tokio::test]
async fn a_mistake_in_a_script_ends_it() {
    let stack = TestStack::start(Authentication::Open).await;
    let ended = stack.herald(&["connect"]).run("ping\nbeep\nping\n").await;
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.stderr.contains(r#""beep" is neither a command"#),
        "{}",
        ended.stderr
    );
    stack.stop().await;
}

#[tokio::test]
async fn a_script_that_waits_sees_what_is_pushed() {
    let stack = TestStack::start(Authentication::Open).await;
    let mut connect = stack
        .herald(&["connect", "order-1", "--wait", "3600"])
        .start();
    connect.prints().await;
    drop(connect.stdin.take());
    stack
        .done(&["publish", "--entity", "order-1", "Hello"])
        .await;
    assert_eq!(connect.prints().await["message"], "Hello");
    connect.stop_reading();
    assert_eq!(connect.ended().await.code, Some(0));
    stack.stop().await;
}
