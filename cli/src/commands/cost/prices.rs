//! A table of prices with their sources and dates, read from a file.

use std::{fs, path::Path};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

/// The built-in table.
pub(super) const BUILT_IN: &str = include_str!("../../../prices.toml");

/// AWS's prices in one Region.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Prices {
    pub(super) region: String,
    /// The date of the table.
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

/// The price of one item.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Price {
    pub(super) item: String,
    /// The unit of the quantity.
    pub(super) unit: String,
    /// US dollars for `per` units.
    pub(super) usd: f64,
    #[serde(default = "one")]
    pub(super) per: f64,
    /// The units a month above which the price applies. Units below have another price, or none.
    #[serde(default)]
    pub(super) from: f64,
    /// The web site of the price.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
    /// The date of the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) date: Option<String>,
    /// Whether a dated source states the price.
    pub(super) verified: bool,
}

fn one() -> f64 {
    1.0
}

impl Prices {
    /// Reads the table in `file`, or the built-in one.
    pub(super) fn read(file: Option<&Path>) -> anyhow::Result<Self> {
        let Some(file) = file else {
            return Self::parse(BUILT_IN);
        };
        let text = fs::read_to_string(file)
            .with_context(|| format!("cannot read the prices in {}", file.display()))?;
        Self::parse(&text).with_context(|| {
            format!(
                "{} is not a valid price table; `herald cost --print-prices` prints one",
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

    /// Returns all prices.
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
            "`usd` of {item:?} must not be negative, got {}",
            self.usd
        );
        ensure!(
            self.per.is_finite() && self.per > 0.0,
            "`per` of {item:?} must be greater than 0, got {}",
            self.per
        );
        ensure!(
            self.from.is_finite() && self.from >= 0.0,
            "`from` of {item:?} must not be negative, got {}",
            self.from
        );
        Ok(())
    }
}

/// Returns the charge for a quantity in dollars, at prices in the order of their `from`.
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
    fn each_unit_is_charged_at_the_price_of_its_tier() {
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
    fn invalid_table_is_refused_with_the_item_and_field() {
        for (text, replacement, words) in [
            (
                "usd = 0.25",
                "usd = -1",
                "`usd` of \"API Gateway WebSocket: connection minutes\" must not be negative",
            ),
            (
                "usd = 0.25\nper = 1_000_000",
                "usd = 0.25\nper = 0",
                "must be greater than 0, got 0",
            ),
            ("from = 100", "from = -1", "`from` of \"Data out"),
            ("usd = 0.25", "dollars = 0.25", "unknown field `dollars`"),
            ("[secrets]", "[secret]", "unknown field `secret`"),
            ("region = \"us-east-1\"", "", "missing field `region`"),
        ] {
            assert!(BUILT_IN.contains(text), "{text}");
            let error = Prices::parse(&BUILT_IN.replace(text, replacement)).expect_err(words);
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
