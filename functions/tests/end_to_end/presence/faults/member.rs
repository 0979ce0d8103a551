//! A user who comes and goes under faults, over raw sockets that may end at any time.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use herald_testkit::in_time;
use serde_json::{Value, json};
use tokio::{net::TcpStream, time::sleep};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::{
    harness::{EVERYTHING, TestStack},
    presence::watcher::RETRY,
};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// An act of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Act {
    /// Connects and subscribes.
    Join,
    /// Opens a new connection and subscribes before the old one is closed.
    Renew,
    /// Sends a ping.
    Ping,
    /// Ends the socket without a close.
    Drop,
    /// Closes the connection.
    Close,
    /// Unsubscribes and then closes the connection.
    Unsubscribe,
}

impl Act {
    /// Returns the functions that the act invokes.
    pub(super) fn functions(self) -> &'static [&'static str] {
        const CONNECT: &str = "ConnectFunction";
        const DISCONNECT: &str = "DisconnectFunction";
        const SUBSCRIBE: &str = "SubscribeFunction";
        match self {
            Self::Join => &["AuthorizerFunction", CONNECT, SUBSCRIBE],
            Self::Renew => &[CONNECT, SUBSCRIBE, DISCONNECT],
            Self::Ping => &["DefaultFunction"],
            Self::Drop | Self::Close => &[DISCONNECT],
            Self::Unsubscribe => &["UnsubscribeFunction", DISCONNECT],
        }
    }
}

/// A user with at most one connection, except during a renewal.
pub(super) struct Member {
    pub(super) user: String,
    /// The entities of each connection.
    pub(super) entities: Vec<String>,
    /// The handshakes that failed, and the requests that got no acknowledgement.
    pub(super) failed: usize,
    url: String,
    token: String,
    /// `None` while the user is away.
    socket: Option<Socket>,
}

impl Member {
    pub(super) fn new(stack: &TestStack, user: &str, entities: &[&str]) -> Self {
        Self {
            user: user.to_owned(),
            entities: entities.iter().map(|&entity| entity.to_owned()).collect(),
            failed: 0,
            url: stack.web_socket(),
            token: stack.token(user, EVERYTHING),
            socket: None,
        }
    }

    pub(super) fn is_present(&self) -> bool {
        self.socket.is_some()
    }

    pub(super) async fn act(mut self, act: Act) -> Self {
        let event = format!("{} ends its {act:?}", self.user);
        in_time(&event, self.try_act(act)).await;
        self
    }

    async fn try_act(&mut self, act: Act) {
        let before = self.socket.take();
        match (act, before) {
            (Act::Join, _) => self.socket = Some(self.subscribed().await),
            (Act::Renew, before) => {
                self.socket = Some(self.subscribed().await);
                close(before).await;
            }
            (Act::Ping, before) => self.socket = Some(self.pinged(before).await),
            (Act::Drop, _) => {}
            (Act::Close, before) => close(before).await,
            (Act::Unsubscribe, Some(mut before)) => {
                self.unsubscribe(&mut before).await;
                close(Some(before)).await;
            }
            (Act::Unsubscribe, None) => {}
        }
    }

    /// Returns a connection with all subscriptions.
    async fn subscribed(&mut self) -> Socket {
        let entities: Value = self
            .entities
            .iter()
            .map(|id| (id.clone(), json!({})))
            .collect();
        let subscribe = json!({"action": "subscribe", "entities": entities});
        loop {
            if let Some(mut socket) = self.connected().await
                && self.request(&mut socket, &subscribe).await
            {
                return socket;
            }
        }
    }

    /// Returns the connection after a pong, or another if it has ended.
    async fn pinged(&mut self, socket: Option<Socket>) -> Socket {
        let ping = json!({"action": "ping"});
        if let Some(mut socket) = socket
            && self.request(&mut socket, &ping).await
        {
            return socket;
        }
        self.subscribed().await
    }

    async fn unsubscribe(&mut self, socket: &mut Socket) {
        for entity in self.entities.clone() {
            let unsubscribe = json!({"action": "unsubscribe", "entityId": entity});
            self.request(socket, &unsubscribe).await;
        }
    }

    async fn connected(&mut self) -> Option<Socket> {
        let mut request = self.url.as_str().into_client_request().unwrap();
        let bearer = format!("Bearer {}", self.token).parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        match connect_async(request).await {
            Ok((socket, _)) => Some(socket),
            Err(_) => {
                self.has_failed().await;
                None
            }
        }
    }

    /// Sends a request until it succeeds. Returns false if the connection ends first.
    async fn request(&mut self, socket: &mut Socket, request: &Value) -> bool {
        loop {
            if socket
                .send(Message::text(request.to_string()))
                .await
                .is_err()
            {
                return false;
            }
            let Some(Ok(Message::Text(reply))) = socket.next().await else {
                return false;
            };
            if is_success(&serde_json::from_str(reply.as_str()).unwrap()) {
                return true;
            }
            self.has_failed().await;
        }
    }

    async fn has_failed(&mut self) {
        self.failed += 1;
        sleep(RETRY).await;
    }
}

fn is_success(reply: &Value) -> bool {
    let results = reply["entities"].as_object().into_iter().flatten();
    let mut errors = results.filter_map(|(_, result)| result.get("error"));
    matches!(reply["type"].as_str(), Some("ack" | "pong")) && errors.next().is_none()
}

/// Closes a connection and waits for its end, but not for long: the server may be at fault.
async fn close(socket: Option<Socket>) {
    const PATIENCE: Duration = Duration::from_secs(5);
    let Some(mut socket) = socket else { return };
    let close = async {
        if socket.close(None).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    // Then it is a drop.
    let _ = tokio::time::timeout(PATIENCE, close).await;
}
