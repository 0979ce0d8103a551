//! A proxy before a service that can be blocked: it then reads requests and never answers.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering::SeqCst},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// A proxy before a service.
pub struct Proxy {
    /// The address for clients.
    pub endpoint: String,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    service: OnceLock<String>,
    blocked: AtomicBool,
}

impl Proxy {
    /// Starts a proxy without a service yet.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::<State>::default();
        let proxy = Self {
            endpoint,
            state: state.clone(),
        };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, state.clone()));
            }
        });
        proxy
    }

    /// Sets the service that requests are forwarded to.
    pub fn forward_to(&self, endpoint: &str) {
        let address = endpoint.strip_prefix("http://").unwrap().to_owned();
        self.state.service.set(address).unwrap();
    }

    /// Blocks or unblocks every connection, including open ones.
    pub fn block(&self, blocked: bool) {
        self.state.blocked.store(blocked, SeqCst);
    }
}

async fn carry(client: TcpStream, state: Arc<State>) {
    let service = state.service.get().expect("a service");
    let service = TcpStream::connect(service).await.unwrap();
    let (from_client, mut to_client) = client.into_split();
    let (mut from_service, to_service) = service.into_split();
    tokio::select! {
        () = forward(from_client, to_service, &state) => {}
        _ = copy(&mut from_service, &mut to_client) => {}
    }
}

async fn forward(mut client: OwnedReadHalf, mut service: OwnedWriteHalf, state: &State) {
    let mut bytes = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = client.read(&mut bytes).await {
        if !state.blocked.load(SeqCst) && service.write_all(&bytes[..length]).await.is_err() {
            return;
        }
    }
}
