//! The cost of publishing over HTTP: `cargo bench -p herald-functions --bench publish`.
//!
//! Runs the release binary under the Lambda host of the local stack, with one process and one request at a
//! time, against DynamoDB's engine, a queue and a Secrets Manager on loopback, over TLS as on AWS. For
//! requests of several sizes, to an entity without a log and to one with a log, it prints the medians of
//!
//! - *start*: the time from the start of the process to its first request for an event;
//! - *first request*: the time of the first request, which fetches the keys;
//! - *requests a second* and *messages a second* of later ones, which wait for the services;
//! - *processor time*: that of a later request for each of its messages, with the Lambda runtime's work;
//! - *memory*: the resident memory after all requests.
//!
//! Compare only figures of the same machine, with nothing else running on it.

#[path = "../authorizer/figures.rs"]
mod figures;
mod function;
#[path = "../authorizer/identity.rs"]
mod identity;
#[path = "../notifier/process.rs"]
#[allow(dead_code, reason = "this benchmark does not measure peak memory")]
mod process;
mod services;

use figures::{median, timed};
use function::{Publish, stack};
use services::Services;

/// The number of processes of each row.
const STARTS: usize = 5;

/// The number of messages in the later requests of each process together.
const MESSAGES: u32 = 400;

/// The minimum number of later requests of each process.
const LEAST_REQUESTS: u32 = 20;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let stack = stack()?;
    let services = Services::start(&stack)?;
    println!("Medians of {STARTS} processes with {MESSAGES} messages in later requests, or more:");
    println!();
    println!(
        "| messages of a request | start | first request | requests/s | messages/s | processor time for a message | memory |"
    );
    println!("| --- | --: | --: | --: | --: | --: | --: |");
    for (entity, log) in [("plain", "without a log"), ("logged", "with a log")] {
        for messages in [1, 10, 100] {
            let mut figures = [const { Vec::new() }; 5];
            for _ in 0..STARTS {
                let publish = Publish::new(&stack, &services)?;
                let measured = measure(publish, entity, messages).await?;
                for (figures, figure) in figures.iter_mut().zip(measured) {
                    figures.push(figure);
                }
            }
            let [start, first, rate, processor, memory] = figures.map(median);
            println!(
                "| {messages}, {log} | {start:.1} ms | {first:.1} ms | {rate:.0} | {:.0} | {processor:.0} µs | {memory:.1} MB |",
                rate * f64::from(messages),
            );
        }
    }
    Ok(())
}

/// Measures one process: milliseconds to start and for the first request, requests a second, processor
/// microseconds for a message, and megabytes.
async fn measure(publish: Publish, entity: &str, messages: u32) -> anyhow::Result<[f64; 5]> {
    let event = function::request(entity, messages);
    let requests = (MESSAGES / messages).max(LEAST_REQUESTS);
    let start = timed(publish.start()).await?;
    let first = timed(publish.request(&event)).await?;
    let processor_before = publish.processor_seconds()?;
    let later = timed(async {
        for _ in 0..requests {
            publish.request(&event).await?;
        }
        Ok(())
    })
    .await?;
    let processor = publish.processor_seconds()? - processor_before;
    let memory = publish.resident_memory()?;
    publish.shutdown().await;
    let requests = f64::from(requests);
    Ok([
        start * 1e3,
        first * 1e3,
        requests / later,
        processor * 1e6 / requests / f64::from(messages),
        memory as f64 / 1e6,
    ])
}
