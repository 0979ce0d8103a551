//! The speed and size of the notifier: `cargo bench -p herald-functions --bench notifier`.
//!
//! Runs the release binary under the Lambda host of the local stack, against a minimal `@connections` on
//! loopback that is a process of its own. Prints three tables:
//!
//! - *cold start*: the time from the start of the process to its first event, and to its first push over
//!   TLS;
//! - *delivery*: posts per second, processor time and memory for audiences and answers of several sizes,
//!   each beside a bare HTTP client that posts the same bytes to the same sink in the same run;
//! - *history*: posts per second of whole pushes to 1,000 subscribers, with and without a log of their
//!   entity in the same run.
//!
//! All figures are medians. They compare on one machine only, and only while nothing else runs on it.
//! `-- cold-start`, `-- delivery` or `-- history` runs only one of them.

mod bare_client;
mod cold_start;
mod delivery;
mod function;
mod process;
mod services;
mod sink;

use std::env;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        // The processes that this one starts.
        [sink::PROCESS, arguments @ ..] => sink::run(arguments).await,
        [bare_client::PROCESS, arguments @ ..] => bare_client::run(arguments).await,
        ["cold-start", ..] => cold_start::measure().await,
        ["delivery", ..] => delivery::measure().await,
        ["history", ..] => delivery::measure_history().await,
        _ => {
            cold_start::measure().await?;
            delivery::measure().await?;
            delivery::measure_history().await
        }
    }
}

/// Returns the median.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
