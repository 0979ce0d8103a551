//! A bar chart of latencies, as text.

use std::{fmt::Write, time::Duration};

use hdrhistogram::Histogram;

/// The longest bar, in characters.
const WIDTH: u64 = 40;

/// A bar of the chart.
#[derive(Debug, PartialEq, Eq)]
struct Bar {
    /// The upper bound in microseconds, inclusive. The lower bound is that of the bar before.
    up_to: u64,
    count: u64,
}

/// Formats a histogram of microseconds, one line for each bar. Returns an empty text if nothing was recorded.
pub(super) fn text(times: &Histogram<u64>) -> String {
    let bars = bars(times);
    let most = bars.iter().map(|bar| bar.count).max().unwrap_or_default();
    let mut text = String::new();
    for bar in bars {
        let share = 100.0 * bar.count as f64 / times.len() as f64;
        // A bar that is not empty has at least one character.
        let length = (bar.count * WIDTH).div_ceil(most) as usize;
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{:>12}  {:<40} {:>10} {share:>6.2} %",
            format!("<= {}", span(Duration::from_micros(bar.up_to))),
            "█".repeat(length),
            bar.count,
        );
    }
    text
}

/// Formats a time with about three digits, in a suitable unit.
pub(super) fn span(time: Duration) -> String {
    let microseconds = time.as_micros() as f64;
    match microseconds {
        below if below < 1e3 => format!("{below} µs"),
        below if below < 1e4 => format!("{} ms", (below / 10.0).round() / 100.0),
        below if below < 1e5 => format!("{} ms", (below / 100.0).round() / 10.0),
        below if below < 1e6 => format!("{} ms", (below / 1e3).round()),
        above => format!("{} s", (above / 1e4).round() / 100.0),
    }
}

/// Returns the bars from the shortest to the longest time, including empty bars between them.
fn bars(times: &Histogram<u64>) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for recorded in times.iter_recorded() {
        let time = times.lowest_equivalent(recorded.value_iterated_to());
        while bars.last().is_none_or(|bar| bar.up_to < time) {
            let up_to = match bars.last() {
                None => bound_of(time),
                Some(bar) => next_bound(bar.up_to),
            };
            bars.push(Bar { up_to, count: 0 });
        }
        if let Some(bar) = bars.last_mut() {
            bar.count += recorded.count_since_last_iteration();
        }
    }
    bars
}

/// Returns the smallest bound that is not below a time.
fn bound_of(time: u64) -> u64 {
    let mut bound = 1;
    while bound < time {
        bound = next_bound(bound);
    }
    bound
}

/// Returns the next of the bounds 1, 2, 5, 10, 20, 50 and so on.
fn next_bound(bound: u64) -> u64 {
    let leading = bound / 10_u64.pow(bound.ilog10());
    if leading == 2 {
        bound / 2 * 5
    } else {
        bound * 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::bench::account::{histogram, record};

    fn histogram_of(times: &[u64]) -> Histogram<u64> {
        let mut histogram = histogram();
        for time in times {
            record(&mut histogram, Duration::from_micros(*time));
        }
        histogram
    }

    #[test]
    fn every_time_is_in_one_bar_and_empty_bars_between_are_kept() {
        let times = [1001, 2000, 2001, 50_000, 50_000, 50_001];
        let counts: Vec<_> = bars(&histogram_of(&times))
            .into_iter()
            .map(|bar| (bar.up_to, bar.count))
            .collect();
        // 50.001 ms rounds to 50 ms with three digits.
        assert_eq!(
            counts,
            [(2000, 2), (5000, 1), (10_000, 0), (20_000, 0), (50_000, 3)]
        );
        assert!(bars(&histogram_of(&[])).is_empty());
        assert_eq!(text(&histogram_of(&[])), "");
    }

    #[test]
    fn longest_bar_has_full_width_and_shortest_is_visible() {
        let mut times = vec![150; 1000];
        times.push(900);
        let chart = text(&histogram_of(&times));
        let lines: Vec<_> = chart.lines().collect();
        let full = "█".repeat(40);
        assert_eq!(
            lines[0],
            format!("   <= 200 µs  {full}       1000  99.90 %")
        );
        assert_eq!(
            lines[2],
            format!("     <= 1 ms  █{:39}          1   0.10 %", "")
        );
    }

    #[test]
    fn time_is_formatted_in_a_suitable_unit() {
        for (microseconds, written) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (1000, "1 ms"),
            (1234, "1.23 ms"),
            (12_345, "12.3 ms"),
            (123_456, "123 ms"),
            (1_234_567, "1.23 s"),
        ] {
            assert_eq!(span(Duration::from_micros(microseconds)), written);
        }
    }
}
