//! The audience of a push, and the ranges that a large audience is divided into.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::{
    ids::{ConnectionId, EntityId, UserId},
    token_expiry::{TokenExpiry, since_epoch},
};

/// The recipients of a push.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Audience {
    /// Every connection.
    Everyone,
    /// Every connection of a user.
    User(UserId),
    /// Every connection subscribed to an entity.
    Entity(EntityId),
}

/// One connection of an audience.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "WrittenRecipient", into = "WrittenRecipient")]
pub struct Recipient {
    /// The connection.
    pub connection: ConnectionId,
    /// The time it was opened, in whole seconds.
    pub connected_at: SystemTime,
    /// The end of its token. `None` if it has no token.
    pub token_expires_at: Option<TokenExpiry>,
}

/// The time that the rows of a connection are kept. API Gateway closes a connection after two hours; the
/// margin is for clocks that differ and for a late `$disconnect`.
///
/// Source: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>
pub const LIFETIME: Duration = Duration::from_secs(2 * 60 * 60 + 10 * 60);

/// The age below which a connection is never forgotten for a 410: its rows are stored before the gateway
/// has finished the handshake, and until then posts to it answer 410.
pub const YOUNG: Duration = Duration::from_secs(30);

impl Recipient {
    /// Returns a connection that was opened in this second since 1970; every `u32` is a valid time.
    pub(crate) fn opened_in(
        second: u32,
        connection: ConnectionId,
        token_expires_at: Option<TokenExpiry>,
    ) -> Self {
        Self {
            connection,
            connected_at: UNIX_EPOCH + Duration::from_secs(second.into()),
            token_expires_at,
        }
    }

    /// Returns the second since 1970 in which the connection was opened.
    pub(crate) fn opening_second(&self) -> u32 {
        let second = since_epoch(self.connected_at).as_secs();
        u32::try_from(second).unwrap_or(u32::MAX)
    }

    /// Returns whether the connection may still be in its handshake: whether it is younger than
    /// [`YOUNG`].
    pub fn is_young(&self, now: SystemTime) -> bool {
        self.age(now) < YOUNG
    }

    /// Returns whether the connection is past its lifetime, though the time to live has not removed its
    /// rows yet.
    pub fn has_expired(&self, now: SystemTime) -> bool {
        self.age(now) >= LIFETIME
    }

    /// Returns the time since the connection was opened. Zero if this clock is behind.
    fn age(&self, now: SystemTime) -> Duration {
        now.duration_since(self.connected_at).unwrap_or_default()
    }

    /// Returns whether the connection has a token and the token has ended.
    pub fn token_has_expired(&self, now: SystemTime) -> bool {
        self.token_expires_at
            .is_some_and(|expiry| expiry.has_passed(now))
    }
}

/// A recipient in the format of the queue, where one message may have thousands.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum WrittenRecipient {
    // The number is the second since 1970 in which the connection was opened.
    Anonymous(ConnectionId, u32),
    Until(ConnectionId, u32, TokenExpiry),
}

impl From<WrittenRecipient> for Recipient {
    fn from(written: WrittenRecipient) -> Self {
        match written {
            WrittenRecipient::Anonymous(connection, at) => Self::opened_in(at, connection, None),
            WrittenRecipient::Until(connection, at, expiry) => {
                Self::opened_in(at, connection, Some(expiry))
            }
        }
    }
}

impl From<Recipient> for WrittenRecipient {
    fn from(recipient: Recipient) -> Self {
        let connected_at = recipient.opening_second();
        match recipient.token_expires_at {
            None => Self::Anonymous(recipient.connection, connected_at),
            Some(expiry) => Self::Until(recipient.connection, connected_at, expiry),
        }
    }
}

/// A part of an audience: the connections of consecutive slots, in the order of their slots.
///
/// Every connection has one of 256 slots, by a hash of its id, so that an audience is spread evenly over
/// them and disjoint ranges of it can be read at the same time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The first slot.
    pub first: u8,
    /// The last slot.
    pub last: u8,
    /// The connection of the first slot after which the range starts. `None` if the range has the whole
    /// slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<ConnectionId>,
}

/// The number of slots of an audience.
pub const ALL_SLOTS: u16 = 256;

impl Range {
    /// The range of a whole audience.
    pub const WHOLE: Self = Self {
        first: 0,
        last: u8::MAX,
        after: None,
    };

    /// Returns the parts of this range that lie in one shard each, in their order. Empty if the last
    /// slot is below the first. A shard has the slots with the same first hex digit.
    pub fn shards(&self) -> Vec<Self> {
        (shard(self.first)..=shard(self.last))
            .filter(|_| self.first <= self.last)
            .map(|number| Self {
                first: self.first.max(number << 4),
                last: self.last.min(number << 4 | 0xf),
                after: self.after.clone().filter(|_| number == shard(self.first)),
            })
            .collect()
    }

    /// Returns the number of slots in the range.
    pub fn slots(&self) -> u16 {
        u16::from(self.last.saturating_sub(self.first)) + 1
    }

    /// Returns this range up to the slot of `read_to`.
    pub fn up_to(&self, read_to: &ConnectionId) -> Self {
        Self {
            last: slot(read_to),
            ..self.clone()
        }
    }

    /// Returns the rest of this range after it was read up to and including `read_to`, as ranges that
    /// each have somewhat fewer connections than were read.
    pub fn rest(&self, read_to: &ConnectionId) -> Vec<Self> {
        let slot = slot(read_to);
        let read = usize::from(slot.saturating_sub(self.first)) + 1;
        // Somewhat fewer, because slots are not exactly even and a range over a page costs one more.
        let width = (read * 3 / 4).max(1);
        (slot..=self.last)
            .step_by(width)
            .map(|first| Self {
                first,
                last: usize::from(first)
                    .saturating_add(width - 1)
                    .min(usize::from(self.last)) as u8,
                after: (first == slot).then(|| read_to.clone()),
            })
            .collect()
    }
}

/// Returns the shard of a slot, 0 to 15. The listener rows of everyone are spread over shards, so that
/// no single key of the table gets the writes of all connects.
pub fn shard(slot: u8) -> u8 {
    slot >> 4
}

/// Returns the slot of a connection: FNV-1a, folded to a byte. The hash must never change, because it is
/// part of stored keys.
pub fn slot(connection: &ConnectionId) -> u8 {
    let hash = connection
        .as_str()
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
    hash.to_be_bytes()
        .into_iter()
        .fold(0, |folded, byte| folded ^ byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection_id(text: &str) -> ConnectionId {
        ConnectionId::new(text).expect("an id")
    }

    #[test]
    fn connections_spread_evenly_over_the_slots() {
        let mut counts = [0_u32; 256];
        for number in 0..25_600 {
            counts[usize::from(slot(&connection_id(&format!("P{number:09x}IEm4LQ="))))] += 1;
        }
        let (least, most) = (counts.iter().min(), counts.iter().max());
        assert!(least > Some(&50) && most < Some(&160), "{least:?} {most:?}");
    }

    #[test]
    fn shards_of_a_range_have_no_gap_or_overlap() {
        let after = Some(connection_id("PcQeDRO4gIEm4LQ="));
        for (first, last, parts) in [
            (0, 255, 16),
            (0x12, 0x17, 1),
            (0x1f, 0x20, 2),
            (0xf8, 0xff, 1),
            (7, 7, 1),
        ] {
            let after = after.clone();
            let shards = Range { first, last, after }.shards();
            assert_eq!(shards.len(), parts);
            assert_eq!((shards[0].first, shards[parts - 1].last), (first, last));
            for (index, part) in shards.iter().enumerate() {
                assert_eq!(shard(part.first), shard(part.last));
                assert_eq!(part.after.is_some(), index == 0);
            }
            for pair in shards.windows(2) {
                assert_eq!(pair[0].last + 1, pair[1].first);
            }
        }
    }

    #[test]
    fn ranges_of_an_audience_have_all_slots() {
        let read_to = connection_id("PcQeDRO4gIEm4LQ=");
        assert_eq!(Range::WHOLE.slots(), ALL_SLOTS);
        let read = Range::WHOLE.up_to(&read_to);
        let rest = Range::WHOLE.rest(&read_to);
        let slots = read.slots() + rest.iter().map(Range::slots).sum::<u16>();
        // The slot that was read in part is in two of them.
        assert_eq!(slots, ALL_SLOTS + 1);
    }

    #[test]
    fn range_that_ends_before_it_starts_has_no_shards() {
        for (first, last) in [(0x17, 0x12), (0x20, 0x1f)] {
            let after = None;
            assert_eq!(Range { first, last, after }.shards(), []);
        }
    }

    #[test]
    fn rest_of_a_range_has_no_gap_or_overlap() {
        let read_to = connection_id("PcQeDRO4gIEm4LQ=");
        let read_slot = slot(&read_to);
        for (first, last) in [
            (0, 255),
            (read_slot, 255),
            (read_slot, read_slot),
            (100, 200),
        ] {
            let range = Range {
                first,
                last,
                after: None,
            };
            let rest = range.rest(&read_to);
            assert_eq!(rest[0].after, Some(read_to.clone()));
            let mut next = u16::from(read_slot);
            for (index, part) in rest.iter().enumerate() {
                assert_eq!(u16::from(part.first), next);
                assert_eq!(part.after.is_some(), index == 0);
                next = u16::from(part.last) + 1;
            }
            assert_eq!(next, u16::from(last) + 1);
        }
    }
}
