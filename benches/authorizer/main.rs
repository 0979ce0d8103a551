//! The cost of the authorizer: `cargo bench -p herald-benches --bench authorizer`.
//!
//! Runs the binary that `sam build` ships under the Lambda host of the local stack, against an issuer and a Secrets
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

mod function;
mod issuer;
mod tokens;

use std::path::Path;

use herald_benches::{Figures, Run, functions, median, stack, timed};
use serde_json::json;

use crate::{
    function::{FUNCTION, authorizer, check},
    issuer::Issuer,
    tokens::Signer,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Some(run) = Run::from_arguments(&[])? else {
        return Ok(());
    };
    let binary = functions::binary(&stack([("Authentication", "open")])?, FUNCTION, &run).await?;
    let mut figures = Figures::new("authorizer", &run);
    // The number of processes, and of warm checks of each.
    let (starts, checks) = run.of((9, 500), (1, 20));
    println!("Medians of {starts} processes with {checks} warm checks each:");
    println!();
    println!("| token | start | first check | warm check | processor time | memory |");
    println!("| --- | --: | --: | --: | --: | --: |");
    for signer in Signer::all() {
        let issuer = Issuer::start(&signer).await?;
        let mut measured = [const { Vec::new() }; 5];
        for _ in 0..starts {
            let one = measure(&signer, &issuer, &binary, checks).await?;
            for (measured, figure) in measured.iter_mut().zip(one) {
                measured.push(figure);
            }
        }
        let [start, first, warm, processor, memory] = measured.map(median);
        let token = signer.name();
        println!(
            "| {token} | {start:.1} ms | {first:.1} ms | {warm:.0} µs | {processor:.0} µs | {memory:.1} MB |",
        );
        figures.add(
            &json!({"token": token}),
            [
                ("start", start, "ms"),
                ("firstCheck", first, "ms"),
                ("warmCheck", warm, "µs"),
                ("processorTimePerCheck", processor, "µs"),
                ("residentMemory", memory, "MB"),
            ],
        );
    }
    println!();
    figures.print()
}

/// Measures one process: milliseconds to start and for the first check, microseconds and processor
/// microseconds for a warm check, and megabytes.
async fn measure(
    signer: &Signer,
    issuer: &Issuer,
    binary: &Path,
    checks: u32,
) -> anyhow::Result<[f64; 5]> {
    let event = signer.event(&issuer.name);
    let authorizer = authorizer(signer, issuer, binary)?;
    let start = timed(authorizer.start()).await?;
    let first = timed(check(&authorizer, &event)).await?;
    let processor_before = authorizer.processor_seconds()?;
    let warm = timed(async {
        for _ in 0..checks {
            check(&authorizer, &event).await?;
        }
        Ok(())
    })
    .await?;
    let processor = authorizer.processor_seconds()? - processor_before;
    let memory = authorizer.resident_memory()?;
    authorizer.shutdown().await;
    let checks = f64::from(checks);
    Ok([
        start * 1e3,
        first * 1e3,
        warm * 1e6 / checks,
        processor * 1e6 / checks,
        memory as f64 / 1e6,
    ])
}
