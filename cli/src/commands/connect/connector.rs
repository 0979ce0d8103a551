//! Sockets to the server, each with a token of its own.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use herald_client::{AttemptError, Cause, rustls::crypto::aws_lc_rs};
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        http::{HeaderValue, header::AUTHORIZATION},
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use crate::{
    failure::Failure,
    target::{TokenSource, not_connected},
};

/// How long an attempt may take, token and handshake together, as for `herald_client`.
const ATTEMPT_WITHIN: Duration = Duration::from_secs(45);

/// How long the server may take to hear that we go.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Makes sockets to one address.
pub(super) struct Connector {
    address: String,
    tokens: Option<TokenSource>,
}

/// An open socket.
pub(super) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What comes out of a socket.
pub(super) enum Arrived {
    Text(String),
    /// The end, with the words for it.
    Closed(String),
}

impl Connector {
    pub(super) fn new(address: &str, tokens: Option<TokenSource>) -> Self {
        // Crates of the tree may bring a second provider, and then there is no default.
        let provider = aws_lc_rs::default_provider();
        // Errs only if there is one already.
        let _ = provider.install_default();
        Self {
            address: address.to_owned(),
            tokens,
        }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// A new token; none if connections need none. Errs if there is none to be had.
    pub(super) async fn token(&self) -> Result<Option<String>, Failure> {
        match &self.tokens {
            Some(tokens) => tokens.token().await.map(Some),
            None => Ok(None),
        }
    }

    /// The first socket.
    pub(super) async fn first(&self) -> Result<Socket, Failure> {
        let opened = self.open().await;
        opened.map_err(|error| not_connected(&self.address, &error))
    }

    /// A socket, with a new token.
    pub(super) async fn open(&self) -> Result<Socket, AttemptError> {
        let opened = timeout(ATTEMPT_WITHIN, self.attempt()).await;
        opened.unwrap_or(Err(AttemptError::TimedOut))
    }

    async fn attempt(&self) -> Result<Socket, AttemptError> {
        let no_token = |error: anyhow::Error| AttemptError::TokenCallback(Cause::new(error));
        let token = self.token().await;
        let token = token.map_err(|error| no_token(error.into_error()))?;
        let request = self.address.as_str().into_client_request();
        let mut request = request.map_err(not_reached)?;
        if let Some(token) = token {
            let value = HeaderValue::from_str(&format!("Bearer {token}"));
            let mut value =
                value.map_err(|_| no_token(anyhow::Error::msg("no header can carry the token")))?;
            value.set_sensitive(true);
            request.headers_mut().insert(AUTHORIZATION, value);
        }
        let connected = connect_async(request).await;
        let (socket, _) = connected.map_err(not_reached)?;
        Ok(Socket(socket))
    }
}

impl Socket {
    /// Sends a text. That it could not be shows in what arrives.
    pub(super) async fn send(&mut self, text: &str) {
        let _ = self.0.send(Message::text(text)).await;
    }

    /// The next text, or the end. Forgets nothing if it is dropped.
    pub(super) async fn next(&mut self) -> Arrived {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return Arrived::Text(text.as_str().to_owned()),
                Some(Ok(Message::Close(frame))) => return Arrived::Closed(goodbye(frame)),
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    return Arrived::Closed(format!("the connection broke: {error}"));
                }
                None => return Arrived::Closed("the connection broke".to_owned()),
            }
        }
    }

    /// Says that nothing more comes, and waits until the server has heard it.
    pub(super) async fn close(mut self) {
        let frame = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        let closed = async {
            if self.0.close(Some(frame)).await.is_ok() {
                while let Some(Ok(_)) = self.0.next().await {}
            }
        };
        // A server that does not answer does not hold us up.
        let _ = timeout(CLOSE_WITHIN, closed).await;
    }
}

fn not_reached(error: Error) -> AttemptError {
    match error {
        Error::Http(response) => AttemptError::Refused {
            status: response.status().as_u16(),
        },
        // The text of an `Error::Io` repeats that of its source.
        Error::Io(error) => AttemptError::Unreachable(Cause::new(error)),
        error => AttemptError::Unreachable(Cause::new(error)),
    }
}

fn goodbye(frame: Option<CloseFrame>) -> String {
    let closed = "the server closed the connection";
    match frame {
        None => closed.to_owned(),
        Some(frame) => {
            let (code, reason) = (u16::from(frame.code), frame.reason.as_str());
            let words = format!("{closed} with {code} {reason}");
            words.trim_end().to_owned()
        }
    }
}
