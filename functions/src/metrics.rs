//! The notifier's metrics: one line of JSON for each invocation, which CloudWatch extracts from the log.
//! It costs no request and no waiting.
//!
//! Counts of zero are written as well, except for `Stale`. A line then has every other metric, an alarm can return to OK, and a
//! metric costs by the hour in which it has any value, be it one or a thousand.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

#[cfg(test)]
mod tests;

use std::{
    error::Error,
    io::{self, Write},
};

use lambda_runtime::Error as StartError;
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use metrics_cloudwatch_embedded::{Builder, Collector};

use crate::notifier::Batch;

/// The namespace of all metrics.
pub(crate) const NAMESPACE: &str = "Herald";

/// The only dimension. Each further one would multiply the cost of the metrics.
pub(crate) const DIMENSION: &str = "FunctionName";

type Count = fn(&Batch) -> usize;

/// The counters by name.
const COUNTS: [(&str, Count); 9] = [
    ("AudienceSize", |batch| batch.report.audience),
    ("Delivered", |batch| batch.report.delivered),
    ("Gone", |batch| batch.report.gone),
    ("Disconnected", |batch| batch.report.disconnected),
    ("Throttled", |batch| batch.report.throttled),
    ("Retried", |batch| batch.report.retried),
    ("Requeued", |batch| batch.report.requeued),
    ("DeadLettered", |batch| batch.report.dead_lettered),
    ("Continuations", |batch| batch.report.continuations),
];

/// The events that a log of the last message dropped. It is absent if there are none, because most stacks have
/// no such log and would pay for the metric: so it is a histogram, which has no zeros.
const STALE: &str = "Stale";

/// The time from an event to its last post, in milliseconds: one value for each record, so that
/// CloudWatch can compute percentiles.
const LAG: &str = "Lag";

/// The writer of a function's metrics.
#[derive(Clone, Copy)]
pub struct Metrics {
    collector: &'static Collector,
}

impl Metrics {
    /// Starts to measure the function of this name.
    ///
    /// # Errors
    ///
    /// Returns an error if it was called before in the same process.
    pub fn start(function_name: String) -> Result<Self, StartError> {
        let collector = Builder::new()
            .cloudwatch_namespace(NAMESPACE)
            .with_dimension(DIMENSION, function_name)
            .emit_zeros(true)
            .init()?;
        for (name, _) in COUNTS {
            describe_counter!(name, Unit::Count, "");
        }
        describe_histogram!(STALE, Unit::Count, "");
        describe_histogram!(LAG, Unit::Milliseconds, "");
        Ok(Self { collector })
    }

    /// Prints the line of one invocation. A failure is only logged, because it does not affect clients.
    pub fn print(self, batch: &Batch) {
        // Locked, so that no other output splits the line.
        if let Err(error) = self.write(batch, io::stdout().lock()) {
            let error = &error as &dyn Error;
            tracing::warn!(error, "failed to print the metrics");
        }
    }

    fn write(self, batch: &Batch, mut output: impl Write) -> io::Result<()> {
        for (name, count) in COUNTS {
            counter!(name).increment(count(batch) as u64);
        }
        if batch.stale > 0 {
            histogram!(STALE).record(batch.stale as f64);
        }
        for lag in &batch.lags {
            histogram!(LAG).record(lag.as_millis() as f64);
        }
        self.collector.flush(&mut output)?;
        output.flush()
    }
}
