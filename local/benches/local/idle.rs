//! What a silent connection holds on to.

use serde::Serialize;

use crate::{
    client::{self, MESSAGE},
    process::Server,
    servers,
};

/// How many connections are opened, if the limit of open files allows.
pub(crate) const CONNECTIONS: usize = 5_000;

/// What idle connections cost.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Idle {
    /// Who holds them.
    pub(crate) server: &'static str,
    /// How many there are.
    pub(crate) connections: usize,
    /// What the server's resident memory has grown by, divided by them.
    pub(crate) bytes_per_connection: Option<u64>,
}

/// Opens so many connections to the gateway, and then to the bare server.
pub(crate) async fn measure(connections: usize) -> anyhow::Result<Vec<Idle>> {
    Ok(vec![
        hold("gateway alone", servers::GATEWAY, connections).await?,
        hold("bare server", servers::BARE, connections).await?,
    ])
}

async fn hold(name: &'static str, kind: &str, connections: usize) -> anyhow::Result<Idle> {
    let server = Server::of_ours(kind).await?;
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
