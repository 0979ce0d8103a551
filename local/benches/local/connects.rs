//! Connections that are opened as fast as the server accepts them.

use std::time::Instant;

use herald_benches::Run;

use crate::{
    client,
    process::Server,
    servers,
    stack::{self, BuiltFunctions},
};

/// The rate at which a server accepts clients.
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
pub(crate) async fn whole_stack(built: &BuiltFunctions, run: &Run) -> anyhow::Result<Connects> {
    let server = stack::start(built).await?;
    measure("whole stack", server, run.of(2_000, 4), run).await
}

/// Measures the gateway without a function.
pub(crate) async fn gateway(run: &Run) -> anyhow::Result<Connects> {
    let server = Server::start_self(servers::GATEWAY).await?;
    measure("gateway alone", server, run.of(5_000, 4), run).await
}

async fn measure(
    name: &'static str,
    server: Server,
    connections: usize,
    run: &Run,
) -> anyhow::Result<Connects> {
    let at_once = run.of(16, 2);
    // Starts all function processes that the measurement needs.
    drop(client::connect(&server.url, at_once * 2, at_once).await?);
    let started = Instant::now();
    let clients = client::connect(&server.url, connections, at_once).await?;
    let elapsed = started.elapsed();
    drop(clients);
    server.stop().await?;
    Ok(Connects {
        server: name,
        connections,
        at_once,
        per_second: connections as f64 / elapsed.as_secs_f64(),
    })
}
