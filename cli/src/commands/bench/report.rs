//! What came of a run, for a person and for a program.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::{
    account::Totals,
    chart::{self, span},
    plan::Plan,
    run::Run,
};
use crate::failure::Failure;

/// What came of a run. Times are in milliseconds.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) connections: Connections,
    pub(super) events: Events,
    pub(super) deliveries: Deliveries,
    /// From just before an event is published to its arrival: one value for each delivery.
    pub(super) latency: Times,
    /// From an event's first arrival to its last: one value for each event with several.
    pub(super) spread: Times,
    /// Whether Ctrl-C ended it early.
    pub(super) interrupted: bool,
    #[serde(skip)]
    chart: String,
}

/// How the connections came about, and held.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connections {
    pub(super) asked_for: usize,
    pub(super) open: usize,
    pub(super) failed: usize,
    /// How often one broke, and was made again by its client: what was pushed in between is lost.
    pub(super) broken: u64,
    pub(super) seconds: f64,
    pub(super) per_second: f64,
    /// From the first attempt of one to its last subscription.
    pub(super) times: Times,
}

/// What was published.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Events {
    pub(super) published: u64,
    pub(super) refused: u64,
    pub(super) seconds: f64,
    pub(super) per_second: f64,
}

/// What became of it.
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

/// How times are spread, in milliseconds; all 0 if there are none.
#[derive(Debug, Serialize)]
pub(super) struct Times {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    #[serde(rename = "p99.9")]
    pub(super) p999: f64,
    pub(super) max: f64,
}

/// How the connections were made.
pub(super) struct Connecting {
    pub(super) open: usize,
    pub(super) failed: usize,
    pub(super) took: Duration,
    pub(super) times: Histogram<u64>,
}

impl Report {
    /// The report on what was accounted for.
    pub(super) fn new(plan: &Plan, connecting: &Connecting, run: &Run, interrupted: bool) -> Self {
        let account = &run.account;
        let totals = account.totals();
        Self {
            connections: Connections::new(plan, connecting, run.broken),
            events: Events::new(totals, account.publishing_took()),
            deliveries: Deliveries::new(totals, account.delivering_took()),
            latency: Times::of(account.latencies()),
            spread: Times::of(&account.spreads()),
            interrupted,
            chart: chart::text(account.latencies()),
        }
    }

    /// The report as a person reads it.
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
            "connections  {open} open of {asked_for}, {failed} failed, {broken} broken later; {seconds:.1} s, \
             {per_second:.0} a second\n"
        );
        text += &row("  each took", times);
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
        if !self.chart.is_empty() {
            text += "\nLatency of each delivery:\n\n";
            text += &self.chart;
        }
        text
    }

    /// Whether all is well; errs with what is not.
    pub(super) fn verdict(&self) -> Result<(), Failure> {
        let Deliveries {
            expected,
            delivered,
            lost,
            ..
        } = self.deliveries;
        let (failed, refused) = (self.connections.failed, self.events.refused);
        let mut wrongs = Vec::new();
        if lost > 0 {
            wrongs.push(format!("{lost} of {expected} deliveries were lost"));
        }
        if refused > 0 {
            wrongs.push(format!("{refused} events were refused"));
        }
        if failed > 0 {
            wrongs.push(format!("{failed} connections failed"));
        }
        let sentence = wrongs.join(", ");
        match (wrongs.is_empty(), self.interrupted) {
            (_, true) => Err(Failure::Interrupted),
            (true, false) => Ok(()),
            (false, false) if delivered == 0 => Err(Failure::Failed(anyhow::Error::msg(sentence))),
            (false, false) => Err(Failure::partial(sentence)),
        }
    }
}

impl Connections {
    fn new(plan: &Plan, connecting: &Connecting, broken: u64) -> Self {
        let seconds = connecting.took.as_secs_f64();
        Self {
            asked_for: plan.connections,
            open: connecting.open,
            failed: connecting.failed,
            broken,
            seconds,
            per_second: rate(connecting.open as u64, seconds),
            times: Times::of(&connecting.times),
        }
    }
}

impl Events {
    fn new(totals: Totals, took: Duration) -> Self {
        let seconds = took.as_secs_f64();
        // From the first to the last there is one fewer than there are.
        let after_the_first = (totals.published + totals.refused).saturating_sub(1);
        Self {
            published: totals.published,
            refused: totals.refused,
            seconds,
            per_second: rate(after_the_first, seconds),
        }
    }
}

impl Deliveries {
    fn new(totals: Totals, took: Duration) -> Self {
        let seconds = took.as_secs_f64();
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
    /// How a histogram of microseconds is spread.
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
