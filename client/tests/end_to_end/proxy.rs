//! A TCP proxy whose connections a test can cut.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
    time::Instant,
};

/// A proxy with a port of its own.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    cut: Notify,
    /// The time of each connection.
    connected_at: Mutex<Vec<Instant>>,
}

impl Proxy {
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, server, shared.clone()));
        Self {
            address,
            shared,
            _tasks: tasks,
        }
    }

    /// Returns the address for clients.
    pub fn web_socket(&self) -> String {
        format!("ws://{}/dev", self.address)
    }

    /// Drops every connection without a WebSocket close.
    pub fn cut(&self) {
        self.shared.cut.notify_waiters();
    }

    /// Returns the time of each connection.
    pub fn connected_at(&self) -> Vec<Instant> {
        self.shared.connections().clone()
    }
}

impl Shared {
    fn connections(&self) -> std::sync::MutexGuard<'_, Vec<Instant>> {
        self.connected_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(listener: TcpListener, server: SocketAddr, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        shared.connections().push(Instant::now());
        let shared = shared.clone();
        connections.spawn(async move {
            tokio::select! {
                () = shared.cut.notified() => {}
                _ = join(client, server) => {}
            }
        });
    }
}

async fn join(mut client: TcpStream, server: SocketAddr) -> std::io::Result<()> {
    let mut upstream = TcpStream::connect(server).await?;
    copy_bidirectional(&mut client, &mut upstream).await?;
    Ok(())
}
