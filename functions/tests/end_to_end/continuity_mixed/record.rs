//! The record of what each client reported, and its comparison with the log.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
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
    /// The client's position in the log of each entity, before it read a push.
    Subscribed(BTreeMap<String, u64>),
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
    /// The messages up to this offset are lost. The client goes on from there.
    Lost { until: u64 },
}

/// The log of an entity as a client has it.
#[derive(Clone, Default)]
pub struct Log {
    /// The offset of the client's first position.
    start: u64,
    entries: Vec<Entry>,
}

/// All reports of a client.
#[derive(Clone, Default)]
pub struct Record {
    pub logs: BTreeMap<String, Log>,
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
        self.logs.values().flat_map(|log| &log.entries)
    }

    fn add(&mut self, report: Report) {
        match report {
            Report::Subscribed(positions) => {
                self.is_subscribed = true;
                for (entity, start) in positions {
                    self.logs.entry(entity).or_default().start = start;
                }
            }
            Report::Delivered { entity, entry } => {
                self.logs.entry(entity).or_default().entries.push(entry);
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

/// Checks that an application got the messages of the log since its first position, in order and each once, but for
/// those of which it was told that they are lost, and that these were out of reach. Its own messages may be among
/// them: it recovers those whose acknowledgement it did not get.
pub fn check(
    log: &Log,
    truth: &Truth,
    is_own: impl Fn(&str) -> bool,
    is_brief: bool,
) -> Result<(), String> {
    let mut last = log.start;
    let mut lost = Vec::new();
    let mut delivered = Vec::new();
    for entry in &log.entries {
        match entry {
            Entry::Message {
                offset, event_id, ..
            } => {
                if *offset <= last {
                    return Err(format!("offset {offset} came after {last}"));
                }
                last = *offset;
                delivered.push((*offset, event_id.as_str()));
            }
            Entry::Lost { until } => {
                if !is_brief || !is_out_of_reach(last, *until, truth) {
                    return Err(format!("wrongly told lost from {last} to {until}"));
                }
                lost.push(last + 1..=*until);
                last = *until;
            }
        }
    }
    let mut ids = HashSet::new();
    if let Some((offset, id)) = delivered.iter().find(|(_, id)| !ids.insert(*id)) {
        return Err(format!("{id} came twice, again at offset {offset}"));
    }
    let is_lost = |offset: &u64| lost.iter().any(|lost| lost.contains(offset));
    let rows = truth.range(log.start + 1..);
    let rows = rows.filter(|(offset, _)| !is_lost(offset));
    let rows = rows.filter_map(|(offset, id)| Some((*offset, id.as_deref()?)));
    // An event that took a second offset is delivered once.
    let mut ids = HashSet::new();
    let expected = rows.filter(|(_, id)| ids.insert(*id) && !is_own(id));
    let expected: BTreeSet<_> = expected.collect();
    let delivered: BTreeSet<_> = delivered
        .into_iter()
        .filter(|(_, id)| !is_own(id))
        .collect();
    if expected == delivered {
        return Ok(());
    }
    let missing: Vec<_> = expected.difference(&delivered).collect();
    let surplus: Vec<_> = delivered.difference(&expected).collect();
    let start = log.start;
    Err(format!(
        "from {start}: silently lost {missing:?}, not in the log {surplus:?}"
    ))
}

/// Returns whether messages after an offset were out of reach when the log ended at `until`, which a client is told
/// as its position after a loss: they exceeded the policy, or a row is absent.
fn is_out_of_reach(last: u64, until: u64, truth: &Truth) -> bool {
    let exceeds = until.saturating_sub(last) > BRIEF;
    exceeds || (last + 1..=until).any(|offset| !truth.contains_key(&offset))
}
