//! The connections a gateway holds, and what is waiting to be written to each.
//!
//! A connection is pending until its upgrade is answered, then open, then gone: it stands in the
//! table only while it is open, so that a post to it before or after finds nothing.

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

use super::{ending::Ending, event::Opening, lock};

/// The most bytes of a client's messages that may be with functions, or wait for one.
const IN_FLIGHT: usize = 8 * 1024 * 1024;

/// The cost of a text beside its bytes, so that many small ones are bounded as well.
const OVERHEAD: usize = 256;

/// What is to happen to a connection.
#[derive(Debug)]
pub(super) enum Command {
    /// Write this text as one message.
    Send(String),
    /// Close it, after what was sent before.
    End(Ending),
}

/// An open connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// What is known of it since the upgrade.
    pub(super) opening: Opening,
    commands: UnboundedSender<Command>,
    /// Set as soon as it is to be closed: a command waits behind what the client does not read.
    ending: watch::Sender<Option<Ending>>,
    in_flight: Arc<Semaphore>,
    /// Bytes that wait to be written.
    waiting: AtomicUsize,
    /// The most bytes that may wait.
    send_buffer: usize,
    /// Epoch milliseconds.
    last_active_at: AtomicI64,
}

/// An open connection, for people to look at.
#[derive(Clone, Debug)]
pub struct ConnectionSummary {
    /// The connection's id.
    pub connection_id: String,
    /// Whose it is; none: nobody's in particular.
    pub user_id: Option<String>,
    /// The client's address.
    pub source_ip: IpAddr,
    /// The client's `User-Agent`, if it sent one.
    pub user_agent: Option<String>,
    /// When it was opened.
    pub connected_at: DateTime<Utc>,
    /// When something was last sent in either direction.
    pub last_active_at: DateTime<Utc>,
}

/// The client reads so slowly that its send buffer is full.
#[derive(Debug)]
pub(super) struct SendBufferFull;

impl Connection {
    pub(super) fn new(
        opening: Opening,
        send_buffer: usize,
        commands: UnboundedSender<Command>,
    ) -> Self {
        Self {
            last_active_at: AtomicI64::new(opening.connected_at.timestamp_millis()),
            opening,
            commands,
            ending: watch::Sender::default(),
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT)),
            waiting: AtomicUsize::new(0),
            send_buffer,
        }
    }

    /// Puts a text into the send buffer.
    pub(super) fn send(&self, text: String) -> Result<(), SendBufferFull> {
        let size = text.len() + OVERHEAD;
        let waiting = self.waiting.fetch_add(size, Relaxed);
        if waiting > 0 && waiting + size > self.send_buffer {
            self.waiting.fetch_sub(size, Relaxed);
            return Err(SendBufferFull);
        }
        self.touch();
        self.command(Command::Send(text));
        Ok(())
    }

    /// Puts the reply to a message of the client's own into the send buffer.
    pub(super) fn send_reply(&self, text: String) {
        if self.send(text).is_err() {
            tracing::warn!(
                connection_id = self.opening.connection_id,
                "a reply was dropped: the client does not read"
            );
        }
    }

    /// Says that a text of this length was written.
    pub(super) fn sent(&self, length: usize) {
        self.waiting.fetch_sub(length + OVERHEAD, Relaxed);
    }

    /// Waits until a message of this length of the client's may be dispatched, and lets it count
    /// until the permit is dropped.
    pub(super) async fn room_for(&self, length: usize) -> Option<OwnedSemaphorePermit> {
        let size = (length + OVERHEAD).min(IN_FLIGHT) as u32;
        // The semaphore is never closed.
        self.in_flight.clone().acquire_many_owned(size).await.ok()
    }

    /// Asks for the connection to be closed.
    pub(super) fn end(&self, ending: Ending) {
        self.ending.send_replace(Some(ending));
        self.command(Command::End(ending));
    }

    /// Waits until the connection is to be closed.
    pub(super) async fn ending(&self) -> Ending {
        let mut receiver = self.ending.subscribe();
        loop {
            if let Some(ending) = *receiver.borrow_and_update() {
                return ending;
            }
            // The sender lives as long as this connection.
            let _ = receiver.changed().await;
        }
    }

    /// Notes that something was sent in either direction.
    pub(super) fn touch(&self) {
        self.last_active_at
            .store(Utc::now().timestamp_millis(), Relaxed);
    }

    /// When something was last sent in either direction.
    pub(super) fn last_active_at(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.last_active_at.load(Relaxed)).unwrap_or_default()
    }

    fn command(&self, command: Command) {
        // The socket's task may just have ended: the connection is gone then, as the next call finds.
        let _ = self.commands.send(command);
    }
}

/// The open connections by their id.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: Mutex<HashMap<String, Arc<Connection>>>,
}

impl Connections {
    /// From now on the connection can be posted to.
    pub(super) fn insert(&self, connection: Arc<Connection>) {
        let id = connection.opening.connection_id.clone();
        lock(&self.open).insert(id, connection);
    }

    /// From now on the connection is gone. Returns it, if it was there.
    pub(super) fn remove(&self, connection_id: &str) -> Option<Arc<Connection>> {
        lock(&self.open).remove(connection_id)
    }

    /// The open connection with this id.
    pub(super) fn find(&self, connection_id: &str) -> Option<Arc<Connection>> {
        lock(&self.open).get(connection_id).cloned()
    }

    pub(super) fn open(&self) -> Vec<ConnectionSummary> {
        lock(&self.open)
            .values()
            .map(|connection| ConnectionSummary {
                connection_id: connection.opening.connection_id.clone(),
                user_id: connection.opening.user_id().map(str::to_owned),
                source_ip: connection.opening.source_ip,
                user_agent: connection.opening.user_agent.clone(),
                connected_at: connection.opening.connected_at,
                last_active_at: connection.last_active_at(),
            })
            .collect()
    }

    pub(super) fn close_all(&self) {
        for connection in lock(&self.open).values() {
            connection.end(Ending::GoingAway);
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
        let opening = Opening {
            connection_id: "PcQeDRO4gIEm4LQ=".to_owned(),
            connected_at: Utc::now(),
            source_ip: [127, 0, 0, 1].into(),
            user_agent: None,
            host: String::new(),
            authorizer: None,
        };
        (Connection::new(opening, send_buffer, commands), receiver)
    }

    #[test]
    fn texts_without_bytes_fill_the_send_buffer_too() {
        let (connection, _not_read) = connection(10 * OVERHEAD);
        let taken = (0..100).filter(|_| connection.send(String::new()).is_ok());
        assert_eq!(taken.count(), 10);
    }

    #[test]
    fn messages_in_flight_are_bounded_and_make_room_when_they_are_done() {
        let (connection, _commands) = connection(0);
        let take = |length| connection.room_for(length).now_or_never().flatten();
        let half = take(IN_FLIGHT / 2);
        let small: Vec<_> = std::iter::from_fn(|| take(0)).collect();
        assert_eq!(small.len(), (IN_FLIGHT / 2 - OVERHEAD) / OVERHEAD);
        assert!(take(1).is_none());
        drop(half);
        assert!(take(1).is_some());
        drop(small);
        assert!(take(2 * IN_FLIGHT).is_some(), "one is always taken");
    }
}
