//! What an idle client costs: `cargo bench -p herald-client`, with `-- --json` as one JSON object.
//!
//! The server is a process of its own, so this process holds clients and nothing else. It answers every
//! text as a `ping`. The figures, on Linux only:
//!
//! - **bytes**: what the resident memory of this process grows by per client that is open and silent, TLS
//!   not included;
//! - **ping**: the processor time per client for one `ping` and its `pong`, the only thing that an idle
//!   client does. Pings are a second apart here;
//! - **share**: what that is of a processor when they are four minutes apart, as they are by default.
#![allow(missing_docs)]

use std::{env, fs, io, process::Stdio, time::Duration};

use futures_util::{SinkExt, StreamExt, stream};
use herald_client::{Client, Options};
use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command},
    time::sleep,
};
use tokio_tungstenite::{accept_async, tungstenite::Message};

/// How many clients there are. Two files of each process are needed for each.
const CLIENTS: usize = 1000;

/// How long pings are counted.
const PINGING: Duration = Duration::from_secs(10);

/// How far apart pings are by default.
const PING_AFTER: Duration = Duration::from_secs(4 * 60);

const SERVE: &str = "serve";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    clients: usize,
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
    // `cargo bench` says so; `cargo test --all-targets` runs this too, and is not to take that long.
    if !arguments.iter().any(|argument| argument == "--bench") {
        eprintln!("nothing is measured: run `cargo bench -p herald-client`");
        return Ok(());
    }
    let report = measure().await?;
    if arguments.iter().any(|argument| argument == "--json") {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!(
            "{} clients: {:.0} bytes each; {:.1} µs of processor time for a ping, {:.7} % of a processor when idle",
            report.clients,
            report.bytes_per_client,
            report.processor_microseconds_per_ping,
            report.processor_share_per_client * 100.0,
        );
    }
    Ok(())
}

async fn measure() -> Result<Report, Box<dyn std::error::Error>> {
    let (mut server, address) = start_server().await?;
    // What the first one brings with it is no matter of each.
    let first = connect(&address, Options::new(), 1).await?;
    let before = resident()?;
    let silent = connect(&address, Options::new(), CLIENTS).await?;
    let after = resident()?;
    drop((first, silent));

    let options = Options::new().keep_alive(Duration::from_secs(1), Duration::from_secs(10));
    let pinging = connect(&address, options, CLIENTS).await?;
    let start = processor_time()?;
    sleep(PINGING).await;
    let used = processor_time()? - start;
    drop(pinging);
    server.kill().await?;

    let pings = CLIENTS as f64 * PINGING.as_secs_f64();
    let per_ping = used.as_secs_f64() / pings;
    Ok(Report {
        clients: CLIENTS,
        bytes_per_client: after.saturating_sub(before) as f64 / CLIENTS as f64,
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
    // It ends when its standard input does: it never outlives this process.
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

/// Answers everything as a `ping`.
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

/// The bytes of this process that are resident.
fn resident() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    Ok(first_number(line.unwrap_or_default())? * 1024)
}

/// The processor time that this process has used: its only thread's.
fn processor_time() -> io::Result<Duration> {
    first_number(&fs::read_to_string("/proc/self/schedstat")?).map(Duration::from_nanos)
}

fn first_number(text: &str) -> io::Result<u64> {
    let number = text
        .split_whitespace()
        .next()
        .and_then(|number| number.parse().ok());
    number.ok_or_else(|| io::Error::other("the kernel tells no number"))
}
