//! Tests of the answer to an upgrade.

use std::{pin::pin, sync::Arc, time::Duration};

use futures_util::{FutureExt, SinkExt};
use herald_local::{lambda::Invocation, template::Throttle};
use serde_json::json;
use tokio::{sync::Semaphore, task::yield_now};
use tokio_tungstenite::tungstenite::Message;

use super::harness::{TestGateway, failed, next_text, returned, status};

/// A 2xx of `$connect` accepts the client; another status becomes that of the refusal.
#[tokio::test]
async fn status_of_connect_determines_the_answer_to_the_upgrade() {
    for (returned, expected) in [
        (200, 101),
        (201, 101),
        (301, 301),
        (400, 400),
        (401, 401),
        (403, 403),
        (500, 500),
        (501, 501),
    ] {
        let gateway = TestGateway::builder()
            .route("$connect", move |_| status(returned))
            .start()
            .await;
        assert_eq!(gateway.status(&gateway.url()).await, expected, "{returned}");
    }
}

#[tokio::test]
async fn failed_connect_is_502_and_refused_invocation_is_500() {
    for (invocation, expected) in [
        (failed("oh"), 502),
        (Invocation::Refused("throttled".to_owned()), 500),
    ] {
        let context = format!("{invocation:?}");
        let gateway = TestGateway::builder()
            .route("$connect", move |_| std::future::ready(invocation.clone()))
            .start()
            .await;
        assert_eq!(gateway.status(&gateway.url()).await, expected, "{context}");
    }
}

/// See docs/local-vs-aws.md: "Statuses of a failing connect".
#[tokio::test]
async fn connect_slower_than_the_integration_timeout_is_504() {
    let gateway = TestGateway::builder()
        .add("$connect", false, Duration::from_millis(50), |_| {
            std::future::pending()
        })
        .start()
        .await;
    assert_eq!(gateway.status(&gateway.url()).await, 504);
}

#[tokio::test]
async fn api_without_connect_route_accepts_every_client() {
    let gateway = TestGateway::builder().start().await;
    assert_eq!(gateway.status(&gateway.url()).await, 101);
}

/// See docs/local-vs-aws.md: "Unknown stages and longer paths".
#[tokio::test]
async fn unknown_stage_is_403() {
    let gateway = TestGateway::builder().start().await;
    for path in ["", "/", "/dev", "/prod/more"] {
        let url = format!("ws://{}{path}", gateway.address);
        assert_eq!(gateway.status(&url).await, 403, "{path}");
    }
}

/// A token may be long, and browsers can send arbitrary data only in the query string.
///
/// See docs/local-vs-aws.md: "Long addresses".
#[tokio::test]
async fn url_longer_than_4096_characters_is_414() {
    let gateway = TestGateway::builder().start().await;
    let start = format!("{}?access_token=", gateway.url());
    // The URL of AWS starts with `wss`, which has one character more.
    let padding = "x".repeat(4096 - 1 - start.len());
    let longest = format!("{start}{padding}");
    assert_eq!(gateway.status(&longest).await, 101);
    assert_eq!(gateway.status(&format!("{longest}x")).await, 414);
}

#[tokio::test]
async fn upgrade_over_the_stage_throttle_is_429() {
    let gateway = TestGateway::builder()
        .api(|api| {
            api.throttle = Some(Throttle {
                rate: 0.0,
                burst: 1,
            })
        })
        .start()
        .await;
    assert_eq!(gateway.status(&gateway.url()).await, 101);
    assert_eq!(gateway.status(&gateway.url()).await, 429);
}

#[tokio::test]
async fn subprotocol_is_the_one_that_connect_returned() {
    for header in ["Sec-WebSocket-Protocol", "sec-websocket-protocol"] {
        let gateway = TestGateway::builder()
            .route("$connect", move |_| {
                let result = json!({"statusCode": 200, "headers": {header: "push.v1"}});
                std::future::ready(returned(result))
            })
            .start()
            .await;
        let offer = [("sec-websocket-protocol", "push.v1, other")];
        let (_, response) = gateway.try_connect(&gateway.url(), &offer).await.unwrap();
        assert_eq!(response.headers()["sec-websocket-protocol"], "push.v1");
    }
}

/// A client that offered a subprotocol and gets none fails the connection itself.
#[tokio::test]
async fn offered_subprotocol_is_not_echoed_without_connect_returning_it() {
    let gateway = TestGateway::builder()
        .route("$connect", |_| status(200))
        .start()
        .await;
    let offer = [("sec-websocket-protocol", "push.v1")];
    let refused = gateway.try_connect(&gateway.url(), &offer).await;
    let error = refused.expect_err("a missing subprotocol");
    assert!(error.to_string().contains("SubProtocol"), "{error}");
}

/// See docs/local-vs-aws.md: "Compression is never negotiated".
#[tokio::test]
async fn offered_compression_is_declined() {
    let gateway = TestGateway::builder().start().await;
    let offer = [("sec-websocket-extensions", "permessage-deflate")];
    let (_, response) = gateway.try_connect(&gateway.url(), &offer).await.unwrap();
    assert!(!response.headers().contains_key("sec-websocket-extensions"));
}

/// See docs/local-vs-aws.md: "Posts during the upgrade".
#[tokio::test]
async fn post_before_the_end_of_the_upgrade_is_410() {
    let gate = Arc::new(Semaphore::new(0));
    let (entered, mut connecting) = tokio::sync::mpsc::unbounded_channel();
    let gateway = TestGateway::builder()
        .route("$connect", {
            let gate = gate.clone();
            move |event| {
                entered.send(event).unwrap();
                let gate = gate.clone();
                async move {
                    gate.acquire().await.unwrap().forget();
                    returned(json!({"statusCode": 200}))
                }
                .boxed()
            }
        })
        .start()
        .await;
    let (client, ()) = tokio::join!(gateway.connect(), async {
        let event = connecting.recv().await.unwrap();
        let id = event["requestContext"]["connectionId"].as_str().unwrap();
        let management = gateway.management();
        let post = management.post_to_connection().connection_id(id);
        let error = post.data(Default::default()).send().await.unwrap_err();
        assert!(error.into_service_error().is_gone_exception());
        let get = management.get_connection().connection_id(id).send().await;
        assert!(get.unwrap_err().into_service_error().is_gone_exception());
        gate.add_permits(1);
    });
    let mut client = client;
    let id = gateway.gateway.open_connections()[0].connection_id.clone();
    gateway.post(&id, "hello").await;
    assert_eq!(next_text(&mut client).await, "hello");
}

/// See docs/local-vs-aws.md: "No `$disconnect` after a refused connect".
#[tokio::test]
async fn client_that_gives_up_during_connect_gets_a_disconnect() {
    let gate = Arc::new(Semaphore::new(0));
    let (disconnected, mut disconnects) = super::harness::reporting();
    let (entered, mut connecting) = tokio::sync::mpsc::unbounded_channel();
    let gateway = TestGateway::builder()
        .route("$connect", {
            let gate = gate.clone();
            move |_| {
                entered.send(()).unwrap();
                let gate = gate.clone();
                async move {
                    gate.acquire().await.unwrap().forget();
                    returned(json!({"statusCode": 200}))
                }
                .boxed()
            }
        })
        .route("$disconnect", disconnected)
        .start()
        .await;
    let url = gateway.url();
    tokio::select! {
        _ = gateway.try_connect(&url, &[]) => panic!("$connect has not returned yet"),
        entered = connecting.recv() => entered.unwrap(),
    }
    gate.add_permits(1);
    let event = disconnects.recv().await.unwrap();
    assert_eq!(event["requestContext"]["disconnectStatusCode"], 1006);
}

/// See docs/local-vs-aws.md: "Many clients connect at once".
#[tokio::test]
async fn handshake_waits_while_messages_at_the_limit_are_in_progress() {
    let gate = Arc::new(Semaphore::new(0));
    let (connected, mut connects) = super::harness::reporting();
    let (entered, mut messages) = tokio::sync::mpsc::unbounded_channel();
    let gateway = TestGateway::builder()
        .limits(|limits| {
            limits.in_progress = 1;
            limits.handshake_wait = Duration::MAX;
        })
        .route("$connect", connected)
        .two_way("$default", {
            let gate = gate.clone();
            move |_| {
                entered.send(()).unwrap();
                let gate = gate.clone();
                async move {
                    gate.acquire().await.unwrap().forget();
                    returned(json!({"statusCode": 200, "body": "answered"}))
                }
                .boxed()
            }
        })
        .start()
        .await;
    let mut inside = gateway.connect().await;
    connects.recv().await.unwrap();
    for _ in 0..2 {
        inside.send(Message::text("now")).await.unwrap();
        messages.recv().await.unwrap();
    }
    let mut waiting = pin!(gateway.connect());
    let handshake_arrived = async || {
        while gateway.requests() < 2 {
            yield_now().await;
        }
    };
    tokio::select! {
        _ = &mut waiting => panic!("two messages are in progress"),
        () = handshake_arrived() => {}
    }
    gate.add_permits(1);
    assert_eq!(next_text(&mut inside).await, "answered");
    assert!(connects.try_recv().is_err(), "one message is in progress");
    gate.add_permits(1);
    waiting.await;
    connects.recv().await.unwrap();
}
