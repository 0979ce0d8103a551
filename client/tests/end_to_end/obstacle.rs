//! A network that admits no WebSocket, in front of a server.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
    time::timeout,
};

/// The time after which a connection is killed.
const LIFE: Duration = Duration::from_millis(200);

/// The conduct of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It passes everything.
    Pass,
    /// It drops each connection at its first bytes.
    Swallow,
    /// It kills a connection shortly after it was made.
    Kill,
    /// It answers with this status.
    Answer(u16),
}

/// A proxy with a port of its own.
pub struct Obstacle {
    address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    server: SocketAddr,
    mode: Mutex<Mode>,
    cut: Notify,
}

impl Obstacle {
    pub async fn start(server: SocketAddr, mode: Mode) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            server,
            mode: Mutex::new(mode),
            cut: Notify::new(),
        });
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, shared.clone()));
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

    /// Changes the mode. Unless it passes everything, it breaks every connection.
    pub fn change(&self, mode: Mode) {
        *self
            .shared
            .mode
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = mode;
        if mode != Mode::Pass {
            self.shared.cut.notify_waiters();
        }
    }
}

impl Shared {
    fn mode(&self) -> Mode {
        *self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let shared = shared.clone();
        connections.spawn(async move {
            tokio::select! {
                () = shared.cut.notified() => {}
                _ = admit(client, &shared) => {}
            }
        });
    }
}

async fn admit(mut client: TcpStream, shared: &Shared) -> std::io::Result<()> {
    match shared.mode() {
        Mode::Pass => join(client, shared.server).await,
        Mode::Swallow => client.read(&mut [0; 1024]).await.map(drop),
        Mode::Kill => match timeout(LIFE, join(client, shared.server)).await {
            Ok(joined) => joined,
            Err(_) => Ok(()),
        },
        Mode::Answer(status) => {
            let asked = client.read(&mut [0; 4096]).await?;
            assert!(asked > 0, "a client that asks nothing");
            let answer =
                format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            client.write_all(answer.as_bytes()).await
        }
    }
}

async fn join(mut client: TcpStream, server: SocketAddr) -> std::io::Result<()> {
    let mut upstream = TcpStream::connect(server).await?;
    copy_bidirectional(&mut client, &mut upstream).await?;
    Ok(())
}
