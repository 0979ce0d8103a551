//! A WebSocket upgrade, written onto the socket by hand: a client library would not send some of these
//! requests.

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use crate::harness::TestStack;

/// Returns the status of the answer to a client with this token in the preferred place.
pub async fn status(stack: &TestStack, token: &str) -> u16 {
    Upgrade::bearer(token).status(&stack.web_socket()).await
}

/// The request of a client that connects.
#[derive(Clone, Debug, Default)]
pub struct Upgrade {
    query: String,
    headers: Vec<(&'static str, Vec<u8>)>,
}

impl Upgrade {
    /// Returns a request with the token in the header `Authorization`.
    pub fn bearer(token: &str) -> Self {
        Self::default().header("Authorization", format!("Bearer {token}"))
    }

    /// Returns a request with the token beside a subprotocol.
    pub fn subprotocol(subprotocol: &str, token: &str) -> Self {
        Self::default().header("Sec-WebSocket-Protocol", format!("{subprotocol}, {token}"))
    }

    /// Returns a request with the token in the query string.
    pub fn query(token: &str) -> Self {
        Self::default().and_query(token)
    }

    pub fn and_query(mut self, token: &str) -> Self {
        let separator = if self.query.is_empty() { "?" } else { "&" };
        self.query += &format!("{separator}access_token={token}");
        self
    }

    pub fn header(mut self, name: &'static str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Tries to connect to the stack at this WebSocket address. Returns the status of the answer.
    pub async fn status(&self, web_socket: &str) -> u16 {
        let address = web_socket.strip_prefix("ws://").unwrap();
        let (host, path) = address.split_once('/').unwrap();
        let mut request = format!(
            "GET /{path}{} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
            self.query,
        )
        .into_bytes();
        for (name, value) in &self.headers {
            request.extend(format!("{name}: ").into_bytes());
            request.extend(value);
            request.extend(b"\r\n");
        }
        request.extend(b"\r\n");
        let mut socket = BufReader::new(TcpStream::connect(host).await.unwrap());
        socket.write_all(&request).await.unwrap();
        let mut line = String::new();
        socket.read_line(&mut line).await.unwrap();
        let status = line.strip_prefix("HTTP/1.1 ").unwrap();
        status[..3].parse().unwrap()
    }
}
