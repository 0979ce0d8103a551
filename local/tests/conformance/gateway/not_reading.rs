//! A client that does not read, while megabytes wait for it.

use std::time::Duration;

use aws_sdk_apigatewaymanagement::primitives::Blob;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::harness::{TestGateway, reporting};

/// Not awaited for long by a gateway that works: without it, a fault would hang the test for two hours.
const LONG: Duration = Duration::from_secs(60);

const SEND_BUFFER: usize = 2 * 1024 * 1024;

/// Opens a connection on a socket that nothing reads from afterwards.
async fn connect_without_reading(gateway: &TestGateway) -> (TcpStream, String) {
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    let request = "GET /prod HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    let id = gateway.gateway.open_connections()[0].connection_id.clone();
    (stream, id)
}

/// Posts until the gateway answers that the client's buffer is full.
async fn fill(gateway: &TestGateway, connection_id: &str) {
    let management = gateway.management();
    let text = "x".repeat(128 * 1024);
    // What the kernel buffers between the two ends is bounded as well.
    for _ in 0..10_000 {
        let post = management.post_to_connection().connection_id(connection_id);
        if let Err(error) = post.data(Blob::new(text.as_str())).send().await {
            let error = error.into_service_error();
            assert!(error.is_limit_exceeded_exception(), "{error:?}");
            return;
        }
    }
    panic!("the send buffer never fills");
}

/// See docs/local-vs-aws.md: "The send buffer of a slow client".
#[tokio::test]
async fn a_deleted_client_that_does_not_read_is_disconnected() {
    let (disconnected, mut disconnects) = reporting();
    let gateway = TestGateway::builder()
        .limits(|limits| limits.send_buffer = SEND_BUFFER)
        .route("$disconnect", disconnected)
        .start()
        .await;
    let (_never_read, id) = connect_without_reading(&gateway).await;
    fill(&gateway, &id).await;
    let management = gateway.management();
    let delete = management.delete_connection().connection_id(&id).send();
    delete.await.unwrap();
    let post = management.post_to_connection().connection_id(&id);
    let post = post.data(Blob::new("late")).send().await;
    assert!(post.unwrap_err().into_service_error().is_gone_exception());

    let event = timeout(LONG, disconnects.recv()).await.unwrap().unwrap();
    let context = &event["requestContext"];
    let told = json!([context["disconnectStatusCode"], context["disconnectReason"]]);
    assert_eq!(told, json!([1000, "Connection Closed Normally"]));
}

#[tokio::test]
async fn a_gateway_that_goes_away_ends_a_client_that_does_not_read() {
    let (disconnected, mut disconnects) = reporting();
    let gateway = TestGateway::builder()
        .limits(|limits| limits.send_buffer = SEND_BUFFER)
        .route("$disconnect", disconnected)
        .start()
        .await;
    let (_never_read, id) = connect_without_reading(&gateway).await;
    fill(&gateway, &id).await;
    gateway.gateway.close_all();
    let event = timeout(LONG, disconnects.recv()).await.unwrap().unwrap();
    assert_eq!(event["requestContext"]["disconnectStatusCode"], 1001);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed_when_it_has_been_silent_for_long() {
    let (disconnected, mut disconnects) = reporting();
    let gateway = TestGateway::builder()
        .limits(|limits| {
            limits.idle = Duration::from_secs(3);
            limits.send_buffer = SEND_BUFFER;
        })
        .route("$disconnect", disconnected)
        .start()
        .await;
    let (_never_read, id) = connect_without_reading(&gateway).await;
    fill(&gateway, &id).await;
    let event = timeout(LONG, disconnects.recv()).await.unwrap().unwrap();
    assert_eq!(event["requestContext"]["disconnectStatusCode"], 1001);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_still_heard() {
    let (said, mut messages) = reporting();
    let gateway = TestGateway::builder()
        .limits(|limits| limits.send_buffer = SEND_BUFFER)
        .route("$default", said)
        .start()
        .await;
    let (mut never_read, id) = connect_without_reading(&gateway).await;
    fill(&gateway, &id).await;
    // A text of two bytes, masked with zeros.
    let frame = [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];
    never_read.write_all(&frame).await.unwrap();
    let event = timeout(LONG, messages.recv()).await.unwrap().unwrap();
    assert_eq!(event["body"], "hi");
}
