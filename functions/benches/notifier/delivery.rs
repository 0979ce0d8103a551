//! Posts per second, processor time and memory.

use std::time::Duration;

use herald_local::template::Stack;
use herald_shared::{delivery::Settings, push::Push};

use crate::{
    bare_client,
    function::{Notifier, entity_updated, numbered_update, stack, stack_with_history},
    median,
    services::Services,
    sink::Sink,
};

const AUDIENCES: [usize; 4] = [1_000, 5_000, 12_000, 50_000];

/// The time of the gateway for a post in milliseconds.
const DELAYS: [u64; 3] = [0, 5, 20];

const ROUNDS: usize = 3;

/// The figures of one round of posts.
#[derive(Default)]
struct Round {
    /// The seconds from the first post to the last answer, summed over all invocations.
    posting: f64,
    /// The seconds of all invocations.
    whole: f64,
    processor: f64,
    posts: u64,
}

impl Round {
    fn rate(&self) -> f64 {
        self.posts as f64 / self.posting
    }
}

/// Measures every audience with every delay, and prints a row for each.
pub(crate) async fn measure() -> anyhow::Result<()> {
    let stack = stack()?;
    let services = Services::start(&stack).await?;
    for audience in AUDIENCES {
        let entity = entity(audience);
        services
            .subscribe(&stack.tables[0], &entity, audience)
            .await?;
    }
    println!("Delivery, medians of {ROUNDS}:");
    println!();
    println!(
        "| subscribers | delay | posts/s | bare client's | ratio | CPU s | bare client's | \
         whole push s | peak RSS MB |"
    );
    println!("| --: | --: | --: | --: | --: | --: | --: | --: | --: |");
    for delay in DELAYS {
        for audience in AUDIENCES {
            measure_one(&stack, &services, audience, delay).await?;
        }
    }
    println!();
    Ok(())
}

fn entity(audience: usize) -> String {
    format!("entity-of-{audience}")
}

async fn measure_one(
    stack: &Stack,
    services: &Services,
    audience: usize,
    delay: u64,
) -> anyhow::Result<()> {
    let sink = Sink::start(Duration::from_millis(delay), None).await?;
    let notifier = Notifier::new(
        stack,
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
    push(&notifier, services, &sink, &body).await?;
    let (mut pushed, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let round = push(&notifier, services, &sink, &body).await?;
        anyhow::ensure!(
            round.posts == audience as u64,
            "{} of {audience} posts were made",
            round.posts
        );
        pushed.push(round);
        bare.push(post_bare(&sink, audience, frame.get()).await?);
    }
    let peak = notifier.peak_memory()? as f64 / 1e6;
    notifier.shutdown().await;
    let of =
        |rounds: &[Round], figure: fn(&Round) -> f64| median(rounds.iter().map(figure).collect());
    let (rate, bare_rate) = (of(&pushed, Round::rate), of(&bare, Round::rate));
    println!(
        "| {audience} | {delay} ms | {rate:.0} | {bare_rate:.0} | {:.0} % | {:.2} | {:.2} | {:.2} | {peak:.1} |",
        100.0 * rate / bare_rate,
        of(&pushed, |round| round.processor),
        of(&bare, |round| round.processor),
        of(&pushed, |round| round.whole),
    );
    Ok(())
}

/// The rounds with and without a log, which alternate.
const HISTORY_ROUNDS: usize = 15;

/// Measures the same audience with and without a log in alternation, and prints a row for each delay.
pub(crate) async fn measure_history() -> anyhow::Result<()> {
    const AUDIENCE: usize = AUDIENCES[0];
    let with_log = stack_with_history(r#"{"**": {"messages": 100, "seconds": 600}}"#)?;
    let services = Services::start(&with_log).await?;
    let entity = entity(AUDIENCE);
    services
        .subscribe(&with_log.tables[0], &entity, AUDIENCE)
        .await?;
    println!("History at {AUDIENCE} subscribers, medians of {HISTORY_ROUNDS}:");
    println!();
    println!("| delay | posts/s of whole pushes | with history | ratio |");
    println!("| --: | --: | --: | --: |");
    for delay in DELAYS {
        let sink = Sink::start(Duration::from_millis(delay), None).await?;
        let environment = || {
            [
                ("AWS_ENDPOINT_URL", services.endpoint().to_owned()),
                (
                    "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI",
                    sink.management_api(),
                ),
            ]
        };
        let notifiers = [
            Notifier::new(&stack()?, environment())?,
            Notifier::new(&with_log, environment())?,
        ];
        let mut rates = [Vec::new(), Vec::new()];
        for round in 0..=HISTORY_ROUNDS {
            for (notifier, rates) in notifiers.iter().zip(&mut rates) {
                let body = numbered_update(&entity, round + 1000 * delay as usize);
                let pushed = push(notifier, &services, &sink, &body).await?;
                anyhow::ensure!(pushed.posts == AUDIENCE as u64, "posts are missing");
                // The first round opens the connections, which are kept.
                if round > 0 {
                    rates.push(pushed.posts as f64 / pushed.whole);
                }
            }
        }
        let [without, with] = rates.map(median);
        println!(
            "| {delay} ms | {without:.0} | {with:.0} | {:.2} |",
            with / without
        );
        for notifier in notifiers {
            notifier.shutdown().await;
        }
    }
    println!();
    Ok(())
}

/// Delivers one event to its end, one message of the queue after the other.
async fn push(
    notifier: &Notifier,
    services: &Services,
    sink: &Sink,
    body: &str,
) -> anyhow::Result<Round> {
    let mut round = Round::default();
    let mut next = Some(body.to_owned());
    notifier.start().await?;
    let before = notifier.processor_seconds()?;
    while let Some(body) = next {
        round.whole += notifier.deliver(&body).await? / 1000.0;
        let seen = sink.seen().await?;
        round.posts += seen.posts;
        round.posting += seen.seconds;
        next = services.receive();
    }
    round.processor = notifier.processor_seconds()? - before;
    Ok(round)
}

async fn post_bare(sink: &Sink, posts: usize, frame: &str) -> anyhow::Result<Round> {
    let in_flight = Settings::default().in_flight;
    let processor = bare_client::post(sink.address(), posts, in_flight, frame).await?;
    let seen = sink.seen().await?;
    Ok(Round {
        posting: seen.seconds,
        whole: seen.seconds,
        processor: processor.as_secs_f64(),
        posts: seen.posts,
    })
}
