//! The promises of the log, as assertions over a run.

use std::collections::BTreeMap;

use herald_shared::log::{Consistency, Content, LogRows};
use serde::Deserialize;

use super::{
    client::{Client, Event},
    run::{Run, audience},
};

/// Checks what has to hold after every step, and returns the promise that is broken.
pub(crate) fn broken<L>(run: &Run<'_, L>) -> Option<String> {
    run.clients.iter().find_map(disordered)
}

/// Returns the complaint about a client that was not served every event once, in one order.
fn disordered(client: &Client) -> Option<String> {
    let delivered = &client.delivered;
    let ordered = delivered.windows(2).all(|pair| pair[0].0 < pair[1].0);
    (!ordered).then(|| format!("out of order: {delivered:?}"))
}

/// Checks what has to hold once every function has ended. Clients ask once more if the world says so.
pub(crate) async fn broken_at_the_end<L: LogRows>(run: &Run<'_, L>) -> Option<String> {
    let offsets = offsets_of_events(run).await;
    if run.world.last {
        return without_the_last(run).await;
    }
    for event in 0..run.world.events {
        let claimed = offsets.get(&event).map_or(&[][..], Vec::as_slice);
        if run.is_done(event) && claimed.is_empty() {
            return Some(format!("event {event} was delivered and is not in the log"));
        }
        if claimed.len() > 1 && !run.world.one_slot {
            return Some(format!("event {event} has the offsets {claimed:?}"));
        }
    }
    for client in 0..run.clients.len() {
        let settled = run.settle(client).await;
        if let Some(complaint) = disordered(&settled) {
            return Some(complaint);
        }
        if settled.told_lost {
            return Some(format!("client {client} was told a loss that is none"));
        }
        let from = settled.from.expect("a subscriber");
        let missed: Vec<_> = offsets
            .iter()
            .filter(|(_, claimed)| claimed.iter().min() > Some(&from))
            .filter(|(event, _)| settled.delivered.iter().all(|(_, got)| got != *event))
            .collect();
        if !missed.is_empty() {
            return Some(format!(
                "lost without a word: {missed:?} (event, offsets) of client {client}, at {:?}",
                settled.position
            ));
        }
    }
    None
}

/// Returns the complaint about a client that does not end with the last message, or of a message without
/// offset.
async fn without_the_last<L: LogRows>(run: &Run<'_, L>) -> Option<String> {
    let end = run.log.position(&audience()).await;
    let end = end.expect("rows that answer");
    for client in 0..run.clients.len() {
        let settled = run.settle(client).await;
        let has_last = settled
            .delivered
            .last()
            .is_some_and(|(offset, _)| *offset == end.offset);
        if disordered(&settled).is_some() || settled.told_lost || settled.position != end {
            return Some(format!(
                "client {client} ends as {settled:?}, the log at {end:?}"
            ));
        }
        if !has_last && settled.from < Some(end.offset) {
            return Some(format!(
                "client {client} got {:?}, not {end:?}",
                settled.delivered
            ));
        }
    }
    None
}

/// Returns the offsets of each event of the world in the log.
async fn offsets_of_events<L: LogRows>(run: &Run<'_, L>) -> BTreeMap<Event, Vec<u64>> {
    #[derive(Deserialize)]
    struct Frame {
        event: Event,
    }
    let (rows, audience) = (run.log.rows(), audience());
    let mut offsets: BTreeMap<Event, Vec<u64>> = BTreeMap::new();
    let head = rows.head(&audience, Consistency::Strong).await;
    let Some(head) = head.expect("rows that answer") else {
        return offsets;
    };
    let page = rows.rows(&audience, &head.epoch, 1..=head.top, 100).await;
    for row in page.expect("rows that answer").rows {
        if let Content::Message { frame, .. } = row.content {
            let frame: Frame = serde_json::from_str(frame.get()).expect("a frame");
            offsets.entry(frame.event).or_default().push(row.offset);
        }
    }
    offsets.retain(|event, _| *event < run.world.events);
    offsets
}
