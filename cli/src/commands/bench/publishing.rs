//! Publishing events at a rate, on the bus or as messages of the connections.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use herald_client::Client;
use herald_shared::error_chain::error_chain;
use serde_json::json;
use tokio::{
    sync::{Semaphore, mpsc::UnboundedSender},
    task::JoinSet,
    time::sleep_until,
};

use super::{
    events::{Message, RunId},
    interrupts::Interrupts,
    plan::Plan,
    run::Observation,
};

/// The largest number of events in one call of `PutEvents`.
///
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>
const BATCH: usize = 10;

/// The largest number of calls in flight. If calls are too slow for the rate, events are published later than planned, and
/// the report has the actual rate.
const MAX_IN_FLIGHT: usize = 32;

/// The interval at which due events are collected into calls.
const BATCH_INTERVAL: Duration = Duration::from_millis(10);

/// The publisher of the events of a plan.
pub(super) struct Publishing {
    pub(super) plan: Plan,
    pub(super) run_id: RunId,
    /// The bytes of a message.
    pub(super) message_bytes: usize,
    pub(super) transport: Transport,
    pub(super) observations: UnboundedSender<Observation>,
}

/// The transport of the events.
#[derive(Clone)]
pub(super) enum Transport {
    /// `PutEvents` on this bus.
    Bus {
        events: aws_sdk_eventbridge::Client,
        bus: String,
    },
    /// `sendMessage` on these connections, by their numbers. `None` for a connection that failed.
    Clients(Arc<[Option<Client>]>),
}

impl Publishing {
    /// Publishes all events, each when it is due, until Ctrl-C, and waits for all replies.
    pub(super) async fn run(self, interrupts: Interrupts) {
        let start = Instant::now();
        let publishing = Arc::new(self);
        let calls = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
        let mut replies = JoinSet::new();
        let mut next = 0;
        while next < publishing.plan.events() && interrupts.count() == 0 {
            let due = publishing.plan.due(start.elapsed());
            while next < due {
                let batch: Vec<_> = (next..due.min(next + BATCH)).collect();
                next += batch.len();
                // Fails only if the semaphore is closed, which it never is.
                let permit = calls.clone().acquire_owned().await;
                publishing.observe_start(&batch);
                let publishing = publishing.clone();
                replies.spawn(async move {
                    publishing.publish(batch).await;
                    drop(permit);
                });
            }
            while replies.try_join_next().is_some() {}
            let next_at = publishing
                .plan
                .due_at(next)
                .max(start.elapsed() + BATCH_INTERVAL);
            tokio::select! {
                () = sleep_until((start + next_at).into()) => {}
                () = interrupts.clone().pressed() => {}
            }
        }
        replies.join_all().await;
    }

    /// Observes the time from which latency is measured.
    fn observe_start(&self, batch: &[usize]) {
        let at = Instant::now();
        for _ in batch {
            self.observe(Observation::Publishing { at });
        }
    }

    async fn publish(&self, batch: Vec<usize>) {
        match &self.transport {
            Transport::Bus { events, bus } => self.put(events, bus, batch).await,
            Transport::Clients(clients) => {
                let sending = batch.into_iter().map(|event| self.send(clients, event));
                futures_util::future::join_all(sending).await;
            }
        }
    }

    async fn put(&self, events: &aws_sdk_eventbridge::Client, bus: &str, batch: Vec<usize>) {
        let entries = batch.iter().map(|event| self.entry(bus, *event)).collect();
        let put = events.put_events().set_entries(Some(entries)).send().await;
        match put {
            Ok(put) => {
                for (event, entry) in batch.into_iter().zip(put.entries()) {
                    self.observe(result(event, refusal(entry)));
                }
            }
            Err(error) => {
                let reason = aws_sdk_eventbridge::error::DisplayErrorContext(&error).to_string();
                for event in batch {
                    self.observe(result(event, Some(reason.clone())));
                }
            }
        }
    }

    fn entry(&self, bus: &str, event: usize) -> PutEventsRequestEntry {
        let detail = json!({
            "entityId": self.run_id.entity(self.plan.entity_of(event)),
            "message": Message::new(event, self.message_bytes),
        });
        PutEventsRequestEntry::builder()
            .event_bus_name(bus)
            .source("herald.bench")
            .detail_type("Entity Updated")
            .detail(detail.to_string())
            .build()
    }

    async fn send(&self, clients: &[Option<Client>], event: usize) {
        let sender = self
            .plan
            .sender_of(event)
            .and_then(|sender| clients[sender].as_ref());
        let Some(sender) = sender else {
            return self.observe(result(
                event,
                Some("its sender is not connected".to_owned()),
            ));
        };
        let entity = self.run_id.entity(self.plan.entity_of(event));
        let message = json!(Message::new(event, self.message_bytes));
        let sent = sender
            .send(herald_client::Message::to_entity(entity, message))
            .await;
        self.observe(result(event, sent.err().map(|error| error_chain(&error))));
    }

    fn observe(&self, observation: Observation) {
        // Fails only when the run is over.
        let _ = self.observations.send(observation);
    }
}

fn result(event: usize, refusal: Option<String>) -> Observation {
    match refusal {
        None => Observation::Accepted { event },
        Some(reason) => Observation::Refused { event, reason },
    }
}

/// Returns the reason for which an entry was refused. `None` if it was accepted.
fn refusal(entry: &PutEventsResultEntry) -> Option<String> {
    let code = entry.error_code()?;
    let message = entry.error_message().unwrap_or_default();
    Some(format!("{code}: {message}"))
}
