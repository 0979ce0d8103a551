//! `PutEvents` with retries.

use std::time::Duration;

use anyhow::anyhow;
use aws_config::SdkConfig;
use aws_sdk_eventbridge::{
    Client,
    types::{PutEventsRequestEntry, PutEventsResultEntry},
};
use herald_shared::backoff::bound;
use tokio::time::sleep;

use super::{
    batch::Limits,
    channel::{Published, Results},
    entry::Entry,
};
use crate::failure::{Failure, aws_failure};

/// The number of attempts for an event.
const ATTEMPTS: u32 = 6;

// Bounds of the delays between attempts.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// An event bus.
pub(super) struct Bus {
    client: Client,
    name: String,
    source: String,
}

impl Bus {
    /// The limits of a call.
    ///
    /// Newer documentation says 1 MB. Every Region has always accepted this size, and no event of Herald's is larger.
    ///
    /// Sources: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>,
    /// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>
    pub(super) const LIMITS: Limits = Limits {
        entries: 10,
        bytes: 256 * 1024,
    };

    /// Makes a client of the bus `name`, whose events have this `source`.
    pub(super) fn new(config: &SdkConfig, name: &str, source: &str) -> Self {
        Self {
            client: Client::new(config),
            name: name.to_owned(),
            source: source.to_owned(),
        }
    }

    /// Returns the bytes that EventBridge counts for an event without time and resources.
    ///
    /// Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size>
    pub(super) fn size(&self, entry: &Entry) -> usize {
        self.source.len() + entry.detail_type.len() + entry.detail.len()
    }

    /// Publishes the events of one call, and retries those that fail for a transient reason.
    pub(super) async fn put(&self, entries: &[&Entry]) -> Result<Results, Failure> {
        let mut results: Vec<_> = self.attempt(entries).await?;
        for retry in 0..ATTEMPTS - 1 {
            let failed: Vec<_> = (0..entries.len())
                .filter(|index| is_retryable(&results[*index]))
                .collect();
            if failed.is_empty() {
                break;
            }
            let share = fastrand::f64();
            sleep(bound(FIRST_DELAY, LONGEST_DELAY, retry).mul_f64(share)).await;
            let retried: Vec<_> = failed.iter().map(|index| entries[*index]).collect();
            for (index, result) in failed.into_iter().zip(self.attempt(&retried).await?) {
                results[index] = result;
            }
        }
        Ok(entries
            .iter()
            .zip(results)
            .map(|(entry, result)| Ok(Published::with_id(event_id(entry, result)?)))
            .collect())
    }

    /// Makes one call. Returns a result for each event, in order.
    async fn attempt(&self, entries: &[&Entry]) -> Result<Vec<PutEventsResultEntry>, Failure> {
        let requested = entries.iter().map(|entry| {
            PutEventsRequestEntry::builder()
                .event_bus_name(&self.name)
                .source(&self.source)
                .detail_type(entry.detail_type)
                .detail(&entry.detail)
                .build()
        });
        let put = self.client.put_events();
        let response = put.set_entries(Some(requested.collect())).send().await;
        let response =
            response.map_err(|error| aws_failure("cannot publish on the event bus", error))?;
        let results = response.entries.unwrap_or_default();
        if results.len() != entries.len() {
            return Err(anyhow!("EventBridge responded with the wrong number of results").into());
        }
        Ok(results)
    }
}

/// Returns true if an event failed for a transient reason.
///
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html>
fn is_retryable(result: &PutEventsResultEntry) -> bool {
    matches!(
        result.error_code(),
        Some("ThrottlingException" | "InternalFailure" | "InternalException")
    )
}

/// Returns the event id that clients receive.
fn event_id(entry: &Entry, result: PutEventsResultEntry) -> anyhow::Result<String> {
    match (result.event_id, result.error_code) {
        (Some(event_id), None) => Ok(entry.idempotency_key.clone().unwrap_or(event_id)),
        (_, code) => Err(anyhow!(
            "EventBridge refused the event: {} ({})",
            result.error_message.as_deref().unwrap_or("no reason given"),
            code.as_deref().unwrap_or("no code"),
        )),
    }
}
