//! `herald cost`: an estimate of a month's AWS bill. It only computes and makes no requests.

mod bill;
#[cfg(test)]
mod documented;
mod prices;
mod table;
mod usage;

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum, builder::RangedU64ValueParser};
use serde::Serialize;

use crate::{commands::duration::duration, failure::Failure, output, target};
use bill::Bill;
use prices::{Price, Prices};
use usage::{BackendEvents, Events, Polling, Presence, Published, Usage};

/// Estimate a month's AWS bill, line by line
///
/// The estimate multiplies the work that Herald's code does with a dated table of prices, which names the source of each
/// price and marks the unverified ones. docs/cost.md has the formula and its assumptions. The estimate has not been compared
/// with a real bill. It leaves out free tiers and taxes.
#[derive(Debug, Args)]
#[command(args = target::hidden(), after_long_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// Connections that are open on average
    #[arg(long, value_name = "N", required_unless_present = "print_prices",
          value_parser = RangedU64ValueParser::<u64>::new().range(..=1_000_000_000))]
    connections: Option<u64>,

    /// Pushes a day that each connection receives because of events
    #[arg(long, value_name = "N", default_value_t = 100.0, value_parser = amount)]
    pushes_a_day: f64,

    /// Events a day, instead of --pushes-a-day
    #[arg(long, value_name = "N", conflicts_with = "pushes_a_day", value_parser = amount)]
    events_a_day: Option<f64>,

    /// Connections that receive one event or message
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = RangedU64ValueParser::<u64>::new().range(1..=1_000_000_000))]
    audience: u64,

    /// Subscriptions of each connection
    #[arg(long, value_name = "N", default_value_t = 5)]
    subscriptions: u32,

    /// Bytes of a pushed frame; the gateway bills every 32 KiB as one message
    #[arg(long, value_name = "BYTES", default_value_t = 500,
          value_parser = clap::value_parser!(u32).range(1..=131_072))]
    message_bytes: u32,

    /// Interval of the pings of a connection
    #[arg(long, value_name = "DURATION", default_value = "9m", value_parser = duration)]
    ping_every: Duration,

    /// No pings: pushes keep all connections alive
    #[arg(long, conflicts_with = "ping_every")]
    no_pings: bool,

    /// Messages a day that each connection sends, each to one --audience
    #[arg(long, value_name = "N", default_value_t = 0.0, value_parser = amount)]
    messages_a_day: f64,

    /// Messages a day that servers publish over HTTP, each to one --audience
    #[arg(long, value_name = "N", default_value_t = 0.0, value_parser = amount)]
    published_a_day: f64,

    /// Messages in one request to publish
    #[arg(long, value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=100))]
    published_at_once: u32,

    /// Clients that poll all month, beside the connections, with as many pushes as these
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "without_history",
          value_parser = RangedU64ValueParser::<u64>::new().range(..=1_000_000_000))]
    polling: u64,

    /// Average pause between two polls of a client
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = duration)]
    poll_every: Duration,

    /// No audience has a log (`History={}`), and clients send pings in place of `sync`
    #[arg(long)]
    without_history: bool,

    /// Changes that are events for the backend (`BackendEvents`), of all connections and subscriptions
    #[arg(long, value_name = "CHANGES", value_delimiter = ',')]
    backend_events: Vec<Changes>,

    /// Subscriptions of each connection to entities with presence (`Presence`)
    #[arg(long, value_name = "N", default_value_t = 0)]
    presence: u32,

    /// Joins a day of all entities with presence, and as many leaves, without the renewals of connections
    #[arg(long, value_name = "N", default_value_t = 0.0, value_parser = amount)]
    presence_joins_a_day: f64,

    /// Frames of presence a minute, of all entities
    #[arg(long, value_name = "N", default_value_t = 0.0, value_parser = amount)]
    presence_frames_a_minute: f64,

    /// Members of one entity with presence, each of which watches the others
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = RangedU64ValueParser::<u64>::new().range(1..=1_000_000_000))]
    presence_watchers: u64,

    /// Use the prices in this file
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,

    /// Print the built-in prices, as a start for a file of your own
    #[arg(long, exclusive = true)]
    print_prices: bool,

    /// Print one line of JSON, with all prices
    #[arg(long)]
    json: bool,
}

/// The changes that are events for the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Changes {
    /// Connections that open and close
    Connections,
    /// Connections that subscribe and unsubscribe
    Subscriptions,
}

const EXAMPLES: &str = "\
Examples:
  10,000 connections with 100 pushes per day each, from events to rooms of 100
    herald cost --connections 10000 --audience 100
  The same without pings
    herald cost --connections 10000 --audience 100 --no-pings
  The same without a log of any room
    herald cost --connections 10000 --audience 100 --without-history
  A thousand of the clients poll instead
    herald cost --connections 9000 --audience 100 --polling 1000
  Events for the backend about every connection and subscription
    herald cost --connections 10000 --audience 100 --backend-events connections,subscriptions
  Presence in rooms of 10, and 100 frames of it a minute in all rooms together
    herald cost --connections 10000 --presence 1 --presence-frames-a-minute 100
  Other prices
    herald cost --print-prices > prices.toml
    herald cost --connections 10000 --prices prices.toml";

/// Prints the bill, or the built-in prices.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.print_prices {
        return output::write(prices::BUILT_IN.as_bytes());
    }
    let prices = Prices::read(arguments.prices.as_deref())?;
    let bill = Bill::new(&arguments.usage(), &prices);
    if arguments.json {
        return output::json(&Json {
            region: &prices.region,
            gathered: &prices.gathered,
            currency: "USD",
            bill: &bill,
            prices: prices.all(),
        });
    }
    output::write(table::text(&bill, &prices).as_bytes())
}

#[derive(Serialize)]
struct Json<'a> {
    region: &'a str,
    gathered: &'a str,
    currency: &'static str,
    #[serde(flatten)]
    bill: &'a Bill,
    prices: [&'a Price; 15],
}

impl Arguments {
    fn usage(&self) -> Usage {
        Usage {
            connections: self.connections.unwrap_or_default() as f64,
            events: match self.events_a_day {
                Some(events) => Events::ADay(events),
                None => Events::PushesADay(self.pushes_a_day),
            },
            audience: self.audience as f64,
            subscriptions: self.subscriptions.into(),
            message_bytes: self.message_bytes.into(),
            ping_every: (!self.no_pings).then_some(self.ping_every),
            messages_a_day: self.messages_a_day,
            published: Published {
                a_day: self.published_a_day,
                a_request: self.published_at_once.into(),
            },
            polling: Polling {
                clients: self.polling as f64,
                every: self.poll_every,
            },
            history: !self.without_history,
            backend_events: BackendEvents {
                connections: self.backend_events.contains(&Changes::Connections),
                subscriptions: self.backend_events.contains(&Changes::Subscriptions),
            },
            presence: Presence {
                subscriptions: self.presence.into(),
                joins_a_day: self.presence_joins_a_day,
                frames_a_minute: self.presence_frames_a_minute,
                watchers: self.presence_watchers as f64,
            },
        }
    }
}

/// Parses an amount per day, which may be a fraction.
fn amount(text: &str) -> Result<f64, String> {
    let amount = text.parse().ok();
    amount
        .filter(|amount| (0.0..=1e12).contains(amount))
        .ok_or_else(|| "expected a number from 0 to 1000000000000, such as 100 or 0.5".to_owned())
}
