//! Messages of a client: which route they take and what comes back.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, SinkExt};
use herald_local::{lambda::Invocation, template::Throttle};
use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio_tungstenite::tungstenite::Message;

use super::harness::{Socket, TestGateway, failed, next_text, returned};

/// A function that answers with the route key it was asked by.
fn tells_its_route(event: Value) -> std::future::Ready<Invocation> {
    let route = event["requestContext"]["routeKey"].as_str().unwrap();
    std::future::ready(returned(json!({"statusCode": 200, "body": route})))
}

async fn ask(socket: &mut Socket, text: &str) -> String {
    socket.send(Message::text(text)).await.unwrap();
    next_text(socket).await
}

/// Checklist item 6.
///
/// See docs/local-vs-aws.md: "Naming `$connect` as the action".
#[tokio::test]
async fn the_action_chooses_the_route() {
    let mut builder = TestGateway::builder();
    for key in [
        "$connect",
        "$disconnect",
        "$default",
        "subscribe",
        "5",
        "true",
        "[a, b]",
    ] {
        builder = builder.two_way(key, tells_its_route);
    }
    let gateway = builder.start().await;
    let mut socket = gateway.connect().await;
    for (text, route) in [
        (r#"{"action":"subscribe"}"#, "subscribe"),
        (r#"{"action":5}"#, "5"),
        (r#"{"action":true}"#, "true"),
        (r#"{"action":["a","b"]}"#, "[a, b]"),
        (r#"{"action":"Subscribe"}"#, "$default"),
        (r#"{"action":null}"#, "$default"),
        (r#"{"other":1}"#, "$default"),
        (r#"{"action":"$connect"}"#, "$default"),
        (r#"{"action":"$disconnect"}"#, "$default"),
        ("not JSON", "$default"),
        ("", "$default"),
    ] {
        assert_eq!(ask(&mut socket, text).await, route, "{text}");
    }
}

/// Checklist item 7: the gateway's own frames, byte for byte, after each of which the connection is
/// still open.
#[tokio::test]
async fn what_goes_wrong_is_told_in_the_gateways_own_frames() {
    let gateway = TestGateway::builder()
        .route("fail", |_| std::future::ready(failed("oh")))
        .route("throttled", |_| {
            std::future::ready(Invocation::Refused("no concurrency left".to_owned()))
        })
        .add("slow", false, Duration::from_millis(50), |_| {
            std::future::pending()
        })
        .start()
        .await;
    let (mut socket, id) = gateway.connect_known().await;
    for (action, message) in [
        ("unknown", "Forbidden"),
        ("fail", "Internal server error"),
        ("throttled", "Internal server error"),
        ("slow", "Endpoint request timed out"),
        ("unknown", "Forbidden"),
    ] {
        let frame = ask(&mut socket, &format!(r#"{{"action":"{action}"}}"#)).await;
        let parsed: Value = serde_json::from_str(&frame).unwrap();
        let request_id = parsed["requestId"].as_str().unwrap();
        assert_eq!(
            frame,
            format!(
                r#"{{"message": "{message}", "connectionId":"{id}", "requestId":"{request_id}"}}"#
            )
        );
    }
}

/// See docs/local-vs-aws.md: "The frame of a throttled message".
#[tokio::test]
async fn a_message_over_the_stages_throttle_is_told_so() {
    let gateway = TestGateway::builder()
        .two_way("$default", tells_its_route)
        .api(|api| {
            api.throttle = Some(Throttle {
                rate: 0.0,
                burst: 2,
            })
        })
        .start()
        .await;
    let mut socket = gateway.connect().await;
    assert_eq!(ask(&mut socket, "1").await, "$default");
    assert!(
        ask(&mut socket, "2")
            .await
            .starts_with(r#"{"message": "Too Many Requests","#)
    );
}

/// Checklist item 8: a one-way route answers nothing, whatever its function returns; a two-way one
/// answers the body, whatever the status.
#[tokio::test]
async fn only_a_two_way_route_answers() {
    let result = |result: Value| move |_| std::future::ready(returned(result.clone()));
    let gateway = TestGateway::builder()
        .route(
            "oneWay",
            result(json!({"statusCode": 500, "body": "dropped"})),
        )
        .route("null", result(json!(null)))
        .two_way("noBody", result(json!({"statusCode": 200})))
        .two_way("ok", result(json!({"statusCode": 200, "body": "ok"})))
        .two_way(
            "failing",
            result(json!({"statusCode": 500, "body": "failing"})),
        )
        .start()
        .await;
    let mut socket = gateway.connect().await;
    for silent in ["oneWay", "null", "noBody"] {
        let text = format!(r#"{{"action":"{silent}"}}"#);
        socket.send(Message::text(text)).await.unwrap();
    }
    for answered in ["failing", "ok"] {
        let answer = ask(&mut socket, &format!(r#"{{"action":"{answered}"}}"#)).await;
        assert_eq!(answer, answered);
    }
}

/// Checklist item 10: no message of a connection waits for another.
#[tokio::test]
async fn fifty_messages_of_one_connection_run_side_by_side() {
    let barrier = Arc::new(Barrier::new(50));
    let gateway = TestGateway::builder()
        .two_way("$default", move |_| {
            let barrier = barrier.clone();
            async move {
                barrier.wait().await;
                returned(json!({"statusCode": 200, "body": "all fifty are here"}))
            }
            .boxed()
        })
        .start()
        .await;
    let mut socket = gateway.connect().await;
    for _ in 0..50 {
        socket.feed(Message::text("now")).await.unwrap();
    }
    socket.flush().await.unwrap();
    for _ in 0..50 {
        assert_eq!(next_text(&mut socket).await, "all fifty are here");
    }
}
