//! Tests with clients that send slowly or not at all.

use std::sync::Arc;

use axum::routing::{any, get, post};
use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy, split},
    sync::Semaphore,
};

use super::*;

const SHORT: Timeouts = Timeouts {
    head: Duration::from_millis(50),
    body: Duration::from_millis(50),
};

async fn start() -> (SocketAddr, Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let opened = gate.clone();
    let router = Router::new()
        .route(
            "/body",
            post(async |body: Bytes| format!("{} bytes", body.len())),
        )
        .route("/poll", get(async move || drop(opened.acquire().await)))
        .route("/upgrade", any(echo));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(serve(listener, router, SHORT));
    (address, gate)
}

/// Switches protocols and echoes.
async fn echo(mut request: Request) -> Response {
    let upgrade = request
        .extensions_mut()
        .remove::<OnUpgrade>()
        .expect("an upgrade");
    tokio::spawn(async move {
        let (mut reader, mut writer) =
            split(TokioIo::new(upgrade.await.expect("an upgraded connection")));
        copy(&mut reader, &mut writer).await
    });
    let head = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header("connection", "upgrade")
        .header("upgrade", "echo");
    head.body(Body::empty()).expect("an answer")
}

async fn send(address: SocketAddr, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address)
        .await
        .expect("an open connection");
    stream
        .write_all(request.as_bytes())
        .await
        .expect("an open connection");
    stream
}

/// Reads until the server closes the connection.
async fn rest(mut stream: TcpStream) -> String {
    let mut text = String::new();
    stream
        .read_to_string(&mut text)
        .await
        .expect("an open connection");
    text
}

#[tokio::test]
async fn request_with_unfinished_head_is_closed() {
    let (address, _gate) = start().await;
    for begun in ["", "POST /body HTTP/1.1\r\nHost: localhost\r\n"] {
        let answer = rest(send(address, begun).await).await;
        assert!(!answer.contains(" 200 "), "{answer}");
    }
}

#[tokio::test]
async fn idle_connection_is_closed() {
    let (address, _gate) = start().await;
    let request = "POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nabcde";
    let answer = rest(send(address, request).await).await;
    assert!(answer.ends_with("\r\n\r\n5 bytes"), "{answer}");
}

#[tokio::test]
async fn request_with_unfinished_body_is_answered_408_and_closed() {
    let (address, _gate) = start().await;
    for body in [
        "Content-Length: 5\r\n\r\nab",
        "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
    ] {
        let request = format!("POST /body HTTP/1.1\r\nHost: localhost\r\n{body}");
        let answer = rest(send(address, &request).await).await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
}

#[tokio::test]
async fn long_poll_and_upgraded_connection_outlive_the_timeouts() {
    let (address, gate) = start().await;
    let poll = "GET /poll HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let poll = send(address, poll).await;
    let upgrade =
        "GET /upgrade HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    let mut upgraded = send(address, upgrade).await;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(upgraded.read_u8().await.expect("an open connection"));
    }
    // These requests start later and run into both timeouts.
    for begun in [
        "",
        "POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n",
    ] {
        rest(send(address, begun).await).await;
    }
    upgraded.write_all(b"x").await.expect("an open connection");
    assert_eq!(upgraded.read_u8().await.expect("an open connection"), b'x');
    gate.add_permits(1);
    let answer = rest(poll).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
