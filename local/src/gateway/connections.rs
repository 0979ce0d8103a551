//! The open connections of a gateway, with the pending messages of each.
//!
//! A connection is pending until its upgrade is answered, then open, then gone. Only an open
//! connection is in the table, so a post before or after finds none.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicUsize, Ordering::Relaxed},
    },
};

use chrono::{DateTime, Utc};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc::UnboundedSender, watch};

use super::{connection_end::ServerClose, event::ConnectionInfo, lock};

/// The most bytes of a client's messages that may be in flight.
const MAX_IN_FLIGHT: usize = 8 * 1024 * 1024;

/// The cost of a text beyond its bytes. It bounds many small texts as well.
const OVERHEAD: usize = 256;

/// A command to the task of a connection's socket.
#[derive(Debug)]
pub(super) enum Command {
    /// Writes this text as one message.
    Send(String),
    /// Closes the connection after all messages sent before.
    Close(ServerClose),
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// The properties of the connection from its upgrade request.
    pub(super) info: ConnectionInfo,
    commands: UnboundedSender<Command>,
    /// Set as soon as the gateway closes the connection. The command alone would wait behind
    /// messages that the client does not read.
    server_close: watch::Sender<Option<ServerClose>>,
    in_flight: Arc<Semaphore>,
    /// The bytes that are pending.
    pending: AtomicUsize,
    /// The most bytes that may be pending.
    send_buffer: usize,
    /// Epoch milliseconds.
    last_active_at: AtomicI64,
}

/// A description of an open connection, for people.
#[derive(Clone, Debug)]
pub struct ConnectionSummary {
    /// The connection's id.
    pub connection_id: String,
    /// The connection's user; `None` for an anonymous connection.
    pub user_id: Option<String>,
    /// The client's address.
    pub source_ip: IpAddr,
    /// The client's `User-Agent`, if it sent one.
    pub user_agent: Option<String>,
    /// The time when the connection was opened.
    pub connected_at: DateTime<Utc>,
    /// The time of the last message in either direction.
    pub last_active_at: DateTime<Utc>,
}

/// The error of a full send buffer: the client reads too slowly.
#[derive(Debug)]
pub(super) struct SendBufferFull;

impl Connection {
    pub(super) fn new(
        info: ConnectionInfo,
        send_buffer: usize,
        commands: UnboundedSender<Command>,
    ) -> Self {
        Self {
            last_active_at: AtomicI64::new(info.connected_at.timestamp_millis()),
            info,
            commands,
            server_close: watch::Sender::default(),
            in_flight: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
            pending: AtomicUsize::new(0),
            send_buffer,
        }
    }

    /// Puts a text into the send buffer.
    pub(super) fn send(&self, text: String) -> Result<(), SendBufferFull> {
        let size = text.len() + OVERHEAD;
        let pending = self.pending.fetch_add(size, Relaxed);
        if pending > 0 && pending + size > self.send_buffer {
            self.pending.fetch_sub(size, Relaxed);
            return Err(SendBufferFull);
        }
        self.touch();
        self.command(Command::Send(text));
        Ok(())
    }

    /// Puts the reply to one of the client's messages into the send buffer.
    pub(super) fn send_reply(&self, text: String) {
        if self.send(text).is_err() {
            tracing::warn!(
                connection_id = self.info.connection_id,
                "reply dropped: the client does not read and its send buffer is full"
            );
        }
    }

    /// Releases the send buffer of a written text of this length.
    pub(super) fn sent(&self, length: usize) {
        self.pending.fetch_sub(length + OVERHEAD, Relaxed);
    }

    /// Waits until a client's message of this length may be dispatched. It counts until the permit
    /// is dropped.
    pub(super) async fn room_for(&self, length: usize) -> Option<OwnedSemaphorePermit> {
        let size = (length + OVERHEAD).min(MAX_IN_FLIGHT) as u32;
        // The semaphore is never closed.
        self.in_flight.clone().acquire_many_owned(size).await.ok()
    }

    /// Requests the close of the connection.
    pub(super) fn close(&self, reason: ServerClose) {
        self.server_close.send_replace(Some(reason));
        self.command(Command::Close(reason));
    }

    /// Waits until the gateway closes the connection.
    pub(super) async fn server_close(&self) -> ServerClose {
        let mut receiver = self.server_close.subscribe();
        loop {
            if let Some(reason) = *receiver.borrow_and_update() {
                return reason;
            }
            // The connection owns the sender.
            let _ = receiver.changed().await;
        }
    }

    /// Notes the time of a message in either direction.
    pub(super) fn touch(&self) {
        self.last_active_at
            .store(Utc::now().timestamp_millis(), Relaxed);
    }

    /// Returns the time of the last message in either direction.
    pub(super) fn last_active_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.last_active_at.load(Relaxed)).unwrap_or_default()
    }

    fn command(&self, command: Command) {
        // If the socket's task has just ended, the connection is gone and the next call finds that.
        let _ = self.commands.send(command);
    }
}

/// The open connections by their id.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: Mutex<HashMap<String, Arc<Connection>>>,
}

impl Connections {
    /// Adds the connection: it accepts posts from now on.
    pub(super) fn insert(&self, connection: Arc<Connection>) {
        let id = connection.info.connection_id.clone();
        lock(&self.open).insert(id, connection);
    }

    /// Removes the connection: it is gone from now on. Returns it if it was open.
    pub(super) fn remove(&self, connection_id: &str) -> Option<Arc<Connection>> {
        lock(&self.open).remove(connection_id)
    }

    /// Returns the open connection with this id.
    pub(super) fn find(&self, connection_id: &str) -> Option<Arc<Connection>> {
        lock(&self.open).get(connection_id).cloned()
    }

    pub(super) fn open(&self) -> Vec<ConnectionSummary> {
        lock(&self.open)
            .values()
            .map(|connection| ConnectionSummary {
                connection_id: connection.info.connection_id.clone(),
                user_id: connection.info.user_id().map(str::to_owned),
                source_ip: connection.info.source_ip,
                user_agent: connection.info.user_agent.clone(),
                connected_at: connection.info.connected_at,
                last_active_at: connection.last_active_at(),
            })
            .collect()
    }

    pub(super) fn close_all(&self) {
        for connection in lock(&self.open).values() {
            connection.close(ServerClose::GoingAway);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;

    fn connection(send_buffer: usize) -> (Connection, UnboundedReceiver<Command>) {
        let (commands, receiver) = unbounded_channel();
        let info = ConnectionInfo {
            connection_id: "PcQeDRO4gIEm4LQ=".to_owned(),
            connected_at: Utc::now(),
            source_ip: [127, 0, 0, 1].into(),
            user_agent: None,
            host: String::new(),
            authorizer: None,
        };
        (Connection::new(info, send_buffer, commands), receiver)
    }

    #[test]
    fn empty_texts_fill_the_send_buffer() {
        let (connection, _unread) = connection(10 * OVERHEAD);
        let accepted = (0..100).filter(|_| connection.send(String::new()).is_ok());
        assert_eq!(accepted.count(), 10);
    }

    #[test]
    fn messages_in_flight_are_bounded_and_release_their_bytes_when_done() {
        let (connection, _commands) = connection(0);
        let acquire = |length| connection.room_for(length).now_or_never().flatten();
        let half = acquire(MAX_IN_FLIGHT / 2);
        let small: Vec<_> = std::iter::from_fn(|| acquire(0)).collect();
        assert_eq!(small.len(), (MAX_IN_FLIGHT / 2 - OVERHEAD) / OVERHEAD);
        assert!(acquire(1).is_none());
        drop(half);
        assert!(acquire(1).is_some());
        drop(small);
        assert!(
            acquire(2 * MAX_IN_FLIGHT).is_some(),
            "a single message of any length is dispatched"
        );
    }
}
