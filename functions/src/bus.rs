//! An event bus, and the events that functions put on it.

use std::{future::Future, time::Duration};

use aws_sdk_eventbridge::{
    Client,
    types::{PutEventsRequestEntry, PutEventsResultEntry},
};
use futures_util::future::join_all;
use herald_shared::{backoff::bound, error_chain::error_chain};
use tokio::time::{Instant, sleep, timeout_at};

/// An event for a bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusEvent {
    /// The detail-type.
    pub detail_type: &'static str,
    /// The detail's JSON text.
    pub detail: String,
}

/// The reason a bus did not accept an event. The same event may be accepted later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PutError {
    /// The bus is throttled.
    #[error("the bus is throttled")]
    Throttled,
    /// The bus did not answer in time. It may have accepted the event.
    #[error("the bus did not answer in time")]
    TimedOut,
    /// The bus refused the event or the request, or could not be reached.
    #[error("the bus did not accept the event: {0}")]
    Failed(String),
}

/// The maximum number of events in a call.
///
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>
const BATCH: usize = 10;

/// The maximum size of a call, in bytes. Newer documentation says 1 MB; every Region has always accepted this
/// size, and no event of Herald's is larger.
///
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html>
const BATCH_BYTES: usize = 256 * 1024;

/// The time between the last attempt and the deadline of the answer.
const RESERVE: Duration = Duration::from_millis(500);

// Bounds of the pauses between attempts.
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A writer to the event bus.
pub trait Bus: Sync {
    /// Puts events, and returns the bus's id of each or the error, in order. It retries those that fail
    /// until shortly before `answer_by`.
    fn put(
        &self,
        events: &[&BusEvent],
        answer_by: Instant,
    ) -> impl Future<Output = Vec<Result<String, PutError>>> + Send;
}

/// A bus of EventBridge.
#[derive(Clone, Debug)]
pub struct EventBus {
    client: Client,
    name: String,
    /// The source of the events.
    source: String,
}

impl EventBus {
    /// Returns the bus of this name. Its events are from `source`.
    pub fn new(client: Client, name: String, source: String) -> Self {
        Self {
            client,
            name,
            source,
        }
    }

    async fn put_batch(
        &self,
        events: &[&BusEvent],
        until: Instant,
    ) -> Vec<Result<String, PutError>> {
        let mut results: Vec<Result<String, PutError>> =
            vec![Err(PutError::TimedOut); events.len()];
        let mut open: Vec<usize> = (0..events.len()).collect();
        for attempt in 0.. {
            let batch: Vec<_> = open.iter().map(|&index| events[index]).collect();
            let Ok(put) = timeout_at(until, self.attempt(&batch)).await else {
                break;
            };
            for (&index, result) in open.iter().zip(put) {
                results[index] = result;
            }
            open.retain(|&index| results[index].is_err());
            let pause = bound(PAUSE, LONGEST_PAUSE, attempt).mul_f64(fastrand::f64());
            if open.is_empty() || Instant::now() + pause >= until {
                break;
            }
            sleep(pause).await;
        }
        results
    }

    /// Makes one call.
    async fn attempt(&self, events: &[&BusEvent]) -> Vec<Result<String, PutError>> {
        let entries = events.iter().map(|event| {
            PutEventsRequestEntry::builder()
                .event_bus_name(&self.name)
                .source(&self.source)
                .detail_type(event.detail_type)
                .detail(&event.detail)
                .build()
        });
        let put = self.client.put_events();
        match put.set_entries(Some(entries.collect())).send().await {
            Ok(put) => {
                let mut results = put.entries.unwrap_or_default().into_iter().map(result);
                let missing = || Err(PutError::Failed("the answer lacks the event".to_owned()));
                let mut next = || results.next().unwrap_or_else(missing);
                events.iter().map(|_| next()).collect()
            }
            Err(error) => {
                let reason = error_chain(&error);
                tracing::error!(reason, "a request failed");
                vec![Err(PutError::Failed(reason)); events.len()]
            }
        }
    }
}

impl Bus for EventBus {
    async fn put(&self, events: &[&BusEvent], answer_by: Instant) -> Vec<Result<String, PutError>> {
        let until = answer_by.checked_sub(RESERVE).unwrap_or(answer_by);
        let batches = batches(events).into_iter();
        let put = batches.map(|batch| self.put_batch(batch, until));
        join_all(put).await.into_iter().flatten().collect()
    }
}

/// Divides events into as many calls as they need.
pub(crate) fn batches<'a, 'b>(events: &'b [&'a BusEvent]) -> Vec<&'b [&'a BusEvent]> {
    let size = |event: &BusEvent| event.detail_type.len() + event.detail.len();
    let mut batches = Vec::new();
    let (mut first, mut bytes) = (0, 0);
    for (index, event) in events.iter().enumerate() {
        if index - first == BATCH || (index > first && bytes + size(event) > BATCH_BYTES) {
            batches.push(&events[first..index]);
            (first, bytes) = (index, 0);
        }
        bytes += size(event);
    }
    if first < events.len() {
        batches.push(&events[first..]);
    }
    batches
}

/// Source: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsResultEntry.html>
fn result(entry: PutEventsResultEntry) -> Result<String, PutError> {
    match (entry.event_id, entry.error_code) {
        (Some(event_id), None) => Ok(event_id),
        (_, code) => {
            let code = code.unwrap_or_default();
            let reason = entry.error_message.unwrap_or_default();
            tracing::error!(code, reason, "a request failed");
            Err(match code.as_str() {
                "ThrottlingException" => PutError::Throttled,
                _ => PutError::Failed(format!("{code}: {reason}")),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the numbers of events of these sizes in each call.
    fn divided(sizes: &[usize]) -> Vec<usize> {
        let event = |&size: &usize| BusEvent {
            detail_type: "",
            detail: " ".repeat(size),
        };
        let events: Vec<_> = sizes.iter().map(event).collect();
        let events: Vec<_> = events.iter().collect();
        batches(&events).into_iter().map(<[_]>::len).collect()
    }

    #[test]
    fn call_is_limited_by_count_and_by_bytes() {
        assert!(divided(&[]).is_empty());
        assert_eq!(divided(&[100]), [1]);
        assert_eq!(divided(&[100; 25]), [10, 10, 5]);
        let half = BATCH_BYTES / 2;
        assert_eq!(divided(&[half, half, 1]), [2, 1]);
        assert_eq!(divided(&[half, half + 1, 1]), [1, 2]);
        // A single event that is too large is left for the bus to refuse.
        assert_eq!(divided(&[BATCH_BYTES + 1, 1]), [1, 1]);
    }
}
