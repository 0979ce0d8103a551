//! The benchmark's clients: connections, and round trips of messages on them.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt, TryStreamExt, stream};
use tokio::{net::TcpStream, task::JoinSet};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Message, Utf8Bytes, protocol::WebSocketConfig},
};

/// The message that every client sends.
pub(crate) const MESSAGE: &str = r#"{"action":"sendMessage","message":"Hello","name":"Aseem"}"#;

/// The longest wait for an echo; the benchmark fails after it.
const ECHO_TIMEOUT: Duration = Duration::from_secs(30);

/// A client's connection.
pub(crate) type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The duration of a number of round trips.
pub(crate) struct RoundTrips {
    /// From the first message to the last echo.
    pub(crate) elapsed: Duration,
    /// The time from each message to its echo, in no order.
    pub(crate) latencies: Vec<Duration>,
}

/// Returns the buffer sizes of both ends. tungstenite's default of 128 KB would dominate the
/// measured memory.
pub(crate) fn buffers() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(4096)
}

/// Opens `count` connections, `at_once` at a time.
pub(crate) async fn connect(
    url: &str,
    count: usize,
    at_once: usize,
) -> anyhow::Result<Vec<Client>> {
    stream::iter(0..count)
        .map(|_| async {
            let connected = connect_async_with_config(url, Some(buffers()), true).await;
            let (client, _) = connected.with_context(|| format!("failed to connect to {url}"))?;
            anyhow::Ok(client)
        })
        .buffer_unordered(at_once)
        .try_collect()
        .await
}

/// Lets every client send the message `each` times, one after the other, and puts the clients back.
/// Fails if a client receives anything but `echo`.
pub(crate) async fn round_trips(
    clients: &mut Vec<Client>,
    each: usize,
    echo: &'static str,
) -> anyhow::Result<RoundTrips> {
    let started = Instant::now();
    let mut running = JoinSet::new();
    for client in clients.drain(..) {
        running.spawn(talk(client, each, echo));
    }
    let mut latencies = Vec::with_capacity(running.len() * each);
    while let Some(talked) = running.join_next().await {
        let (client, waited) = talked??;
        clients.push(client);
        latencies.extend(waited);
    }
    Ok(RoundTrips {
        elapsed: started.elapsed(),
        latencies,
    })
}

async fn talk(
    mut client: Client,
    times: usize,
    echo: &'static str,
) -> anyhow::Result<(Client, Vec<Duration>)> {
    let mut latencies = Vec::with_capacity(times);
    for _ in 0..times {
        let sent = Instant::now();
        client
            .send(Message::Text(Utf8Bytes::from_static(MESSAGE)))
            .await?;
        let received = tokio::time::timeout(ECHO_TIMEOUT, client.next())
            .await
            .with_context(|| format!("no echo arrived within {} s", ECHO_TIMEOUT.as_secs()))?
            .context("the server closed the connection")??;
        latencies.push(sent.elapsed());
        if received.to_text()? != echo {
            bail!("expected the echo {echo}, received {received}");
        }
    }
    Ok((client, latencies))
}
