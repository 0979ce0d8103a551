//! `herald cost`: what a month costs on AWS, line by line. Arithmetic alone: it asks nobody.

mod bill;
#[cfg(test)]
mod documented;
mod prices;
mod table;
mod usage;

use std::{path::PathBuf, time::Duration};

use clap::{Args, builder::RangedU64ValueParser};
use serde::Serialize;

use crate::{commands::duration::duration, failure::Failure, output};
use bill::Bill;
use prices::{Price, Prices};
use usage::{Events, Usage};

/// Work out what a month costs on AWS, line by line
///
/// It is arithmetic: over the work that Herald's code does, and over a table of prices that says of each where
/// and when it was found. docs/cost.md has the formula and what is assumed. No bill has been compared with it, and
/// free tiers and taxes are left out.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// How many connections are open on average
    #[arg(long, value_name = "N", required_unless_present = "print_prices",
          value_parser = RangedU64ValueParser::<u64>::new().range(..=1_000_000_000))]
    connections: Option<u64>,

    /// How many pushes each connection gets a day by events from EventBridge
    #[arg(long, value_name = "N", default_value_t = 100.0, value_parser = amount)]
    pushes_a_day: f64,

    /// How many events there are a day, in place of --pushes-a-day
    #[arg(long, value_name = "N", conflicts_with = "pushes_a_day", value_parser = amount)]
    events_a_day: Option<f64>,

    /// How many connections one event or message is for
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = RangedU64ValueParser::<u64>::new().range(1..=1_000_000_000))]
    audience: u64,

    /// How many entities each connection is subscribed to
    #[arg(long, value_name = "N", default_value_t = 5)]
    subscriptions: u32,

    /// How many bytes a pushed frame has; a gateway message of over 32 KiB is billed as two or more
    #[arg(long, value_name = "BYTES", default_value_t = 500,
          value_parser = clap::value_parser!(u32).range(1..=131_072))]
    message_bytes: u32,

    /// How often a connection pings that hears nothing
    #[arg(long, value_name = "DURATION", default_value = "9m", value_parser = duration)]
    ping_every: Duration,

    /// No connection pings: pushes keep them all alive
    #[arg(long, conflicts_with = "ping_every")]
    no_pings: bool,

    /// How many messages each connection sends a day: requests, each delivered to an audience
    #[arg(long, value_name = "N", default_value_t = 0.0, value_parser = amount)]
    messages_a_day: f64,

    /// Reckon with the prices in this file
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,

    /// Print the price table, to begin one of your own with
    #[arg(long, exclusive = true)]
    print_prices: bool,

    /// Print the bill as one line of JSON, with the prices it stands on
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  A chat of 10,000 people, 100 pushes a day for each, to rooms of 100
    herald cost --connections 10000 --audience 100
  The same, when clients ping only if it is needed
    herald cost --connections 10000 --audience 100 --no-pings
  Prices of your own
    herald cost --print-prices > prices.toml
    herald cost --connections 10000 --prices prices.toml";

/// Works the bill out and prints it. Errs if the price table cannot be used.
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
        }
    }
}

/// A number of things a day: none, a part of one, or more.
fn amount(text: &str) -> Result<f64, String> {
    let amount = text.parse().ok();
    amount
        .filter(|amount| (0.0..=1e12).contains(amount))
        .ok_or_else(|| "write a number from 0 on, such as 100 or 0.5".to_owned())
}
