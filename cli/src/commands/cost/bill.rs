//! A month's bill: the work of a month at the prices of a table.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{
    prices::{Price, Prices, charge},
    usage::{Usage, Work},
};

/// The resources of the template that are billed without any use: `docs/delivery.md` has the metrics, `observability.yaml`
/// the alarms. A metric that is only written on failures costs nothing until then.
const METRICS: f64 = 10.0;
const ALARMS: f64 = 11.0;
const DASHBOARDS: f64 = 1.0;
const SECRETS: f64 = 1.0;

/// A month's bill.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bill {
    /// The billed items, in the order of `docs/cost.md`.
    pub(super) lines: Vec<Line>,
    /// The total.
    pub(super) all: Usd,
    /// The total per connection, where fractions of a cent matter. `None` without connections.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) for_each_connection: Option<f64>,
    /// The total without pings. `None` if the usage has no pings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) all_without_pings: Option<Usd>,
}

/// One line of a bill.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Line {
    /// The billed item.
    pub(super) name: &'static str,
    /// The quantity. `None` for a line of several resources.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) quantity: Option<f64>,
    /// The unit of the quantity.
    pub(super) unit: String,
    pub(super) usd: Usd,
    /// True if all prices in the line are verified.
    pub(super) verified: bool,
}

/// An amount in US dollars, shown to the cent.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) struct Usd(pub(super) f64);

impl Usd {
    /// Rounds to cents, halves up. 0.855 has no exact double: without the first rounding it would become 0.85.
    pub(super) fn cents(self) -> f64 {
        const NANO: f64 = 1e9;
        ((self.0 * NANO).round() / (NANO / 100.0)).round()
    }
}

impl fmt::Display for Usd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&grouped(self.cents() / 100.0, 2))
    }
}

impl Serialize for Usd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.cents() / 100.0)
    }
}

impl Bill {
    /// Computes the bill of `usage` at `prices`.
    pub(super) fn new(usage: &Usage, prices: &Prices) -> Self {
        let lines = lines(&usage.work(), prices);
        let all = total(&lines);
        let without_pings = Usage {
            ping_every: None,
            ..*usage
        };
        Self {
            for_each_connection: (usage.connections > 0.0)
                .then(|| two_digits(all.0 / usage.connections)),
            all_without_pings: usage
                .ping_every
                .map(|_| total(&lines_of(&without_pings, prices))),
            all,
            lines,
        }
    }
}

fn lines_of(usage: &Usage, prices: &Prices) -> Vec<Line> {
    lines(&usage.work(), prices)
}

fn total(lines: &[Line]) -> Usd {
    Usd(lines.iter().map(|line| line.usd.0).sum())
}

fn lines(work: &Work, prices: &Prices) -> Vec<Line> {
    let of = |name, quantity: f64, prices: &[&Price]| Line {
        name,
        quantity: Some(quantity),
        unit: prices[0].unit.clone(),
        usd: Usd(charge(quantity, prices)),
        // A price that applies beyond the quantity does not matter.
        verified: prices
            .iter()
            .all(|price| price.verified || quantity <= price.from),
    };
    let messages = [&prices.gateway_messages, &prices.gateway_messages_beyond];
    vec![
        of(
            "connection minutes",
            work.connection_minutes,
            &[&prices.gateway_minutes],
        ),
        of("messages", work.gateway_messages, &messages),
        of(
            "Lambda requests",
            work.lambda_requests,
            &[&prices.lambda_requests],
        ),
        of(
            "Lambda time",
            work.lambda_gb_seconds,
            &[&prices.lambda_time],
        ),
        of("DynamoDB writes", work.write_units, &[&prices.table_writes]),
        of("DynamoDB reads", work.read_units, &[&prices.table_reads]),
        of("SQS", work.queue_requests, &[&prices.queue_requests]),
        of("EventBridge", work.bus_events, &[&prices.bus_events]),
        of("logs", work.log_gb, &[&prices.logs]),
        of("data out", work.out_gb, &[&prices.data_out]),
        fixed_resources(prices),
    ]
}

/// Returns the line of the resources that cost the same without connections.
fn fixed_resources(prices: &Prices) -> Line {
    let resources = [
        (METRICS, &prices.metrics),
        (ALARMS, &prices.alarms),
        (DASHBOARDS, &prices.dashboards),
        (SECRETS, &prices.secrets),
    ];
    Line {
        name: "fixed resources",
        quantity: None,
        unit: format!("{METRICS} metrics, {ALARMS} alarms, dashboard, secret"),
        usd: Usd(resources
            .iter()
            .map(|(quantity, price)| charge(*quantity, &[price]))
            .sum()),
        verified: resources.iter().all(|(_, price)| price.verified),
    }
}

/// Rounds an amount below a dollar to two significant digits, and others to cents.
fn two_digits(dollars: f64) -> f64 {
    if dollars <= 0.0 {
        return 0.0;
    }
    let places = (1.0 - dollars.log10().floor()).clamp(2.0, 9.0) as i32;
    let scale = 10_f64.powi(places);
    (dollars * scale).round() / scale
}

/// Formats a number with commas between thousands.
pub(super) fn grouped(number: f64, places: usize) -> String {
    let text = format!("{number:.places$}");
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, format!(".{fraction}")),
        None => (text.as_str(), String::new()),
    };
    let digits = whole.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = digits.map(String::from_utf8_lossy).collect();
    groups.join(",") + &fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_rounded_to_cents() {
        for (dollars, shown) in [
            (0.0, "0.00"),
            (0.855, "0.86"),
            (0.854_999, "0.85"),
            (1.08, "1.08"),
            (999.995, "1,000.00"),
            (38_324.506, "38,324.51"),
            (1_234_567.0, "1,234,567.00"),
        ] {
            assert_eq!(Usd(dollars).to_string(), shown);
        }
    }

    #[test]
    fn small_amount_keeps_two_significant_digits() {
        for (dollars, rounded) in [
            (0.0, 0.0),
            (12.345, 12.35),
            (0.1137, 0.11),
            (0.041_942, 0.042),
            (0.000_123_4, 0.000_12),
        ] {
            assert_eq!(two_digits(dollars), rounded);
        }
    }
}
