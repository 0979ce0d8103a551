//! A listener that keeps accepting after errors and logs them at a limited rate.

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

/// The pause after a failed accept, in which other connections may end and free file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// The shortest time between two log lines.
const INTERVAL: Duration = Duration::from_secs(60);

/// A TCP listener whose streams send small writes at once.
pub(crate) struct RetryingListener {
    listener: TcpListener,
    logged_at: Option<Instant>,
}

impl RetryingListener {
    pub(crate) fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            logged_at: None,
        }
    }

    fn log(&mut self, error: io::Error) {
        let now = Instant::now();
        if is_due(self.logged_at, now) {
            self.logged_at = Some(now);
            let error = open_files::explained(error);
            tracing::error!("failed to accept a connection: {error}");
        }
    }
}

impl Listener for RetryingListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.listener.accept().await {
                Ok((stream, client)) => {
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "failed to set TCP_NODELAY on a connection");
                    }
                    return (stream, client);
                }
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    self.log(error);
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

fn is_due(logged_at: Option<Instant>, now: Instant) -> bool {
    logged_at.is_none_or(|then| now - then >= INTERVAL)
}

/// Returns whether a client gave up before its connection was accepted.
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
    fn failing_listener_logs_once_per_interval() {
        let first = Instant::now();
        assert!(is_due(None, first));
        assert!(!is_due(Some(first), first + INTERVAL / 2));
        assert!(is_due(Some(first), first + INTERVAL));
    }
}
