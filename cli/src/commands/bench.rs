//! `herald bench`: many connections, events at a rate, and what became of each.

mod account;
mod chart;
mod events;
mod interrupts;
mod open_files;
mod plan;
mod progress;
mod publishing;
mod ramp;
mod report;
mod run;

use std::time::Duration;

use clap::Args;

use crate::{
    arguments::Globals,
    commands::{duration::duration, until_interrupted},
    failure::Failure,
    output,
    target::{Identity, Target},
};
use events::Names;
use interrupts::Interrupts;
use plan::{Plan, Publisher};
use progress::Progress;
use publishing::Way;
use ramp::{Door, Pace};
use report::{Connecting, Report};
use run::Setting;

/// Measure delivery: many connections, events at a rate, and what became of each
///
/// Every connection subscribes to its share of the entities; when all are open, events about the entities are
/// published in turn, and every arrival is counted. At the end the rest is waited for, for as long as --drain
/// says, and a second longer for repeats when all has arrived.
///
/// Latency is from just before PutEvents (or sendMessage) is called to the push's arrival at its subscriber in
/// this same process, so one clock measures both. In it are the call itself, the bus, the queue, the notifier,
/// the gateway, the network and this process, which shares the machine with herald-local if that runs here.
/// Not in it is the time an event waited to be published if the rate could not be kept: the report has the rate that came of
/// it. A repeat is an arrival beyond the first, of an event at a connection: the client's own removal of repeats is off.
/// A connection that breaks is made again, and what was pushed in between counts as lost.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// How many connections
    #[arg(long, short = 'c', value_name = "N", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    connections: u32,

    /// How many entities
    #[arg(long, short = 'e', value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    entities: u32,

    /// How many of them each connection subscribes to
    #[arg(long, short = 's', value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    subscriptions: u32,

    /// How many events are published a second
    #[arg(long, short = 'r', value_name = "N", default_value_t = 10.0, value_parser = rate)]
    rate: f64,

    /// For how long
    #[arg(long, short = 'd', value_name = "DURATION", default_value = "10s", value_parser = duration)]
    duration: Duration,

    /// How many bytes of JSON a message has
    #[arg(long, value_name = "BYTES", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(0..=100_000))]
    message_bytes: u32,

    /// The connections publish, in turn, with sendMessage; needs no AWS credentials
    #[arg(long)]
    by_clients: bool,

    /// How many connections are begun a second
    #[arg(long, value_name = "N", default_value_t = 200.0, value_parser = rate)]
    connect_rate: f64,

    /// How many connections may be under way at once while they are made
    #[arg(long, value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connect_at_once: u32,

    /// How long what has not arrived is waited for in the end
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    drain: Duration,

    /// Print the report as one line of JSON; times are milliseconds
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    identity: Identity,
}

const EXAMPLES: &str = "\
A connection is a file: `ulimit -n` has to allow as many, here and where herald-local runs.
Ctrl-C ends the publishing, a second one the waiting; the report is printed all the same.
Exit codes: 5 if some deliveries were lost, events refused or connections failed, 1 if nothing was delivered.

Examples:
  herald bench
  5,000 connections, each to 2 of 1,000 entities, so 10 to each, and 50 events a second for a minute
    herald bench -c 5000 -e 1000 -s 2 -r 50 -d 1m
  One event a second to everybody
    herald bench -c 5000 -e 1 -r 1 -d 30s
  What a fault does
    cargo run -p herald-local -- --fault failing=0.2
    herald bench --json | jq .deliveries";

/// Runs the bench and prints the report. Errs if something was lost, or if nobody can be reached.
pub(crate) async fn run(arguments: &Arguments, globals: &Globals) -> Result<(), Failure> {
    let plan = arguments.plan()?;
    open_files::check(plan.connections)?;
    let target = until_interrupted(Target::find(globals)).await?;
    let bus = match plan.publisher {
        Publisher::Bus => Some(arguments.bus(&target).await?),
        Publisher::Clients => None,
    };
    let progress = Progress::new();
    let interrupts = Interrupts::listen();
    let setting = Setting {
        plan,
        names: Names::new(),
        message_bytes: arguments.message_bytes as usize,
        drain: arguments.drain,
        progress: &progress,
        interrupts: &interrupts,
    };

    let door = Door {
        tokens: arguments.identity.tokens(&target)?,
        names: setting.names.clone(),
        target: &target,
        plan,
    };
    let ramp = door
        .connect_all(arguments.pace(), &progress, &interrupts)
        .await?;
    let clients = run::clients(&plan, &ramp.participants);
    let way = bus.unwrap_or_else(|| Way::Clients(clients.clone()));
    let connecting = Connecting {
        open: ramp.participants.len(),
        failed: ramp.failed,
        took: ramp.took,
        times: ramp.times,
    };
    let run = run::measure(&setting, way, ramp.participants).await?;
    let report = Report::new(&plan, &connecting, &run, interrupts.times() > 0);
    drop(progress);
    arguments.print(&report)?;
    for (what, reason) in [
        ("connection that failed", ramp.first_failure),
        ("event that was refused", run.first_refusal),
    ] {
        if let Some(reason) = reason {
            output::note(format_args!("The first {what}: {reason}"));
        }
    }
    run::close(&clients).await;
    report.verdict()
}

impl Arguments {
    /// Errs if entities, connections and subscriptions do not fit together.
    fn plan(&self) -> Result<Plan, Failure> {
        let (connections, entities) = (u64::from(self.connections), u64::from(self.entities));
        let subscriptions = u64::from(self.subscriptions);
        if subscriptions > entities {
            return Err(Failure::usage(format!(
                "a connection cannot subscribe to {subscriptions} of {entities} entities: ask for more --entities \
                 or fewer --subscriptions"
            )));
        }
        if entities > connections * subscriptions {
            return Err(Failure::usage(format!(
                "{connections} connections with {subscriptions} subscriptions each leave some of {entities} entities \
                 without a subscriber: ask for fewer --entities"
            )));
        }
        Ok(Plan {
            connections: self.connections as usize,
            entities: self.entities as usize,
            subscriptions: self.subscriptions as usize,
            rate: self.rate,
            duration: self.duration,
            publisher: if self.by_clients {
                Publisher::Clients
            } else {
                Publisher::Bus
            },
        })
    }

    fn pace(&self) -> Pace {
        Pace {
            rate: self.connect_rate,
            at_once: self.connect_at_once as usize,
        }
    }

    async fn bus(&self, target: &Target) -> Result<Way, Failure> {
        Ok(Way::Bus {
            events: aws_sdk_eventbridge::Client::new(&target.aws().await?),
            bus: target.bus()?.to_owned(),
        })
    }

    fn print(&self, report: &Report) -> Result<(), Failure> {
        if self.json {
            output::json(report)
        } else {
            output::write(report.text().as_bytes())
        }
    }
}

/// How many a second: a part of one, or more.
fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok();
    rate.filter(|rate| (0.001..=100_000.0).contains(rate))
        .ok_or_else(|| "write a number from 0.001 to 100000".to_owned())
}
