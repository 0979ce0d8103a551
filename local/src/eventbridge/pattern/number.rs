//! The comparison of JSON numbers by value, independent of their notation.

use std::cmp::Ordering;

use serde_json::Number;

/// Compares two numbers: integers exactly, so that ids beyond 2^53 stay distinct, all others as
/// floating point numbers.
pub(super) fn compare(left: &Number, right: &Number) -> Ordering {
    match (left.as_i128(), right.as_i128()) {
        (Some(left), Some(right)) => left.cmp(&right),
        _ => floating_point(left).total_cmp(&floating_point(right)),
    }
}

/// Converts the number. Adding zero makes negative zero positive; `total_cmp` would distinguish
/// them.
fn floating_point(number: &Number) -> f64 {
    number.as_f64().unwrap_or(f64::NAN) + 0.0
}
