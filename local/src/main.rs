//! `herald-local`: the whole stack behind one port.

mod arguments;

use std::{
    io::{IsTerminal, Write},
    net::SocketAddr,
    process::ExitCode,
};

use anyhow::Context;
use arguments::Arguments;
use clap::Parser;
use herald_local::{RunningStack, overview};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("herald-local: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    start_logging(&arguments.log)?;
    let mut signals = Signals::new()?;
    let json = arguments.json;
    let address = SocketAddr::new(arguments.host, arguments.port);
    let config = arguments.config()?;
    let listener = listen(address).await?;
    let stack = tokio::select! {
        stack = RunningStack::start(listener, config) => stack?,
        () = signals.received() => return Ok(()),
    };
    announce(&stack, json)?;
    signals.received().await;
    eprintln!("herald-local: stopping; press Ctrl-C again to stop at once");
    tokio::select! {
        () = stack.shutdown() => {}
        () = signals.received() => {}
    }
    Ok(())
}

/// What asks a process to end: Ctrl-C, and SIGTERM.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("{address} cannot be listened on: choose another port with --port, or 0 for any")
    })
}

fn announce(stack: &RunningStack, json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string(stack.addresses())?)?;
    } else {
        write!(out, "{}", overview::text(stack.stack(), stack.addresses()))?;
    }
    out.flush()?;
    Ok(())
}

fn start_logging(filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter)
        .with_context(|| format!("--log {filter} is no log level: try info or debug"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    Ok(())
}
