//! One open connection: its socket, from the 101 to the close.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::{
    Sink, SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{
    io::AsyncReadExt,
    sync::mpsc::UnboundedReceiver,
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{
            CloseFrame, Role, WebSocketConfig,
            frame::{
                Frame,
                coding::{CloseCode, Data, OpCode},
            },
        },
    },
};
use tracing::Instrument;

use super::{
    Gateway, Limits,
    connections::{Command, Connection},
    ending::End,
    event::Closing,
    lock,
};
use crate::activity::RecordKind;

/// The time that a client that is being closed has to take what waits for it, and then the close.
const LINGER: Duration = Duration::from_secs(2);

/// Small, because there are many connections and most of them are silent.
const BUFFER: usize = 4 * 1024;

/// Serves a connection until it is closed, and then runs `$disconnect`.
pub(super) async fn serve(
    gateway: Arc<Gateway>,
    connection: Arc<Connection>,
    commands: UnboundedReceiver<Command>,
    upgrade: OnUpgrade,
) {
    let opening = &connection.opening;
    let closing = match upgrade.await {
        Ok(upgraded) => run(&gateway, &connection, commands, upgraded).await,
        Err(_) => {
            gateway.connections.remove(&opening.connection_id);
            Closing::abnormal()
        }
    };
    gateway.activity.record(RecordKind::Disconnected {
        connection_id: opening.connection_id.clone(),
        code: closing.code,
        reason: Some(closing.reason.clone()).filter(|reason| !reason.is_empty()),
    });
    if lock(&gateway.troubles).loses_disconnect(&opening.connection_id) {
        return;
    }
    if let Some(route) = gateway.route("$disconnect") {
        let event = gateway.disconnect_event(opening, &closing);
        let span = tracing::info_span!(
            "disconnect",
            connection_id = opening.connection_id,
            route = "$disconnect"
        );
        gateway.tell(route, &event).instrument(span).await;
    }
}

async fn run(
    gateway: &Arc<Gateway>,
    connection: &Arc<Connection>,
    mut commands: UnboundedReceiver<Command>,
    upgraded: Upgraded,
) -> Closing {
    let stream = TokioIo::new(upgraded);
    let config = Some(configuration(gateway.limits));
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, config).await;
    let session = Session {
        gateway,
        connection,
    };
    let end = session.run(&mut socket, &mut commands).await;
    // Before the close, which may take a while: a post would be taken and never written.
    gateway
        .connections
        .remove(&connection.opening.connection_id);
    match end {
        End::Gone(closing) => closing,
        End::Answer(closing) => {
            answer_close(&mut socket).await;
            closing
        }
        End::Close(code, closing) => {
            close(&mut socket, code).await;
            closing
        }
    }
}

/// Bounds what is kept for a client, of what it sends and of what it does not read: without the
/// last bound, the answers to its pings would pile up.
fn configuration(limits: Limits) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_write_buffer_size(BUFFER + limits.frame + limits.send_buffer)
        .max_frame_size(Some(limits.frame))
        .max_message_size(Some(limits.message))
}

type Socket = WebSocketStream<TokioIo<Upgraded>>;

struct Session<'a> {
    gateway: &'a Arc<Gateway>,
    connection: &'a Arc<Connection>,
}

impl Session<'_> {
    /// Reads and writes side by side: a client that does not read can still send, and be closed.
    async fn run(&self, socket: &mut Socket, commands: &mut UnboundedReceiver<Command>) -> End {
        let (sink, stream) = socket.split();
        tokio::select! {
            end = self.read(stream) => end,
            end = self.write(commands, sink) => end,
            end = self.time_is_up() => end,
            end = self.is_not_read() => end,
        }
    }

    async fn read(&self, mut stream: SplitStream<&mut Socket>) -> End {
        loop {
            if let Some(end) = self.received(stream.next().await).await {
                return end;
            }
        }
    }

    async fn received(&self, message: Option<Result<Message, Error>>) -> Option<End> {
        match message {
            Some(Ok(Message::Text(text))) => {
                self.connection.touch();
                let room = self.connection.room_for(text.len()).await;
                self.gateway
                    .dispatch(self.connection, text.as_str().to_owned(), room);
                None
            }
            Some(Ok(Message::Binary(_))) => Some(End::close(
                CloseCode::Unsupported,
                "Binary messages are not supported",
            )),
            Some(Ok(Message::Close(frame))) => Some(End::Answer(Closing::by_client(frame))),
            // tungstenite answers pings itself; they do not count as activity.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => None,
            Some(Err(error)) => Some(End::of_error(&error)),
            None => Some(End::Gone(Closing::abnormal())),
        }
    }

    /// Writes what is posted, in order, for as long as the client takes.
    async fn write(
        &self,
        commands: &mut UnboundedReceiver<Command>,
        mut sink: SplitSink<&mut Socket, Message>,
    ) -> End {
        loop {
            let text = match commands.recv().await {
                Some(Command::Send(text)) => text,
                Some(Command::End(ending)) => return ending.of_reader(),
                None => return End::Gone(Closing::abnormal()),
            };
            let length = text.len();
            let written = write(&mut sink, text, self.gateway.limits).await;
            self.connection.sent(length);
            if written.is_err() {
                return End::Gone(Closing::abnormal());
            }
        }
    }

    /// Returns when the connection is to be closed and the client has not taken in time what was
    /// sent to it before.
    async fn is_not_read(&self) -> End {
        let ending = self.connection.ending().await;
        sleep(LINGER).await;
        ending.of_non_reader()
    }

    /// Returns when the connection has been silent, or has lasted, too long. The timer is set again
    /// when it has run out, and not at every message: that can cost a system call.
    async fn time_is_up(&self) -> End {
        loop {
            let left = self.time_left();
            if left.is_zero() {
                return End::going_away();
            }
            sleep(left).await;
        }
    }

    /// How long the connection may live if nothing happens.
    fn time_left(&self) -> Duration {
        let limits = self.gateway.limits;
        let idle = self.connection.last_active_at() + limits.idle;
        let end_of_life = self.connection.opening.connected_at + limits.lifetime;
        until(idle.min(end_of_life))
    }
}

fn until(moment: DateTime<Utc>) -> Duration {
    (moment - Utc::now()).to_std().unwrap_or_default()
}

/// Lets tungstenite write its answer to the client's close.
async fn answer_close(socket: &mut Socket) {
    let drained = async { while let Some(Ok(_)) = socket.next().await {} };
    // A client that does not take the answer is gone all the same.
    let _ = timeout(LINGER, drained).await;
}

/// Writes a close frame and reads on until the client closes its side. Closing a socket with
/// unread bytes would reset it, and the client might never see the frame.
async fn close(socket: &mut Socket, frame: CloseFrame) {
    let closed = async {
        if socket.close(Some(frame)).await.is_ok() {
            let stream = socket.get_mut();
            let mut discarded = vec![0; BUFFER];
            while stream.read(&mut discarded).await.is_ok_and(|read| read > 0) {}
        }
    };
    // A client that does not take the frame is gone all the same.
    let _ = timeout(LINGER, closed).await;
}

/// Writes a text as one message, in frames that keep to the limit.
async fn write(
    socket: &mut (impl Sink<Message, Error = Error> + Unpin),
    text: String,
    limits: Limits,
) -> Result<(), Error> {
    if text.len() <= limits.frame {
        return socket.send(Message::text(text)).await;
    }
    let text = bytes::Bytes::from(text);
    let count = text.len().div_ceil(limits.frame);
    for index in 0..count {
        let start = index * limits.frame;
        let chunk = text.slice(start..text.len().min(start + limits.frame));
        let kind = if index == 0 {
            Data::Text
        } else {
            Data::Continue
        };
        let frame = Frame::message(chunk, OpCode::Data(kind), index + 1 == count);
        socket.feed(Message::Frame(frame)).await?;
    }
    socket.flush().await
}
