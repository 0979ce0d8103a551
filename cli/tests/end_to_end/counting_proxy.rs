//! A proxy that records what the server sends, independently of the client.

use std::{
    collections::HashSet,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// A proxy on a port of its own.
pub struct CountingProxy {
    address: SocketAddr,
    sent: Sent,
    _tasks: JoinSet<()>,
}

/// The bytes that the server sent on each connection. A server does not mask frames, so their text is readable.
type Sent = Arc<Mutex<Vec<Vec<u8>>>>;

/// The numbers of pushes on the wire.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pushes {
    pub all: u64,
    /// Pushes without repeats on the same connection.
    pub distinct: u64,
}

impl CountingProxy {
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let sent = Sent::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, server, sent.clone()));
        Self {
            address,
            sent,
            _tasks: tasks,
        }
    }

    /// Returns the address for clients.
    pub fn web_socket(&self) -> String {
        format!("ws://{}/dev", self.address)
    }

    /// Counts the pushes of a type until now.
    pub fn pushes(&self, kind: &str) -> Pushes {
        let start = format!(r#"{{"type":"{kind}","#);
        let mut pushes = Pushes::default();
        for sent in lock(&self.sent).iter() {
            let text = String::from_utf8_lossy(sent);
            let event_ids: Vec<_> = text.split(&start).skip(1).map(event_id).collect();
            pushes.all += event_ids.len() as u64;
            pushes.distinct += event_ids.into_iter().collect::<HashSet<_>>().len() as u64;
        }
        pushes
    }
}

fn event_id(frame: &str) -> &str {
    let (_, rest) = frame.split_once(r#""eventId":""#).expect("an event id");
    rest.split('"').next().expect("its end")
}

async fn serve(listener: TcpListener, server: SocketAddr, sent: Sent) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let number = {
            let mut sent = lock(&sent);
            sent.push(Vec::new());
            sent.len() - 1
        };
        let sent = sent.clone();
        connections.spawn(async move {
            // When one side closes, the proxy closes the other.
            let _ = join(client, server, |bytes| lock(&sent)[number].extend(bytes)).await;
        });
    }
}

async fn join(
    mut client: TcpStream,
    server: SocketAddr,
    mut keep: impl FnMut(&[u8]),
) -> io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    let down = async {
        let mut buffer = vec![0; 4096];
        loop {
            let read = from_server.read(&mut buffer).await?;
            if read == 0 {
                return to_client.shutdown().await;
            }
            keep(&buffer[..read]);
            to_client.write_all(&buffer[..read]).await?;
        }
    };
    let up = async {
        copy(&mut from_client, &mut to_server).await?;
        to_server.shutdown().await
    };
    tokio::try_join!(down, up).map(drop)
}

fn lock(sent: &Sent) -> MutexGuard<'_, Vec<Vec<u8>>> {
    sent.lock().unwrap_or_else(PoisonError::into_inner)
}
