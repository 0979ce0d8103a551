//! A WebSocket server that does what a test says, for what the local stack cannot be made to do.

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
        http::StatusCode,
        protocol::WebSocketConfig,
    },
};

use crate::harness::in_time;

pub struct ScriptedServer {
    listener: TcpListener,
}

/// One connection of a client.
pub struct Served {
    socket: WebSocketStream<TcpStream>,
    /// What the client said it is.
    pub authorization: Option<String>,
}

impl ScriptedServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self { listener }
    }

    pub fn web_socket(&self) -> String {
        let address = self.listener.local_addr().expect("an address");
        format!("ws://{address}/dev")
    }

    /// Takes the next connection. Frames over the gateway's limit break it.
    pub async fn accept(&self) -> Served {
        let (stream, _) = in_time("a client came", self.listener.accept())
            .await
            .expect("a client");
        let mut authorization = None;
        let note = |request: &Request, response: Response| {
            authorization = authorization_of(request);
            Ok(response)
        };
        let config = WebSocketConfig::default().max_frame_size(Some(32 * 1024));
        let socket = accept_hdr_async_with_config(stream, note, Some(config))
            .await
            .expect("a handshake");
        Served {
            socket,
            authorization,
        }
    }

    /// Refuses the next connection; returns what the client said it is.
    pub async fn refuse(&self, status: u16) -> Option<String> {
        let (stream, _) = in_time("a client came", self.listener.accept())
            .await
            .expect("a client");
        let mut authorization = None;
        let refuse = |request: &Request, _: Response| {
            authorization = authorization_of(request);
            let mut response = ErrorResponse::new(None);
            *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            Err(response)
        };
        let refused = accept_hdr_async_with_config(stream, refuse, None).await;
        assert!(refused.is_err());
        authorization
    }
}

fn authorization_of(request: &Request) -> Option<String> {
    let value = request.headers().get("authorization")?;
    Some(value.to_str().expect("a text").to_owned())
}

impl Served {
    /// The next frame; none if the client closed the connection.
    pub async fn frame(&mut self) -> Option<Value> {
        loop {
            match in_time("a frame came", self.socket.next()).await {
                Some(Ok(Message::Text(text))) => {
                    return Some(serde_json::from_str(&text).expect("JSON"));
                }
                Some(Ok(Message::Close(_))) | None => return None,
                Some(Ok(_)) => {}
                Some(Err(error)) => panic!("the connection broke: {error}"),
            }
        }
    }

    pub async fn send(&mut self, frame: Value) {
        self.socket
            .send(Message::text(frame.to_string()))
            .await
            .expect("a connection");
    }

    /// Takes a request and acknowledges it; returns it.
    pub async fn acknowledge(&mut self) -> Value {
        let request = self.frame().await.expect("a request");
        let mut reply =
            serde_json::json!({"type": "ack", "action": request["action"], "id": request["id"]});
        if let Some(entity) = request.get("entityId") {
            reply["entityId"] = entity.clone();
        }
        if let Some(entities) = request.get("entities") {
            // Each is an empty object, as the result of a subscription that is stored.
            reply["entities"] = entities.clone();
        }
        self.send(reply).await;
        request
    }
}
