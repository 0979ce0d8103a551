//! Connections that are opened as fast as the server accepts them.

use std::time::Instant;

use serde::Serialize;

use crate::{
    client,
    process::Server,
    servers,
    stack::{self, BuiltFunctions},
};

const AT_ONCE: usize = 16;

/// The rate at which a server accepts clients.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Connects {
    /// The server's name.
    pub(crate) server: &'static str,
    /// The number of clients that connected.
    pub(crate) connections: usize,
    /// The number of handshakes in flight at a time.
    pub(crate) at_once: usize,
    /// Connections opened per second.
    pub(crate) per_second: f64,
}

/// Measures the gateway with the real `connect` function, which writes a row.
pub(crate) async fn whole_stack(built: &BuiltFunctions) -> anyhow::Result<Connects> {
    let server = stack::start(built).await?;
    measure("whole stack", server, 2_000).await
}

/// Measures the gateway without a function.
pub(crate) async fn gateway() -> anyhow::Result<Connects> {
    let server = Server::start_self(servers::GATEWAY).await?;
    measure("gateway alone", server, 5_000).await
}

async fn measure(
    name: &'static str,
    server: Server,
    connections: usize,
) -> anyhow::Result<Connects> {
    // Starts all function processes that the measurement needs.
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
