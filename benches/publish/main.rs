//! The cost of publishing over HTTP: `cargo bench -p herald-benches --bench publish`.
//!
//! Runs the binary that `sam build` ships under the Lambda host of the local stack, with one process and one request at a
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

mod function;
mod services;

use herald_benches::{Figures, OneProcess, Run, functions, median, timed};
use serde_json::json;

use function::{FUNCTION, answer, publish, stack};
use services::Services;

/// The minimum number of later requests of each process.
const LEAST_REQUESTS: u32 = 20;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Some(run) = Run::from_arguments(&[])? else {
        return Ok(());
    };
    let stack = stack()?;
    let binary = functions::binary(&stack, FUNCTION, &run).await?;
    let mut figures = Figures::new("publish", &run);
    // The number of processes of each row, and of messages in the later requests of each process together.
    let (starts, in_all) = run.of((5, 400), (1, 20));
    let services = Services::start(&stack)?;
    println!("Medians of {starts} processes with {in_all} messages in later requests, or more:");
    println!();
    println!(
        "| messages of a request | start | first request | requests/s | messages/s | processor time for a message | memory |"
    );
    println!("| --- | --: | --: | --: | --: | --: | --: |");
    for (entity, log) in [("plain", "without a log"), ("logged", "with a log")] {
        for messages in [1, 10, 100] {
            let requests = (in_all / messages).max(LEAST_REQUESTS);
            let mut measured = [const { Vec::new() }; 5];
            for _ in 0..starts {
                let publish = publish(&stack, &services, &binary)?;
                let one = measure(publish, entity, messages, requests).await?;
                for (measured, figure) in measured.iter_mut().zip(one) {
                    measured.push(figure);
                }
            }
            let [start, first, rate, processor, memory] = measured.map(median);
            println!(
                "| {messages}, {log} | {start:.1} ms | {first:.1} ms | {rate:.0} | {:.0} | {processor:.0} µs | {memory:.1} MB |",
                rate * f64::from(messages),
            );
            figures.add(
                &json!({"messages": messages, "log": entity == "logged"}),
                [
                    ("start", start, "ms"),
                    ("firstRequest", first, "ms"),
                    ("requests", rate, "1/s"),
                    ("processorTimePerMessage", processor, "µs"),
                    ("residentMemory", memory, "MB"),
                ],
            );
        }
    }
    println!();
    figures.print()
}

/// Measures one process: milliseconds to start and for the first request, requests a second, processor
/// microseconds for a message, and megabytes.
async fn measure(
    publish: OneProcess,
    entity: &str,
    messages: u32,
    requests: u32,
) -> anyhow::Result<[f64; 5]> {
    let event = function::request(entity, messages);
    let start = timed(publish.start()).await?;
    let first = timed(answer(&publish, &event)).await?;
    let processor_before = publish.processor_seconds()?;
    let later = timed(async {
        for _ in 0..requests {
            answer(&publish, &event).await?;
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
