//! Tests of a client's messages: their route and the reply.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt, SinkExt};
use herald_local::{lambda::Invocation, template::Throttle};
use serde_json::{Value, json};
use tokio::sync::Barrier;
use tokio_tungstenite::tungstenite::Message;

use super::harness::{Socket, TestGateway, failed, next_text, returned};

/// A function that answers with the route key of its event.
fn answer_route_key(event: Value) -> std::future::Ready<Invocation> {
    let route = event["requestContext"]["routeKey"].as_str().unwrap();
    std::future::ready(returned(json!({"statusCode": 200, "body": route})))
}

async fn request(socket: &mut Socket, text: &str) -> String {
    socket.send(Message::text(text)).await.unwrap();
    next_text(socket).await
}

/// See docs/local-vs-aws.md: "Naming `$connect` as the action".
#[tokio::test]
async fn action_selects_the_route() {
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
        builder = builder.two_way(key, answer_route_key);
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
        assert_eq!(request(&mut socket, text).await, route, "{text}");
    }
}

/// The gateway's own frames, byte for byte. The connection stays open after each.
#[tokio::test]
async fn errors_are_sent_in_the_gateways_own_frames() {
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
        let frame = request(&mut socket, &format!(r#"{{"action":"{action}"}}"#)).await;
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
async fn message_over_the_stage_throttle_gets_too_many_requests() {
    let gateway = TestGateway::builder()
        .two_way("$default", answer_route_key)
        .api(|api| {
            api.throttle = Some(Throttle {
                rate: 0.0,
                burst: 2,
            })
        })
        .start()
        .await;
    let mut socket = gateway.connect().await;
    assert_eq!(request(&mut socket, "1").await, "$default");
    assert!(
        request(&mut socket, "2")
            .await
            .starts_with(r#"{"message": "Too Many Requests","#)
    );
}

#[tokio::test]
async fn fifty_messages_of_one_connection_run_concurrently() {
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
