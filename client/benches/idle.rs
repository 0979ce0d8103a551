//! The cost of an idle client: `cargo bench -p herald-client --bench idle`. The last line is JSON for
//! programs: `docs/benchmarks.md`.
//!
//! The server is a process of its own, so this process holds clients only. It answers every text with a
//! `pong`. The figures, on Linux only:
//!
//! - **bytes**: the growth of this process's resident memory per client that is open and silent, without TLS;
//! - **ping**: the processor time per client for one `ping` and its `pong`, the only work of an idle client.
//!   The pings of the benchmark are a second apart;
//! - **share**: the share of a processor for pings that are four minutes apart, the default.
#![allow(missing_docs)]

use std::{env, fs, io, process::Stdio, time::Duration};

use futures_util::{SinkExt, StreamExt, stream};
use herald_benches::{Figures, Run};
use herald_client::{Client, Options};
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::sleep,
};
use tokio_tungstenite::{accept_async, tungstenite::Message};

/// The default time between pings.
const PING_AFTER: Duration = Duration::from_secs(4 * 60);

const SERVE: &str = "serve";

struct Report {
    bytes_per_client: f64,
    processor_microseconds_per_ping: f64,
    processor_share_per_client: f64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.first().is_some_and(|argument| argument == SERVE) {
        return Ok(serve().await?);
    }
    let Some(run) = Run::from_arguments(&[])? else {
        return Ok(());
    };
    // Each client needs two file descriptors of each process.
    let clients = run.of(1000, 20);
    let pinging = Duration::from_secs(run.of(10, 1));
    let report = measure(clients, pinging).await?;
    println!(
        "{clients} clients: {:.0} bytes each; {:.1} µs of processor time for a ping, {:.7} % of a processor when idle\n",
        report.bytes_per_client,
        report.processor_microseconds_per_ping,
        report.processor_share_per_client * 100.0,
    );
    let mut figures = Figures::new("idle", &run);
    figures.add(
        &json!({"clients": clients}),
        [
            ("memoryPerClient", report.bytes_per_client, "B"),
            (
                "processorTimePerPing",
                report.processor_microseconds_per_ping,
                "µs",
            ),
            (
                "processorShare",
                report.processor_share_per_client * 100.0,
                "%",
            ),
        ],
    );
    Ok(figures.print()?)
}

async fn measure(clients: usize, time: Duration) -> Result<Report, Box<dyn std::error::Error>> {
    let (mut server, address) = start_server().await?;
    // The first client pays the costs that all share.
    let first = connect(&address, Options::new(), 1).await?;
    let before = resident()?;
    let silent = connect(&address, Options::new(), clients).await?;
    let after = resident()?;
    drop((first, silent));

    let options = Options::new().keep_alive(Duration::from_secs(1), Duration::from_secs(10));
    let pinging = connect(&address, options, clients).await?;
    let start = processor_time()?;
    sleep(time).await;
    let used = processor_time()? - start;
    drop(pinging);
    server.kill().await?;

    let pings = clients as f64 * time.as_secs_f64();
    let per_ping = used.as_secs_f64() / pings;
    Ok(Report {
        bytes_per_client: after.saturating_sub(before) as f64 / clients as f64,
        processor_microseconds_per_ping: per_ping * 1e6,
        processor_share_per_client: per_ping / PING_AFTER.as_secs_f64(),
    })
}

async fn connect(
    address: &str,
    options: Options,
    count: usize,
) -> Result<Vec<Client>, Box<dyn std::error::Error>> {
    let clients: Vec<_> = stream::iter(0..count)
        .map(|_| Client::connect(address, options.clone()))
        .buffered(16)
        .collect()
        .await;
    Ok(clients.into_iter().collect::<Result<_, _>>()?)
}

async fn start_server() -> Result<(Child, String), Box<dyn std::error::Error>> {
    // The server ends when its standard input does, so it never outlives this process.
    let mut server = Command::new(env::current_exe()?)
        .arg(SERVE)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let output = server.stdout.take().ok_or("a server without an output")?;
    let mut address = String::new();
    BufReader::new(output).read_line(&mut address).await?;
    Ok((server, address.trim().to_owned()))
}

async fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ws://{}/dev", listener.local_addr()?);
    let accept = async {
        loop {
            let (socket, _) = listener.accept().await?;
            tokio::spawn(answer(socket));
        }
    };
    let mut ends = [0];
    let mut input = tokio::io::stdin();
    tokio::select! {
        ended = accept => ended,
        ended = input.read(&mut ends) => ended.map(drop),
    }
}

/// Answers every text with a `pong`.
async fn answer(socket: TcpStream) {
    let Ok(mut socket) = accept_async(socket).await else {
        return;
    };
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text()
            && socket
                .send(Message::text(r#"{"type":"pong"}"#))
                .await
                .is_err()
        {
            return;
        }
    }
}

/// Returns the resident memory of this process, in bytes.
fn resident() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    Ok(first_number(line.unwrap_or_default())? * 1024)
}

/// Returns the processor time of this process's only thread.
fn processor_time() -> io::Result<Duration> {
    first_number(&fs::read_to_string("/proc/self/schedstat")?).map(Duration::from_nanos)
}

fn first_number(text: &str) -> io::Result<u64> {
    let number = text
        .split_whitespace()
        .next()
        .and_then(|number| number.parse().ok());
    number.ok_or_else(|| io::Error::other("/proc has no number where one is expected"))
}
