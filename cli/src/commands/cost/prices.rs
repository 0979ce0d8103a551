//! A price table: data, read from a file, with the place and the date that each price is from.

use std::{fs, path::Path};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

/// The table that comes with the tool.
pub(super) const BUILT_IN: &str = include_str!("../../../prices.toml");

/// What AWS asks for in one Region.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Prices {
    /// The Region.
    pub(super) region: String,
    /// The day on which the table was made.
    pub(super) gathered: String,
    pub(super) gateway_messages: Price,
    pub(super) gateway_messages_beyond: Price,
    pub(super) gateway_minutes: Price,
    pub(super) lambda_requests: Price,
    pub(super) lambda_time: Price,
    pub(super) table_writes: Price,
    pub(super) table_reads: Price,
    pub(super) queue_requests: Price,
    pub(super) bus_events: Price,
    pub(super) logs: Price,
    pub(super) metrics: Price,
    pub(super) dashboards: Price,
    pub(super) alarms: Price,
    pub(super) data_out: Price,
    pub(super) secrets: Price,
}

/// The price of one thing.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Price {
    /// What it is.
    pub(super) item: String,
    /// What is counted.
    pub(super) unit: String,
    /// US dollars.
    pub(super) usd: f64,
    /// For so many units.
    #[serde(default = "one")]
    pub(super) per: f64,
    /// From so many units a month on; what is below has another price, or none.
    #[serde(default)]
    pub(super) from: f64,
    /// Where it was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
    /// From when what was found there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) date: Option<String>,
    /// Whether it was found anywhere with a date.
    pub(super) verified: bool,
}

fn one() -> f64 {
    1.0
}

impl Prices {
    /// The table in `file`, or the one that comes with the tool. Errs with what is wrong with the file.
    pub(super) fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = file else {
            return Self::parse(BUILT_IN);
        };
        let text = fs::read_to_string(file)
            .with_context(|| format!("failed to read the prices in {}", file.display()))?;
        Self::parse(&text).with_context(|| {
            format!(
                "{} is no price table: begin with what --print-prices prints",
                file.display()
            )
        })
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let prices: Self = toml::from_str(text)?;
        for price in prices.all() {
            price.check()?;
        }
        Ok(prices)
    }

    /// Every price.
    pub(super) fn all(&self) -> [&Price; 15] {
        [
            &self.gateway_messages,
            &self.gateway_messages_beyond,
            &self.gateway_minutes,
            &self.lambda_requests,
            &self.lambda_time,
            &self.table_writes,
            &self.table_reads,
            &self.queue_requests,
            &self.bus_events,
            &self.logs,
            &self.metrics,
            &self.dashboards,
            &self.alarms,
            &self.data_out,
            &self.secrets,
        ]
    }
}

impl Price {
    fn check(&self) -> anyhow::Result<()> {
        let item = &self.item;
        ensure!(
            self.usd.is_finite() && self.usd >= 0.0,
            "the price of {item:?} must not be negative"
        );
        ensure!(
            self.per.is_finite() && self.per > 0.0,
            "the price of {item:?} must be per so many units, more than none"
        );
        ensure!(
            self.from.is_finite() && self.from >= 0.0,
            "the price of {item:?} must be from so many units on, or from none"
        );
        Ok(())
    }
}

/// What so many units cost, in dollars, at prices in the order of their `from`.
pub(super) fn charge(units: f64, prices: &[&Price]) -> f64 {
    let ends = prices.iter().skip(1).map(|next| next.from);
    let ends = ends.chain([f64::INFINITY]);
    prices
        .iter()
        .zip(ends)
        .map(|(price, end)| (units.min(end) - price.from).max(0.0) * price.usd / price.per)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_charged_at_the_price_that_is_theirs() {
        let built_in = Prices::read(None).expect("a table");
        let messages = [
            &built_in.gateway_messages,
            &built_in.gateway_messages_beyond,
        ];
        for (units, dollars) in [
            (0.0, 0.0),
            (1e6, 1.0),
            (1e9, 1000.0),
            (1.5e9, 1400.0),
            (16.2e9, 13_160.0),
        ] {
            assert_eq!(charge(units, &messages), dollars, "{units} messages");
        }
        let out = [&built_in.data_out];
        assert_eq!(charge(100.0, &out), 0.0);
        assert_eq!(charge(200.0, &out), 9.0);
    }

    #[test]
    fn what_is_wrong_with_a_table_is_said() {
        for (text, replacement, said) in [
            (
                "usd = 0.25",
                "usd = -1",
                "the price of \"API Gateway WebSocket: connection minutes\" must not be negative",
            ),
            (
                "usd = 0.25\nper = 1_000_000",
                "usd = 0.25\nper = 0",
                "must be per so many units",
            ),
            ("from = 100", "from = -1", "must be from so many units on"),
            ("usd = 0.25", "dollars = 0.25", "unknown field `dollars`"),
            ("[secrets]", "[secret]", "unknown field `secret`"),
            ("region = \"us-east-1\"", "", "missing field `region`"),
        ] {
            assert!(BUILT_IN.contains(text), "{text}");
            let error = Prices::parse(&BUILT_IN.replace(text, replacement)).expect_err(said);
            assert!(error.to_string().contains(said), "{error}");
        }
    }
}
