//! Posts per second of whole pushes with and without a log.

use std::time::Duration;

use herald_benches::median;
use serde_json::json;

use crate::{
    Bench,
    delivery::{DELAYS, entity},
    function::{Notifier, numbered_update, stack, stack_with},
    round::push,
    services::Services,
    sink::Sink,
};

const AUDIENCE: usize = 1_000;

/// Measures the same audience with and without a log in alternation, and prints a row for each delay.
pub(crate) async fn measure(bench: &mut Bench) -> anyhow::Result<()> {
    let rounds = bench.run.of(15, 1);
    let with_log = stack_with([("History", r#"{"**": {"messages": 100, "seconds": 600}}"#)])?;
    let services = Services::start(&with_log).await?;
    let entity = entity(AUDIENCE);
    services
        .subscribe(&with_log.tables[0], &entity, AUDIENCE)
        .await?;
    println!("History at {AUDIENCE} subscribers, medians of {rounds}:");
    println!();
    println!("| delay | posts/s of whole pushes | with history | ratio |");
    println!("| --: | --: | --: | --: |");
    for &delay in bench.run.of(&DELAYS[..], &DELAYS[..1]) {
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
            Notifier::new(&stack()?, &bench.binary, environment())?,
            Notifier::new(&with_log, &bench.binary, environment())?,
        ];
        let mut rates = [Vec::new(), Vec::new()];
        for round in 0..=rounds {
            for (notifier, rates) in notifiers.iter().zip(&mut rates) {
                let body = numbered_update(&entity, round + 1000 * delay as usize);
                let pushed = push(notifier, &services, &sink, &body, AUDIENCE, 1).await?;
                // The first round opens the connections, which are kept.
                if round > 0 {
                    rates.push(pushed.posts as f64 / pushed.whole);
                }
            }
        }
        let [without, with] = rates.map(median);
        let ratio = with / without;
        println!("| {delay} ms | {without:.0} | {with:.0} | {ratio:.2} |");
        bench.figures.add(
            &json!({"part": "history", "subscribers": AUDIENCE, "delayMs": delay}),
            [
                ("postsOfWholePushes", without, "1/s"),
                ("postsOfWholePushesWithHistory", with, "1/s"),
            ],
        );
        for notifier in notifiers {
            notifier.shutdown().await;
        }
    }
    println!();
    Ok(())
}
