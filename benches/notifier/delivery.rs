//! Posts per second, processor time and memory.

use std::time::Duration;

use herald_benches::median;
use herald_local::template::Stack;
use herald_shared::{delivery::Settings, push::Push};
use serde_json::json;

use crate::{
    Bench, bare_client,
    function::{Notifier, entity_updated, stack_with},
    round::{Round, push},
    services::Services,
    sink::Sink,
};

const AUDIENCES: [usize; 4] = [1_000, 5_000, 12_000, 50_000];

/// The time of the gateway for a post in milliseconds.
pub(crate) const DELAYS: [u64; 3] = [0, 5, 20];

/// No processor makes so many posts a second: Herald's share of the account's requests delays none.
const POSTS_PER_SECOND: u32 = 1_000_000;

/// Measures every audience with every delay, and prints a row for each.
pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let stack = stack_with([("PostsPerSecond", &POSTS_PER_SECOND.to_string())])?;
    let services = Services::start(&stack).await?;
    let audiences = bench.run.of(&AUDIENCES[..], &AUDIENCES[..1]);
    let delays = bench.run.of(&DELAYS[..], &DELAYS[..1]);
    for &audience in audiences {
        let entity = entity(audience);
        services
            .subscribe(&stack.tables[0], &entity, audience)
            .await?;
    }
    println!("Delivery, medians of {}:", rounds(bench));
    println!();
    println!(
        "| subscribers | delay | posts/s | bare client's | ratio | CPU s | bare client's | \
         whole push s | peak RSS MB |"
    );
    println!("| --: | --: | --: | --: | --: | --: | --: | --: | --: |");
    for &delay in delays {
        for &audience in audiences {
            measure_one(bench, &stack, &services, audience, delay).await?;
        }
    }
    println!();
    Ok(())
}

fn rounds(bench: &Bench) -> usize {
    bench.run.of(3, 1)
}

/// Returns the entity with this number of subscribers.
pub(crate) fn entity(audience: usize) -> String {
    format!("entity-of-{audience}")
}

async fn measure_one(
    bench: &mut Bench,
    stack: &Stack,
    services: &Services,
    audience: usize,
    delay: u64,
) -> anyhow::Result<()> {
    let sink = Sink::start(Duration::from_millis(delay), None).await?;
    let notifier = Notifier::new(
        stack,
        &bench.binary,
        [
            ("AWS_ENDPOINT_URL", services.endpoint().to_owned()),
            (
                "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI",
                sink.management_api(),
            ),
        ],
    )?;
    let body = entity_updated(&entity(audience));
    let frame = Push::from_queue_body(&body)?.frame;
    // Opens the connections, which are kept.
    push(&notifier, services, &sink, &body, audience, 1).await?;
    let (mut pushed, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..rounds(bench) {
        pushed.push(push(&notifier, services, &sink, &body, audience, 1).await?);
        bare.push(post_bare(&sink, audience, frame.get()).await?);
    }
    let peak = notifier.peak_memory()? as f64 / 1e6;
    notifier.shutdown().await;
    let of = |rounds: &[Round], figure: fn(&Round) -> f64| median(rounds.iter().map(figure));
    let (rate, bare_rate) = (of(&pushed, Round::rate), of(&bare, Round::rate));
    let processor = |rounds| of(rounds, |round| round.processor);
    let whole = of(&pushed, |round| round.whole);
    println!(
        "| {audience} | {delay} ms | {rate:.0} | {bare_rate:.0} | {:.0} % | {:.2} | {:.2} | {whole:.2} | {peak:.1} |",
        100.0 * rate / bare_rate,
        processor(&pushed),
        processor(&bare),
    );
    bench.figures.add(
        &json!({"part": "delivery", "subscribers": audience, "delayMs": delay}),
        [
            ("posts", rate, "1/s"),
            ("bareClientPosts", bare_rate, "1/s"),
            (
                "processorTimePerPost",
                of(&pushed, Round::processor_per_post),
                "µs",
            ),
            (
                "bareClientProcessorTimePerPost",
                of(&bare, Round::processor_per_post),
                "µs",
            ),
            ("wholePush", whole, "s"),
            ("peakMemory", peak, "MB"),
        ],
    );
    Ok(())
}

async fn post_bare(sink: &Sink, posts: usize, frame: &str) -> anyhow::Result<Round> {
    let in_flight = Settings::for_share(POSTS_PER_SECOND).in_flight;
    let processor = bare_client::post(sink.address(), posts, in_flight, frame).await?;
    let seen = sink.seen().await?;
    Ok(Round {
        posting: seen.seconds,
        whole: seen.seconds,
        processor: processor.as_secs_f64(),
        posts: seen.posts,
    })
}
