//! A client: it orders by offset, holds what is ahead, and knows when to ask.

use std::collections::BTreeMap;

use herald_shared::log::{Answer, Epoch, Excerpt, Position, Recovery, Synced};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The number of an event in its world.
pub(crate) type Event = usize;

/// A message as it arrives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Arrived {
    pub(crate) offset: u64,
    pub(crate) epoch: Epoch,
    pub(crate) event: Event,
}

impl Arrived {
    pub(crate) fn read(frame: &RawValue) -> Self {
        #[derive(Deserialize)]
        struct Frame {
            epoch: Epoch,
            offset: u64,
            event: Event,
        }
        let Frame {
            epoch,
            offset,
            event,
        } = serde_json::from_str(frame.get()).expect("a numbered frame");
        Self {
            offset,
            epoch,
            event,
        }
    }
}

/// A reply on its way to the client.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Subscribed(Answer),
    Synced(Synced),
}

/// The state of one log at a client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Client {
    /// The position that the client has reached.
    pub(crate) position: Position,
    /// The position that the client is entitled to everything after. `None` before its subscription is
    /// acknowledged.
    pub(crate) from: Option<u64>,
    /// The highest offset that the client has heard of.
    top: u64,
    held: BTreeMap<u64, Arrived>,
    /// The events that the application got, in order, each with its offset.
    pub(crate) delivered: Vec<(u64, Event)>,
    /// True once the client was told that something is lost.
    pub(crate) told_lost: bool,
}

impl Client {
    pub(crate) fn at(position: Position) -> Self {
        Self {
            top: position.offset,
            position,
            from: None,
            held: BTreeMap::new(),
            delivered: Vec::new(),
            told_lost: false,
        }
    }

    /// Returns whether the client knows that it lacks something.
    pub(crate) fn is_behind(&self) -> bool {
        self.from.is_some() && (!self.held.is_empty() || self.top > self.position.offset)
    }

    /// Receives a push. Before the acknowledgement it is held, as the client does not know its position.
    pub(crate) fn push(&mut self, message: Arrived) {
        self.held.insert(message.offset, message);
        if self.from.is_some() {
            self.drain();
        }
    }

    pub(crate) fn reply(&mut self, reply: Reply) {
        match reply {
            Reply::Subscribed(Answer::Started(excerpt)) => {
                self.from = Some(excerpt.position.offset);
                self.position = excerpt.position.clone();
                self.replay(excerpt);
            }
            Reply::Subscribed(Answer::Recovery(recovery)) => {
                self.from = Some(self.position.offset);
                self.recover(recovery);
            }
            Reply::Synced(Synced::Current) => {}
            Reply::Synced(Synced::Behind(recovery)) => self.recover(recovery),
        }
        self.drain();
    }

    fn recover(&mut self, recovery: Recovery) {
        match recovery {
            Recovery::Recovered(excerpt) => self.replay(excerpt),
            Recovery::Lost(position) => {
                self.told_lost = true;
                self.position = position;
            }
        }
    }

    fn replay(&mut self, excerpt: Excerpt) {
        for frame in &excerpt.messages {
            let message = Arrived::read(frame);
            if message.offset > self.position.offset {
                self.deliver(message);
            }
        }
        if excerpt.position.offset >= self.position.offset {
            self.position = excerpt.position;
        }
        self.top = self.top.max(excerpt.top);
    }

    /// Delivers what is held and next.
    fn drain(&mut self) {
        while let Some(message) = self.held.first_entry() {
            let next = self.position.offset + 1;
            if *message.key() > next {
                break;
            }
            let message = message.remove();
            if message.offset == next {
                self.deliver(message);
            }
        }
    }

    fn deliver(&mut self, message: Arrived) {
        let known = self.position.epoch.as_ref();
        assert!(
            known.is_none_or(|known| *known == message.epoch),
            "another epoch"
        );
        self.position = Position::after(message.epoch, message.offset);
        self.top = self.top.max(message.offset);
        // Repeats are dropped by the event's id.
        if self
            .delivered
            .iter()
            .all(|(_, event)| *event != message.event)
        {
            self.delivered.push((message.offset, message.event));
        }
    }
}
