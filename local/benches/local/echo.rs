//! The rate and the latency of echoed messages.

use std::time::Duration;

use herald_benches::{Run, median};

use crate::{
    client::{self, Client, MESSAGE, RoundTrips},
    process::Server,
    servers,
    stack::{self, BuiltFunctions},
};

/// The answer of `sendMessage` to the message.
const ANSWER: &str = r#"{"type":"message","message":"Hello","name":"Aseem"}"#;

/// The numbers of clients of the whole stack, and of the messages of each.
const STACK_CLIENTS: [(usize, usize); 3] = [(1, 20_000), (16, 2_000), (64, 500)];

/// The numbers of clients of the gateway and the bare server, and of the messages of each in a
/// turn.
const GATEWAY_CLIENTS: [(usize, usize); 3] = [(1, 10_000), (16, 2_000), (64, 500)];

/// The same of a short run. Each client starts a function process.
const SHORT_CLIENTS: [(usize, usize); 1] = [(2, 10)];

/// The number of turns of the gateway and of the bare server.
const TURNS: usize = 9;

/// The echoes that a number of clients received.
pub(crate) struct Echo {
    /// The server's name.
    pub(crate) server: &'static str,
    /// The number of clients at once.
    pub(crate) clients: usize,
    /// Echoes per second, of all clients.
    pub(crate) per_second: f64,
    /// The median latency.
    pub(crate) p50_ms: f64,
    /// The 99th percentile of the latency.
    pub(crate) p99_ms: f64,
    /// The processor time of the server process alone, per echo.
    pub(crate) server_cpu_us_per_echo: Option<f64>,
    /// The processor time of the function processes, per echo.
    pub(crate) functions_cpu_us_per_echo: Option<f64>,
    /// The rate as a fraction of the bare server's.
    pub(crate) part_of_bare: Option<f64>,
}

/// Measures the gateway with the real `sendMessage` function behind it.
pub(crate) async fn whole_stack(built: &BuiltFunctions, run: &Run) -> anyhow::Result<Vec<Echo>> {
    let server = stack::start(built).await?;
    let mut rows = Vec::new();
    for &(clients, each) in run.of(&STACK_CLIENTS[..], &SHORT_CLIENTS[..]) {
        let mut side = Side::connect("whole stack", &server, clients, ANSWER).await?;
        side.take_turn(each).await?;
        rows.push(side.row(None));
    }
    server.stop().await?;
    Ok(rows)
}

/// Measures the gateway alone and the bare server, in turns.
pub(crate) async fn gateway_beside_bare(run: &Run) -> anyhow::Result<Vec<Echo>> {
    let gateway = Server::start_self(servers::GATEWAY).await?;
    let bare = Server::start_self(servers::BARE).await?;
    let mut rows = Vec::new();
    for &(clients, each) in run.of(&GATEWAY_CLIENTS[..], &SHORT_CLIENTS[..]) {
        let mut gateway = Side::connect("gateway alone", &gateway, clients, MESSAGE).await?;
        let mut bare = Side::connect("bare server", &bare, clients, MESSAGE).await?;
        for _ in 0..run.of(TURNS, 1) {
            gateway.take_turn(each).await?;
            bare.take_turn(each).await?;
        }
        let bare = bare.row(None);
        rows.push(gateway.row(Some(bare.per_second)));
        rows.push(bare);
    }
    gateway.stop().await?;
    bare.stop().await?;
    Ok(rows)
}

/// One server, its clients and their figures so far.
struct Side<'a> {
    name: &'static str,
    server: &'a Server,
    clients: Vec<Client>,
    echo: &'static str,
    rates: Vec<f64>,
    latencies: Vec<Duration>,
    processor_time: Option<Duration>,
    functions_processor_time: Option<Duration>,
}

impl<'a> Side<'a> {
    /// Connects the clients and warms up: some round trips start all processes and allocate all buffers.
    async fn connect(
        name: &'static str,
        server: &'a Server,
        clients: usize,
        echo: &'static str,
    ) -> anyhow::Result<Self> {
        let mut clients = client::connect(&server.url, clients, 16).await?;
        client::round_trips(&mut clients, 50, echo).await?;
        Ok(Self {
            name,
            server,
            clients,
            echo,
            rates: Vec::new(),
            latencies: Vec::new(),
            processor_time: Some(Duration::ZERO),
            functions_processor_time: Some(Duration::ZERO),
        })
    }

    async fn take_turn(&mut self, each: usize) -> anyhow::Result<()> {
        let server_before = self.server.processor_time();
        let functions_before = self.server.processor_time_of_children();
        let RoundTrips { elapsed, latencies } =
            client::round_trips(&mut self.clients, each, self.echo).await?;
        let server_after = self.server.processor_time();
        let functions_after = self.server.processor_time_of_children();
        self.rates
            .push(latencies.len() as f64 / elapsed.as_secs_f64());
        self.latencies.extend(latencies);
        add(&mut self.processor_time, server_before, server_after);
        add(
            &mut self.functions_processor_time,
            functions_before,
            functions_after,
        );
        Ok(())
    }

    fn row(mut self, bare: Option<f64>) -> Echo {
        self.latencies.sort_unstable();
        let per_second = median(self.rates.iter().copied());
        let echoes = self.latencies.len() as f64;
        let per_echo = |used: Duration| used.as_secs_f64() * 1e6 / echoes;
        Echo {
            server: self.name,
            clients: self.clients.len(),
            per_second,
            p50_ms: percentile(&self.latencies, 50),
            p99_ms: percentile(&self.latencies, 99),
            server_cpu_us_per_echo: self.processor_time.map(per_echo),
            functions_cpu_us_per_echo: self.functions_processor_time.map(per_echo),
            part_of_bare: bare.map(|bare| per_second / bare),
        }
    }
}

/// Adds what was used between two readings. `None` if one is missing, or if a process that was read
/// has ended.
fn add(used: &mut Option<Duration>, before: Option<Duration>, after: Option<Duration>) {
    *used = (|| (*used)?.checked_add(after?.checked_sub(before?)?))();
}

/// Returns a percentile of the latencies in milliseconds.
fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank - 1].as_secs_f64() * 1e3
}
