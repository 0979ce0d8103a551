//! A WebSocket relay that loses frames on demand.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_tungstenite::{
    accept_hdr_async, connect_async,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        handshake::server::{Request, Response},
        http::HeaderValue,
    },
};

/// A relay with a port of its own.
pub struct Relay {
    web_socket: String,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    loses_presence: AtomicBool,
    presence_requests: AtomicUsize,
}

impl Relay {
    /// Starts a relay to the address of a stack.
    pub async fn start(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let mut tasks = JoinSet::new();
        let (to, of) = (server.to_owned(), shared.clone());
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(relay(stream, to.clone(), of.clone()));
            }
        });
        Self {
            web_socket: format!("ws://{address}/dev"),
            shared,
            _tasks: tasks,
        }
    }

    pub fn web_socket(&self) -> &str {
        &self.web_socket
    }

    /// Loses the next frame of presence from the server.
    pub fn lose_presence(&self) {
        self.shared.loses_presence.store(true, Ordering::SeqCst);
    }

    /// Returns true once the frame is lost.
    pub fn has_lost(&self) -> bool {
        !self.shared.loses_presence.load(Ordering::SeqCst)
    }

    /// Returns the number of requests for presence.
    pub fn presence_requests(&self) -> usize {
        self.shared.presence_requests.load(Ordering::SeqCst)
    }
}

async fn relay(stream: TcpStream, server: String, shared: Arc<Shared>) {
    let mut authorization: Option<HeaderValue> = None;
    let note = |request: &Request, response: Response| {
        authorization = request.headers().get("authorization").cloned();
        Ok(response)
    };
    let client = accept_hdr_async(stream, note).await.expect("a handshake");
    let mut request = server.into_client_request().expect("an address");
    if let Some(value) = authorization {
        request.headers_mut().insert("authorization", value);
    }
    let (server, _) = connect_async(request).await.expect("a connection");
    let (mut to_client, mut from_client) = client.split();
    let (mut to_server, mut from_server) = server.split();
    loop {
        tokio::select! {
            Some(Ok(message)) = from_client.next() => {
                if text_field(&message, "action").as_deref() == Some("presence") {
                    shared.presence_requests.fetch_add(1, Ordering::SeqCst);
                }
                if to_server.send(message).await.is_err() {
                    return;
                }
            }
            Some(Ok(message)) = from_server.next() => {
                let is_presence = text_field(&message, "type").as_deref() == Some("presence");
                if is_presence && shared.loses_presence.swap(false, Ordering::SeqCst) {
                    continue;
                }
                if to_client.send(message).await.is_err() {
                    return;
                }
            }
            else => return,
        }
    }
}

/// Returns a text field of a frame.
fn text_field(message: &Message, name: &str) -> Option<String> {
    let Message::Text(text) = message else {
        return None;
    };
    let frame: Value = serde_json::from_str(text).ok()?;
    frame[name].as_str().map(str::to_owned)
}
