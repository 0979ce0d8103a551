//! `herald bench`: a load test that accounts for every delivery.

mod account;
mod bit_set;
mod chart;
mod events;
mod interrupts;
mod open_files;
mod order;
mod plan;
mod progress;
mod publishing;
mod ramp;
mod reconnect;
mod report;
mod run;

use std::time::Duration;

use clap::Args;

use crate::{
    commands::{duration::duration, until_interrupted},
    failure::Failure,
    output,
    target::{Identity, Target, TargetArguments},
};
use events::RunId;
use interrupts::Interrupts;
use plan::{Plan, Publisher};
use progress::Progress;
use publishing::Transport;
use ramp::{Connector, Pace};
use report::Report;
use run::RunConfig;

/// Measure delivery with many connections and a steady rate of events
///
/// Each connection subscribes to its share of the entities. When all connections are open, herald publishes events about the
/// entities in turn and counts every push. At the end it waits for missing pushes, at most for --drain. Once all pushes have
/// arrived, it waits one second for repeats.
///
/// Latency is the time from just before the call of PutEvents (or sendMessage) to the arrival of the push in this process, by
/// one clock. It includes the call, the bus, the queue, the notifier, the gateway, the network and this process, which
/// shares the machine with a herald-local that runs there. It does not include the delay of an event that is published late
/// because the rate cannot be reached: the report has the actual rate.
///
/// A repeat is a second arrival of an event at a connection: the client's removal of repeats is off. A connection that breaks
/// is reconnected. It recovers the pushes that it missed if their entity has a log; otherwise they count as lost.
///
/// If entities have logs, the report counts messages that arrived out of order or not at all by their positions, for each
/// entity.
///
/// With --reconnect, all connections break at once without a close, as in a failure of the network. The report has the time
/// from the drop until the last subscription of each connection was acknowledged again, and what the connections missed in
/// that time. A herald-local also tells the frames, invocations and units from the drop to the end; AWS does not tell them.
#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Number of connections
    #[arg(long, short = 'c', value_name = "N", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    connections: u32,

    /// Number of entities
    #[arg(long, short = 'e', value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    entities: u32,

    /// Number of entities that each connection subscribes to
    #[arg(long, short = 's', value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    subscriptions: u32,

    /// Events published per second
    #[arg(long, short = 'r', value_name = "N", default_value_t = 10.0, value_parser = rate)]
    rate: f64,

    /// Time for which events are published
    #[arg(long, short = 'd', value_name = "DURATION", default_value = "10s", value_parser = duration)]
    duration: Duration,

    /// Size of each message, in bytes of JSON
    #[arg(long, value_name = "BYTES", default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(0..=100_000))]
    message_bytes: u32,

    /// Publish from the connections in turn, with sendMessage, which needs no AWS credentials
    #[arg(long)]
    by_clients: bool,

    /// Connections opened per second
    #[arg(long, value_name = "N", default_value_t = 200.0, value_parser = rate)]
    connect_rate: f64,

    /// Largest number of connections that are being opened at once
    #[arg(long, value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    connect_at_once: u32,

    /// Longest time to wait for missing pushes at the end
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    drain: Duration,

    /// Drop all connections at once, halfway through --duration, and measure until they are live again
    #[arg(long)]
    reconnect: bool,

    /// Print the report as one line of JSON; times are milliseconds
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    identity: Identity,
}

const EXAMPLES: &str = "\
Each connection is an open file: raise `ulimit -n` accordingly, here and where herald-local runs.
Ctrl-C ends the publishing, a second Ctrl-C the waiting; the report is printed in any case.
Exit codes: 5 if deliveries were lost or out of order, events refused or connections failed; 1 if nothing was delivered.

Examples:
  herald bench
  5,000 connections to 2 of 1,000 entities each, so 10 to each entity, and 50 events per second for a minute
    herald bench -c 5000 -e 1000 -s 2 -r 50 -d 1m
  One event per second to all connections
    herald bench -c 5000 -e 1 -r 1 -d 30s
  5,000 connections with 20 subscriptions each that break at once and return
    herald bench -c 5000 -e 5000 -s 20 -r 50 -d 1m --reconnect
  The effect of a fault
    cargo run -p herald-local -- --fault failing=0.2
    herald bench --json | jq .deliveries";

/// Runs the load test and prints the report. Fails as [`Report::result`] does.
pub(crate) async fn run(arguments: &Arguments, target: &TargetArguments) -> Result<(), Failure> {
    let plan = arguments.plan()?;
    open_files::check(plan.connections)?;
    let target = until_interrupted(Target::find(target)).await?;
    let bus = match plan.publisher {
        Publisher::Bus => Some(arguments.bus(&target).await?),
        Publisher::Clients => None,
    };
    let progress = Progress::new();
    let interrupts = Interrupts::listen();
    let config = RunConfig {
        plan,
        run_id: RunId::new(),
        message_bytes: arguments.message_bytes as usize,
        drain: arguments.drain,
        reconnect: arguments.reconnect,
        target: &target,
        progress: &progress,
        interrupts: &interrupts,
    };

    let connector = Connector {
        tokens: arguments.identity.tokens(&target)?,
        run_id: config.run_id.clone(),
        target: &target,
        plan,
    };
    let ramp = connector
        .connect_all(arguments.pace(), &progress, &interrupts)
        .await?;
    let clients = run::clients(&plan, &ramp.subscribers);
    let transport = bus.unwrap_or_else(|| Transport::Clients(clients.clone()));
    let run = run::measure(&config, transport, ramp.subscribers, &clients).await?;
    let report = Report::new(&config, &ramp.result, &run);
    drop(progress);
    arguments.print(&report)?;
    for (subject, reason) in [
        ("first failed connection", ramp.result.first_failure),
        ("first refused event", run.first_refusal),
    ] {
        if let Some(reason) = reason {
            output::note(format_args!("{subject}: {reason}"));
        }
    }
    run::close(&clients).await;
    report.result()
}

impl Arguments {
    /// Makes the plan. Fails with [`Failure::Usage`] if entities, connections and subscriptions do not fit together.
    fn plan(&self) -> Result<Plan, Failure> {
        let (connections, entities) = (u64::from(self.connections), u64::from(self.entities));
        let subscriptions = u64::from(self.subscriptions);
        if subscriptions > entities {
            return Err(Failure::usage(format!(
                "--subscriptions {subscriptions} exceeds --entities {entities}: raise --entities or lower \
                 --subscriptions"
            )));
        }
        if entities > connections * subscriptions {
            return Err(Failure::usage(format!(
                "--entities {entities} exceeds --connections times --subscriptions ({}), which leaves entities \
                 without a subscriber: lower --entities",
                connections * subscriptions,
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

    async fn bus(&self, target: &Target) -> Result<Transport, Failure> {
        Ok(Transport::Bus {
            events: aws_sdk_eventbridge::Client::new(&target.aws().await?),
            bus: target.addresses.bus()?.to_owned(),
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

/// Parses a rate per second, which may be a fraction.
fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok();
    rate.filter(|rate| (0.001..=100_000.0).contains(rate))
        .ok_or_else(|| "expected a number from 0.001 to 100000".to_owned())
}
