//! Tests of the idle and the lifetime limit, with short limits.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

use super::harness::{Socket, TestGateway, closed, reporting, status};

const GOING_AWAY: (u16, &str) = (1001, "Going away");

/// Repeats a step on a connection until the server closes it.
async fn busy_until_closed(socket: &mut Socket, step: impl AsyncFn(&mut Socket)) -> (u16, String) {
    loop {
        step(socket).await;
        let pause = tokio::time::sleep(Duration::from_millis(100));
        tokio::select! {
            closed = closed(socket) => return closed,
            () = pause => {}
        }
    }
}

#[tokio::test]
async fn idle_connection_is_closed_with_1001() {
    let (disconnected, mut disconnects) = reporting();
    let gateway = TestGateway::builder()
        .route("$disconnect", disconnected)
        .limits(|limits| limits.idle = Duration::from_millis(200))
        .start()
        .await;
    let mut socket = gateway.connect().await;
    let (code, reason) = closed(&mut socket).await;
    assert_eq!((code, reason.as_str()), GOING_AWAY);
    let context = disconnects.recv().await.unwrap()["requestContext"].clone();
    assert_eq!(context["disconnectStatusCode"], 1001);
    assert_eq!(context["disconnectReason"], "Going away");
}

/// Texts and posts count as activity, pings do not: the connection with pings alone is closed while
/// the others are open.
///
/// See docs/local-vs-aws.md: "Pings and the idle timer".
#[tokio::test]
async fn texts_and_posts_reset_the_idle_timer_and_pings_do_not() {
    let gateway = TestGateway::builder()
        .route("$default", |_| status(200))
        .limits(|limits| limits.idle = Duration::from_secs(1))
        .start()
        .await;
    let mut texting = gateway.connect().await;
    let (mut posted_to, id) = gateway.connect_known().await;
    let mut pinging = gateway.connect().await;
    let text = async |socket: &mut Socket| socket.send(Message::text("x")).await.unwrap();
    let post = async |_: &mut Socket| gateway.post(&id, "x").await;
    let ping = async |socket: &mut Socket| {
        // The server may be closing the connection.
        let _ = socket.send(Message::Ping(Default::default())).await;
    };
    tokio::select! {
        _ = busy_until_closed(&mut texting, text) => panic!("closed despite texts"),
        _ = busy_until_closed(&mut posted_to, post) => panic!("closed despite posts"),
        (code, _) = busy_until_closed(&mut pinging, ping) => assert_eq!(code, 1001),
    }
}

#[tokio::test]
async fn ping_is_answered_with_pong() {
    let gateway = TestGateway::builder().start().await;
    let mut socket = gateway.connect().await;
    socket.send(Message::Ping("hi".into())).await.unwrap();
    assert!(matches!(socket.next().await, Some(Ok(Message::Pong(data))) if data == "hi"));
}

/// See docs/local-vs-aws.md: "The close after two hours".
#[tokio::test]
async fn active_connection_is_closed_at_its_lifetime_limit() {
    let gateway = TestGateway::builder()
        .route("$default", |_| status(200))
        .limits(|limits| limits.lifetime = Duration::from_millis(500))
        .start()
        .await;
    let mut socket = gateway.connect().await;
    let text = async |socket: &mut Socket| {
        // The server may be closing the connection.
        let _ = socket.send(Message::text("x")).await;
    };
    let (code, reason) = busy_until_closed(&mut socket, text).await;
    assert_eq!((code, reason.as_str()), GOING_AWAY);
}
