//! The memory of idle connections.

use crate::{
    client::{self, MESSAGE},
    process::Server,
    servers,
};

/// The number of connections to open, if the limit of open files allows.
pub(crate) const CONNECTIONS: usize = 5_000;

/// The cost of idle connections.
pub(crate) struct Idle {
    /// The server's name.
    pub(crate) server: &'static str,
    /// The number of connections.
    pub(crate) connections: usize,
    /// The growth of the server's resident memory, divided by the connections.
    pub(crate) bytes_per_connection: Option<u64>,
}

/// Opens connections to the gateway, and then to the bare server.
pub(crate) async fn measure(connections: usize) -> anyhow::Result<Vec<Idle>> {
    Ok(vec![
        hold("gateway alone", servers::GATEWAY, connections).await?,
        hold("bare server", servers::BARE, connections).await?,
    ])
}

async fn hold(name: &'static str, kind: &str, connections: usize) -> anyhow::Result<Idle> {
    let server = Server::start_self(kind).await?;
    let mut first = client::connect(&server.url, 1, 1).await?;
    client::round_trips(&mut first, 1, MESSAGE).await?;
    let before = server.resident();
    let mut clients = client::connect(&server.url, connections, 16).await?;
    client::round_trips(&mut clients, 1, MESSAGE).await?;
    let after = server.resident();
    let grown = after.zip(before).map(|(after, before)| after - before);
    server.stop().await?;
    Ok(Idle {
        server: name,
        connections,
        bytes_per_connection: grown.map(|grown| grown / connections as u64),
    })
}
