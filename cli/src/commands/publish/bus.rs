//! PutEvents, with what EventBridge could not take tried again.

use std::time::Duration;

use anyhow::anyhow;
use aws_config::SdkConfig;
use aws_sdk_eventbridge::{
    Client,
    types::{PutEventsRequestEntry, PutEventsResultEntry},
};
use herald_shared::backoff::bound;
use tokio::time::sleep;

use super::entry::Entry;
use crate::{failure::Failure, target::aws_failure};

/// How often an event is tried.
const ATTEMPTS: u32 = 6;

// Bounds of the delays between attempts.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(5);

/// The bus that events are put on.
pub(super) struct Bus {
    client: Client,
    name: String,
    pub(super) source: String,
}

impl Bus {
    /// The bus called `name`, and what its events say of where they come from.
    pub(super) fn new(config: &SdkConfig, name: &str, source: &str) -> Self {
        Self {
            client: Client::new(config),
            name: name.to_owned(),
            source: source.to_owned(),
        }
    }

    /// Puts the events of one call. Returns for each, in order, the id under which clients get it, or why
    /// it was not taken in the end.
    ///
    /// Errs if the call as a whole fails.
    pub(super) async fn put(
        &self,
        entries: &[&Entry],
    ) -> Result<Vec<anyhow::Result<String>>, Failure> {
        let mut results: Vec<_> = self.attempt(entries).await?;
        for failures in 0..ATTEMPTS - 1 {
            let again: Vec<_> = (0..entries.len())
                .filter(|index| is_retryable(&results[*index]))
                .collect();
            if again.is_empty() {
                break;
            }
            let share = fastrand::f64();
            sleep(bound(FIRST_DELAY, LONGEST_DELAY, failures).mul_f64(share)).await;
            let left: Vec<_> = again.iter().map(|index| entries[*index]).collect();
            for (index, result) in again.into_iter().zip(self.attempt(&left).await?) {
                results[index] = result;
            }
        }
        Ok(entries
            .iter()
            .zip(results)
            .map(|(entry, result)| outcome(entry, result))
            .collect())
    }

    /// One call. Returns as many results as there are events.
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
        let answered = put.set_entries(Some(requested.collect())).send().await;
        let answered =
            answered.map_err(|error| aws_failure("EventBridge takes no events", error))?;
        let results = answered.entries.unwrap_or_default();
        if results.len() != entries.len() {
            return Err(anyhow!("EventBridge answers about other events than were put").into());
        }
        Ok(results)
    }
}

/// Whether an event was not taken for a reason that passes.
///
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html>
fn is_retryable(result: &PutEventsResultEntry) -> bool {
    matches!(
        result.error_code(),
        Some("ThrottlingException" | "InternalFailure" | "InternalException")
    )
}

fn outcome(entry: &Entry, result: PutEventsResultEntry) -> anyhow::Result<String> {
    match (result.event_id, result.error_code) {
        (Some(event_id), None) => Ok(entry.idempotency_key.clone().unwrap_or(event_id)),
        (_, code) => Err(anyhow!(
            "EventBridge did not take it: {} ({})",
            result.error_message.as_deref().unwrap_or("no reason given"),
            code.as_deref().unwrap_or("no code"),
        )),
    }
}
