//! The program `herald-local`: the whole stack behind one port.

mod arguments;

use std::{
    io::{self, Write},
    net::SocketAddr,
    num::NonZero,
    process::ExitCode,
    thread,
};

use anstream::{AutoStream, ColorChoice};
use anyhow::Context;
use arguments::Arguments;
use clap::Parser;
use herald_local::{RunningStack, open_files, overview};
use tokio::{
    net::TcpListener,
    runtime::{self, Runtime},
    signal::unix::{Signal, SignalKind, signal},
};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = runtime()
        .context("failed to start the threads")
        .and_then(|runtime| runtime.block_on(run(arguments)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("herald-local: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns the runtime, with threads for half of the cores: the function processes and the clients need the
/// others, and each message would wake a second, idle thread several times.
fn runtime() -> io::Result<Runtime> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    runtime::Builder::new_multi_thread()
        .worker_threads(cores.div_ceil(2))
        .enable_all()
        .build()
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    start_logging(&arguments.log)?;
    open_files::raise();
    let mut signals = Signals::new()?;
    let json = arguments.json;
    let address = SocketAddr::new(arguments.host, arguments.port);
    let config = arguments.config()?;
    let listener = listen(address).await?;
    let stack = tokio::select! {
        stack = RunningStack::start(listener, config) => stack?,
        () = signals.received() => return Ok(()),
    };
    if stack.functions().is_none() {
        let environment = overview::environment(stack.stack(), stack.addresses());
        eprint!("{environment}");
    }
    announce(&stack, json)?;
    signals.received().await;
    eprintln!("herald-local: stopping; press Ctrl-C again to stop at once");
    tokio::select! {
        () = stack.shutdown() => {}
        () = signals.received() => {}
    }
    Ok(())
}

/// The signals that end the program: Ctrl-C and SIGTERM.
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
        format!(
            "cannot listen on {address}: choose another port with --port (0 for a free one), or another \
             address of this machine with --host"
        )
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

/// Starts logging, with colours on a terminal unless the environment forbids them.
fn start_logging(filter: &str) -> anyhow::Result<()> {
    let levels = log_filter(filter)?;
    let has_colours = AutoStream::choice(&std::io::stderr()) != ColorChoice::Never;
    tracing_subscriber::fmt()
        .with_env_filter(levels)
        .with_writer(std::io::stderr)
        .with_ansi(has_colours)
        .with_target(false)
        .init();
    Ok(())
}

/// Returns the filter. A word that is not a level is an error: as the name of a module it would silence
/// all other modules.
fn log_filter(filter: &str) -> anyhow::Result<EnvFilter> {
    let is_word = |part: &&str| !part.contains(['=', '[']);
    let mut words = filter.split(',').filter(is_word);
    let has_levels_only = words.all(|word| word.parse::<LevelFilter>().is_ok());
    EnvFilter::try_new(filter)
        .ok()
        .filter(|_| has_levels_only)
        .with_context(|| {
            format!(
                "--log must be error, warn, info, debug or trace, or a filter like \
                 herald_local=debug,warn, got `{filter}`"
            )
        })
}
