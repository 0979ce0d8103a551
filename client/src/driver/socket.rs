//! One WebSocket: the handshake, and texts in both directions.

use std::{sync::Arc, time::Duration};

use futures_util::{Sink, SinkExt, Stream, StreamExt};
use herald_shared::error_chain::error_chain;
use rustls::ClientConfig;
use tokio::{
    sync::{
        Notify,
        mpsc::{Sender, UnboundedReceiver},
    },
    time::timeout,
};
use tokio_tungstenite::{
    Connector, connect_async_tls_with_config,
    tungstenite::{
        Error, Message,
        handshake::client::Request,
        protocol::{
            CloseFrame, WebSocketConfig,
            frame::{
                Frame,
                coding::{CloseCode, Data, OpCode},
            },
        },
    },
};

use super::{LastFailure, tls};
use crate::{
    AttemptError, Cause,
    machine::{Input, SocketId},
};

/// The most bytes of one frame, API Gateway's own limit.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
const FRAME_LIMIT: usize = 32 * 1024;

/// The most bytes of a message that the client accepts: more than Herald sends.
const MESSAGE_LIMIT: usize = 1024 * 1024;

/// The time that the server has to answer a close.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens a socket and serves it until it ends, until the sender of its texts is dropped, or until it is broken.
pub(super) async fn run(
    socket: SocketId,
    request: Request,
    tls: Option<Arc<ClientConfig>>,
    mut to_send: UnboundedReceiver<String>,
    breaks: Arc<Notify>,
    inputs: Sender<Input>,
    last_failure: LastFailure,
) {
    let report = async |input| {
        // Fails only if the client has stopped.
        let _ = inputs.send(input).await;
    };
    let connected = tokio::select! {
        connected = connect(request, tls) => connected,
        // No text is sent before the socket is open: the sender was dropped, and the attempt ends.
        _ = to_send.recv() => return,
    };
    let stream = match connected {
        Ok(stream) => stream,
        Err(error) => {
            let error = attempt_error(error);
            tracing::debug!(error = error_chain(&error), "the attempt failed");
            let input = match error {
                AttemptError::Refused { status } => Input::Refused {
                    socket,
                    status: Some(status),
                },
                _ => Input::Failed { socket },
            };
            last_failure.set(error);
            return report(input).await;
        }
    };
    report(Input::Opened { socket }).await;
    let (sink, mut stream) = stream.split();
    let mut close_frame = false;
    let receive = async {
        loop {
            match next(&mut stream).await {
                Some(Incoming::Text(text)) => report(Input::Received { socket, text }).await,
                Some(Incoming::Close) => close_frame = true,
                None => break,
            }
        }
    };
    let send_and_close = async {
        if send_all(&mut to_send, sink).await.is_ok() {
            tokio::time::sleep(CLOSE_TIMEOUT).await;
        }
    };
    tokio::select! {
        () = receive => {}
        () = send_and_close => {}
        () = breaks.notified() => {}
    }
    report(Input::Closed {
        socket,
        close_frame,
    })
    .await;
}

async fn connect(
    request: Request,
    tls: Option<Arc<ClientConfig>>,
) -> Result<impl Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error>, Error> {
    let connector = match request.uri().scheme_str() {
        Some("wss") => Connector::Rustls(tls.unwrap_or_else(tls::trusting_the_system)),
        _ => Connector::Plain,
    };
    // The default read buffer is 128 KiB, most of what an idle connection would cost.
    let config = WebSocketConfig::default()
        .read_buffer_size(4 * 1024)
        .max_message_size(Some(MESSAGE_LIMIT))
        .max_frame_size(Some(MESSAGE_LIMIT));
    let no_delay = true;
    let (stream, _) =
        connect_async_tls_with_config(request, Some(config), no_delay, Some(connector)).await?;
    Ok(stream)
}

fn attempt_error(error: Error) -> AttemptError {
    match error {
        Error::Http(response) => AttemptError::Refused {
            status: response.status().as_u16(),
        },
        // The text of an `Error::Io` repeats that of its source.
        Error::Io(error) => AttemptError::Unreachable(Cause::new(error)),
        error => AttemptError::Unreachable(Cause::new(error)),
    }
}

/// A message from the server that matters.
enum Incoming {
    Text(String),
    /// A close frame. The socket ends after it.
    Close,
}

/// Returns the next message. `None` if the socket ended.
async fn next(
    stream: &mut (impl Stream<Item = Result<Message, Error>> + Unpin),
) -> Option<Incoming> {
    loop {
        match stream.next().await? {
            Ok(Message::Text(text)) => return Some(Incoming::Text(text.as_str().to_owned())),
            Ok(Message::Close(_)) => return Some(Incoming::Close),
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "the socket broke");
                return None;
            }
        }
    }
}

/// Sends texts until their sender is dropped, and then closes the socket.
async fn send_all(
    to_send: &mut UnboundedReceiver<String>,
    mut sink: impl Sink<Message, Error = Error> + Unpin,
) -> Result<(), Error> {
    while let Some(text) = to_send.recv().await {
        send(&mut sink, text).await?;
    }
    let close = Message::Close(Some(CloseFrame {
        code: CloseCode::Normal,
        reason: "".into(),
    }));
    // A server that does not read must not delay the end.
    let _ = timeout(CLOSE_TIMEOUT, sink.send(close)).await;
    Ok(())
}

/// Sends one message, split into frames that the gateway accepts.
async fn send(
    sink: &mut (impl Sink<Message, Error = Error> + Unpin),
    text: String,
) -> Result<(), Error> {
    if text.len() <= FRAME_LIMIT {
        return sink.send(Message::text(text)).await;
    }
    let frames = text.as_bytes().chunks(FRAME_LIMIT);
    let last = frames.len() - 1;
    for (index, chunk) in frames.enumerate() {
        let data = if index == 0 {
            Data::Text
        } else {
            Data::Continue
        };
        let frame = Frame::message(chunk.to_vec(), OpCode::Data(data), index == last);
        sink.feed(Message::Frame(frame)).await?;
    }
    sink.flush().await
}
