//! The bill as text.

use std::fmt::Write;

use super::{
    bill::{Bill, Line, grouped},
    prices::Prices,
};

/// Formats the bill as lines of text.
pub(super) fn text(bill: &Bill, prices: &Prices) -> String {
    let Prices {
        region, gathered, ..
    } = prices;
    let mut text = format!(
        "Estimate for 30 days in {region}, in US dollars, at prices of {gathered}, without free tiers and taxes.\n\n"
    );
    for line in &bill.lines {
        let mark = if line.verified { "" } else { "*" };
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{:<20}{:>40}{:>16}{mark}",
            line.name,
            quantity(line),
            line.usd
        );
    }
    let _ = writeln!(text, "{:-<76}", "");
    let is_verified = bill.lines.iter().all(|line| line.verified);
    let mark = if is_verified { "" } else { "*" };
    let _ = writeln!(text, "{:<60}{:>16}{mark}", "total", bill.all);
    if let Some(dollars) = bill.for_each_connection {
        let _ = writeln!(
            text,
            "{:<60}{:>16}{mark}",
            "per connection",
            at_least_cents(dollars)
        );
    }
    if let Some(dollars) = bill.all_without_pings {
        let _ = writeln!(text, "{:<60}{dollars:>16}{mark}", "total without pings");
    }
    if !is_verified {
        text.push_str("\n* Includes an unverified price: --print-prices marks them with `verified = false`.\n");
    }
    text.push_str("\nAssumptions: docs/cost.md. Sources of the prices: --print-prices.\n");
    text
}

fn quantity(line: &Line) -> String {
    const MILLION: f64 = 1e6;
    let unit = &line.unit;
    match line.quantity {
        None => unit.clone(),
        Some(quantity) if quantity >= MILLION => {
            format!("{} M {unit}", grouped(quantity / MILLION, 2))
        }
        Some(quantity) if quantity >= 100.0 || quantity == 0.0 => {
            format!("{} {unit}", grouped(quantity, 0))
        }
        Some(quantity) => format!("{} {unit}", grouped(quantity, 2)),
    }
}

/// Formats dollars with two decimal places, or more if the amount has them.
fn at_least_cents(dollars: f64) -> String {
    let exact = dollars.to_string();
    let places = exact.split_once('.').map_or(0, |(_, places)| places.len());
    grouped(dollars, places.max(2))
}
