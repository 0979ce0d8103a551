//! Tests of a client that does not read while megabytes are pending for it.

use std::time::Duration;

use aws_sdk_apigatewaymanagement::primitives::Blob;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc::UnboundedReceiver,
    time::timeout,
};

use super::harness::{TestGateway, next_text, reporting};

/// The limit of the wait for an event. It only ends a failed test, which would otherwise take two
/// hours.
const LONG: Duration = Duration::from_secs(60);

const DEFAULT_IDLE: Duration = Duration::from_secs(600);

const SEND_BUFFER: usize = 2 * 1024 * 1024;

/// A gateway and a client that does not read, whose send buffer is full.
struct UnreadClient {
    gateway: TestGateway,
    stream: TcpStream,
    connection_id: String,
    events: UnboundedReceiver<Value>,
}

impl UnreadClient {
    /// Connects a client and fills its send buffer. The function of the route `reported` sends its
    /// events to [`UnreadClient::event`].
    async fn start(reported: &str, idle: Duration) -> Self {
        let (function, events) = reporting();
        let gateway = TestGateway::builder()
            .limits(|limits| {
                limits.idle = idle;
                limits.send_buffer = SEND_BUFFER;
            })
            .route(reported, function)
            .start()
            .await;
        let (stream, connection_id) = connect_without_reading(&gateway).await;
        fill(&gateway, &connection_id).await;
        Self {
            gateway,
            stream,
            connection_id,
            events,
        }
    }

    async fn event(&mut self) -> Value {
        timeout(LONG, self.events.recv()).await.unwrap().unwrap()
    }

    async fn disconnect_status(&mut self) -> Value {
        self.event().await["requestContext"]["disconnectStatusCode"].clone()
    }
}

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

/// Posts until the gateway answers that the client's send buffer is full.
async fn fill(gateway: &TestGateway, connection_id: &str) {
    let management = gateway.management();
    let text = "x".repeat(128 * 1024);
    // The kernel's buffers between the two ends are bounded as well.
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
async fn full_send_buffer_throttles_no_other_client() {
    let unread = UnreadClient::start("$disconnect", DEFAULT_IDLE).await;
    let (mut other, id) = unread.gateway.connect_known().await;
    unread.gateway.post(&id, "hello").await;
    assert_eq!(next_text(&mut other).await, "hello");
}

/// See docs/local-vs-aws.md: "The send buffer of a slow client".
#[tokio::test]
async fn deleted_client_that_does_not_read_is_disconnected() {
    let mut unread = UnreadClient::start("$disconnect", DEFAULT_IDLE).await;
    let management = unread.gateway.management();
    let delete = management.delete_connection();
    let delete = delete.connection_id(&unread.connection_id).send();
    delete.await.unwrap();
    let post = management.post_to_connection();
    let post = post.connection_id(&unread.connection_id);
    let post = post.data(Blob::new("late")).send().await;
    assert!(post.unwrap_err().into_service_error().is_gone_exception());

    let event = unread.event().await;
    let context = &event["requestContext"];
    assert_eq!(context["disconnectStatusCode"], 1000);
    assert_eq!(context["disconnectReason"], "Connection Closed Normally");
}

#[tokio::test]
async fn gateway_shutdown_disconnects_a_client_that_does_not_read() {
    let mut unread = UnreadClient::start("$disconnect", DEFAULT_IDLE).await;
    unread.gateway.gateway.close_all();
    assert_eq!(unread.disconnect_status().await, 1001);
}

#[tokio::test]
async fn client_that_does_not_read_is_closed_at_the_idle_limit() {
    let mut unread = UnreadClient::start("$disconnect", Duration::from_secs(3)).await;
    assert_eq!(unread.disconnect_status().await, 1001);
}

#[tokio::test]
async fn message_of_a_client_that_does_not_read_is_dispatched() {
    let mut unread = UnreadClient::start("$default", DEFAULT_IDLE).await;
    // A text of two bytes, masked with zeros.
    let frame = [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];
    unread.stream.write_all(&frame).await.unwrap();
    assert_eq!(unread.event().await["body"], "hi");
}
