//! A listener that goes on when no connection can be taken, and says why, but not every time.

use std::{
    io::{self, ErrorKind},
    net::SocketAddr,
    time::Duration,
};

use axum::serve::Listener;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};

use crate::open_files;

/// The pause after a failed attempt: connections that end make room.
const PAUSE: Duration = Duration::from_millis(100);

/// The least time between two complaints.
const INTERVAL: Duration = Duration::from_secs(60);

/// A TCP listener whose streams send small writes at once.
pub(crate) struct Accepting {
    listener: TcpListener,
    complained_at: Option<Instant>,
}

impl Accepting {
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            complained_at: None,
        }
    }

    fn complain(&mut self, error: io::Error) {
        let now = Instant::now();
        if is_due(self.complained_at, now) {
            self.complained_at = Some(now);
            let error = open_files::explained(error);
            tracing::error!("no connection can be taken: {error}");
        }
    }
}

impl Listener for Accepting {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, client)) => {
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "a connection keeps Nagle's algorithm");
                    }
                    return (stream, client);
                }
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    self.complain(error);
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

fn is_due(complained_at: Option<Instant>, now: Instant) -> bool {
    complained_at.is_none_or(|then| now - then >= INTERVAL)
}

/// Returns whether a client gave up before its connection was taken.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_listener_complains_once_per_interval() {
        let first = Instant::now();
        assert!(is_due(None, first));
        assert!(!is_due(Some(first), first + INTERVAL / 2));
        assert!(is_due(Some(first), first + INTERVAL));
    }
}
