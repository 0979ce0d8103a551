//! A WebSocket server under the control of a test, for behaviour that the local stack does not have.

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

/// A connection of a client, on the server's side.
pub struct ServerConnection {
    socket: WebSocketStream<TcpStream>,
    /// The header `Authorization` of the handshake.
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

    /// Accepts the next connection. A frame over the gateway's limit breaks it.
    pub async fn accept(&self) -> ServerConnection {
        let (stream, _) = in_time("a client connected", self.listener.accept())
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
        ServerConnection {
            socket,
            authorization,
        }
    }

    /// Refuses the next connection. Returns the header `Authorization` of its handshake.
    pub async fn refuse(&self, status: u16) -> Option<String> {
        let (stream, _) = in_time("a client connected", self.listener.accept())
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

impl ServerConnection {
    /// Returns the next frame. `None` if the client closed the connection.
    pub async fn frame(&mut self) -> Option<Value> {
        loop {
            match in_time("a frame arrived", self.socket.next()).await {
                Some(Ok(Message::Text(text))) => {
                    return Some(serde_json::from_str(&text).expect("JSON"));
                }
                Some(Ok(Message::Close(_))) | None => return None,
                Some(Ok(_)) => {}
                Some(Err(error)) => panic!("the connection broke: {error}"),
            }
        }
    }

    /// Waits until the connection ends. Fails if the client closed it.
    pub async fn broken(&mut self) {
        let ended = in_time("the connection ended", self.socket.next()).await;
        assert!(matches!(ended, None | Some(Err(_))), "{ended:?}");
    }

    pub async fn send(&mut self, frame: Value) {
        self.socket
            .send(Message::text(frame.to_string()))
            .await
            .expect("a connection");
    }

    /// Acknowledges the next request, and returns it.
    pub async fn acknowledge(&mut self) -> Value {
        let request = self.frame().await.expect("a request");
        let mut reply =
            serde_json::json!({"type": "ack", "action": request["action"], "id": request["id"]});
        if let Some(entity) = request.get("entityId") {
            reply["entityId"] = entity.clone();
        }
        if let Some(entities) = request.get("entities") {
            // Each entity has an empty object, which is also the result of a stored subscription.
            reply["entities"] = entities.clone();
        }
        self.send(reply).await;
        request
    }
}
