//! What an upgrade is answered with.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;
use herald_local::{lambda::Invocation, template::Throttle};
use serde_json::json;
use tokio::sync::Semaphore;

use super::harness::{TestGateway, failed, next_text, returned, status};

/// Checklist item 1: any 2xx lets the client in, another status is handed on.
#[tokio::test]
async fn the_status_of_connect_answers_the_upgrade() {
    for (returned, answered) in [
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
        assert_eq!(gateway.status(&gateway.url()).await, answered, "{returned}");
    }
}

/// Checklist item 1: an error is 502, and so is a result without a usable status.
#[tokio::test]
async fn a_connect_that_fails_is_a_bad_gateway() {
    for (outcome, answered) in [
        (failed("oh"), 502),
        (returned(json!(null)), 502),
        (returned(json!({"body": "no status"})), 502),
        (returned(json!({"statusCode": "abc"})), 502),
        (returned(json!({"statusCode": 99})), 502),
        (returned(json!({"statusCode": "200"})), 101),
        (Invocation::Refused("throttled".to_owned()), 500),
    ] {
        let said = format!("{outcome:?}");
        let gateway = TestGateway::builder()
            .route("$connect", move |_| std::future::ready(outcome.clone()))
            .start()
            .await;
        assert_eq!(gateway.status(&gateway.url()).await, answered, "{said}");
    }
}

/// Checklist item 1: slower than the integration may be is 504.
///
/// See docs/local-vs-aws.md: "Statuses of a failing connect".
#[tokio::test]
async fn a_connect_that_takes_too_long_is_a_gateway_timeout() {
    let gateway = TestGateway::builder()
        .add("$connect", false, Duration::from_millis(50), |_| {
            std::future::pending()
        })
        .start()
        .await;
    assert_eq!(gateway.status(&gateway.url()).await, 504);
}

#[tokio::test]
async fn without_a_connect_route_every_client_is_let_in() {
    let gateway = TestGateway::builder().start().await;
    assert_eq!(gateway.status(&gateway.url()).await, 101);
}

/// See docs/local-vs-aws.md: "Unknown stages and longer paths".
#[tokio::test]
async fn an_unknown_stage_is_forbidden() {
    let gateway = TestGateway::builder().start().await;
    for path in ["", "/", "/dev", "/prod/more"] {
        let url = format!("ws://{}{path}", gateway.address);
        assert_eq!(gateway.status(&url).await, 403, "{path}");
    }
}

/// A token may be long, and a query string is the one place where a browser can put anything.
///
/// See docs/local-vs-aws.md: "Long addresses".
#[tokio::test]
async fn an_address_may_have_4096_characters() {
    let gateway = TestGateway::builder().start().await;
    let start = format!("{}?access_token=", gateway.url());
    // Counted as AWS is called, by `wss`.
    let padding = "x".repeat(4096 - 1 - start.len());
    let longest = format!("{start}{padding}");
    assert_eq!(gateway.status(&longest).await, 101);
    assert_eq!(gateway.status(&format!("{longest}x")).await, 414);
}

#[tokio::test]
async fn a_stage_over_its_throttle_answers_too_many_requests() {
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

/// Checklist item 3: the subprotocol is the one the function returns, and none without it.
#[tokio::test]
async fn the_subprotocol_is_the_functions_choice() {
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

/// Checklist item 3: a client that offered one and gets none fails the connection itself.
#[tokio::test]
async fn no_subprotocol_is_echoed_that_the_function_did_not_return() {
    let gateway = TestGateway::builder()
        .route("$connect", |_| status(200))
        .start()
        .await;
    let offer = [("sec-websocket-protocol", "push.v1")];
    let refused = gateway.try_connect(&gateway.url(), &offer).await;
    let error = refused.expect_err("the client misses its subprotocol");
    assert!(error.to_string().contains("SubProtocol"), "{error}");
}

/// See docs/local-vs-aws.md: "Compression is never negotiated".
#[tokio::test]
async fn an_offered_compression_is_declined() {
    let gateway = TestGateway::builder().start().await;
    let offer = [("sec-websocket-extensions", "permessage-deflate")];
    let (_, response) = gateway.try_connect(&gateway.url(), &offer).await.unwrap();
    assert!(!response.headers().contains_key("sec-websocket-extensions"));
}

/// Checklist item 4: the id works only once the upgrade is finished.
///
/// See docs/local-vs-aws.md: "The moment from which posts arrive".
#[tokio::test]
async fn a_connection_can_be_posted_to_only_after_the_upgrade() {
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
async fn a_client_that_gives_up_while_connecting_is_disconnected() {
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
        _ = gateway.try_connect(&url, &[]) => panic!("$connect waits"),
        entered = connecting.recv() => entered.unwrap(),
    }
    gate.add_permits(1);
    let event = disconnects.recv().await.unwrap();
    assert_eq!(event["requestContext"]["disconnectStatusCode"], 1006);
}
