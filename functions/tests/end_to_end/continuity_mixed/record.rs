//! The record of what each client reported, and its comparison with the log.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex},
};

use serde::Deserialize;
use tokio::sync::mpsc::UnboundedReceiver;

use super::{BRIEF, Truth};

/// A report of a client.
#[derive(Deserialize)]
pub struct Line {
    pub client: usize,
    pub report: Report,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Report {
    Subscribed(Vec<String>),
    Delivered {
        entity: String,
        entry: Entry,
    },
    /// The event id of the acknowledged message.
    Acknowledged(String),
    UnknownOutcome,
    SentAll,
}

/// An event of a subscription, in the order in which the application got it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Entry {
    Message {
        offset: u64,
        event_id: String,
        /// The client that sent it. `None` for an event.
        from: Option<usize>,
    },
    Lost {
        until: u64,
    },
}

/// All reports of a client.
#[derive(Clone, Default)]
pub struct Record {
    pub entities: BTreeMap<String, Vec<Entry>>,
    pub acknowledged: Vec<String>,
    pub unknown: usize,
    pub is_subscribed: bool,
    pub has_sent_all: bool,
}

impl Record {
    pub fn delivered(&self) -> usize {
        self.entries().count() - self.losses()
    }

    pub fn losses(&self) -> usize {
        let losses = self.entries();
        losses
            .filter(|entry| matches!(entry, Entry::Lost { .. }))
            .count()
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entities.values().flatten()
    }

    fn add(&mut self, report: Report) {
        match report {
            Report::Subscribed(entities) => {
                self.is_subscribed = true;
                for entity in entities {
                    self.entities.entry(entity).or_default();
                }
            }
            Report::Delivered { entity, entry } => {
                self.entities.entry(entity).or_default().push(entry);
            }
            Report::Acknowledged(event_id) => self.acknowledged.push(event_id),
            Report::UnknownOutcome => self.unknown += 1,
            Report::SentAll => self.has_sent_all = true,
        }
    }
}

/// The records of all clients, which grow while the clients run.
pub struct Records(Arc<Mutex<Vec<Record>>>);

impl Records {
    pub fn collect(clients: usize, mut lines: UnboundedReceiver<Line>) -> Self {
        let records = Arc::new(Mutex::new(vec![Record::default(); clients]));
        let collected = records.clone();
        tokio::spawn(async move {
            while let Some(line) = lines.recv().await {
                collected.lock().unwrap()[line.client].add(line.report);
            }
        });
        Self(records)
    }

    pub fn all(&self) -> Vec<Record> {
        self.0.lock().unwrap().clone()
    }
}

/// Returns the sender of each message of a client, by event id.
pub fn senders(records: &[Record]) -> HashMap<String, usize> {
    let acknowledged = records.iter().enumerate().flat_map(|(client, record)| {
        let ids = record.acknowledged.iter();
        ids.map(move |id| (id.clone(), client))
    });
    let received = records.iter().flat_map(Record::entries);
    let received = received.filter_map(|entry| match entry {
        Entry::Message {
            event_id,
            from: Some(from),
            ..
        } => Some((event_id.clone(), *from)),
        _ => None,
    });
    acknowledged.chain(received).collect()
}

/// Checks that an application got the messages of the log in its order, each once, but for those of which it was
/// told that they are lost, and that these were out of reach. Its own messages may be among them: it recovers those
/// whose acknowledgement it did not get.
pub fn check(
    entries: &[Entry],
    truth: &Truth,
    is_own: impl Fn(&str) -> bool,
    is_brief: bool,
) -> Result<(), String> {
    let mut last = 0;
    let mut ids = HashSet::new();
    let mut lost = Vec::new();
    let mut delivered = Vec::new();
    for entry in entries {
        match entry {
            Entry::Message {
                offset, event_id, ..
            } => {
                if *offset <= last {
                    return Err(format!("offset {offset} came after {last}"));
                }
                if !ids.insert(event_id) {
                    return Err(format!("{event_id} came twice, again at offset {offset}"));
                }
                last = *offset;
                delivered.push((*offset, event_id.clone()));
            }
            Entry::Lost { until } => {
                if !is_brief || *until <= last + BRIEF {
                    return Err(format!("wrongly told lost from {last} to {until}"));
                }
                lost.push(last + 1..=*until);
                last = *until;
            }
        }
    }
    let is_lost = |offset: &u64| lost.iter().any(|lost| lost.contains(offset));
    let mut seen = HashSet::new();
    let rows = truth.iter().filter(|(offset, _)| !is_lost(offset));
    let rows = rows.filter_map(|(offset, id)| Some((*offset, id.clone()?)));
    // An event that took a second offset is delivered once.
    let expected = rows.filter(|(_, id)| seen.insert(id.clone()) && !is_own(id));
    let expected: Vec<_> = expected.collect();
    delivered.retain(|(_, id)| !is_own(id));
    if expected == delivered {
        return Ok(());
    }
    let missing: Vec<_> = expected
        .iter()
        .filter(|row| !delivered.contains(row))
        .collect();
    let surplus: Vec<_> = delivered
        .iter()
        .filter(|row| !expected.contains(row))
        .collect();
    Err(format!(
        "silently lost {missing:?}, not in the log {surplus:?}"
    ))
}
