//! The notifier's metrics: one line of JSON for each invocation, which CloudWatch extracts from the log.
//! It costs no request and no waiting.
//!
//! Counts of zero are written as well. A line then has every metric, an alarm can return to OK, and a
//! metric costs by the hour in which it has any value, be it one or a thousand.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

#[cfg(test)]
mod tests;

use std::{
    error::Error,
    io::{self, Write},
};

use herald_shared::delivery::Report;
use lambda_runtime::Error as StartError;
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use metrics_cloudwatch_embedded::{Builder, Collector};

use crate::notifier::Batch;

/// The namespace of all metrics.
pub(crate) const NAMESPACE: &str = "Herald";

/// The only dimension. Each further one would multiply the cost of the metrics.
pub(crate) const DIMENSION: &str = "FunctionName";

type Count = fn(&Report) -> usize;

/// The counters by name.
const COUNTS: [(&str, Count); 9] = [
    ("AudienceSize", |report| report.audience),
    ("Delivered", |report| report.delivered),
    ("Gone", |report| report.gone),
    ("Disconnected", |report| report.disconnected),
    ("Throttled", |report| report.throttled),
    ("Retried", |report| report.retried),
    ("Requeued", |report| report.requeued),
    ("DeadLettered", |report| report.dead_lettered),
    ("Continuations", |report| report.continuations),
];

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
            counter!(name).increment(count(&batch.report) as u64);
        }
        for lag in &batch.lags {
            histogram!(LAG).record(lag.as_millis() as f64);
        }
        self.collector.flush(&mut output)?;
        output.flush()
    }
}
