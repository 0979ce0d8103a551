//! The memory and the processor time of a large push whose continuations arrive ten at once.

use std::time::Duration;

use herald_benches::{identity::TlsIdentity, median};
use serde_json::json;

use crate::{
    Bench,
    audience::Audience,
    function::{Notifier, entity_updated, stack},
    round::push,
    services::Services,
    sink::Sink,
};

/// The entity, with an id of a usual length.
const ENTITY: &str = "order-7bf73129-1428-4cd3-a780-0f1d2c3b4a59";

/// The messages of the queue in an invocation: the batch of the template's mapping.
const AT_ONCE: usize = 10;

/// The times of the gateway for a post in milliseconds.
const DELAYS: [u64; 2] = [0, 20];

/// Measures each batch with each delay, and prints a row for each.
pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let audience = bench.run.of(100_000, 20_000);
    let services = Services::with_audience(Audience::new(ENTITY, audience)?).await?;
    println!(
        "Continuations of a push to {audience} subscribers over TLS, {AT_ONCE} at once, at the template's PostsPerSecond:"
    );
    println!();
    println!("| delay | posts/s | CPU µs a post | whole push s | peak RSS MB |");
    println!("| --: | --: | --: | --: | --: |");
    for delay in bench.run.of(&DELAYS[..], &DELAYS[..1]) {
        measure_one(bench, &services, audience, *delay).await?;
    }
    println!();
    Ok(())
}

async fn measure_one(
    bench: &mut Bench,
    services: &Services,
    audience: usize,
    delay: u64,
) -> anyhow::Result<()> {
    let identity = TlsIdentity::make()?;
    let sink = Sink::start(Duration::from_millis(delay), Some(&identity)).await?;
    let notifier = Notifier::new(
        &stack()?,
        &bench.binary,
        [
            ("AWS_ENDPOINT_URL", services.endpoint().to_owned()),
            (
                "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI",
                sink.management_api(),
            ),
            ("SSL_CERT_FILE", identity.authorities()),
        ],
    )?;
    let body = entity_updated(ENTITY);
    let mut rounds = Vec::new();
    for _ in 0..bench.run.of(3, 1) {
        rounds.push(push(&notifier, services, &sink, &body, audience, AT_ONCE).await?);
    }
    let peak = notifier.peak_memory()? as f64 / 1e6;
    notifier.shutdown().await;
    let rate = median(rounds.iter().map(|round| round.rate()));
    let processor = median(rounds.iter().map(|round| round.processor_per_post()));
    let whole = median(rounds.iter().map(|round| round.whole));
    println!("| {delay} ms | {rate:.0} | {processor:.1} | {whole:.2} | {peak:.1} |");
    bench.figures.add(
        &json!({"part": "continuations", "subscribers": audience, "delayMs": delay, "messagesAtOnce": AT_ONCE}),
        [
            ("posts", rate, "1/s"),
            ("processorTimePerPost", processor, "µs"),
            ("wholePush", whole, "s"),
            ("peakMemory", peak, "MB"),
        ],
    );
    Ok(())
}
