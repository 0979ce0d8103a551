//! The tasks of a batch: records to deliver as they are, and records to number first.

use std::collections::BTreeMap;

use herald_shared::{
    audience::Audience,
    log::LogPolicy,
    presence::Flush,
    push::{Push, QueueMessage},
    queue::{DeadLetter, Release},
};

use super::{
    Failures,
    failing::{RecordError, RecordFailure},
    record::Record,
};
use crate::{backend_events, bus::BusEvent, logs::Logs};

/// A part of a batch.
pub(super) enum Task {
    /// One record.
    Deliver {
        record: Record,
        /// The push of the whole record, or the unfinished parts that this process knows.
        pushes: Result<Vec<Push>, RecordFailure>,
        /// True if the pushes are the whole record.
        whole: bool,
    },
    /// A flush of an entity's presence.
    Flush { record: Record, flush: Flush },
    /// One record of events for the backend, which the bus did not accept before.
    PutOnBus {
        record: Record,
        events: Vec<BusEvent>,
    },
    /// Records of pushes that take their offsets in one log together.
    Number(Group),
}

/// Pushes for one audience that has a log.
pub(super) struct Group {
    pub(super) audience: Audience,
    pub(super) policy: LogPolicy,
    /// In the order of the batch.
    pub(super) records: Vec<(Record, Push)>,
}

/// Divides the records of a batch into tasks.
pub(super) fn tasks<Q: DeadLetter + Release, R>(
    records: impl Iterator<Item = Record>,
    failures: &Failures<'_, Q>,
    logs: &Logs<R>,
) -> Vec<Task> {
    let mut tasks = Vec::new();
    let mut groups: BTreeMap<Audience, Group> = BTreeMap::new();
    for record in records {
        if let Some(unfinished) = failures.unfinished(&record) {
            tasks.push(Task::Deliver {
                record,
                pushes: Ok(unfinished),
                whole: false,
            });
            continue;
        }
        if let Some(events) = backend_events::from_queue_body(&record.body) {
            tasks.push(Task::PutOnBus { record, events });
            continue;
        }
        let push = match QueueMessage::from_body(&record.body, record.received()) {
            Ok(QueueMessage::Push(push)) => Ok(*push),
            Ok(QueueMessage::Flush(flush)) => {
                tasks.push(Task::Flush { record, flush });
                continue;
            }
            Err(error) => Err(error),
        };
        match push.map(|push| (log_of(&push, logs), push)) {
            Ok((Some((audience, policy)), push)) => {
                let group = groups.entry(audience.clone()).or_insert_with(|| Group {
                    audience,
                    policy,
                    records: Vec::new(),
                });
                group.records.push((record, push));
            }
            Ok((None, push)) => tasks.push(Task::Deliver {
                record,
                pushes: Ok(vec![push]),
                whole: true,
            }),
            Err(error) => tasks.push(Task::Deliver {
                record,
                pushes: Err(RecordError::from(error).into()),
                whole: true,
            }),
        }
    }
    tasks.extend(groups.into_values().map(Task::Number));
    tasks
}

/// Returns the audience in whose log a push is to be stored, and the log's policy.
fn log_of<R>(push: &Push, logs: &Logs<R>) -> Option<(Audience, LogPolicy)> {
    let audience = push.unnumbered_audience()?;
    Some((audience.clone(), logs.policy(audience)?))
}
