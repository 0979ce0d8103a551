//! The socket of one open connection, from the 101 to the close.

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
    connection_end::ConnectionEnd,
    connections::{Command, Connection},
    event::CloseStatus,
    lock,
};
use crate::activity::RecordKind;

/// The time that a closing client has to read the pending messages, and then the close frame.
const LINGER: Duration = Duration::from_secs(2);

/// The buffer size of a connection. It is small because most of the many connections are silent.
const BUFFER: usize = 4 * 1024;

/// Serves a connection until it is closed, and then runs `$disconnect`.
pub(super) async fn serve(
    gateway: Arc<Gateway>,
    connection: Arc<Connection>,
    commands: UnboundedReceiver<Command>,
    upgrade: OnUpgrade,
) {
    let info = &connection.info;
    let status = match upgrade.await {
        Ok(upgraded) => run(&gateway, &connection, commands, upgraded).await,
        Err(_) => {
            gateway.connections.remove(&info.connection_id);
            CloseStatus::abnormal()
        }
    };
    gateway.activity.record(RecordKind::Disconnected {
        connection_id: info.connection_id.clone(),
        code: status.code,
        reason: Some(status.reason.clone()).filter(|reason| !reason.is_empty()),
    });
    if lock(&gateway.faults).loses_disconnect(&info.connection_id) {
        return;
    }
    if let Some(route) = gateway.route("$disconnect") {
        let event = gateway.disconnect_event(info, &status);
        let span = tracing::info_span!(
            "disconnect",
            connection_id = info.connection_id,
            route = "$disconnect"
        );
        gateway
            .invoke_without_result(route, &event)
            .instrument(span)
            .await;
    }
}

async fn run(
    gateway: &Arc<Gateway>,
    connection: &Arc<Connection>,
    mut commands: UnboundedReceiver<Command>,
    upgraded: Upgraded,
) -> CloseStatus {
    let stream = TokioIo::new(upgraded);
    let config = Some(configuration(gateway.limits));
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, config).await;
    let session = Session {
        gateway,
        connection,
    };
    let end = session.run(&mut socket, &mut commands).await;
    // Before the close, which may take a while: a post would be accepted and never written.
    gateway.connections.remove(&connection.info.connection_id);
    match end {
        ConnectionEnd::Gone(status) => status,
        ConnectionEnd::Answer(status) => {
            answer_close(&mut socket).await;
            status
        }
        ConnectionEnd::Close(frame, status) => {
            close(&mut socket, frame).await;
            status
        }
    }
}

/// Returns the configuration that bounds a client's memory: its messages, and its unread bytes.
/// Without the last bound, the answers to its pings would pile up.
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
    /// Reads and writes concurrently: a client that does not read can still send, and be closed.
    async fn run(
        &self,
        socket: &mut Socket,
        commands: &mut UnboundedReceiver<Command>,
    ) -> ConnectionEnd {
        let (sink, stream) = socket.split();
        tokio::select! {
            end = self.read(stream) => end,
            end = self.write(commands, sink) => end,
            end = self.time_out() => end,
            end = self.close_without_reader() => end,
        }
    }

    async fn read(&self, mut stream: SplitStream<&mut Socket>) -> ConnectionEnd {
        loop {
            if let Some(end) = self.received(stream.next().await).await {
                return end;
            }
        }
    }

    async fn received(&self, message: Option<Result<Message, Error>>) -> Option<ConnectionEnd> {
        match message {
            Some(Ok(Message::Text(text))) => {
                self.connection.touch();
                let room = self.connection.room_for(text.len()).await;
                self.gateway
                    .dispatch(self.connection, text.as_str().to_owned(), room);
                None
            }
            Some(Ok(Message::Binary(_))) => Some(ConnectionEnd::close(
                CloseCode::Unsupported,
                "Binary messages are not supported",
            )),
            Some(Ok(Message::Close(frame))) => {
                Some(ConnectionEnd::Answer(CloseStatus::by_client(frame)))
            }
            // tungstenite answers pings itself; they do not count as activity.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => None,
            Some(Err(error)) => Some(ConnectionEnd::of_error(&error)),
            None => Some(ConnectionEnd::Gone(CloseStatus::abnormal())),
        }
    }

    /// Writes the posted messages in order, without a time limit for the client's reads.
    async fn write(
        &self,
        commands: &mut UnboundedReceiver<Command>,
        mut sink: SplitSink<&mut Socket, Message>,
    ) -> ConnectionEnd {
        loop {
            let text = match commands.recv().await {
                Some(Command::Send(text)) => text,
                Some(Command::Close(reason)) => return reason.of_reader(),
                None => return ConnectionEnd::Gone(CloseStatus::abnormal()),
            };
            let length = text.len();
            let written = write(&mut sink, text, self.gateway.limits).await;
            self.connection.sent(length);
            if written.is_err() {
                return ConnectionEnd::Gone(CloseStatus::abnormal());
            }
        }
    }

    /// Waits until the gateway closes the connection and the client fails to read the pending
    /// messages in time.
    async fn close_without_reader(&self) -> ConnectionEnd {
        let reason = self.connection.server_close().await;
        sleep(LINGER).await;
        reason.of_non_reader()
    }

    /// Waits until the connection reaches its idle or lifetime limit. The timer is reset when it
    /// has expired, not at every message, because that can cost a system call.
    async fn time_out(&self) -> ConnectionEnd {
        loop {
            let left = self.time_left();
            if left.is_zero() {
                return ConnectionEnd::going_away();
            }
            sleep(left).await;
        }
    }

    /// Returns the remaining life of the connection if it stays silent.
    fn time_left(&self) -> Duration {
        let limits = self.gateway.limits;
        let idle = self.connection.last_active_at() + limits.idle;
        let end_of_life = self.connection.info.connected_at + limits.lifetime;
        until(idle.min(end_of_life))
    }
}

fn until(moment: DateTime<Utc>) -> Duration {
    (moment - Utc::now()).to_std().unwrap_or_default()
}

/// Lets tungstenite write its answer to the client's close.
async fn answer_close(socket: &mut Socket) {
    let drained = async { while let Some(Ok(_)) = socket.next().await {} };
    // A client that does not read the answer is gone as well.
    let _ = timeout(LINGER, drained).await;
}

/// Writes a close frame and reads until the client closes its side. Closing a socket with unread
/// bytes would reset it, and the client might never see the frame.
async fn close(socket: &mut Socket, frame: CloseFrame) {
    let closed = async {
        if socket.close(Some(frame)).await.is_ok() {
            let stream = socket.get_mut();
            let mut discarded = vec![0; BUFFER];
            while stream.read(&mut discarded).await.is_ok_and(|read| read > 0) {}
        }
    };
    // A client that does not read the frame is gone as well.
    let _ = timeout(LINGER, closed).await;
}

/// Writes a text as one message, in frames within the limit.
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
