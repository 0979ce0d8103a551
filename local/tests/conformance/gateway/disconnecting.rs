//! Tests of the end of a connection, and of the status for `$disconnect`.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use herald_local::gateway::Faults;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

use super::harness::{TestGateway, closed, reporting, status};

fn close_status(event: &Value) -> Value {
    let context = &event["requestContext"];
    json!([context["disconnectStatusCode"], context["disconnectReason"]])
}

/// See docs/local-vs-aws.md: "What a closing client is told of".
#[tokio::test]
async fn disconnect_gets_the_code_and_reason_of_the_client() {
    let (disconnected, mut disconnects) = reporting();
    let gateway = TestGateway::builder()
        .route("$disconnect", disconnected)
        .start()
        .await;
    let frame = |code, reason: &'static str| {
        Some(CloseFrame {
            code,
            reason: reason.into(),
        })
    };
    for (close, expected) in [
        (
            None,
            json!([1005, "Client-side close frame status not set"]),
        ),
        (
            frame(CloseCode::Normal, ""),
            json!([1000, "Connection Closed Normally"]),
        ),
        (
            frame(CloseCode::Library(4001), "signed out"),
            json!([4001, "signed out"]),
        ),
    ] {
        let mut socket = gateway.connect().await;
        socket.close(close).await.unwrap();
        while let Some(Ok(_)) = socket.next().await {}
        assert_eq!(close_status(&disconnects.recv().await.unwrap()), expected);
    }
}

/// See docs/local-vs-aws.md: "Lost clients".
#[tokio::test]
async fn disconnect_of_a_lost_client_gets_1006() {
    let (disconnected, mut disconnects) = reporting();
    let gateway = TestGateway::builder()
        .route("$disconnect", disconnected)
        .start()
        .await;
    drop(gateway.connect().await);
    let expected = json!([1006, "Connection Closed Abnormally"]);
    assert_eq!(close_status(&disconnects.recv().await.unwrap()), expected);
    assert!(gateway.gateway.open_connections().is_empty());
}

/// See docs/local-vs-aws.md: "What a deleted client sees".
#[tokio::test]
async fn delete_closes_the_connection_with_1000() {
    let (disconnected, mut disconnects) = reporting();
    let gateway = TestGateway::builder()
        .route("$disconnect", disconnected)
        .start()
        .await;
    let (mut socket, id) = gateway.connect_known().await;
    gateway.post(&id, "goodbye").await;
    let delete = || {
        let management = gateway.management();
        management.delete_connection().connection_id(&id).send()
    };
    delete().await.unwrap();
    assert!(matches!(socket.next().await, Some(Ok(Message::Text(text))) if text == "goodbye"));
    assert_eq!(closed(&mut socket).await, (1000, String::new()));
    let expected = json!([1000, "Connection Closed Normally"]);
    assert_eq!(close_status(&disconnects.recv().await.unwrap()), expected);
    assert!(
        delete()
            .await
            .unwrap_err()
            .into_service_error()
            .is_gone_exception()
    );
}

#[tokio::test]
async fn post_to_a_closing_connection_is_410() {
    let gateway = TestGateway::builder().start().await;
    let (mut socket, id) = gateway.connect_known().await;
    socket.send(Message::binary(vec![1])).await.unwrap();
    // The gateway waits for the client to close its side, which it does not.
    assert_eq!(closed(&mut socket).await.0, 1003);
    let management = gateway.management();
    let post = management.post_to_connection().connection_id(&id);
    let error = post.data(Default::default()).send().await.unwrap_err();
    assert!(error.into_service_error().is_gone_exception());
}

/// See docs/local-vs-aws.md: "No `$disconnect` after a refused connect".
#[tokio::test]
async fn refused_connection_gets_no_disconnect() {
    let (disconnected, mut disconnects) = reporting();
    let gateway = TestGateway::builder()
        .route("$connect", |event| {
            let refused = event["queryStringParameters"]["refuse"] == "yes";
            status(if refused { 403 } else { 200 })
        })
        .route("$disconnect", disconnected)
        .start()
        .await;
    let url = format!("{}?refuse=yes", gateway.url());
    assert_eq!(gateway.status(&url).await, 403);
    drop(gateway.connect().await);
    disconnects.recv().await.unwrap();
    assert_eq!(gateway.events("$disconnect").len(), 1);
}

/// See docs/local-vs-aws.md: "Invocations wait for a process".
#[tokio::test]
async fn disconnect_has_no_time_limit() {
    let (sender, mut disconnects) = tokio::sync::mpsc::unbounded_channel();
    let long_after_the_limit = Duration::from_millis(50);
    let disconnected = move |event| {
        let sender = sender.clone();
        async move {
            tokio::time::sleep(long_after_the_limit).await;
            sender.send(event).unwrap();
            status(200).await
        }
    };
    let gateway = TestGateway::builder()
        .add("$disconnect", false, Duration::from_millis(1), disconnected)
        .start()
        .await;
    drop(gateway.connect().await);
    let event = tokio::time::timeout(Duration::from_secs(60), disconnects.recv()).await;
    assert!(event.unwrap().is_some());
}

/// See docs/local-vs-aws.md: "`$disconnect` is best effort".
#[tokio::test]
async fn disconnect_is_lost_with_the_fault_lost_disconnects() {
    let (disconnected, mut disconnects) = reporting();
    let gateway = TestGateway::builder()
        .route("$disconnect", disconnected)
        .start()
        .await;
    gateway.gateway.set_faults(Faults {
        lost_disconnects: 1.0,
        ..Faults::default()
    });
    let mut lost = gateway.connect().await;
    lost.close(None).await.unwrap();
    // The server answers the close and removes the connection before it would invoke `$disconnect`.
    while let Some(Ok(_)) = lost.next().await {}
    while !gateway.gateway.open_connections().is_empty() {
        tokio::task::yield_now().await;
    }
    gateway.gateway.set_faults(Faults::default());
    let (socket, id) = gateway.connect_known().await;
    drop(socket);
    let event = disconnects.recv().await.unwrap();
    assert_eq!(event["requestContext"]["connectionId"], id.as_str());
    assert_eq!(gateway.events("$disconnect").len(), 1);
}
