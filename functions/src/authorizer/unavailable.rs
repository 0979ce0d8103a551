//! The metric `KeysUnavailable`: the number of clients that were refused because the issuer's keys or
//! the secret could not be loaded. While it counts, clients with valid tokens cannot connect.
//!
//! Each refusal is one line of JSON, which CloudWatch extracts from the log. There is no line otherwise,
//! so an alarm on it treats missing data as good.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::{
    error::Error,
    io::{self, Write},
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use crate::metrics::{DIMENSION, NAMESPACE};

const NAME: &str = "KeysUnavailable";

/// The writer of a function's metric.
#[derive(Clone, Debug)]
pub struct KeysUnavailable {
    function_name: String,
}

impl KeysUnavailable {
    /// Returns the metric of the function of this name.
    pub fn new(function_name: String) -> Self {
        Self { function_name }
    }

    /// Counts a client that was refused at `now`. A failure to print is only logged, because it does not
    /// affect the client.
    pub(super) fn count(&self, now: SystemTime) {
        // One write, so that no other output splits the line.
        let line = format!("{}\n", self.document(now));
        if let Err(error) = io::stdout().lock().write_all(line.as_bytes()) {
            let error = &error as &dyn Error;
            tracing::warn!(error, "failed to print the metric");
        }
    }

    fn document(&self, now: SystemTime) -> Value {
        let timestamp = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        json!({
            "_aws": {
                "Timestamp": u64::try_from(timestamp.as_millis()).unwrap_or(u64::MAX),
                "CloudWatchMetrics": [{
                    "Namespace": NAMESPACE,
                    "Dimensions": [[DIMENSION]],
                    "Metrics": [{"Name": NAME, "Unit": "Count"}],
                }],
            },
            DIMENSION: self.function_name,
            NAME: 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn refused_client_is_one_count_in_embedded_metric_format() {
        let metric = KeysUnavailable::new("stack-Authorizer".to_owned());
        let now = UNIX_EPOCH + Duration::from_millis(1_800_000_000_500);
        assert_eq!(
            metric.document(now),
            json!({
                "_aws": {
                    "Timestamp": 1_800_000_000_500_u64,
                    "CloudWatchMetrics": [{
                        "Namespace": "Herald",
                        "Dimensions": [["FunctionName"]],
                        "Metrics": [{"Name": "KeysUnavailable", "Unit": "Count"}],
                    }],
                },
                "FunctionName": "stack-Authorizer",
                "KeysUnavailable": 1,
            })
        );
    }
}
