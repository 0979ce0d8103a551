//! Connections that are opened as fast as the server lets them in.

use std::time::Instant;

use serde::Serialize;

use crate::{
    client,
    process::Server,
    servers,
    stack::{self, Built},
};

const AT_ONCE: usize = 16;

/// How fast clients got in.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Connects {
    /// Who lets them in.
    pub(crate) server: &'static str,
    /// How many connected.
    pub(crate) connections: usize,
    /// How many were on their way at a time.
    pub(crate) at_once: usize,
    /// Connections opened a second.
    pub(crate) per_second: f64,
}

/// The gateway with the real `connect` function, which writes a row.
pub(crate) async fn whole_stack(built: &Built) -> anyhow::Result<Connects> {
    let server = stack::start(built).await?;
    measure("whole stack", server, 2_000).await
}

/// The gateway without a function.
pub(crate) async fn gateway() -> anyhow::Result<Connects> {
    let server = Server::of_ours(servers::GATEWAY).await?;
    measure("gateway alone", server, 5_000).await
}

async fn measure(
    name: &'static str,
    server: Server,
    connections: usize,
) -> anyhow::Result<Connects> {
    // Starts as many function processes as are needed.
    drop(client::connect(&server.url, AT_ONCE * 2, AT_ONCE).await?);
    let started = Instant::now();
    let clients = client::connect(&server.url, connections, AT_ONCE).await?;
    let elapsed = started.elapsed();
    drop(clients);
    server.stop().await?;
    Ok(Connects {
        server: name,
        connections,
        at_once: AT_ONCE,
        per_second: connections as f64 / elapsed.as_secs_f64(),
    })
}
