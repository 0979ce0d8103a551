//! Tests of frames and messages that are too large or not text.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

use super::harness::{Socket, TestGateway, closed, next_text, reporting, returned};

const KB: usize = 1024;

async fn echo() -> TestGateway {
    let length = |event: Value| {
        let body = event["body"].as_str().unwrap().len().to_string();
        std::future::ready(returned(json!({"statusCode": 200, "body": body})))
    };
    TestGateway::builder()
        .two_way("$default", length)
        .start()
        .await
}

/// Sends a text in frames of these sizes.
async fn send_fragments(socket: &mut Socket, sizes: &[usize]) {
    for (index, size) in sizes.iter().enumerate() {
        let kind = if index == 0 {
            Data::Text
        } else {
            Data::Continue
        };
        let last = index + 1 == sizes.len();
        let frame = Frame::message(vec![b'x'; *size], OpCode::Data(kind), last);
        // The server may close before it has read everything.
        let _ = socket.feed(Message::Frame(frame)).await;
    }
    let _ = socket.flush().await;
}

#[tokio::test]
async fn binary_message_closes_with_1003() {
    let (disconnected, mut disconnects) = reporting();
    let gateway = TestGateway::builder()
        .route("$disconnect", disconnected)
        .start()
        .await;
    let mut socket = gateway.connect().await;
    socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(closed(&mut socket).await.0, 1003);
    let event = disconnects.recv().await.unwrap();
    assert_eq!(event["requestContext"]["disconnectStatusCode"], 1003);
}

/// See docs/local-vs-aws.md: "KB, and whether limits are inclusive".
#[tokio::test]
async fn frame_larger_than_32_kb_closes_with_1009() {
    let gateway = echo().await;
    let mut socket = gateway.connect().await;
    send_fragments(&mut socket, &[32 * KB]).await;
    assert_eq!(next_text(&mut socket).await, "32768");
    send_fragments(&mut socket, &[32 * KB + 1]).await;
    assert_eq!(closed(&mut socket).await.0, 1009);
}

/// See docs/local-vs-aws.md: "KB, and whether limits are inclusive".
#[tokio::test]
async fn message_larger_than_128_kb_closes_with_1009() {
    let gateway = echo().await;
    let mut socket = gateway.connect().await;
    send_fragments(&mut socket, &[32 * KB; 4]).await;
    assert_eq!(next_text(&mut socket).await, "131072");
    send_fragments(&mut socket, &[32 * KB, 32 * KB, 32 * KB, 32 * KB, 1]).await;
    assert_eq!(closed(&mut socket).await.0, 1009);
}

#[tokio::test]
async fn client_that_keeps_sending_receives_the_close_frame() {
    let gateway = echo().await;
    let mut socket = gateway.connect().await;
    send_fragments(&mut socket, &[1000 * KB, 1000 * KB]).await;
    assert_eq!(closed(&mut socket).await.0, 1009);
}

/// See docs/local-vs-aws.md: "Text that is not UTF-8".
#[tokio::test]
async fn text_that_is_not_utf8_closes_with_1007() {
    let gateway = echo().await;
    let mut socket = gateway.connect().await;
    let frame = Frame::message(vec![0xff, 0xfe], OpCode::Data(Data::Text), true);
    socket.send(Message::Frame(frame)).await.unwrap();
    assert_eq!(closed(&mut socket).await.0, 1007);
}

/// See docs/local-vs-aws.md: "Long posts arrive in frames".
#[tokio::test]
async fn post_larger_than_32_kb_arrives_in_frames_of_32_kb() {
    let gateway = echo().await;
    let (socket, id) = gateway.connect_known().await;
    let text = "é".repeat(50 * KB);
    gateway.post(&id, &text).await;

    // The client's own limit refuses a larger frame.
    let config = tokio_tungstenite::tungstenite::protocol::WebSocketConfig::default()
        .max_frame_size(Some(32 * KB));
    let stream = socket.into_inner();
    let role = tokio_tungstenite::tungstenite::protocol::Role::Client;
    let mut socket =
        tokio_tungstenite::WebSocketStream::from_raw_socket(stream, role, Some(config)).await;
    match socket.next().await {
        Some(Ok(Message::Text(received))) => assert_eq!(received.as_str(), text),
        other => panic!("expected the text, got {other:?}"),
    }
}
