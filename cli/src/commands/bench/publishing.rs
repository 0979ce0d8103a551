//! Publishing events at their rate: on the bus, or as messages of the connections.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use herald_client::Client;
use herald_shared::in_full::in_full;
use serde_json::json;
use tokio::{
    sync::{Semaphore, mpsc::UnboundedSender},
    task::JoinSet,
    time::sleep_until,
};

use super::{
    events::{Message, Names},
    interrupts::Interrupts,
    plan::Plan,
    run::Happening,
};

/// The most events that one `PutEvents` takes.
///
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html>
const BATCH: usize = 10;

/// How many calls of `PutEvents` may be under way at once. If they take longer than the rate allows, events
/// are published later than planned, and the report has the rate that came of it.
const CALLS_AT_ONCE: usize = 32;

/// How often it is looked which events are due: what came due meanwhile goes in one call.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Publishes the events of a plan.
pub(super) struct Publishing {
    pub(super) plan: Plan,
    pub(super) names: Names,
    /// How many bytes a message has.
    pub(super) message_bytes: usize,
    pub(super) way: Way,
    pub(super) happenings: UnboundedSender<Happening>,
}

/// How events are published.
#[derive(Clone)]
pub(super) enum Way {
    /// By `PutEvents` on this bus.
    Bus {
        events: aws_sdk_eventbridge::Client,
        bus: String,
    },
    /// By `sendMessage` of these connections, by their numbers; none where there is no connection.
    Clients(Arc<[Option<Client>]>),
}

impl Publishing {
    /// Publishes all events, each when it is due, until it is interrupted, and waits for every answer.
    pub(super) async fn run(self, interrupts: Interrupts) {
        let start = Instant::now();
        let publishing = Arc::new(self);
        let calls = Arc::new(Semaphore::new(CALLS_AT_ONCE));
        let mut answers = JoinSet::new();
        let mut next = 0;
        while next < publishing.plan.events() && interrupts.times() == 0 {
            let due = publishing.plan.due(start.elapsed());
            while next < due {
                let batch: Vec<_> = (next..due.min(next + BATCH)).collect();
                next += batch.len();
                // Nobody closes the semaphore.
                let turn = calls.clone().acquire_owned().await;
                publishing.tell_of_publishing(&batch);
                let publishing = publishing.clone();
                answers.spawn(async move {
                    publishing.publish(batch).await;
                    drop(turn);
                });
            }
            while answers.try_join_next().is_some() {}
            let begin = publishing
                .plan
                .due_at(next)
                .max(start.elapsed() + LOOK_EVERY);
            tokio::select! {
                () = sleep_until((start + begin).into()) => {}
                () = interrupts.clone().pressed() => {}
            }
        }
        answers.join_all().await;
    }

    /// The moment from which latency counts.
    fn tell_of_publishing(&self, batch: &[usize]) {
        let at = Instant::now();
        for _ in batch {
            self.tell(Happening::Publishing { at });
        }
    }

    async fn publish(&self, batch: Vec<usize>) {
        match &self.way {
            Way::Bus { events, bus } => self.put(events, bus, batch).await,
            Way::Clients(clients) => {
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
                    self.tell(outcome(event, refusal(entry)));
                }
            }
            Err(error) => {
                let words = aws_sdk_eventbridge::error::DisplayErrorContext(&error).to_string();
                for event in batch {
                    self.tell(outcome(event, Some(words.clone())));
                }
            }
        }
    }

    fn entry(&self, bus: &str, event: usize) -> PutEventsRequestEntry {
        let detail = json!({
            "entityId": self.names.entity(self.plan.entity_of(event)),
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
            return self.tell(outcome(
                event,
                Some("its sender has no connection".to_owned()),
            ));
        };
        let entity = self.names.entity(self.plan.entity_of(event));
        let message = json!(Message::new(event, self.message_bytes));
        let sent = sender
            .send(herald_client::Message::to_entity(entity, message))
            .await;
        self.tell(outcome(event, sent.err().map(|error| in_full(&error))));
    }

    fn tell(&self, happening: Happening) {
        // Fails only when the run is over.
        let _ = self.happenings.send(happening);
    }
}

fn outcome(event: usize, refusal: Option<String>) -> Happening {
    match refusal {
        None => Happening::Taken { event },
        Some(reason) => Happening::Refused { event, reason },
    }
}

/// Why an entry was not taken; none: it was.
fn refusal(entry: &PutEventsResultEntry) -> Option<String> {
    let code = entry.error_code()?;
    let message = entry.error_message().unwrap_or_default();
    Some(format!("{code}: {message}"))
}
