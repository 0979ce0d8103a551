//! The cost of the authorizer: `cargo bench -p herald-functions --bench authorizer`.
//!
//! Runs the release binary under the Lambda host of the local stack, against an issuer and a Secrets
//! Manager on loopback, over TLS as on AWS. For each way to check a token it prints the medians of
//!
//! - *start*: the time from the start of the process to its first request for an event;
//! - *first check*: the time of the first event, which fetches the keys or the secret;
//! - *warm check*: the time of each later event;
//! - *processor time*: that of a warm check, including the Lambda runtime's work for an event; the row
//!   `open` is that work alone;
//! - *memory*: the resident memory after all checks.
//!
//! Compare only figures of the same machine, with nothing else running on it.

mod figures;
mod function;
mod identity;
mod issuer;
#[path = "../notifier/process.rs"]
#[allow(dead_code, reason = "this benchmark does not measure peak memory")]
mod process;
mod tokens;

use crate::{
    figures::{median, timed},
    function::Authorizer,
    issuer::Issuer,
    tokens::Signer,
};

/// The number of processes.
const STARTS: usize = 9;

/// The number of warm checks of each process.
const CHECKS: usize = 500;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    println!("Medians of {STARTS} processes with {CHECKS} warm checks each:");
    println!();
    println!("| token | start | first check | warm check | processor time | memory |");
    println!("| --- | --: | --: | --: | --: | --: |");
    for signer in Signer::all() {
        let issuer = Issuer::start(&signer).await?;
        let mut figures = [const { Vec::new() }; 5];
        for _ in 0..STARTS {
            let measured = measure(&signer, &issuer).await?;
            for (figures, figure) in figures.iter_mut().zip(measured) {
                figures.push(figure);
            }
        }
        let [start, first, warm, processor, memory] = figures.map(median);
        println!(
            "| {} | {start:.1} ms | {first:.1} ms | {warm:.0} µs | {processor:.0} µs | {memory:.1} MB |",
            signer.name(),
        );
    }
    Ok(())
}

/// Measures one process: milliseconds to start and for the first check, microseconds and processor
/// microseconds for a warm check, and megabytes.
async fn measure(signer: &Signer, issuer: &Issuer) -> anyhow::Result<[f64; 5]> {
    let event = signer.event(&issuer.name);
    let authorizer = Authorizer::new(signer, issuer)?;
    let start = timed(authorizer.start()).await?;
    let first = timed(authorizer.check(&event)).await?;
    let processor_before = authorizer.processor_seconds()?;
    let warm = timed(async {
        for _ in 0..CHECKS {
            authorizer.check(&event).await?;
        }
        Ok(())
    })
    .await?;
    let processor = authorizer.processor_seconds()? - processor_before;
    let memory = authorizer.resident_memory()?;
    authorizer.shutdown().await;
    let checks = CHECKS as f64;
    Ok([
        start * 1e3,
        first * 1e3,
        warm * 1e6 / checks,
        processor * 1e6 / checks,
        memory as f64 / 1e6,
    ])
}
