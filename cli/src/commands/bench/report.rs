//! The report of a run, as text and as JSON.

mod positions;
mod reconnect;

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::{
    account::Totals,
    chart::{self, span},
    plan::Plan,
    ramp::RampResult,
    run::{Run, RunConfig},
};
use crate::{commands::counted, failure::Failure};
use positions::Positions;
use reconnect::ReconnectReport;

/// The report of a run. Times are in milliseconds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) connections: Connections,
    pub(super) events: Events,
    pub(super) deliveries: Deliveries,
    /// The times from just before an event is published to its arrival, one value for each delivery.
    pub(super) latency: Times,
    /// The times from an event's first arrival to its last, one value for each event with several deliveries.
    pub(super) spread: Times,
    /// The order of the messages by their positions. `None` if no entity has a log.
    pub(super) positions: Option<Positions>,
    /// The drop of all connections. `None` without one.
    pub(super) reconnect: Option<ReconnectReport>,
    /// True if Ctrl-C ended the run early.
    pub(super) interrupted: bool,
    #[serde(skip)]
    chart: String,
}

/// The connections of a run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connections {
    pub(super) asked_for: usize,
    pub(super) open: usize,
    pub(super) failed: usize,
    /// The number of times that a connection broke and its client reconnected, without the drop of all connections.
    pub(super) broken: u64,
    pub(super) seconds: f64,
    pub(super) per_second: f64,
    /// The times from the first attempt of a connection to its last subscription.
    pub(super) times: Times,
}

/// The published events.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Events {
    pub(super) published: u64,
    pub(super) refused: u64,
    pub(super) seconds: f64,
    pub(super) per_second: f64,
}

/// The deliveries of the published events.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Deliveries {
    pub(super) expected: u64,
    pub(super) delivered: u64,
    pub(super) lost: u64,
    pub(super) repeated: u64,
    pub(super) unexpected: u64,
    pub(super) seconds: f64,
    pub(super) per_second: f64,
}

/// Percentiles in milliseconds. All are 0 without values.
#[derive(Debug, Serialize)]
pub(super) struct Times {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    #[serde(rename = "p99.9")]
    pub(super) p999: f64,
    pub(super) max: f64,
}

impl Report {
    /// Makes the report of a run.
    pub(super) fn new(config: &RunConfig<'_>, ramp: &RampResult, run: &Run) -> Self {
        let account = &run.account;
        let totals = account.totals();
        Self {
            connections: Connections::new(&config.plan, ramp, run.broken),
            events: Events::new(totals, account.publishing_time()),
            deliveries: Deliveries::new(totals, account.delivery_time()),
            latency: Times::of(account.latencies()),
            spread: Times::of(&account.spreads()),
            positions: Positions::of(run, &config.run_id),
            reconnect: ReconnectReport::of(run),
            interrupted: config.interrupts.count() > 0,
            chart: chart::text(account.latencies()),
        }
    }

    /// Formats the report as text.
    pub(super) fn text(&self) -> String {
        let Connections {
            asked_for,
            open,
            failed,
            broken,
            seconds,
            per_second,
            times,
        } = &self.connections;
        let mut text = format!(
            "connections  {open} of {asked_for} open, {failed} failed, {broken} broken later; {seconds:.1} s, \
             {per_second:.0} a second\n"
        );
        text += &row("  setup", times);
        let Events {
            published,
            refused,
            seconds,
            per_second,
        } = &self.events;
        text += &format!(
            "events       {published} published, {refused} refused; {seconds:.1} s, {per_second:.1} a second\n"
        );
        let Deliveries {
            expected,
            delivered,
            lost,
            repeated,
            unexpected,
            seconds,
            per_second,
        } = &self.deliveries;
        text += &format!(
            "deliveries   {delivered} of {expected} expected, {lost} lost, {repeated} repeated, {unexpected} \
             unexpected; {seconds:.1} s, {per_second:.0} a second\n"
        );
        text += &row("latency", &self.latency);
        text += &row("spread", &self.spread);
        if let Some(positions) = &self.positions {
            text += &positions.text();
        }
        if let Some(reconnect) = &self.reconnect {
            text += &reconnect.text();
        }
        if !self.chart.is_empty() {
            text += "\nLatency of the deliveries:\n\n";
            text += &self.chart;
        }
        text
    }

    /// Returns the result of the run. Fails if deliveries were lost or out of order, events refused, or connections
    /// failed or did not return.
    pub(super) fn result(&self) -> Result<(), Failure> {
        let Deliveries {
            expected,
            delivered,
            lost,
            ..
        } = self.deliveries;
        let (failed, refused) = (self.connections.failed, self.events.refused);
        let mut errors = Vec::new();
        if lost > 0 {
            let noun = if expected == 1 {
                "delivery"
            } else {
                "deliveries"
            };
            errors.push(format!("{lost} of {expected} {noun} lost"));
        }
        if refused > 0 {
            errors.push(format!("{} refused", counted(refused, "event")));
        }
        if failed > 0 {
            errors.push(format!("{} failed", counted(failed as u64, "connection")));
        }
        let out_of_order = self.positions.as_ref().map_or(0, Positions::out_of_order);
        if out_of_order > 0 {
            errors.push(format!("{out_of_order} out of order"));
        }
        let away = self.reconnect.as_ref().map_or(0, ReconnectReport::away);
        if away > 0 {
            errors.push(format!(
                "{} not live again",
                counted(away as u64, "connection")
            ));
        }
        let sentence = errors.join(", ");
        match (errors.is_empty(), self.interrupted) {
            (_, true) => Err(Failure::Interrupted),
            (true, false) => Ok(()),
            (false, false) if delivered == 0 => Err(Failure::Failed(anyhow::Error::msg(sentence))),
            (false, false) => Err(Failure::partial(sentence)),
        }
    }
}

impl Connections {
    fn new(plan: &Plan, ramp: &RampResult, broken: u64) -> Self {
        let seconds = ramp.duration.as_secs_f64();
        Self {
            asked_for: plan.connections,
            open: ramp.open,
            failed: ramp.failed,
            broken,
            seconds,
            per_second: rate(ramp.open as u64, seconds),
            times: Times::of(&ramp.times),
        }
    }
}

impl Events {
    fn new(totals: Totals, time: Duration) -> Self {
        let seconds = time.as_secs_f64();
        // There is one interval fewer than there are events.
        let intervals = (totals.published + totals.refused).saturating_sub(1);
        Self {
            published: totals.published,
            refused: totals.refused,
            seconds,
            per_second: rate(intervals, seconds),
        }
    }
}

impl Deliveries {
    fn new(totals: Totals, time: Duration) -> Self {
        let seconds = time.as_secs_f64();
        Self {
            expected: totals.expected,
            delivered: totals.delivered,
            lost: totals.lost(),
            repeated: totals.repeated,
            unexpected: totals.unexpected,
            seconds,
            per_second: rate(totals.delivered, seconds),
        }
    }
}

impl Times {
    /// Returns the percentiles of a histogram of microseconds.
    fn of(histogram: &Histogram<u64>) -> Self {
        let milliseconds = |microseconds: u64| microseconds as f64 / 1000.0;
        let at = |quantile| milliseconds(histogram.value_at_quantile(quantile));
        Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: milliseconds(histogram.max()),
        }
    }
}

fn rate(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        count as f64 / seconds
    } else {
        0.0
    }
}

fn row(name: &str, times: &Times) -> String {
    let time = |milliseconds: f64| span(Duration::from_secs_f64(milliseconds / 1000.0));
    let Times {
        p50,
        p90,
        p99,
        p999,
        max,
    } = times;
    format!(
        "{name:<11}  p50 {}, p90 {}, p99 {}, p99.9 {}, max {}\n",
        time(*p50),
        time(*p90),
        time(*p99),
        time(*p999),
        time(*max)
    )
}
