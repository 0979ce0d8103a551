//! The rows of the history table, one request at a time.
//!
//! Each method is one request and each condition is checked by the table itself, atomically with the write.
//! The order of the requests is the business of [`Log`](super::Log). Times are durations since the Unix
//! epoch.

use std::{collections::BTreeMap, future::Future, ops::RangeInclusive, time::Duration};

use serde_json::value::RawValue;

use super::{Epoch, EventTag, HEAD_LIFETIME, LogError, Position};
use crate::audience::Audience;

/// The head of a log.
#[derive(Clone, Debug)]
pub struct Head {
    /// The epoch.
    pub epoch: Epoch,
    /// The last claimed offset.
    pub top: u64,
    /// The time the first offset was claimed.
    pub made_at: Duration,
    /// The time the last offset was claimed.
    pub at: Duration,
    /// The retention of the log's messages.
    pub retention: Retention,
    /// True if another epoch came before, of which a subscriber without an epoch may have missed messages.
    pub restarted: bool,
    /// The last event of each slot.
    pub slots: BTreeMap<u8, Remembered>,
    /// In mode `last`: the highest version that a producer gave.
    pub version: Option<u64>,
    /// In mode `last`: the last message's frame, without its position.
    pub frame: Option<Box<RawValue>>,
}

/// The retention of a log's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// Each message has a row, for so many whole seconds from when its offset was claimed.
    Seconds(u64),
    /// Only the last message is kept, on the head.
    Last,
}

/// An event that a head remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The event.
    pub bits: [u8; 6],
    /// The offset that it claimed.
    pub offset: u64,
    /// The time it claimed it, in whole seconds.
    pub at: Duration,
}

impl Head {
    /// Returns the head of a log without messages.
    pub(super) fn empty(claim: &Claim<'_>) -> Self {
        Self {
            epoch: claim.new_epoch.clone(),
            top: 0,
            made_at: claim.now,
            at: claim.now,
            retention: claim.retention,
            restarted: false,
            slots: BTreeMap::new(),
            version: None,
            frame: None,
        }
    }

    /// Applies a claim.
    pub(super) fn apply(&mut self, claim: &Claim<'_>) {
        let at = Duration::from_secs(claim.now.as_secs());
        let mut slots = BTreeMap::new();
        for (event, offset) in claim.events.iter().zip(self.top + 1..) {
            let bits = event.tag.bits;
            let slot = slots.entry(event.tag.slot);
            slot.or_insert(Remembered { bits, offset, at });
        }
        self.slots.extend(slots);
        self.top += claim.events.len() as u64;
        self.at = claim.now;
        if let Some(last) = claim.last {
            self.version = last.version.or(self.version);
            self.frame = Some(last.frame.to_owned());
        }
    }

    /// Returns the memory of an event. `None` if the head never had it or forgot it.
    pub fn remembered(&self, event: EventTag) -> Option<Remembered> {
        let remembered = self.slots.get(&event.slot);
        remembered
            .filter(|remembered| remembered.bits == event.bits)
            .copied()
    }

    /// Returns the position after the last offset that was claimed.
    pub fn end(&self) -> Position {
        Position::after(self.epoch.clone(), self.top)
    }

    /// Returns when the head may go.
    pub fn expires_at(&self) -> Duration {
        self.at + HEAD_LIFETIME
    }
}

/// Offsets to be claimed for events, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The events, in the order of their offsets. Each may be remembered once: the second of one slot is not.
    pub events: &'a [ClaimedEvent],
    /// The retention of the log. The claim is refused by a log that has another.
    pub retention: Retention,
    /// The epoch of the log if it has none yet.
    pub new_epoch: &'a Epoch,
    /// The time.
    pub now: Duration,
    /// In mode `last`: the only event's message.
    pub last: Option<LastValue<'a>>,
}

/// An event that claims an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimedEvent {
    /// The event.
    pub tag: EventTag,
    /// The offset that it has and cannot use, because another row is there.
    pub lost: Option<u64>,
}

impl ClaimedEvent {
    /// Returns whether the head lets the event claim an offset: it does not remember the event, or with the
    /// offset that it lost.
    pub fn is_admitted(&self, head: &Head) -> bool {
        let remembered = head.remembered(self.tag);
        remembered.is_none_or(|remembered| Some(remembered.offset) == self.lost)
    }
}

/// A message that becomes the only one of its log.
#[derive(Clone, Copy, Debug)]
pub struct LastValue<'a> {
    /// The frame, without a position.
    pub frame: &'a RawValue,
    /// The producer's version. The claim is refused unless it is higher than the head's.
    pub version: Option<u64>,
}

/// The result of a [`Claim`].
#[derive(Clone, Debug)]
pub enum Claimed {
    /// The events have the head's last offsets.
    Made(Head),
    /// The condition does not hold. This is the head that it was checked on.
    Refused(Head),
}

/// A row of a log.
#[derive(Clone, Debug)]
pub struct LogRow {
    /// The offset.
    pub offset: u64,
    /// The time the offset was claimed; for a filled hole, no later than that.
    pub at: Duration,
    /// The row's content.
    pub content: Content,
}

/// The content of a row.
#[derive(Clone, Debug)]
pub enum Content {
    /// A message.
    Message {
        /// The event's id.
        event_id: String,
        /// The frame, exactly as it is posted.
        frame: Box<RawValue>,
    },
    /// A hole that a reader has filled.
    Gone,
}

impl LogRow {
    /// Returns when the row expires. It counts from whole seconds, as [`Remembered::at`] does, so that the
    /// row of a redelivered event expires when the first one would have.
    pub fn expires_at(&self, seconds: u64) -> Duration {
        Duration::from_secs(self.at.as_secs().saturating_add(seconds))
    }
}

/// The result of a put.
#[derive(Clone, Debug)]
pub enum Put {
    /// The row is stored.
    Stored,
    /// The offset has this row.
    Occupied(LogRow),
}

/// The first rows of a range of offsets.
#[derive(Clone, Debug, Default)]
pub struct RowPage {
    /// The rows, in the order of their offsets.
    pub rows: Vec<LogRow>,
    /// The offset that the page was read to, if the range may have more.
    pub read_to: Option<u64>,
}

/// The age that an answer may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// None: every write that was acknowledged before is in it.
    Strong,
    /// Usually below a second, at half the read units.
    ///
    /// Source: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.ReadConsistency.html>
    Eventual,
}

/// The rows of the history table.
///
/// # Errors
///
/// Every method returns [`LogError`] if the table did not answer, or refused for another reason than its
/// condition. The write may have been applied then, or may still be.
pub trait LogRows: Send + Sync {
    /// Claims offsets and remembers their events, if each of them is admitted
    /// ([`ClaimedEvent::is_admitted`]), the head has the same retention and, in mode `last`, no version as
    /// high. A head that does not exist is made.
    fn claim(
        &self,
        audience: &Audience,
        claim: Claim<'_>,
    ) -> impl Future<Output = Result<Claimed, LogError>> + Send;

    /// Puts another head in the place of that of the epoch `ended`. Returns false if the head is not of it.
    fn replace_head(
        &self,
        audience: &Audience,
        ended: &Epoch,
        head: &Head,
    ) -> impl Future<Output = Result<bool, LogError>> + Send;

    /// Reads the head. `None` if no offset was ever claimed.
    fn head(
        &self,
        audience: &Audience,
        consistency: Consistency,
    ) -> impl Future<Output = Result<Option<Head>, LogError>> + Send;

    /// Stores a row, unless its offset has one. The table may remove it once `kept_until` has passed.
    fn put(
        &self,
        audience: &Audience,
        epoch: &Epoch,
        row: &LogRow,
        kept_until: Duration,
    ) -> impl Future<Output = Result<Put, LogError>> + Send;

    /// Reads the first rows of a range of offsets, at most `limit`, consistently. Rows that expired may be
    /// among them.
    fn rows(
        &self,
        audience: &Audience,
        epoch: &Epoch,
        offsets: RangeInclusive<u64>,
        limit: usize,
    ) -> impl Future<Output = Result<RowPage, LogError>> + Send;
}
