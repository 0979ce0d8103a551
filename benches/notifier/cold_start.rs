//! The start of a process and its first push.

use std::time::Duration;

use herald_benches::{identity::TlsIdentity, median};
use serde_json::json;

use crate::{
    Bench,
    function::{Notifier, entity_updated, stack},
    sink::Sink,
};

/// Starts the notifier repeatedly and prints the medians.
pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let starts = bench.run.of(20, 2);
    let stack = stack()?;
    let identity = TlsIdentity::make()?;
    // Two sinks, because DynamoDB and the API are different hosts on AWS, and each costs a handshake.
    let dynamodb = Sink::start(Duration::ZERO, Some(&identity)).await?;
    let gateway = Sink::start(Duration::ZERO, Some(&identity)).await?;
    let (mut ready, mut firsts, mut memories) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..starts {
        let notifier = Notifier::new(
            &stack,
            &bench.binary,
            [
                ("AWS_ENDPOINT_URL", dynamodb.origin()),
                (
                    "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI",
                    gateway.management_api(),
                ),
                ("SSL_CERT_FILE", identity.authorities()),
            ],
        )?;
        ready.push(notifier.start().await?);
        firsts.push(notifier.deliver(&[entity_updated("order-1")]).await?);
        memories.push(notifier.resident_memory()? as f64 / 1e6);
        notifier.shutdown().await;
    }
    let (ready, first, memory) = (median(ready), median(firsts), median(memories));
    println!("Cold start, medians of {starts}:");
    println!();
    println!(
        "| start to first poll | first push (query and post over TLS) | resident memory after it |"
    );
    println!("| --: | --: | --: |");
    println!("| {ready:.1} ms | {first:.1} ms | {memory:.1} MB |");
    println!();
    bench.figures.add(
        &json!({"part": "cold-start"}),
        [
            ("startToFirstPoll", ready, "ms"),
            ("firstPush", first, "ms"),
            ("residentMemory", memory, "MB"),
        ],
    );
    Ok(())
}
