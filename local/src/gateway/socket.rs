//! One open connection: its socket, from the 101 to the close.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::{
    io::AsyncReadExt,
    sync::mpsc::UnboundedReceiver,
    time::{Instant, Sleep, sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        error::{CapacityError, ProtocolError},
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
    event::Closing,
    lock,
};
use crate::activity::Happening;

/// How long a close waits for the client to take it.
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
    let closing = match upgrade.await {
        Ok(upgraded) => run(&gateway, &connection, commands, upgraded).await,
        Err(_) => Closing::abnormal(),
    };
    let opening = &connection.opening;
    gateway.connections.remove(&opening.connection_id);
    gateway.activity.record(Happening::Disconnected {
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
    commands: UnboundedReceiver<Command>,
    upgraded: Upgraded,
) -> Closing {
    let limits = gateway.limits;
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_frame_size(Some(limits.frame))
        .max_message_size(Some(limits.message));
    let stream = TokioIo::new(upgraded);
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    let mut session = Session {
        gateway,
        connection,
        commands,
        socket,
    };
    match session.run().await {
        End::Gone(closing) => closing,
        End::Close(code, closing) => {
            session.close(code).await;
            closing
        }
    }
}

struct Session<'a> {
    gateway: &'a Arc<Gateway>,
    connection: &'a Arc<Connection>,
    commands: UnboundedReceiver<Command>,
    socket: WebSocketStream<TokioIo<Upgraded>>,
}

/// How a connection ends.
enum End {
    /// The client closed it, or is gone.
    Gone(Closing),
    /// The gateway closes it with this frame.
    Close(CloseFrame, Closing),
}

impl Session<'_> {
    async fn run(&mut self) -> End {
        // Set again when it has run out, and not at every message: setting a timer can cost a system
        // call.
        let mut timer = pin!(sleep(self.time_left()));
        loop {
            let end = tokio::select! {
                message = self.socket.next() => self.received(message).await,
                Some(command) = self.commands.recv() => self.obey(command).await,
                () = &mut timer => self.check_timers(timer.as_mut()),
            };
            if let Some(end) = end {
                return end;
            }
        }
    }

    async fn received(&mut self, message: Option<Result<Message, Error>>) -> Option<End> {
        match message {
            Some(Ok(Message::Text(text))) => {
                self.connection.touch();
                self.gateway
                    .dispatch(self.connection, text.as_str().to_owned());
                None
            }
            Some(Ok(Message::Binary(_))) => Some(End::close(
                CloseCode::Unsupported,
                "Binary messages are not supported",
            )),
            Some(Ok(Message::Close(frame))) => {
                self.answer_close().await;
                Some(End::Gone(Closing::by_client(frame)))
            }
            // tungstenite answers pings itself; they do not count as activity.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => None,
            Some(Err(error)) => Some(End::of_error(&error)),
            None => Some(End::Gone(Closing::abnormal())),
        }
    }

    async fn obey(&mut self, command: Command) -> Option<End> {
        match command {
            Command::Send(text) => self.write(text).await,
            Command::Delete => Some(End::Close(
                CloseFrame {
                    code: CloseCode::Normal,
                    reason: "".into(),
                },
                Closing::normal(),
            )),
            Command::GoAway => Some(End::going_away()),
        }
    }

    /// Writes a text. A client that does not read is waited for until the connection's time is up.
    async fn write(&mut self, text: String) -> Option<End> {
        let length = text.len();
        let lifetime_left = self.until(self.end_of_life());
        let written = timeout(
            lifetime_left,
            write(&mut self.socket, text, self.gateway.limits),
        );
        let end = match written.await {
            Ok(Ok(())) => None,
            Ok(Err(_)) => Some(End::Gone(Closing::abnormal())),
            Err(_) => Some(End::going_away()),
        };
        self.connection.sent(length);
        end
    }

    fn check_timers(&self, timer: Pin<&mut Sleep>) -> Option<End> {
        let time_left = self.time_left();
        timer.reset(Instant::now() + time_left);
        time_left.is_zero().then(End::going_away)
    }

    /// How long the connection may live if nothing happens.
    fn time_left(&self) -> Duration {
        let idle = self.connection.last_active_at() + self.gateway.limits.idle;
        self.until(idle.min(self.end_of_life()))
    }

    fn end_of_life(&self) -> DateTime<Utc> {
        self.connection.opening.connected_at + self.gateway.limits.lifetime
    }

    fn until(&self, moment: DateTime<Utc>) -> Duration {
        (moment - Utc::now()).to_std().unwrap_or_default()
    }

    /// Lets tungstenite write its answer to the client's close.
    async fn answer_close(&mut self) {
        let drained = async { while let Some(Ok(_)) = self.socket.next().await {} };
        // A client that does not take the answer is gone all the same.
        let _ = timeout(LINGER, drained).await;
    }

    /// Writes a close frame and reads on until the client closes its side. Closing a socket with
    /// unread bytes would reset it, and the client might never see the frame.
    async fn close(&mut self, frame: CloseFrame) {
        let closed = async {
            if self.socket.close(Some(frame)).await.is_ok() {
                let stream = self.socket.get_mut();
                let mut discarded = vec![0; BUFFER];
                while stream.read(&mut discarded).await.is_ok_and(|read| read > 0) {}
            }
        };
        // A client that does not take the frame is gone all the same.
        let _ = timeout(LINGER, closed).await;
    }
}

/// Writes a text as one message, in frames that keep to the limit.
async fn write(
    socket: &mut WebSocketStream<TokioIo<Upgraded>>,
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

impl End {
    fn close(code: CloseCode, reason: &'static str) -> Self {
        let closing = Closing::new(code.into(), reason);
        let frame = CloseFrame {
            code,
            reason: reason.into(),
        };
        Self::Close(frame, closing)
    }

    fn going_away() -> Self {
        Self::close(CloseCode::Away, "Going away")
    }

    fn of_error(error: &Error) -> Self {
        match error {
            Error::Capacity(CapacityError::MessageTooLong { .. }) => {
                Self::close(CloseCode::Size, "Message too long")
            }
            Error::Utf8(_) => Self::close(CloseCode::Invalid, "Invalid UTF-8"),
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
                Self::Gone(Closing::abnormal())
            }
            Error::Protocol(_) => Self::close(CloseCode::Protocol, "Protocol error"),
            _ => Self::Gone(Closing::abnormal()),
        }
    }
}

impl Closing {
    fn new(code: u16, reason: &str) -> Self {
        Self {
            code,
            reason: reason.to_owned(),
        }
    }

    fn normal() -> Self {
        Self::new(1000, "Connection Closed Normally")
    }

    fn abnormal() -> Self {
        Self::new(1006, "Connection Closed Abnormally")
    }

    fn by_client(frame: Option<CloseFrame>) -> Self {
        match frame {
            None => Self::new(1005, "Client-side close frame status not set"),
            Some(frame) if frame.reason.is_empty() && frame.code == CloseCode::Normal => {
                Self::normal()
            }
            Some(frame) => Self::new(frame.code.into(), frame.reason.as_str()),
        }
    }
}
