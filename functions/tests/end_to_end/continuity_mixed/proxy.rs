//! A WebSocket proxy that drops connections without a close, and counts what passes to the clients.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use fastrand::Rng;
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};
use tokio_tungstenite::{
    accept_hdr_async, connect_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
        http::{HeaderValue, header::SEC_WEBSOCKET_PROTOCOL},
    },
};

pub struct Proxy {
    /// The address for clients.
    pub url: String,
    pub counts: Arc<Counts>,
    connections: Arc<Mutex<Vec<AbortHandle>>>,
    _task: JoinSet<()>,
}

/// The counts of frames to the clients, and of dropped connections.
#[derive(Default)]
pub struct Counts {
    pub dropped: AtomicUsize,
    pub pushes: AtomicUsize,
    /// The pushes ahead of their turn on their connection.
    pub gaps: AtomicUsize,
    pub recoveries: AtomicUsize,
    pub syncs: AtomicUsize,
    pub repairs: AtomicUsize,
}

impl Proxy {
    pub async fn start(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let counts = Arc::new(Counts::default());
        let connections = Arc::<Mutex<Vec<AbortHandle>>>::default();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let mut task = JoinSet::new();
        let (server, counted, open) = (server.to_owned(), counts.clone(), connections.clone());
        task.spawn(async move {
            let mut tasks = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let carried = tasks.spawn(carry(client, server.clone(), counted.clone()));
                let mut open = open.lock().unwrap();
                open.retain(|connection| !connection.is_finished());
                open.push(carried);
            }
        });
        Self {
            url,
            counts,
            connections,
            _task: task,
        }
    }

    /// Drops a random connection.
    pub fn drop_one(&self, random: &mut Rng) {
        let mut connections = self.connections.lock().unwrap();
        connections.retain(|connection| !connection.is_finished());
        if !connections.is_empty() {
            let chosen = random.usize(0..connections.len());
            connections.swap_remove(chosen).abort();
            self.counts.dropped.fetch_add(1, SeqCst);
        }
    }
}

async fn carry(client: TcpStream, server: String, counts: Arc<Counts>) {
    let Ok((mut server, _)) = connect_async(server).await else {
        return;
    };
    let Ok(mut client) = accept_hdr_async(client, select_subprotocol).await else {
        return;
    };
    let mut offsets = HashMap::new();
    loop {
        let sent = tokio::select! {
            Some(Ok(message)) = client.next() => server.send(message).await,
            Some(Ok(message)) = server.next() => {
                if let Message::Text(text) = &message {
                    counts.count(&serde_json::from_str(text).unwrap(), &mut offsets);
                }
                client.send(message).await
            }
            else => return,
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Answers with the first subprotocol that the client offers, as Herald does. A client in JavaScript demands an answer.
// The type of the refusal, which is never returned, is tungstenite's.
#[allow(clippy::result_large_err)]
fn select_subprotocol(
    request: &Request,
    mut response: Response,
) -> Result<Response, ErrorResponse> {
    if let Some(offered) = request.headers().get(SEC_WEBSOCKET_PROTOCOL) {
        let first = offered.to_str().unwrap().split(',').next().unwrap();
        let first = HeaderValue::from_str(first).unwrap();
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, first);
    }
    Ok(response)
}

impl Counts {
    fn count(&self, frame: &Value, offsets: &mut HashMap<String, u64>) {
        let add = |count: &AtomicUsize, is: bool| count.fetch_add(usize::from(is), SeqCst);
        match (frame["type"].as_str(), frame["action"].as_str()) {
            (Some("ack"), Some("subscribe")) => {
                add(&self.recoveries, has_messages(frame));
            }
            (Some("ack"), Some("sync")) => {
                add(&self.syncs, true);
                add(&self.repairs, has_messages(frame));
            }
            (Some("ack" | "error"), _) => {}
            _ => {
                add(&self.pushes, true);
                let (Some(entity), Some(offset)) =
                    (frame["entityId"].as_str(), frame["offset"].as_u64())
                else {
                    return;
                };
                let last = offsets.entry(entity.to_owned()).or_insert(offset);
                add(&self.gaps, offset > *last + 1);
                *last = offset.max(*last);
            }
        }
    }
}

/// Returns whether an acknowledgement brings messages, for its entity or for one of several.
fn has_messages(ack: &Value) -> bool {
    let several = ack["entities"].as_object();
    let mut results = several.into_iter().flat_map(|results| results.values());
    ack.get("messages").is_some() || results.any(|result| result.get("messages").is_some())
}
