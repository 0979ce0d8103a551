//! The speed and size of the notifier: `cargo bench -p herald-benches --bench notifier`.
//!
//! Runs the binary that `sam build` ships under the Lambda host of the local stack, against a minimal
//! `@connections` on loopback that is a process of its own. Prints four tables:
//!
//! - *cold-start*: the time from the start of the process to its first event, and to its first push over
//!   TLS;
//! - *delivery*: posts per second, processor time and memory for audiences and answers of several sizes,
//!   each beside a bare HTTP client that posts the same bytes to the same sink in the same run;
//! - *continuations*: processor time and memory of a push to 100,000 subscribers over TLS, whose
//!   continuations arrive ten at once, as on AWS;
//! - *history*: posts per second of whole pushes to 1,000 subscribers, with and without a log of their
//!   entity in the same run.
//!
//! Figures are medians; peaks of memory are of the whole life of a process. They compare on one machine only, and only
//! while nothing else runs on it; the processor time of a post and the ratios bear a busy machine best.
//! The argument `cold-start`, `delivery`, `continuations` or `history` runs only one of them.

mod audience;
mod bare_client;
mod cold_start;
mod continuations;
mod delivery;
mod function;
mod history;
mod round;
mod services;
mod sink;

use std::{env, path::PathBuf};

use herald_benches::{Figures, Run, functions};

/// The state of a run.
struct Bench {
    run: Run,
    /// The notifier's binary.
    binary: PathBuf,
    figures: Figures,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        // The processes that this one starts.
        [sink::PROCESS, arguments @ ..] => sink::run(arguments).await,
        [bare_client::PROCESS, arguments @ ..] => bare_client::run(arguments).await,
        _ => measure().await,
    }
}

async fn measure() -> anyhow::Result<()> {
    let parts = ["cold-start", "delivery", "continuations", "history"];
    let Some(run) = Run::from_arguments(&parts)? else {
        return Ok(());
    };
    let mut bench = Bench {
        binary: functions::binary(&function::stack()?, function::FUNCTION, &run).await?,
        figures: Figures::new("notifier", &run),
        run,
    };
    if bench.run.includes("cold-start") {
        cold_start::measure(&mut bench).await?;
    }
    if bench.run.includes("delivery") {
        delivery::measure(&mut bench).await?;
    }
    if bench.run.includes("continuations") {
        continuations::measure(&mut bench).await?;
    }
    if bench.run.includes("history") {
        history::measure(&mut bench).await?;
    }
    bench.figures.print()
}
